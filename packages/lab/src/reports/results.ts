/** The results as a document for programs: docs/lab-reports.md describes it. */
import type { CaseResult, ShownRun, SuiteResult } from '../run-suite.ts'

/** Raised when a field changes its meaning or goes. */
const RESULTS_SCHEMA = 1

/** Files of a run, beside the document. */
export interface RunFiles {
  readonly page: string
  readonly events: string
  readonly shiviz: string
}

/** @param filesOf where there is a report */
export function resultsOf(
  { verdict, wallMs, cases }: SuiteResult,
  command: string,
  filesOf?: (result: CaseResult, shown: ShownRun) => RunFiles,
): unknown {
  return {
    schema: RESULTS_SCHEMA,
    ...{ verdict, command, wallMs },
    cases: cases.map((result) => {
      const { shown, invariants = [], ...rest } = result
      const runsShown = shown.map((one) => {
        const { seed, verdict: itsVerdict, failure, reason, figures } = one.run
        const files = filesOf?.(result, one)
        return { seed, verdict: itsVerdict, failure, reason, figures, reproduce: one.reproduce, files }
      })
      return { ...rest, invariants, shown: runsShown }
    }),
  }
}
