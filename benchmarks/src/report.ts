/** How a benchmark ends: tables for people, one JSON document for programs, an exit code. */

import { closeSync, openSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { invalidOption } from '@troupe/core'
import { makeDirectory } from '@troupe/store'
import { Bench, type BenchOptions, Interrupted } from './bench.ts'
import { type CommandContext, exitCodes, type OutputStream } from './command.ts'
import type { Environment } from './environment.ts'
import { formatNumber } from './terminal/format.ts'
import { type Style, styleFor } from './terminal/style.ts'
import { type Column, renderTable } from './terminal/table.ts'
import type { Verdict, Verification } from './verify.ts'

const STDOUT = '-'

/** Prints for people; to stderr where stdout is for JSON. */
export class Output {
  readonly style: Style
  readonly #stream: OutputStream

  constructor(context: CommandContext, json: string | undefined) {
    this.#stream = json === STDOUT ? context.stderr : context.stdout
    this.style = styleFor(this.#stream, context.env)
  }

  line(text = ''): void {
    this.#stream.write(`${text}\n`)
  }

  title(text: string): void {
    this.line(`\n${this.style.bold(text)}`)
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    for (const line of renderTable(columns, rows)) this.line(line)
  }

  environment({
    cpuModel,
    cpuCount,
    nodeVersion,
    fileSystem,
    durability,
    uvThreadpoolSize,
  }: Environment): void {
    const disk =
      fileSystem === null
        ? 'no disk'
        : `${fileSystem.type}${fileSystem.durable ? '' : ' (flushes mean nothing there)'}`
    const parts = [`${cpuCount} × ${cpuModel}`, `Node ${nodeVersion}`, disk, durability]
    this.line(this.style.dim(`${parts.join(' · ')} · ${uvThreadpoolSize} pool threads`))
  }

  verification({
    verdict,
    reason,
    lost,
    duplicated,
    acknowledged,
    unknown,
    digestsEqual,
  }: Verification): void {
    if (verdict === 'unknown') this.line(this.style.bad(`not decided: ${reason}`))
    const counts = `${formatNumber(acknowledged)} acknowledged, ${formatNumber(unknown)} unknown`
    const harm = `${formatNumber(lost)} lost, ${formatNumber(duplicated)} applied twice`
    const replicas = digestsEqual ? 'replicas equal (SHA-256)' : 'replicas not proven equal'
    const tint = verdict === 'pass' ? this.style.good : this.style.bad
    this.line(tint(`${counts}; ${harm}; ${replicas}`))
  }
}

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

/** What a benchmark has to show so far. */
export interface Report {
  readonly verdict: Verdict
  print(output: Output): void
  /** For JSON. Numbers carry their unit in the name. */
  document(): ReportDocument
}

export interface ReportOptions extends BenchOptions {
  readonly json: string | undefined
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
  const { json } = options
  if (json !== undefined) checkWritable(json)
  const output = new Output(context, json)
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
  if (context.signal.aborted) output.line('\ninterrupted: this is what there was')
  if (json !== undefined) {
    const verdict = failure === undefined && !context.signal.aborted ? report.verdict : 'unknown'
    const { benchmark, headline, ...rest } = report.document()
    writeJson(context, json, { benchmark, headline, verdict, ...rest })
    if (json !== STDOUT) output.line(`\nwritten to ${json}`)
  }
  if (failure !== undefined) throw failure.error
  return context.signal.aborted ? exitCodes.interrupted : exitCodes[report.verdict]
}

function writeJson(context: CommandContext, json: string, document: unknown): void {
  const text = `${JSON.stringify(document, undefined, 2)}\n`
  if (json === STDOUT) context.stdout.write(text)
  else writeFileSync(json, text)
}

/** Told before the run: its results would be lost. */
function checkWritable(json: string): void {
  if (json === STDOUT) return
  const path = resolve(json)
  try {
    makeDirectory(dirname(path))
    // Opened as it will be written, which tells all that can be wrong with it.
    closeSync(openSync(path, 'a'))
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw invalidOption('--json', json, `a file that can be written (${code})`)
  }
}

/** `reports/NAME-2026-01-31T12-00-00.json` */
export function defaultReportPath(name: string, now = new Date()): string {
  return `reports/${name}-${now.toISOString().slice(0, 19).replaceAll(':', '-')}.json`
}
