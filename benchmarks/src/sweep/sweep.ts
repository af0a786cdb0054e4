/** `bench sweep`: the load of `bench throughput` over a grid of settings and conditions, and what the points say together. */
import { resolve } from 'node:path'
import { invalidOption } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { IntegersOption, NumbersOption, OptionValues } from '../command.ts'
import { connectSettings } from '../engine/start-cluster.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import {
  clientSettings,
  clusterOptionTable,
  configurationOf,
  connectOptionTable,
  outputOptionTable,
  tcpOptionTable,
  windowOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { formatNumber } from '../terminal/format.ts'
import { axes, pointsOf, type SweepGrid, type SweepSettings } from './axes.ts'
import { type MeasuringSettings, originOf } from './origin.ts'
import { ResultsFile } from './results-file.ts'
import { SweepReport } from './sweep-report.ts'
import { expectedMs, keyOf, type SweepPlan, SweepRunner } from './sweep-run.ts'
import { checkSwept, engineKey, pointsOfClient } from './swept-cluster.ts'

const counts = (help: string, value: number, max: number): IntegersOption => ({
  kind: 'integers',
  min: 1,
  max,
  default: [value],
  help: `axis: ${help}`,
})

const times = (help: string): NumbersOption => ({
  kind: 'numbers',
  min: 0,
  max: 1000,
  unit: 'ms',
  default: [0],
  help: `axis: ${help}`,
})

const optionTable = {
  window: { ...windowOption, help: 'axis: callers that each await their command before the next' },
  'max-batch-commands': counts('commands in one entry', 65_536, 1 << 20),
  'max-batch-bytes': counts('bytes of commands in one entry', 1 << 20, 1 << 26),
  'linger-ms': times('wait at the leader for more commands before an entry is made'),
  'max-inflight-messages': counts('append messages on their way to one follower', 64, 4096),
  size: counts('bytes of one command, encoded', 64, 1 << 20),
  nodes: counts('nodes, each in a thread or process of its own', 3, 9),
  'delay-ms': times('how long a message between nodes is on its way, injected'),
  'flush-ms': times(
    'how much later each flush is reported, injected; such flushes overlap, as on a deep queue',
  ),
  repeat: {
    kind: 'integer',
    min: 1,
    max: 100,
    default: 3,
    help: 'runs of each point that is on a front or near it; the medians count',
  },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 2, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 0.5, help: 'load before it, not measured' },
  'stage-seconds': {
    kind: 'number',
    min: 0,
    unit: 's',
    default: 0.4,
    help: 'load after the first run of a point in which stages are written down; 0: none',
  },
  explain: { kind: 'flag', help: 'say what limits each region, and what a deep pipeline does' },
  results: {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'reports/sweep.jsonl',
    help: 'where finished runs are kept; those of the same engine, machine and settings are not run again',
  },
  fresh: { kind: 'flag', help: 'run everything again: the results file is emptied' },
  keys: workloadOptionTable.keys,
  durability: clusterOptionTable.durability,
  data: clusterOptionTable.data,
  seed: clusterOptionTable.seed,
  ...tcpOptionTable,
  ...connectOptionTable,
  ...outputOptionTable,
  html: { ...outputOptionTable.html, help: 'write the page with the explorer, in one file' },
} as const

type SweepValues = OptionValues<typeof optionTable>

/** The grid that the options span. */
function gridOf(values: SweepValues): SweepGrid {
  const byOption = values as unknown as Readonly<Record<string, readonly number[]>>
  return Object.fromEntries(axes.map(({ name, option }) => [name, byOption[option]])) as SweepGrid
}

