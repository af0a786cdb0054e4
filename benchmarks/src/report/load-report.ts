/** What reports of load on a cluster have in common: where it ran, and whether anything was lost. */
import type { Environment } from '../environment.ts'
import { configurationOf } from '../options.ts'
import type { Verdict, Verification } from '../verify.ts'
import type { ReportDocument } from './document.ts'
import type { Output } from './output.ts'

export abstract class LoadReport<Values extends object> {
  environment: Environment | undefined
  /** Of everything, after the last run. */
  verification: Verification | undefined
  readonly values: Values

  constructor(values: Values) {
    this.values = values
  }

  get verdict(): Verdict {
    return this.verification?.verdict ?? 'unknown'
  }

  get #checks() {
    const { lost = null, duplicated = null, reordered = null } = this.verification ?? {}
    return { lost, duplicated, reordered }
  }

  /** The headline's figures with what the check found. */
  protected withChecks(figures: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { ...figures, ...this.#checks, unknown: this.verification?.unknown ?? null }
  }

  /** Rows with what the check found: whoever reads one of them shall see it. */
  protected checkedRows(rows: readonly object[]): readonly object[] {
    return rows.map((row) => ({ ...row, ...this.#checks }))
  }

  /** Title and surroundings. */
  protected printHead(output: Output, title: string): void {
    output.title(title)
    if (this.environment !== undefined) output.environment(this.environment)
  }

  protected printCheck(output: Output): void {
    if (this.verification !== undefined) output.verification(this.verification)
  }

  protected documentOf(
    benchmark: string,
    headline: Readonly<Record<string, unknown>> | null,
    runs: readonly object[],
    more: Readonly<Record<string, unknown>> = {},
  ): ReportDocument {
    return {
      ...{ benchmark, headline },
      verification: this.verification ?? null,
      configuration: configurationOf(this.values as Readonly<Record<string, unknown>>),
      environment: this.environment ?? null,
      ...more,
      runs,
    }
  }
}
