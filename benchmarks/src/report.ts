/**
 * How a benchmark ends: tables for people, one JSON document for programs, files in other formats, an exit code.
 * Whatever the format, it is made of the same two: what `Report.print` prints, and what `Report.document` holds.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { invalidOption } from '@troupe/core'
import { makeDirectory } from '@troupe/store'
import { Bench, type BenchOptions, Interrupted } from './bench.ts'
import { type CommandContext, exitCodes } from './command.ts'
import { csvOf } from './report/csv.ts'
import { type FullDocument, SCHEMA_VERSION } from './report/document.ts'
import { htmlPage } from './report/html.ts'
import { markdownPage } from './report/markdown.ts'
import type { Output } from './report/output.ts'
import type { Report } from './report/shape.ts'
import { TerminalOutput } from './report/terminal-output.ts'
import type { Verdict } from './verify.ts'

export type { FullDocument, ReportDocument } from './report/document.ts'
export type { Output } from './report/output.ts'
export type { Figure, Picture } from './report/pictures.ts'
export type { Report } from './report/shape.ts'

const STDOUT = '-'

/** Files that results are written to, by their option; `-` is stdout for JSON alone. */
export interface OutputFiles {
  readonly json: string | undefined
  readonly csv?: string | undefined
  readonly markdown?: string | undefined
  readonly html?: string | undefined
}

export interface ReportOptions extends BenchOptions, OutputFiles {
  /** What measures the same again. */
  readonly command: string
}

/**
 * Runs a benchmark and reports; what there is is printed also after Ctrl-C and before an error goes on.
 * @throws what `work` throws
 */
export async function runAndReport(
  context: CommandContext,
  options: ReportOptions,
  report: Report,
  work: (bench: Bench) => Promise<void>,
): Promise<number> {
  checkFiles(options)
  const output = new TerminalOutput(context, options.json === STDOUT)
  let failure: { readonly error: unknown } | undefined
  {
    await using bench = new Bench(context, options)
    try {
      await work(bench)
    } catch (error) {
      // Once Ctrl-C was pressed everything that fails does so because of it.
      if (!(error instanceof Interrupted) && !bench.isInterrupted) failure = { error }
    }
    bench.progress.end()
  }
  report.print(output)
  const { command } = options
  if (context.signal.aborted) output.line(`\n${report.interrupted?.(command) ?? INTERRUPTED}`)
  const verdict = failure === undefined && !context.signal.aborted ? report.verdict : 'unknown'
  const document = documentOf(report, verdict, command)
  context.onDocument?.(document, report)
  writeFiles(options, report, document, context, output)
  if (failure !== undefined) throw failure.error
  return context.signal.aborted ? exitCodes.interrupted : exitCodes[report.verdict]
}

const INTERRUPTED = 'interrupted: this is what there was'

/** Told before the run: its results would be lost. @throws RaftError INVALID_OPTIONS */
export function checkFiles(given: OutputFiles): void {
  for (const [name, path] of filesOf(given)) checkWritable(`--${name}`, path)
}

/** Writes the results in each format that was asked for, and says where. */
export function writeFiles(
  given: OutputFiles,
  report: Report,
  document: FullDocument,
  { stdout }: CommandContext,
  output: Output,
): void {
  const files = filesOf(given)
  for (const [name, path] of files) {
    const text = formats[name](report, document)
    if (path === STDOUT) stdout.write(text)
    else writeFileSync(path, text)
    if (path !== STDOUT) output.line(`${name === files[0]?.[0] ? '\n' : ''}written to ${path}`)
  }
}

type Format = 'json' | 'csv' | 'markdown' | 'html'

/** The text of each format. */
const formats: Readonly<Record<Format, (report: Report, document: FullDocument) => string>> = {
  json: (_, document) => `${JSON.stringify(document, undefined, 2)}\n`,
  csv: (report, { runs }) => csvOf(report.csvRows?.() ?? runs),
  markdown: (report, document) => report.markdown?.(document) ?? markdownPage(report, document),
  html: (report, document) => report.html?.(document) ?? htmlPage(report, document),
}

const filesOf = (given: OutputFiles): (readonly [name: Format, path: string])[] =>
  (Object.keys(formats) as Format[]).flatMap((name) => {
    const path = given[name]
    return path === undefined ? [] : [[name, path] as const]
  })

/** What is written of a report. */
export function documentOf(report: Report, verdict: Verdict, command: string): FullDocument {
  const { benchmark, headline, ...rest } = report.document()
  return { schema: SCHEMA_VERSION, benchmark, headline, verdict, command, ...rest }
}

function checkWritable(option: string, file: string): void {
  if (file === STDOUT && option === '--json') return
  const path = resolve(file)
  try {
    makeDirectory(dirname(path))
    // Opened as it will be written, which tells all that can be wrong with it.
    closeSync(openSync(path, 'a'))
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw invalidOption(option, file, `a file that can be written (${code})`)
  }
}

/** `reports/NAME-2026-01-31T12-00-00.json` */
export function defaultReportPath(name: string, now = new Date(), format = 'json'): string {
  return `reports/${name}-${now.toISOString().slice(0, 19).replaceAll(':', '-')}.${format}`
}
