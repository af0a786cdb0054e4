/** What the thread that checks is given, and what it says. */
import type { CheckOptions, CheckProgress, CheckReport, FaultBand, Operation } from '@troupe/check'
import type { WireError } from '@troupe/core'

/** A check: of operations, or of a file. */
export interface CheckTask {
  readonly model: string
  readonly source:
    | { readonly kind: 'operations'; readonly operations: readonly Operation<unknown, unknown>[] }
    | { readonly kind: 'file'; readonly path: string; readonly maxBytes: number }
  /** Without what cannot be sent. */
  readonly options: Omit<CheckOptions, 'onProgress' | 'onFailure'>
}

/** How far it is: a file is read first. */
export type CheckStage =
  | { readonly phase: 'read'; readonly share: number; readonly operationCount: number }
  | CheckProgress

/** What a check came to, with what a file says beside operations. */
export interface CheckOutcome {
  readonly report: CheckReport
  readonly faults: readonly FaultBand[]
  /** 0 where there is no file. */
  readonly lineCount: number
}

export type CheckMessage =
  | { readonly kind: 'stage'; readonly stage: CheckStage }
  /** A failure whose prefix is not the shortest yet. */
  | { readonly kind: 'failure'; readonly outcome: CheckOutcome }
  | { readonly kind: 'done'; readonly outcome: CheckOutcome }
  | { readonly kind: 'error'; readonly error: WireError | string }
