/**
 * The contract of a state machine: what a cluster replicates.
 *
 * A machine is a plain synchronous object. Every replica makes its own and gives it the same commands in the same
 * order, so `apply` must depend on nothing but the state, the command and its metadata: no clock, no random
 * numbers, no I/O. What `apply` throws by {@link reject} is the command's result, the same on every replica.
 *
 * A machine may keep its state on the disk: its definition says so, and `create` is given a {@link MachineStorage}.
 *
 * A user's machine is an ES module whose export named `machine` is a {@link MachineDefinition}; it is given by
 * its URL and loaded inside each node's worker.
 */
import {
  type Checksum,
  invalidOption,
  type MachineStorage,
  RaftError,
  type SegmentSpace,
  type StateLoader,
} from '@troupe/core'
import type { CommandError, CountingResults } from './outcome.ts'

/** Values to bytes and back; decoding what encode gave yields an equal value. */
export interface Codec {
  /** The bytes are a copy of their own: they may be kept, posted or transferred. */
  encode(value: unknown): Uint8Array
  /** @throws where `bytes` are no encoding of a value; the views it returns may alias `bytes` */
  decode(bytes: Uint8Array): unknown
}

/** Where a command stands. The object is reused: copy what you keep. */
export interface CommandMeta {
  /** Raft index of the entry that carries the command. */
  readonly index: number
  /**
   * Log time in milliseconds: the only clock a machine may use. It advances with the leader's monotonic
   * clock and never goes back; it says nothing about the time of day.
   */
  readonly timeMs: number
  /** The client's session that the command came in; undefined where time passes without one. */
  readonly session?: number | undefined
}

/** What a machine is made with. */
export interface MachineContext {
  readonly codec: Codec
  /** CRC-32, for machines that keep a running checksum. */
  readonly checksum: Checksum
  /** `machineOptions` of the cluster: the same on every replica. */
  readonly options: Readonly<Record<string, unknown>>
  /**
   * Where the state is kept, for a machine that asked for the disk. It holds what was applied before a restart: all that is
   * not in it is lost then. What is written during one `apply` of entries is committed as one step, with the sessions.
   */
  readonly storage?: MachineStorage | undefined
  /**
   * Room outside the machine's own memory, for a machine that asked for `segments`; undefined where the cluster has no
   * directory. Empty, unless the machine is about to be given what its `rest` gave.
   */
  readonly segments?: SegmentSpace | undefined
}

/** The answer of a query that waits. A client that waits too long, or asked otherwise than with `stale`, gets undefined. */
export const NOT_YET: unique symbol = Symbol('not yet')

/** What became of the commands of a payload. What is absent is undefined, or fine. */
export interface BatchResults {
  readonly results?: readonly unknown[] | CountingResults
  readonly errors?: readonly CommandError[]
}

/**
 * Answers as a table: the names of fields once, then a row of values for each answer that is an object with them. Costs the
 * client a third of what maps cost, which name each field again.
 */
export interface AnswerRows {
  readonly fields: readonly string[]
  /**
   * A msgpack array with an element for each answer: an array, with the values of all fields in their order, for such an
   * object; anything else is the answer itself, which is no array then.
   */
  readonly rows: Uint8Array
}

/** A machine that was left at rest. */
export interface RestingMachine {
  /** Where its segments are: that of the context, or one beside it. */
  readonly segments: SegmentSpace
  /** All else, in pieces. */
  readonly pieces: Iterator<Uint8Array>
}

