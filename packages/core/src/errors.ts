import type { NodeId } from './types.ts'

/**
 * Why a change of the members, or a transfer of leadership, is refused.
 * - `NOT_READY`: the leader has not committed an entry of its own term yet
 * - `IN_PROGRESS`: another change or transfer is under way, or the joint configuration has not been left
 * - `NOT_JOINT`: there is no joint configuration to leave
 * - `NOT_CAUGHT_UP`: a learner lags too far behind to be promoted
 * - `NO_QUORUM`: the leader does not hear a quorum of the configuration that it would lead to
 * - `INVALID`: it makes no sense for this configuration
 * - `ABANDONED`: it was begun, and given up (a transfer that took too long)
 */
export type ChangeRefusal =
  | 'NO_QUORUM'
  | 'NOT_READY'
  | 'IN_PROGRESS'
  | 'NOT_JOINT'
  | 'NOT_CAUGHT_UP'
  | 'INVALID'
  | 'ABANDONED'

/** The data of each error code. What is not listed here is not thrown at users. */
export interface RaftErrorData {
  /** This node is not the leader; `leaderHint` is who it believes is. Nothing happened. */
  NOT_LEADER: { leaderHint: NodeId | undefined }
  /** A bound is reached. Nothing happened; try again after `retryAfterMs`. */
  BUSY: { retryAfterMs: number; limit: string }
  /** The leader's disk is full. Nothing happened; it takes commands again by itself, once there is space. */
  NO_SPACE: { retryAfterMs: number }
  /** The command may or may not have been applied: it was sent, and no answer came in time. */
  INDETERMINATE: { reason: string }
  /** The deadline passed before the request was sent. Nothing happened. */
  TIMEOUT: { timeoutMs: number | undefined }
  /** Given up by the caller's AbortSignal before it was sent. Nothing happened. */
  ABORTED: { reason: string }
  /** The node, client or cluster is stopping or stopped. Nothing happened. */
  SHUTTING_DOWN: { what: string }
  /** The store failed: the node goes down, its supervisor decides what follows. */
  STORAGE_FAILED: { path: string; reason: string }
  /** A stored record does not fit its checksum or its place. */
  STORAGE_DAMAGED: { path: string; reason: string }
  /** The client's session was evicted; commands without an answer are INDETERMINATE. */
  STALE_SESSION: { session: number }
  /** A change of the members or a transfer cannot be begun now, or not from here. Nothing happened. */
  REFUSED_CHANGE: { reason: ChangeRefusal; detail: string }
  /** An option, argument or flag is wrong. */
  INVALID_OPTIONS: { field: string; value: unknown; expected: string }
  /** A command that cannot be encoded or is above the size limit. Nothing happened. */
  INVALID_COMMAND: { field: string; value: unknown; expected: string }
  /** The state machine refused the command or query: its own message, the same on every replica. */
  REJECTED: { reason: string }
  /** A state machine module does not load or breaks its contract. */
  INVALID_MACHINE: { machine: string; reason: string }
  /** A data directory that cannot be used: not writable, locked, another cluster's, another format. */
  INVALID_DIRECTORY: { path: string; reason: string }
  /** A peer or client does not speak the protocol. */
  PROTOCOL: { reason: string }
  /** A node's worker died or did not answer a control call. */
  NODE_UNAVAILABLE: { node: NodeId; reason: string }
}

export type RaftErrorCode = keyof RaftErrorData

/**
 * The one error of Troupe: a literal `code` to switch on, typed `data`, a message for people.
 * `toWire`/`fromWire` carry it across threads and sockets (structured clone and comlink drop `code`).
 */
export class RaftError<C extends RaftErrorCode = RaftErrorCode> extends Error {
  override readonly name = 'RaftError'
  readonly code: C
  readonly data: RaftErrorData[C]

  constructor(code: C, message: string, data: RaftErrorData[C], options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.data = data
  }

  /** A plain value that survives structured clone, msgpack and JSON. */
  toWire(): WireError {
    return { code: this.code, message: this.message, data: this.data }
  }

  static fromWire(wire: WireError): RaftError {
    return new RaftError(wire.code, wire.message, wire.data as RaftErrorData[typeof wire.code])
  }

  /** Narrows `error` to a RaftError of `code`. */
  static is<K extends RaftErrorCode>(error: unknown, code: K): error is RaftError<K> {
    return error instanceof RaftError && error.code === code
  }
}

export interface WireError {
  readonly code: RaftErrorCode
  readonly message: string
  readonly data: RaftErrorData[RaftErrorCode]
}

/** One clear line for a wrong option: the field, the value, what was expected. */
export function invalidOption(field: string, value: unknown, expected: string): RaftError<'INVALID_OPTIONS'> {
  return new RaftError('INVALID_OPTIONS', `${field} is ${show(value)}; expected ${expected}`, {
    field,
    value,
    expected,
  })
}

/** A value as it is shown to people in an error: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  }
  return String(value)
}

/** A broken invariant: a bug of ours. Stays on in production and takes the actor down. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws an {@link InvariantError} where `condition` does not hold. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
