/** What reports are printed on. */
import type { Environment } from '../environment.ts'
import { formatNumber } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'
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
    if (reason !== undefined) {
      const what = verdict === 'unknown' ? 'not decided' : 'failed'
      this.line(this.style.bad(`${what}: ${reason}`))
    }
    const counts = `${formatNumber(acknowledged)} acknowledged, ${formatNumber(unknown)} unknown`
    const harm = `${formatNumber(lost)} lost, ${formatNumber(duplicated)} applied twice, ${formatNumber(reordered)} out of order`
    const replicas = digestsEqual ? 'replicas equal (SHA-256)' : 'replicas not proven equal'
    const tint = verdict === 'pass' ? this.style.good : this.style.bad
    this.line(tint(`${counts}; ${harm}; ${replicas}`))
  }
}
