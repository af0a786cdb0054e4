import type { Verdict } from '@troupe/check'
import type { CaseRun } from './engine.ts'
import type { Case } from './scenario/read-scenario.ts'

/** What an assertion came to. */
export interface Asserted {
  readonly name: string
  readonly verdict: Verdict
  /** What was found, for people. */
  readonly text: string
}

/** Judges all runs of a case. A plug-in may bring others. */
export interface Assertion {
  readonly name: string
  /** `options` is what the scenario has for it. One line for each thing that was looked at. */
  check(runs: readonly CaseRun[], options: unknown, item: Case): readonly Asserted[]
}
