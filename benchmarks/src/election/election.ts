/** `bench election`: how long the loss of a leader is felt, by what takes it away. */
import { invalidOption, RaftError } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine } from '../engine/start-cluster.ts'
import { describeEnvironment } from '../environment.ts'
import {
  clusterOptionTable,
  outputOptionTable,
  rateOption,
  tcpOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { CellResult, undecided } from './cell-result.ts'
import {
  type Cell,
  cellsNamed,
  checkCell,
  freeCell,
  LOADS,
  type Load,
  matrixCells,
  namedCells,
  processCells,
} from './cells.ts'
import {
  type ElectionFaultName,
  electionFaultNames,
  electionFaultOf,
  processFaultNames,
} from './election-faults.ts'
import { ElectionReport } from './report.ts'
import { expectedSimCellMs } from './sim-cell-time.ts'
import { type CellSettings, expectedCellMs, measureCell } from './threads-cell.ts'
import { defaultTimeouts, parseTimeouts } from './timeouts.ts'

const MS_PER_S = 1000
const NAMED_TRIALS = 100
const FREE_TRIALS = 20
const PROCESS_TRIALS = 50

const optionTable = {
  cell: {
    kind: 'text',
    placeholder: 'NAME',
    otherwise: 'the one that --fault, --nodes, --timeouts and --load make',
    help: `named cells, with commas between them: ${namedCells.map(({ name }) => name).join(', ')}`,
  },
  cells: {
    kind: 'choice',
    choices: ['none', 'all', 'matrix'],
    default: 'none',
    help: 'all: all named cells; matrix: every fault, nodes, timeouts and load, in the simulator',
  },
  trials: {
    kind: 'integer',
    min: 1,
    max: 10_000,
    help: `losses of the leader in each cell (default: ${NAMED_TRIALS} for named cells, else ${FREE_TRIALS})`,
  },
  fault: {
    kind: 'choice',
    choices: electionFaultNames,
    default: 'crash',
    help: 'what takes the leader away',
  },
  timeouts: {
    kind: 'text',
    placeholder: 'MIN-MAX',
    otherwise: "the engine's, 300-600",
    help: 'shortest and longest election timeout in ms',
  },
  'heartbeat-ms': {
    kind: 'integer',
    min: 1,
    unit: 'ms',
    help: 'between heartbeats (default: a third of the shortest timeout)',
  },
  load: { kind: 'choice', choices: LOADS, default: 'load', help: 'idle: 200 commands/s; load: --rate' },
  idle: { kind: 'flag', help: 'the same as --load idle; named cells too are then idle' },
  'watch-seconds': {
    kind: 'number',
    min: 0.1,
    unit: 's',
    default: 60,
    help: 'how long a cell in which nothing happens is watched',
  },
  'settle-seconds': {
    kind: 'number',
    min: 0,
    unit: 's',
    default: 0,
    help: 'from one recovery to the next loss; nodes that have just started are slower',
  },
  rate: rateOption,
  ...workloadOptionTable,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3 },
  engine: {
    kind: 'choice',
    choices: ['threads', 'tcp', 'tls', 'sim'],
    default: 'threads',
    help: 'threads: real workers and disks; tcp: processes over TCP (tls: over TLS), which are killed and stopped; sim: the same cells in virtual time',
  },
  tls: tcpOptionTable.tls,
  connect: {
    kind: 'text',
    placeholder: 'LIST',
    otherwise: 'nodes of our own',
    help: 'refused: it takes nodes of our own to tell when a leader was missed; says what to do instead',
  },
  ...outputOptionTable,
  markdown: { ...outputOptionTable.markdown, help: 'write the results as a page of Markdown' },
} as const

type Values = OptionValues<typeof optionTable>

/** What the main job has to say of it. */
export type ElectionValues = CellSettings['values'] & { readonly trials: number }

function mainCell({ nodes }: ElectionValues): Cell {
  return { name: 'election', fault: 'crash', nodes, timeouts: defaultTimeouts, load: 'load' }
}

const mainSettings = (values: ElectionValues): CellSettings => ({
  ...{ values, trials: values.trials },
  ...{ watchMs: 0, settleMs: 0 },
})

/** Milliseconds that the main job's crashes take, about. */
export function expectedElectionMs(values: ElectionValues): number {
  return expectedCellMs(mainCell(values), mainSettings(values))
}

/** The main job's crashes: fills `report` as it goes. */
export async function measureElections(
  bench: Bench,
  values: ElectionValues,
  report: ElectionReport,
): Promise<void> {
  await measureCells(bench, [mainCell(values)], mainSettings(values), report)
}

/** Each cell with a cluster of its own. */
async function measureCells(
  bench: Bench,
  cells: readonly Cell[],
  settings: CellSettings,
  report: ElectionReport,
): Promise<void> {
  const { durability } = settings.values
  const isOnDisk = report.engine !== 'sim' && durability !== 'memory'
  report.environment = isOnDisk
    ? describeEnvironment(bench.directory, durability)
    : describeEnvironment(undefined, 'memory')
  const measure = report.engine === 'sim' ? (await import('./sim-cell.ts')).measureSimCell : measureCell
  for (const [index, cell] of cells.entries()) {
    const result = new CellResult(cell)
    report.results.push(result)
    await measure(bench, result, settings).catch((error) => giveUp(bench, result, error, cells.length > 1))
    // The next one has the disk and the processors to itself.
    if (index < cells.length - 1) await bench.or(bench.closeAll())
  }
}

