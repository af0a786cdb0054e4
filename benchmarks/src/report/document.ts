/** The JSON document of a benchmark, which docs/benchmark-json.md describes. */
import type { Environment } from '../environment.ts'
import type { Verdict } from '../verify.ts'

/** Version of the JSON document, see docs/benchmark-json.md: raised when a field changes its meaning or goes. */
export const SCHEMA_VERSION = 1

/** What every document has; `runs` are the measurements one by one. */
export interface ReportDocument {
  readonly benchmark: string
  /** The figures that matter; null where there are none yet. */
  readonly headline: Readonly<Record<string, unknown>> | null
  readonly configuration: Readonly<Record<string, unknown>>
  readonly environment: Environment | null
  readonly runs: readonly unknown[]
  readonly [more: string]: unknown
}

/** A document as it is written. */
export interface FullDocument extends ReportDocument {
  readonly schema: typeof SCHEMA_VERSION
  readonly verdict: Verdict
  /** What measures the same again. */
  readonly command: string
}
