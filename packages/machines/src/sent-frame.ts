/** Commands that were framed and wait for their outcomes. */
import { RaftError } from '@troupe/core'
import { type Call, fail, indeterminate, release, succeed } from './call.ts'
import { type Outcome, resultAt } from './outcome.ts'

/** One frame: its bytes are sent again, as they are, until every command in it has its outcome. */
export interface SentFrame {
  first: number
  readonly count: number
  readonly payload: Uint8Array
  /** One call for each command, or the one call of a `proposeMany`. */
  readonly calls: Call[]
  readonly isMany: boolean
  /** Results gathered so far, for `proposeMany`. */
  results: unknown[] | undefined
  /** How often it was sent. */
  sends: number
  /** How many of those were refused by the node: copies that never came into a log. */
  refusals: number
}

/** Copies that may have come into a log: a connection delivers what it takes at most once. */
export const copies = ({ sends, refusals }: SentFrame): number => sends - refusals

/**
 * Splits frames by what a stale session proves: the frame that began with command `first` was refused, and its session is
 * gone for good. Where that was its only copy it was not applied, and so was none behind it, for want of the one before.
 * Everything else that was sent may have been.
 */
export function splitByProof(
  frames: readonly SentFrame[],
  first: number,
  answeredThrough: number,
): { readonly doubtful: readonly SentFrame[]; readonly unapplied: readonly SentFrame[] } {
  const named = frames.findIndex((frame) => frame.first === first)
  const refused = frames[named]
  if (refused !== undefined && copies(refused) === 1 && first > answeredThrough) {
    return { doubtful: frames.slice(0, named), unapplied: frames.slice(named) }
  }
  return splitUnapplied(frames)
}

/**
 * Splits frames where commands begin that can no longer be applied in their session unless they are sent again: from the
 * first one on that has no copy anywhere.
 */
export function splitUnapplied(frames: readonly SentFrame[]): {
  readonly doubtful: readonly SentFrame[]
  readonly unapplied: readonly SentFrame[]
} {
  const first = frames.findIndex((frame) => copies(frame) === 0)
  if (first < 0) return { doubtful: frames, unapplied: [] }
  return { doubtful: frames.slice(0, first), unapplied: frames.slice(first) }
}

/** Settles the commands `from` to `to` of a frame by an outcome that covers them. */
export function settleFrame(frame: SentFrame, outcome: Outcome, from: number, to: number): void {
  const errors = outcome.errors === undefined ? undefined : new Map(outcome.errors)
  const resultOf = (sequence: number): unknown => {
    const reason = errors?.get(sequence - outcome.first)
    if (reason !== undefined) return new RaftError('REJECTED', reason, { reason })
    return resultAt(outcome, sequence - outcome.first)
  }
  const { calls } = frame
  const isLast = to === frame.first + frame.count - 1
  if (frame.isMany) {
    frame.results ??= new Array<unknown>(frame.count).fill(undefined)
    for (let sequence = from; sequence <= to; sequence++)
      frame.results[sequence - frame.first] = resultOf(sequence)
    if (isLast) succeed(calls[0] as Call, frame.results)
  } else {
    for (let sequence = from; sequence <= to; sequence++)
      settle(calls[sequence - frame.first] as Call, resultOf(sequence))
  }
  if (isLast) release(calls)
}

function settle(call: Call, result: unknown): void {
  if (result instanceof RaftError) fail(call, result)
  else succeed(call, result)
}

/** Gives up all its callers: nobody knows what became of their commands. */
export function failFrame(frame: SentFrame, reason: string): void {
  for (const call of frame.calls) fail(call, indeterminate(reason))
}
