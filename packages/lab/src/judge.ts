/** From runs to a verdict: `fail` beats `unknown`, which beats `pass`. */
import { combineVerdicts, type Verdict } from '@troupe/check'
import type { Asserted, Assertion } from './assertion.ts'
import { builtIn } from './assertions/built-in.ts'
import type { CaseRun } from './engine.ts'
import type { Case } from './scenario/read-scenario.ts'

export interface Judgement {
  readonly verdict: Verdict
  /** Everything that was looked at. */
  readonly asserted: readonly Asserted[]
}

/** Judges a case by all its runs. Of no runs nothing is known. */
export function judge(item: Case, runs: readonly CaseRun[], custom: readonly Assertion[] = []): Judgement {
  const asserted = [runsAsserted(item, runs)]
  for (const spec of item.scenario.assert ?? []) {
    for (const [name, options] of Object.entries(spec)) {
      const { name: wanted = name, with: given = options } = name === 'custom' ? (options as CustomSpec) : {}
      const assertion = name === 'custom' ? custom.find((one) => one.name === wanted) : builtIn[name]
      if (assertion !== undefined) asserted.push(...assertion.check(runs, given, item))
    }
  }
  return { verdict: combineVerdicts(asserted.map(({ verdict }) => verdict)), asserted }
}

interface CustomSpec {
  readonly name: string
  readonly with?: unknown
}

function runsAsserted({ scenario: { expect } }: Case, runs: readonly CaseRun[]): Asserted {
  return expect === undefined ? allHeld(runs) : failedAsExpected(runs, expect.fail)
}

/** The invariants of the engine, in every run. */
function allHeld(runs: readonly CaseRun[]): Asserted {
  const name = 'invariants'
  const failed = runs.filter(({ verdict }) => verdict === 'fail')
  const unknown = runs.filter(({ verdict }) => verdict === 'unknown')
  const [first] = failed
  if (first !== undefined) {
    const { invariant = 'unknown', message = '' } = first.failure ?? {}
    const text = `${failed.length} of ${runs.length} runs failed, seed ${first.seed}: ${invariant}: ${message}`
    return { name, verdict: 'fail', text }
  }
  const [undecided] = unknown
  if (undecided !== undefined || runs.length === 0) {
    const why = undecided === undefined ? 'nothing was run' : `seed ${undecided.seed}: ${undecided.reason}`
    return { name, verdict: 'unknown', text: `${unknown.length} of ${runs.length} runs show nothing, ${why}` }
  }
  return { name, verdict: 'pass', text: `held in all of ${runs.length} runs` }
}

/** What is expected to break has to, at least once, in that way and in no other. */
function failedAsExpected(runs: readonly CaseRun[], invariants: readonly string[]): Asserted {
  const name = 'expected to fail'
  const failed = runs.filter(({ verdict }) => verdict === 'fail')
  const other = failed.find(({ failure }) => !invariants.includes(failure?.invariant ?? ''))
  if (other !== undefined) {
    const text = `seed ${other.seed} failed by ${other.failure?.invariant}: ${other.failure?.message}`
    return { name, verdict: 'fail', text: `${text}; expected ${invariants.join(' or ')}` }
  }
  const text = `${failed.length} of ${runs.length} runs failed by ${invariants.join(' or ')}`
  return { name, verdict: failed.length > 0 ? 'pass' : 'unknown', text }
}
