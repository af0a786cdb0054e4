/** Stages as tables. */
import type { Output } from '../report.ts'
import { formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { stages } from './stage.ts'
import type { NodeStages, Spread, StageReport, StageSummary } from './summary.ts'

const ms = (value: number): string => value.toFixed(3)
const percent = (share: number | null): string => (share === null ? '–' : `${(share * 100).toFixed(1)} %`)

const stageColumns: Column<StageSummary | TotalRow>[] = [
  { title: 'stage', value: ({ stage }) => stage, align: 'left' },
  { title: 'p50 ms', value: ({ p50Ms }) => ms(p50Ms) },
  { title: 'p99 ms', value: ({ p99Ms }) => ms(p99Ms) },
  { title: 'mean ms', value: ({ meanMs }) => ms(meanMs) },
  { title: 'share', value: ({ share }) => percent(share) },
  { title: 'of slowest 1 %', value: ({ tailShare }) => percent(tailShare) },
  { title: 'ends with', value: (row) => (row.stage === 'total' ? '' : stages[row.stage]), align: 'left' },
]

interface TotalRow extends Spread {
  readonly stage: 'total'
  readonly share: number
  readonly tailShare: number | null
}

const spread = ({ p50Ms, p99Ms }: Spread): string => `${ms(p50Ms)} / ${ms(p99Ms)}`

const nodeColumns: Column<NodeStages>[] = [
  { title: 'node', value: ({ id, isLeader }) => (isLeader ? `${id} (leader)` : id), align: 'left' },
  { title: 'with its disk after', value: ({ handedAfter }) => spread(handedAfter) },
  { title: 'behind a flush', value: ({ diskQueue }) => spread(diskQueue) },
  { title: 'flush', value: ({ flush }) => spread(flush) },
  { title: 'completes the quorum', value: ({ completedShare }) => percent(completedShare) },
]

/** Prints where commands spent their time, and what each node's disk did meanwhile. */
export function printStages(output: Output, report: StageReport): void {
  const { commands, frames, leftOut, total } = report
  const followed = `${formatNumber(commands)} commands in ${formatNumber(frames)} frames`
  const rest = leftOut === 0 ? '' : `, ${formatNumber(leftOut)} frames could not be followed`
  output.line(output.style.dim(`stages of ${followed}${rest}`))
  const sum: TotalRow = { stage: 'total', ...total, share: 1, tailShare: null }
  output.table<StageSummary | TotalRow>(stageColumns, [...report.stages, sum])
  output.line(output.style.dim('p50 / p99 ms on each node'))
  output.table(nodeColumns, report.nodes)
}
