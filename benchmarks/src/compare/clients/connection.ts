/** What the load needs of a peer's client library. */
import { RaftError } from '@troupe/core'

/** A command of the workload: `kv.set`, as the array that it is. */
export type SetCommand = readonly [operation: number, key: string, value: string]

export interface Connection {
  /**
   * Resolves once the peer has acknowledged it.
   * @throws RaftError BUSY where it was turned away, INDETERMINATE where nobody can tell
   */
  propose(command: SetCommand): Promise<unknown>
  /** How many commands were stored since the last call. Called while none is under way. */
  countStored(): Promise<number>
  /** Commands that were turned away so far; none where a peer turns none away. */
  readonly refused?: number
  close(): Promise<void>
}

const RETRY_AFTER_MS = 5

/** The peer has turned a command away; it may be sent again. */
export function turnedAway(limit: string): RaftError<'BUSY'> {
  return new RaftError('BUSY', limit, { retryAfterMs: RETRY_AFTER_MS, limit })
}

/** The command may have been stored, or not. */
export function unknownOutcome(error: unknown): RaftError<'INDETERMINATE'> {
  const reason = error instanceof Error ? error.message : String(error)
  return new RaftError('INDETERMINATE', reason, { reason })
}

/** The body of a message where the peer knows no keys: as many bytes as one of our commands has. */
export function bodyOf(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, 'x')
}
