/** The steps of a workload file as one report: what each printed and drew, and how it stands against its thresholds. */
import type { ThresholdFinding } from '../check-perf/thresholds.ts'
import type { FullDocument } from '../report/document.ts'
import { MarkdownOutput, originOf } from '../report/markdown.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { type Verdict, worstOf } from '../verify.ts'
import type { WorkloadFile } from './read-workload-file.ts'

export interface StepResult {
  readonly name: string
  readonly command: string
  readonly verdict: Verdict
  readonly findings: readonly ThresholdFinding[]
  /** What the command ended with; null where it did not come so far. */
  readonly document: FullDocument | null
  readonly report: Report | undefined
}

/** How a step stands against its thresholds. */
export function printFindings(output: Output, { name, verdict, findings }: StepResult): void {
  const tint = (of: Verdict) => (of === 'pass' ? output.style.good : output.style.bad)
  for (const { verdict: found, text } of findings) output.line(tint(found)(`${found.padEnd(7)} ${text}`))
  output.line(tint(verdict)(`${name}: ${verdict}`))
}

export class RunReport implements Report {
  readonly results: StepResult[] = []
  readonly #workload: WorkloadFile

  constructor(workload: WorkloadFile) {
    this.#workload = workload
  }

  /** Open while a step is missing. */
  get verdict(): Verdict {
    const isComplete = this.results.length === this.#workload.steps.length
    return worstOf([...this.results, { verdict: isComplete ? 'pass' : 'unknown' }])
  }

  says(verdict: Verdict): string {
    const texts: Record<Verdict, string> = {
      pass: 'every step did what was asked of it',
      fail: 'a step failed, or missed a threshold',
      unknown: 'not every step could be decided',
    }
    return `${this.#workload.name}: ${texts[verdict]}`
  }

  print(output: Output): void {
    for (const result of this.results) {
      result.report?.print(output)
      printFindings(output, result)
    }
  }

  /** A section for each step, below the name of the whole. */
  markdown(document: Pick<FullDocument, 'environment' | 'command'>): string {
    const sections = this.results.map((result) => {
      const output = new MarkdownOutput(3)
      result.report?.print(output)
      printFindings(output, result)
      return `## ${result.name}\n\n${output.text}`
    })
    return [`# ${this.#workload.name}\n`, ...sections, originOf(document)].join('\n')
  }

  pictures(): readonly Picture[] {
    return this.results.flatMap(({ name, report }) =>
      (report?.pictures?.() ?? []).map((picture) => ({ ...picture, title: `${name}: ${picture.title}` })),
    )
  }

  csvRows(): readonly unknown[] {
    return this.results.flatMap(({ name, report, document }) =>
      (report?.csvRows?.() ?? document?.runs ?? []).map((row) => ({ step: name, ...(row as object) })),
    )
  }

  document(): ReportDocument {
    return {
      benchmark: 'run',
      headline: null,
      configuration: {},
      environment: this.results.find(({ document }) => document !== null)?.document?.environment ?? null,
      name: this.#workload.name,
      steps: this.results.map(({ report: _, ...step }) => step),
      runs: [],
    }
  }
}