/** @throws RaftError INVALID_OPTIONS where some point cannot be */
function checkPoints(values: SweepValues, points: readonly SweepSettings[]): void {
  checkSwept(values, optionTable)
  clientSettings(values.window, 1)
  for (const size of values.size) workloadSpec({ machine: 'kv', keys: values.keys, size, seed: values.seed })
  // A leader that hears from its followers too late steps down again and again: nothing would be measured.
  const slow = points.find(({ delayMs }) => delayMs > MAX_DELAY_MS)
  if (slow !== undefined) throw invalidOption('--delay-ms', slow.delayMs, `at most ${MAX_DELAY_MS} ms`)
}

/** Both ways, and again for a lost turn, within the shortest election timeout of 300 ms. */
const MAX_DELAY_MS = 100

/** What it is measured on: the points, as far as they are known, and where. */
async function placeOf(
  bench: Bench,
  values: SweepValues,
): Promise<{ readonly points: readonly SweepSettings[]; readonly environment: Environment }> {
  const points = pointsOf(gridOf(values))
  const { durability, connect } = values
  if (connect === undefined) {
    const directory = durability === 'memory' ? undefined : bench.directory
    return { points, environment: describeEnvironment(directory, durability) }
  }
  const cluster = await bench.connect(connectSettings(values, bench.env))
  const status = await bench.or(cluster.status())
  const running = status.nodes.find((node) => node.running)
  await bench.closeAll()
  const environment = describeEnvironment(undefined, running?.durability ?? durability)
  return { points: pointsOfClient(points, status), environment }
}

async function measure(bench: Bench, values: SweepValues, report: SweepReport): Promise<void> {
  const { durability, seconds, keys, seed, connect } = values
  const { points, environment } = await placeOf(bench, values)
  report.environment = environment
  const measuring: MeasuringSettings = {
    durability,
    seconds,
    warmupSeconds: values['warmup-seconds'],
    keys,
    seed,
    hasFaults: points.some(({ delayMs, flushMs }) => delayMs > 0 || flushMs > 0),
    ...engineKey(values),
  }
  const plan: SweepPlan = {
    points,
    measuring,
    origin: originOf(environment),
    repeat: values.repeat,
    times: {
      ...{ seconds, warmupSeconds: values['warmup-seconds'] },
      // Nodes of somebody else do not tell.
      stageSeconds: connect === undefined ? values['stage-seconds'] : 0,
    },
    engine: values,
    clusterOptions: { durability, seed },
  }
  const file = new ResultsFile(resultsPath(values), { isFresh: values.fresh })
  report.show(plan, file)
  const missing = points.filter((point) => file.runsOf(keyOf(plan, point)).length === 0).length
  bench.progress.expect(expectedMs(plan, missing))
  if (missing < points.length) {
    bench.progress.begin(`${formatNumber(points.length - missing)} points are there already`, 0)
  }
  await new SweepRunner(bench, plan, file).run()
}

const resultsPath = ({ results }: SweepValues): string => resolve(results ?? 'reports/sweep.jsonl')

export const sweepCommand = commandOf({
  name: 'sweep',
  summary:
    'throughput against p99 over a grid of settings: which wins, under which conditions, and what limits it',
  details: [
    'Each axis takes a list; what is not given stays at its default. Every combination is measured by a closed loop',
    'on a real cluster. Points on or near a front are repeated until the fronts stand on medians. Ctrl-C keeps what',
    'is done; the same command goes on from there. With --connect the axes are those that a client sets, --window and',
    '--size; figures of that cluster before it was changed are forgotten by --fresh. Payload, nodes, delay and flush cost are conditions: points',
    'compete only with those of the same. What batches and deep pipelines do under which conditions:',
    '  --window 16,512,8192 --max-batch-commands 128,65536 --max-inflight-messages 1,8,64 --delay-ms 0,2,10 --flush-ms 0,5',
  ],
  options: optionTable,
  check: (values) => checkPoints(values, pointsOf(gridOf(values))),
  report: (values) =>
    new SweepReport({
      explains: values.explain,
      engine: values,
      configuration: configurationOf({ ...values, results: null }),
    }),
  // Known better as soon as it is known what is there already.
  expectedMs: () => 1,
  measure,
})
