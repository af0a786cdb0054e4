/**
 * What was asked for and refused, step by step. A step of which nothing else came has not happened: a run without it does not
 * show what its file is about, unless the step says that it may be refused.
 */
import type { StepKind } from '../scenario/steps.ts'

/** What came of one step, however often it was done. */
interface Tally {
  readonly kind: StepKind
  readonly mayBeRefused: boolean
  /** Deeds that were done, or are under way. */
  done: number
  /** Why the first one was not. */
  why: string | undefined
}

/** One deed of a step, while it is done. */
export interface DeedTally {
  begun(): void
  /** It was not done after all, or at all. */
  refused(why: string): void
}

export class Refusals {
  readonly #tallies = new Map<unknown, Tally>()

  /** A deed of the step that was written with these fields. */
  deedOf(kind: StepKind, fields: unknown): DeedTally {
    const { mayBeRefused = false } = (typeof fields === 'object' ? fields : {}) as MayBeRefused
    const tally = this.#tallies.get(fields) ?? { kind, mayBeRefused, done: 0, why: undefined }
    this.#tallies.set(fields, tally)
    let isBegun = false
    return {
      begun: () => {
        isBegun = true
        tally.done++
      },
      refused: (why) => {
        if (isBegun) tally.done--
        isBegun = false
        tally.why ??= why
      },
    }
  }

  /** The first step of which nothing came but refusals, and why; of those that may not be refused. */
  get undone(): string | undefined {
    const found = [...this.#tallies.values()].find(
      ({ done, why, mayBeRefused }) => why !== undefined && done === 0 && !mayBeRefused,
    )
    return found && `${found.kind} was refused: ${found.why}`
  }
}

interface MayBeRefused {
  readonly mayBeRefused?: boolean
}
