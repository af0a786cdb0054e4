/**
 * The frame of a benchmark: options in, a report that fills while it is measured, files and an exit code out.
 *
 *     values ─► check ─► report (empty) ─► runAndReport: measure(bench, values, report) ─► terminal, JSON, CSV, Markdown, HTML
 */
import type { Bench } from './bench.ts'
import type { Command, OptionTable, OptionValues } from './command.ts'
import { commandLineOf } from './command-line.ts'
import { type OutputFiles, type Report, runAndReport } from './report.ts'

export interface Benchmark<Table extends OptionTable, Shown extends Report>
  extends Omit<Command<Table>, 'run'> {
  /** Refuses values that do not go together. @throws RaftError INVALID_OPTIONS */
  check?(values: OptionValues<Table>): void
  /** A report with nothing in it yet. */
  report(values: OptionValues<Table>): Shown
  /** For the time left in the progress bar. */
  expectedMs(values: OptionValues<Table>): number
  /** Whether anything is written to the data directory. @default unless --durability is memory */
  usesDisk?(values: OptionValues<Table>): boolean
  /** Fills the report as it goes: after Ctrl-C what there is is shown. */
  measure(bench: Bench, values: OptionValues<Table>, report: Shown): Promise<void>
}

/** Of the options that many benchmarks have, those that the frame itself looks at. */
interface FrameValues extends OutputFiles {
  readonly data: string | undefined
  readonly durability?: string
}

/** The command that runs a benchmark. */
export function commandOf<Table extends OptionTable, Shown extends Report>(
  benchmark: Benchmark<Table, Shown>,
): Command<Table> {
  const { check, report, expectedMs, usesDisk, measure, ...described } = benchmark
  return {
    ...described,
    async run(values, context) {
      check?.(values)
      const shown = report(values)
      const { json, csv, markdown, html, data, durability } = values as unknown as FrameValues
      const options = {
        ...{ json, csv, markdown, html, data },
        usesDisk: usesDisk?.(values) ?? durability !== 'memory',
        expectedMs: expectedMs(values),
        command: commandLineOf(`bench ${described.name}`, described.options, values),
      }
      return runAndReport(context, options, shown, (bench) => measure(bench, values, shown))
    },
  }
}
