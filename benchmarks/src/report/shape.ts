import type { Verdict } from '../verify.ts'
import type { FullDocument, ReportDocument } from './document.ts'
import type { Output } from './output.ts'
import type { Figure, Picture } from './pictures.ts'

/** What a benchmark has to show so far. */
export interface Report {
  readonly verdict: Verdict
  print(output: Output): void
  /** For JSON. Numbers carry their unit in the name. */
  document(): ReportDocument
  /** For the page. */
  pictures?(): readonly Picture[]
  /** For the top of the page. @default throughput and latency of the headline, as where there are none */
  figures?(): readonly Figure[]
  /** What a verdict means, in one sentence without its end. @default about losses, which most benchmarks look for */
  says?(verdict: Verdict): string
  /** Said after Ctrl-C, below what was printed. @default that this is what there was */
  interrupted?(command: string): string
  /** The rows of the CSV. @default the runs of the document */
  csvRows?(): readonly unknown[]
  /** Instead of what is printed. */
  markdown?(document: FullDocument): string
  /** Instead of the page with what is printed and the pictures. */
  html?(document: FullDocument): string
}
