import { RaftError } from '@troupe/core'

/** What a failed proposal means for whoever counts. */
export type Failure =
  /** It may or may not have happened. */
  | { readonly kind: 'unknown' }
  /** It did not happen; the same command may be proposed again. */
  | { readonly kind: 'retry'; readonly afterMs: number }
  /** Not an answer that a load generator should get. */
  | { readonly kind: 'fatal' }

const UNKNOWN: Failure = { kind: 'unknown' }
const FATAL: Failure = { kind: 'fatal' }
const RETRY_MS = 5

export function classifyFailure(error: unknown): Failure {
  if (!(error instanceof RaftError)) return FATAL
  switch (error.code) {
    case 'INDETERMINATE':
      return UNKNOWN
    case 'BUSY':
      return { kind: 'retry', afterMs: (error as RaftError<'BUSY'>).data.retryAfterMs }
    case 'TIMEOUT':
    case 'ABORTED':
    case 'NOT_LEADER':
      return { kind: 'retry', afterMs: RETRY_MS }
    default:
      return FATAL
  }
}
