/** What `bench heartbeat` has to show. */
import type { LatencySummary, PercentilePoint } from '../latency.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Figure, Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'

export type PhaseName = 'idle' | 'snapshot transfer' | 'append burst'

/** Heartbeats during one of the things that could hold them up. */
export interface HeartbeatPhase {
  readonly phase: PhaseName
  readonly seconds: number
  /** What went from node to node meanwhile. */
  readonly peerBytes: number
  /** Until a follower's mailbox had it. */
  readonly delayMs: LatencySummary
  /** Until the leader's mailbox had the answer. */
  readonly roundTripMs: LatencySummary
  /** Those to a node that was down count too. */
  readonly notArrived: number
  readonly elections: number
  /** For the picture. */
  readonly distribution: readonly PercentilePoint[]
}

export interface HeartbeatReportValues {
  readonly nodes: number
  readonly engine: string
  readonly tls: boolean
  readonly 'snapshot-mib': number
}

const BYTES_PER_MIB = 1 << 20

const columns: readonly Column<HeartbeatPhase>[] = [
  { title: 'during', value: ({ phase }) => phase, align: 'left' },
  { title: 'seconds', value: ({ seconds }) => formatNumber(seconds, 1) },
  { title: 'MiB between nodes', value: ({ peerBytes }) => formatNumber(peerBytes / BYTES_PER_MIB) },
  { title: 'heartbeats', value: ({ delayMs }) => formatNumber(delayMs.samples) },
  { title: 'delay p50 ms', value: ({ delayMs }) => formatMs(delayMs.p50) },
  { title: 'p99', value: ({ delayMs }) => formatMs(delayMs.p99) },
  { title: 'worst', value: ({ delayMs }) => formatMs(delayMs.max) },
  { title: 'answered p50 ms', value: ({ roundTripMs }) => formatMs(roundTripMs.p50) },
  { title: 'p99', value: ({ roundTripMs }) => formatMs(roundTripMs.p99) },
  { title: 'not arrived', value: ({ notArrived }) => formatNumber(notArrived) },
  { title: 'elections', value: ({ elections }) => formatNumber(elections) },
]

/** The delay's 99th percentile stays below one interval, and nobody calls an election. */
export const isCalm = ({ delayMs, elections }: HeartbeatPhase, intervalMs: number): boolean =>
  elections === 0 && delayMs.p99 !== null && delayMs.p99 < intervalMs

export class HeartbeatReport extends LoadReport<HeartbeatReportValues> implements Report {
  readonly phases: HeartbeatPhase[] = []
  readonly #intervalMs: number

  constructor(values: HeartbeatReportValues, intervalMs: number) {
    super(values)
    this.#intervalMs = intervalMs
  }

  print(output: Output): void {
    const { nodes, engine, tls } = this.values
    const over = tls || engine === 'tls' ? 'TLS' : 'TCP'
    this.printHead(output, `Heartbeats: ${nodes} processes over ${over}, one each ${this.#intervalMs} ms`)
    if (this.phases.length > 0) output.table(columns, this.phases)
    for (const phase of this.phases) this.#printGoal(output, phase)
    this.printCheck(output)
  }

  #printGoal(output: Output, phase: HeartbeatPhase): void {
    if (phase.phase === 'idle') return
    const goal = `${phase.phase}: delay p99 < ${this.#intervalMs} ms, no election`
    const { good, bad, dim } = output.style
    if (phase.delayMs.p99 === null) return output.line(dim(`${goal}: too few heartbeats to say`))
    const isMet = isCalm(phase, this.#intervalMs)
    output.line(isMet ? good(`${goal}: reached`) : bad(`${goal}: missed`))
  }

  figures(): readonly Figure[] {
    return this.phases.map(({ phase, delayMs }) => ({
      value: formatMs(delayMs.p99),
      unit: 'ms',
      label: `p99 of the delay, ${phase}`,
    }))
  }

  pictures(): readonly Picture[] {
    if (this.phases.length === 0) return []
    const series = this.phases.map(({ phase, distribution }) => ({ label: phase, points: distribution }))
    return [{ kind: 'distribution', title: 'Delay of heartbeats', series }]
  }

  document(): ReportDocument {
    const rows = this.phases.map(({ distribution: _, ...row }) => row)
    const byName = Object.fromEntries(rows.map(({ phase, ...row }) => [phase, row]))
    const headline = rows.length === 0 ? null : this.withChecks(byName)
    const more = { intervalMs: this.#intervalMs }
    return this.documentOf('heartbeat', headline, this.phases, more)
  }
}
