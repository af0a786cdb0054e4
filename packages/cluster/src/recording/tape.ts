import type { RecordEncoder, TurnAccount } from '@troupe/wire'

/** Where the turns are that the decorators tell of. */
export interface Tape {
  readonly encoder: RecordEncoder
  readonly account: TurnAccount
  /** Whether a turn, or the birth, is under way. */
  readonly isRunning: boolean
}