export interface StateMachine<Command = unknown, Result = unknown, Query = unknown, Answer = unknown> {
  /**
   * Applies one command. The result must be a value that msgpack can carry; undefined is the cheapest.
   * To refuse a command, leave the state as it is and throw {@link reject}.
   */
  apply(command: Command, meta: CommandMeta): Result
  /**
   * Instead of many calls of `apply`, for machines that can do with the bytes: `payload` is the msgpack array of
   * `count` commands, not yet decoded. The view may be kept. Must do what `apply` would for each of them.
   * Returns undefined where all results are. What it throws is the result of all its commands.
   */
  applyPayload?(payload: Uint8Array, count: number, meta: CommandMeta): BatchResults | undefined
  /**
   * Log time of the first thing that will happen by itself; Infinity where there is none. By then there will be a call of
   * `apply`, `applyPayload` or {@link passTime} with that time, or a little later.
   * @default Infinity
   */
  readonly dueMs?: number
  /** About how many bytes a snapshot would have now, where the machine knows it without counting: large states are saved less often. */
  readonly stateBytes?: number
  /** Log time has come to `meta.timeMs`, without a command. */
  passTime?(meta: CommandMeta): void
  /**
   * The connection has closed over which the commands of `meta.session` came last: its client has most likely ended, but it may
   * come back, and its commands with it. A node that cannot say so does not: whoever counts on it needs another end as well.
   * @default nobody is told, and nothing enters the log
   */
  connectionClosed?(meta: CommandMeta): void
  /**
   * Reads; must not change the state. Throw {@link reject} for a query that makes no sense. A query that waits for something
   * gives {@link NOT_YET} until it is there: asked with `stale`, and not in one turn with others that have their answers, it
   * is asked again after each entry.
   */
  query(query: Query): Answer
  /**
   * Instead of many calls of `query`, for machines that can do with the bytes: `payload` is the msgpack array of `count`
   * queries, not yet decoded. Must give what `query` would for each of them. Undefined where it cannot: then each is asked by
   * `query`. What it throws is the refusal of all of them.
   */
  queryPayload?(payload: Uint8Array, count: number): AnswerRows | undefined
  /**
   * The whole state, as chunks, in an order that depends on nothing but the commands applied: equal states give
   * equal bytes. Used for digests (SHA-256) and, without {@link beginSave}, for snapshots.
   */
  save(): Iterable<Uint8Array>
  /** Replaces the state by what `save` gave. The chunks may be cut differently. */
  load(chunks: Iterable<Uint8Array>): void
  /**
   * Begins a snapshot of a large state while commands go on: a view of the state as it is now, in chunks that are pulled
   * over many turns. `return` is called where it is given up. At most one is under way at a time. The bytes need not be
   * those of `save`, but a state loaded from them must give the same bytes by `save`. Without it, `save` is drained at
   * once into memory.
   */
  beginSave?(): Iterator<Uint8Array>
  /**
   * Takes in what `beginSave` (or `save`, where there is none) gave, over many turns. Until `end` the state stays as it is,
   * and is queried; nothing is applied. May be given up without a word. Without it, `load` gets all chunks at the end.
   * @param draft for a machine on the disk, which must have both methods: an empty storage to be filled. After `end` it is
   *   what `context.storage` leads to.
   */
  beginLoad?(draft?: MachineStorage): StateLoader
  /**
   * For a machine with segments, at a stop in good order: the state without what is in them, which stays there. Nothing is
   * called any more. Needs {@link beginResume}.
   */
  rest?(): RestingMachine
  /** The counterpart, on a new machine whose segments are as they were: takes in what `rest` gave. May be given up without a word. */
  beginResume?(): StateLoader
}

/** Where a machine keeps its state. */
export type StoragePlace = 'memory' | 'disk'

const PLACES: readonly MachineDefinition['storage'][] = ['memory', 'disk', 'by option']

/** How a machine is named and made. */
export interface MachineDefinition {
  readonly name: string
  /** `by option`: what `machineOptions.storage` says, `memory` where it says nothing. @default 'memory' */
  readonly storage?: StoragePlace | 'by option'
  /** Whether it wants {@link MachineContext.segments}. @default false */
  readonly segments?: boolean
  create(context: MachineContext): StateMachine
}

/**
 * Where this machine keeps its state with these options.
 * @throws RaftError INVALID_OPTIONS where `machineOptions.storage` is neither
 */
export function storagePlaceOf(
  { storage = 'memory' }: MachineDefinition,
  options: Readonly<Record<string, unknown>>,
): StoragePlace {
  if (storage !== 'by option') return storage
  const { storage: place = 'memory' } = options
  if (place === 'memory' || place === 'disk') return place
  throw invalidOption('machineOptions.storage', place, "'memory' or 'disk'")
}