/** Of several cells one that breaks does not take the others with it. */
function giveUp(bench: Bench, result: CellResult, error: unknown, hasOthers: boolean): void {
  if (!hasOthers || bench.isInterrupted || !(error instanceof RaftError)) throw error
  result.verification = undecided(error.message)
}

const isOfProcesses = ({ engine }: Values): boolean => engine === 'tcp' || engine === 'tls'

function cellsOf(values: Values): readonly Cell[] {
  const { cell, cells, engine, timeouts, nodes } = values
  if (cells !== 'none' && cell !== undefined)
    throw invalidOption('--cell', cell, `nothing, with --cells ${cells}`)
  if (cells === 'matrix' && engine !== 'sim')
    throw invalidOption('--engine', engine, 'sim, for the whole matrix')
  if (cells === 'matrix') return matrixCells()
  const named = isOfProcesses(values) ? processCells : namedCells
  if (cells === 'all' || cell !== undefined) {
    const chosen = cell === undefined ? named : cellsNamed(cell, named)
    return values.idle ? chosen.map((one) => ({ ...one, load: 'idle' })) : chosen
  }
  const fault = values.fault as ElectionFaultName
  checkCell({ fault, nodes })
  const times = timeouts === undefined ? defaultTimeouts : parseTimeouts(timeouts, values['heartbeat-ms'])
  const load: Load = values.idle ? 'idle' : (values.load as Load)
  return [freeCell(fault, nodes, times, load)]
}

/** For the report: TLS or not stands in the configuration. */
const engineOf = (values: Values): 'threads' | 'tcp' | 'sim' =>
  isOfProcesses(values) ? 'tcp' : (values.engine as 'threads' | 'sim')

function trialsOf(values: Values): number {
  const { cell, cells, trials } = values
  const isNamed = cell !== undefined || cells !== 'none'
  if (isOfProcesses(values)) return trials ?? PROCESS_TRIALS
  return trials ?? (isNamed ? NAMED_TRIALS : FREE_TRIALS)
}

const settingsOf = (values: Values): CellSettings => ({
  // Which engine it is decides who measures the cells, not how a cluster is started.
  values: { ...values, engine: values.engine === 'sim' ? 'threads' : values.engine },
  trials: trialsOf(values),
  watchMs: values['watch-seconds'] * MS_PER_S,
  settleMs: values['settle-seconds'] * MS_PER_S,
})

/** The nodes of somebody else have clocks of their own, and are asked a few times a second. */
const INSTEAD =
  'nothing: when a leader is missed, and when the next one leads, only nodes of our own tell. What clients feel of it shows ' +
  '`bench latency --connect` while `troupe fault inject --node leader --kill --for 1s` strikes, for nodes that were started with ' +
  '--allow-faults; or while `troupe transfer` hands over'

function check(values: Values): void {
  if (values.connect !== undefined) throw invalidOption('--connect', values.connect, INSTEAD)
  workloadSpec(values)
  const { durability, engine } = values
  const hasFaults = cellsOf(values).some(({ fault }) => fault !== 'none')
  if (engine !== 'sim') checkEngine(values)
  const impossible = cellsOf(values).find(({ fault }) => electionFaultOf(fault).ofProcesses === undefined)
  if (isOfProcesses(values) && impossible !== undefined)
    throw invalidOption('--fault', impossible.fault, `one of ${processFaultNames.join(', ')}, for processes`)
  if (durability === 'memory' && engine === 'threads' && hasFaults)
    throw invalidOption('--durability', durability, 'one with files: crashed nodes come back from them')
}

function expectedMsOf(values: Values): number {
  const expectedMsOfCell = values.engine === 'sim' ? expectedSimCellMs : expectedCellMs
  const settings = settingsOf(values)
  return cellsOf(values).reduce((sum, cell) => sum + expectedMsOfCell(cell, settings), 0)
}

export const electionCommand = commandOf({
  name: 'election',
  summary:
    'takes the leader away: time until it is missed, to a new leader, to its first commit, to full recovery',
  details: [
    'Times count from the loss of the leader: for a crash its death as its worker wrote it down itself, for other faults',
    'the moment they took effect in its thread; for a process from the signal. The first commit is the first acknowledgement that the client gets from',
    'the new leader. Then everything is healed, and the next trial waits until all nodes have caught up. The load is an',
    'open loop: latency counts from the intended start of each command.',
  ],
  options: optionTable,
  check,
  report: (values) => new ElectionReport({ ...values, trials: trialsOf(values) }, engineOf(values)),
  usesDisk: ({ engine, durability }) => engine !== 'sim' && durability !== 'memory',
  expectedMs: expectedMsOf,
  measure: (bench, values, report) => measureCells(bench, cellsOf(values), settingsOf(values), report),
})
