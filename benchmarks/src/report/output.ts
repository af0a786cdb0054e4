/** What reports are printed on. */
import type { CommandContext, OutputStream } from '../command.ts'
import type { Environment } from '../environment.ts'
import { formatNumber } from '../terminal/format.ts'
import { type Style, styleFor } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import type { Verification } from '../verify.ts'

/** What a report is printed on: lines, titles and tables, and what is made of them. */
export abstract class Output {
  abstract readonly style: Style
  abstract line(text?: string): void
  abstract title(text: string): void
  abstract table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void

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
    reordered,
    acknowledged,
    unknown,
    digestsEqual,
  }: Verification): void {
    if (verdict === 'unknown') this.line(this.style.bad(`not decided: ${reason}`))
    const counts = `${formatNumber(acknowledged)} acknowledged, ${formatNumber(unknown)} unknown`
    const harm = `${formatNumber(lost)} lost, ${formatNumber(duplicated)} applied twice, ${formatNumber(reordered)} out of order`
    const replicas = digestsEqual ? 'replicas equal (SHA-256)' : 'replicas not proven equal'
    const tint = verdict === 'pass' ? this.style.good : this.style.bad
    this.line(tint(`${counts}; ${harm}; ${replicas}`))
  }
}

/** Prints on a terminal, or whatever a stream leads to; to stderr where stdout is for JSON. */
export class TerminalOutput extends Output {
  readonly style: Style
  readonly #stream: OutputStream

  /** @param isForJson whether stdout is */
  constructor(context: CommandContext, isForJson: boolean) {
    super()
    this.#stream = isForJson ? context.stderr : context.stdout
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
}