/** Makes a refusal: a result that is an error, the same on every replica, raised at the caller as REJECTED. */
export function reject(reason: string): RaftError<'REJECTED'> {
  return new RaftError('REJECTED', reason, { reason })
}

/**
 * The reason recorded for what a machine threw. Only the words of {@link reject} are trusted to be the same everywhere:
 * messages of the engine differ from one version of Node.js to the next, and results are part of the state.
 * @throws RaftError STORAGE_FAILED where that is what it threw
 */
export function refusalReason(error: unknown): string {
  // Of this replica alone: it goes down.
  if (RaftError.is(error, 'STORAGE_FAILED')) throw error
  if (RaftError.is(error, 'REJECTED')) return error.data.reason
  return `the machine threw ${error instanceof Error ? error.name : typeof error}`
}

/** Joins chunks into one array. For machines whose state is small enough to be decoded at once. */
export function joinChunks(chunks: Iterable<Uint8Array>): Uint8Array {
  const all = [...chunks]
  const joined = new Uint8Array(all.reduce((bytes, chunk) => bytes + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of all) {
    joined.set(chunk, offset)
    offset += chunk.byteLength
  }
  return joined
}

/**
 * Checks that a loaded module's `machine` fulfils the shape of the contract.
 * @throws RaftError INVALID_MACHINE
 */
export function checkMachineDefinition(source: string, candidate: unknown): MachineDefinition {
  const complain = (reason: string): never => {
    throw new RaftError('INVALID_MACHINE', `state machine ${source}: ${reason}`, { machine: source, reason })
  }
  if (typeof candidate !== 'object' || candidate === null) {
    return complain('the module has no export named `machine` that is a { name, create } object')
  }
  const { name, storage, create } = candidate as Partial<MachineDefinition>
  if (typeof name !== 'string' || name === '') return complain('`machine.name` must be a non-empty string')
  if (typeof create !== 'function') return complain('`machine.create` must be a function')
  if (storage !== undefined && !(PLACES as readonly unknown[]).includes(storage))
    return complain(`\`machine.storage\` must be one of ${PLACES.join(', ')}`)
  return candidate as MachineDefinition
}

const OPTIONAL_METHODS = [
  'applyPayload',
  'queryPayload',
  'passTime',
  'connectionClosed',
  'beginSave',
  'beginLoad',
  'rest',
  'beginResume',
] as const

/**
 * Makes a machine and checks that it has every method of the contract.
 * @throws RaftError INVALID_MACHINE
 */
export function createMachine(definition: MachineDefinition, context: MachineContext): StateMachine {
  const { name } = definition
  const complain = (reason: string, cause?: unknown): never => {
    const options = cause === undefined ? undefined : { cause }
    throw new RaftError(
      'INVALID_MACHINE',
      `state machine ${name}: ${reason}`,
      { machine: name, reason },
      options,
    )
  }
  let machine: StateMachine
  try {
    machine = definition.create(context)
  } catch (error) {
    if (error instanceof RaftError) throw error
    return complain(`create() threw ${error instanceof Error ? error.message : String(error)}`, error)
  }
  if (typeof machine !== 'object' || machine === null) return complain('create() must return an object')
  for (const method of ['apply', 'query', 'save', 'load'] as const) {
    if (typeof machine[method] !== 'function') return complain(`it has no method ${method}()`)
  }
  for (const method of OPTIONAL_METHODS) {
    if (machine[method] !== undefined && typeof machine[method] !== 'function')
      return complain(`its ${method} is no method`)
  }
  if (machine.rest !== undefined && machine.beginResume === undefined)
    return complain('with rest() it needs the method beginResume()')
  const isWhole = machine.beginSave !== undefined && machine.beginLoad !== undefined
  if (context.storage !== undefined && !isWhole)
    return complain('on the disk it needs the methods beginSave() and beginLoad()')
  return machine
}
