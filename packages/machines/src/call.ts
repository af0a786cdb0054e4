import { RaftError } from '@troupe/core'
import type { Consistency } from './protocol.ts'

/** A caller that waits: for one command, for many at once, or for an answer. Settled exactly once. */
export interface Call {
  /** What is asked for: the command, or the query. */
  readonly command: unknown
  /** Set for `proposeMany`: its commands go in one frame. */
  readonly commands: readonly unknown[] | undefined
  readonly deadlineMs: number
  resolve(value: unknown): void
  reject(error: RaftError): void
  settled: boolean
  /** How the answer to a query was served, where that is not what was asked for; set before `resolve` is called. */
  served?: Consistency
}

export function succeed(call: Call, value: unknown): void {
  if (call.settled) return
  call.settled = true
  call.resolve(value)
}

export function fail(call: Call, error: RaftError): void {
  if (call.settled) return
  call.settled = true
  call.reject(error)
}

/** Sent, and no answer: nobody knows. */
export function indeterminate(reason: string): RaftError<'INDETERMINATE'> {
  return new RaftError('INDETERMINATE', `the command may or may not have been applied: ${reason}`, { reason })
}

/** The deadline passed, and nothing has happened. */
export function timedOut(): RaftError<'TIMEOUT'> {
  const message = 'the deadline passed before the request could be sent or answered; nothing happened'
  return new RaftError('TIMEOUT', message, { timeoutMs: undefined })
}

/** The leader has no space to write it down: it was refused, and no copy of it is anywhere. */
export function noSpace(retryAfterMs: number): RaftError<'NO_SPACE'> {
  return new RaftError('NO_SPACE', "the leader's disk is full; nothing happened", { retryAfterMs })
}

/** A bound of the client is reached. */
export function busy(limit: string, bound: number): RaftError<'BUSY'> {
  return new RaftError('BUSY', `${limit} (${bound}) is reached`, { retryAfterMs: 5, limit })
}

export function invalidCommand(
  field: string,
  value: unknown,
  expected: string,
): RaftError<'INVALID_COMMAND'> {
  return new RaftError('INVALID_COMMAND', `${field} is ${String(value)}; expected ${expected}`, {
    field,
    value,
    expected,
  })
}

/**
 * Empties an array that nobody looks at any more. V8 comes to make such arrays among the old objects, where they would keep
 * all that they hold through the collections of the young ones: as much as half of what a client allocates.
 */
export function release(array: unknown[]): void {
  array.length = 0
}
