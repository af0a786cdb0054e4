/** The assertions that are always there. */
import type { Asserted, Assertion } from '../assertion.ts'
import type { CaseRun } from '../engine.ts'
import type { FigureName } from '../figures.ts'
import type { Bound, LinearizableSpec, LivenessSpec } from '../scenario/scenario.ts'
import { summaryOf } from './statistics.ts'

const reachedIn = (runs: readonly CaseRun[], name: string): number =>
  runs.filter(({ situations }) => (situations[name] ?? 0) > 0).length

/** A trap that no run reached shows nothing. */
const sometimes: Assertion = {
  name: 'sometimes',
  check: (runs, names) =>
    (names as readonly string[]).map((name): Asserted => {
      const count = reachedIn(runs, name)
      const text = `${name}: in ${count} of ${runs.length} runs`
      return { name: 'sometimes', verdict: count > 0 ? 'pass' : 'unknown', text }
    }),
}

/** The same for what is measured. */
const atLeast: Assertion = {
  name: 'atLeast',
  check: (runs, wanted) =>
    Object.entries(wanted as Readonly<Record<FigureName, number>>).map(([name, least]): Asserted => {
      const values = runs.flatMap((run) => run.figures[name as FigureName] ?? [])
      const most = summaryOf(values)?.max ?? 0
      const text = `${name}: at most ${rounded(most)} in a run (at least ${least} is to be seen)`
      return { name: 'atLeast', verdict: most >= least ? 'pass' : 'unknown', text }
    }),
}

const never: Assertion = {
  name: 'never',
  check: (runs, names) =>
    (names as readonly string[]).map((name): Asserted => {
      const count = reachedIn(runs, name)
      return { name: 'never', verdict: count === 0 ? 'pass' : 'fail', text: `${name}: in ${count} runs` }
    }),
}

const linearizable: Assertion = {
  name: 'linearizable',
  check: (runs, wanted) => {
    if (wanted === false) return []
    const { onTimeout = 'unknown' } = wanted === true ? {} : (wanted as LinearizableSpec)
    const undecided = runs.filter(({ isHistoryDecided }) => !isHistoryDecided).length
    const text = `${runs.length - undecided} of ${runs.length} histories decided`
    return [{ name: 'linearizable', verdict: undecided === 0 ? 'pass' : onTimeout, text }]
  },
}

/** That it has to find together is an invariant of every engine: here are its bounds. */
const liveness: Assertion = {
  name: 'liveness',
  check: (runs, bounds) => {
    const late = runs.filter(({ failure }) => failure?.invariant === 'liveness').length
    const { convergeWithin } = bounds as LivenessSpec
    const within = convergeWithin === undefined ? '' : `, each step within ${convergeWithin} ms`
    const text = `found together again in ${runs.length - late} of ${runs.length} runs${within}`
    return [{ name: 'liveness', verdict: late === 0 ? 'pass' : 'fail', text }]
  },
}

const figures: Assertion = {
  name: 'figures',
  check: (runs, bounds) =>
    Object.entries(bounds as Readonly<Record<FigureName, Bound>>).map(([name, bound]) =>
      withinBounds(name as FigureName, bound, runs),
    ),
}

function withinBounds(name: FigureName, bound: Bound, runs: readonly CaseRun[]): Asserted {
  const summary = summaryOf(runs.flatMap((run) => run.figures[name] ?? []))
  if (summary === undefined) return { name, verdict: 'unknown', text: `${name}: nothing was measured` }
  const parts = Object.entries(bound).map(([what, wanted]) => {
    const value = summary[what as keyof Bound]
    const isMet = what === 'min' ? value >= wanted : value <= wanted
    return { isMet, text: `${what} ${rounded(value)} (${what === 'min' ? 'at least' : 'at most'} ${wanted})` }
  })
  const verdict = parts.every(({ isMet }) => isMet) ? 'pass' : 'fail'
  return { name, verdict, text: `${name}: ${parts.map(({ text }) => text).join(', ')}` }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000

export const builtIn: Readonly<Record<string, Assertion>> = {
  sometimes,
  atLeast,
  never,
  linearizable,
  liveness,
  figures,
}
