/** What `bench election` has to show: one cell in full, or a line for each of several. */
import type { Environment } from '../environment.ts'
import type { LatencySummary } from '../latency.ts'
import { configurationOf } from '../options.ts'
import type { FullDocument } from '../report/document.ts'
import type { Figure, Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type Verdict, worstOf } from '../verify.ts'
import { cellColumns, percent } from './cell-columns.ts'
import { headlineOf } from './cell-headline.ts'
import { type CellResult, measures, measureTitles, WITHIN_MS } from './cell-result.ts'
import { describeFault } from './election-faults.ts'
import { goalsOf } from './goals.ts'
import { electionPage } from './markdown.ts'
import { picturesOf } from './pictures.ts'
import { describeTimeouts } from './timeouts.ts'

const summaryColumns: readonly Column<{ readonly title: string } & LatencySummary>[] = [
  { title: '', value: ({ title }) => title, align: 'left' },
  { title: 'p50 ms', value: ({ p50 }) => formatMs(p50) },
  { title: 'mean ms', value: ({ mean }) => formatMs(mean) },
  { title: 'p99 ms', value: ({ p99 }) => formatMs(p99) },
  { title: 'worst ms', value: ({ max }) => formatMs(max) },
  { title: 'n', value: ({ samples }) => formatNumber(samples) },
]

/** Also part of the main job. */
export class ElectionReport implements Report {
  readonly results: CellResult[] = []
  environment: Environment | undefined
  readonly engine: 'threads' | 'tcp' | 'sim'
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: object, engine: 'threads' | 'tcp' | 'sim' = 'threads') {
    this.#values = values as Readonly<Record<string, unknown>>
    this.engine = engine
  }

  get verdict(): Verdict {
    return this.results.length === 0 ? 'unknown' : worstOf(this.results)
  }

  get #single(): CellResult | undefined {
    return this.results.length === 1 ? this.results[0] : undefined
  }

  /** Of a single cell its figures; of several those of each, by name. */
  headline(): Readonly<Record<string, unknown>> | null {
    if (this.results.every(({ trials, calmMs }) => trials.length === 0 && calmMs === 0)) return null
    const single = this.#single
    if (single !== undefined) return headlineOf(single)
    return Object.fromEntries(this.results.map((result) => [result.cell.name, headlineOf(result)]))
  }

  print(output: Output): void {
    const single = this.#single
    output.title(single === undefined ? titleOfCells(this.results) : titleOf(single))
    if (this.environment !== undefined) output.environment(this.environment)
    if (single !== undefined) printCell(output, single, this.engine)
    else printCells(output, this.results)
    for (const result of this.results) printGoals(output, result)
    if (this.engine === 'sim')
      output.line(output.style.dim('virtual time; a commit is one of the new leader'))
  }

  figures(): readonly Figure[] {
    const trials = this.results.reduce((sum, result) => sum + result.trials.length, 0)
    const losses = { value: formatNumber(trials), label: 'losses of a leader' }
    const single = this.#single
    if (single === undefined) return [{ value: formatNumber(this.results.length), label: 'cells' }, losses]
    const leader = single.summary('timeToLeaderMs')
    const commit = single.summary('timeToFirstCommitMs')
    return [
      losses,
      { value: formatMs(leader.p50), unit: 'ms', label: 'to another leader, median' },
      { value: formatMs(commit.p50), unit: 'ms', label: 'to its first commit, median' },
      { value: formatMs(commit.max), unit: 'ms', label: 'to its first commit, worst' },
    ]
  }

  pictures(): readonly Picture[] {
    return picturesOf(this.results)
  }

  says(verdict: Verdict): string {
    const texts: Record<Verdict, string> = {
      pass:
        this.engine === 'sim'
          ? 'whatever took the leader away, all invariants of the simulator held'
          : 'whatever took the leader away, nothing was lost, applied twice or out of order',
      fail: 'commands were lost, applied twice or out of order',
      unknown: 'not all could be checked',
    }
    return texts[verdict]
  }

  markdown({ command }: Pick<FullDocument, 'command'>): string {
    return electionPage(this, command)
  }

  document(): ReportDocument {
    const single = this.#single
    return {
      benchmark: 'election',
      headline: this.headline(),
      verification: single?.verification ?? null,
      configuration: { ...configurationOf(this.#values), engine: this.engine },
      environment: this.environment ?? null,
      cells: this.results.map(({ cell, verification, failover }) => ({
        ...cell,
        verification: verification ?? null,
        failover: failover.mean ?? null,
      })),
      runs: this.results.flatMap(({ cell, trials }) =>
        trials.map((trial) => (single === undefined ? { cell: cell.name, ...trial } : trial)),
      ),
    }
  }
}

const titleOf = ({ cell: { fault, nodes, timeouts, load } }: CellResult): string =>
  `Loss of the leader: ${fault}, ${nodes} nodes, ${describeTimeouts(timeouts)}, ${load}`

const titleOfCells = ({ length }: readonly CellResult[]): string =>
  `Loss of the leader: ${length} cells; times in ms from the fault`

function printCell(output: Output, result: CellResult, engine: ElectionReport['engine']): void {
  const { cell, trials, latencyMs } = result
  output.line(output.style.dim(describeFault(cell.fault, engine)))
  if (trials.length > 0) {
    const rows = measures.map((measure) => ({ title: measureTitles[measure], ...result.summary(measure) }))
    if (latencyMs !== undefined) rows.push({ title: 'command, from its intended start', ...latencyMs })
    output.table(summaryColumns, rows)
    printCounts(output, result)
  } else if (result.calmMs > 0) {
    const seconds = formatNumber(result.calmMs / 1000, 1)
    output.line(
      `${formatNumber(result.spuriousElections)} elections in ${seconds} s in which nothing happened`,
    )
  }
  printHarm(output, result)
}

function printCounts(output: Output, result: CellResult): void {
  const { trials, elections, spuriousElections, commandsPerSecond: rates } = result
  const within = `${percent(result.ledWithin(WITHIN_MS))} % led within ${WITHIN_MS} ms`
  const counts = [
    `${trials.length} losses, ${elections} elections`,
    `${result.total('wastedElections')} terms without a leader, ${result.total('contestedTerms')} with several candidates`,
    `${spuriousElections} elections that nobody needed`,
  ]
  output.line(`${within}; ${counts.join('; ')}`)
  if (rates !== null) {
    const { before, during, after } = rates
    const phases = [
      `${formatNumber(before)} before`,
      `${formatNumber(during)} during`,
      `${formatNumber(after)} after`,
    ]
    output.line(`commands/s: ${phases.join(', ')}`)
  }
  output.line(output.style.dim('percentiles by nearest rank of n; no 99th of fewer than 100'))
}

function printHarm(output: Output, { unexpectedExits, verification, cell }: CellResult): void {
  if (unexpectedExits > 0)
    output.line(output.style.bad(`${cell.name}: ${unexpectedExits} nodes died on their own`))
  if (verification !== undefined) output.verification(verification)
}

function printCells(output: Output, results: readonly CellResult[]): void {
  output.table(cellColumns, results)
  for (const result of results) {
    if (result.verdict === 'pass') continue
    output.line(output.style.bad(`${result.cell.name}:`))
    printHarm(output, result)
  }
}

function printGoals(output: Output, result: CellResult): void {
  for (const { text, isMet } of goalsOf(result)) {
    const answer = isMet === undefined ? 'not enough to say' : isMet ? 'reached' : 'missed'
    const tint = isMet === false ? output.style.bad : isMet ? output.style.good : output.style.dim
    output.line(tint(`${result.cell.name}: ${text}: ${answer}`))
  }
}
