/** What a check says. `unknown` is neither: the budget ran out, or the run did not show what it should. */
export type Verdict = 'pass' | 'fail' | 'unknown'

const severity: Readonly<Record<Verdict, number>> = { pass: 0, unknown: 1, fail: 2 }
const exitCodes: Readonly<Record<Verdict, number>> = { pass: 0, fail: 1, unknown: 2 }

/**
 * The verdict on several checks: `fail` if one failed, else `unknown` if one is unknown, else `pass`.
 * Of no checks at all it is `unknown`: nothing was shown.
 */
export function combineVerdicts(verdicts: Iterable<Verdict>): Verdict {
  let worst: Verdict | undefined
  for (const verdict of verdicts) {
    if (worst === undefined || severity[verdict] > severity[worst]) worst = verdict
  }
  return worst ?? 'unknown'
}

/** A process's exit code for a verdict: 0 pass, 1 fail, 2 unknown. */
export function exitCodeOf(verdict: Verdict): number {
  return exitCodes[verdict]
}
