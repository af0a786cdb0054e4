/** `troupe soak`: a cluster for a long time under load, crashes and compactions. Does anything grow, or complain? */
import type { Bench } from '../bench.ts'
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { commandLineOf } from '../command-line.ts'
import { describeEnvironment } from '../environment.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  jsonOption,
  rateOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { runAndReport } from '../report.ts'
import { formatMiB, formatMs, formatNumber } from '../terminal/format.ts'
import { SoakChild } from './soak-child.ts'
import type { SoakNews, SoakPlan } from './soak-protocol.ts'
import { SoakReport } from './soak-report.ts'
import { diskBytes, type SoakSample } from './soak-sample.ts'
import { MIN_SECONDS } from './soak-verdict.ts'

const optionTable = {
  minutes: { kind: 'number', min: 0.1, default: 10, help: 'how long' },
  'restart-seconds': {
    kind: 'number',
    min: 1,
    unit: 's',
    default: 120,
    help: 'time from one orderly restart of the whole cluster to the next; a third of the run where that is less',
  },
  'segment-mb': {
    kind: 'number',
    min: 0.0625,
    max: 1024,
    unit: 'MiB',
    default: 1,
    help: 'record bytes of one segment of the log; a snapshot is taken, and the log compacted, for each four',
  },
  rate: { ...rateOption, default: 5000 },
  window: {
    kind: 'integer',
    min: 1,
    max: 1 << 17,
    help: 'closed loop, in the place of --rate: callers that each await their command',
  },
  ...workloadOptionTable,
  size: { ...workloadOptionTable.size, default: 256 },
  keys: { ...workloadOptionTable.keys, default: 10_000 },
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3 },
  durability: { ...clusterOptionTable.durability, choices: ['flush-before-ack', 'acked-before-flush'] },
  json: jsonOption,
} as const

type SoakValues = OptionValues<typeof optionTable>

const MS_PER_S = 1000
const MS_PER_MINUTE = 60_000
const BYTES_PER_MIB = 1 << 20
const SAMPLE_MS = 1000
/** The last start of the cluster, with its check. */
const CLOSING_MS = 5000
const MIN_EPOCHS = 3
const SEGMENTS_PER_SNAPSHOT = 4
const KEEP_ENTRIES = 64
/** Little enough that a log machine is full within the first minutes: then it is to grow no more. */
const RETAIN_BYTES = 4 * BYTES_PER_MIB
const MIN_PAUSE_MS = 500
const MAX_PAUSE_MS = 8000
/** A round of faults is to fit between two restarts. */
const PAUSES_PER_EPOCH = 8

/** @throws RaftError INVALID_OPTIONS */
function planOf(values: SoakValues, directory: string): SoakPlan {
  const { machine, minutes, window, rate, seed } = values
  const durationMs = minutes * MS_PER_MINUTE
  const epochs = Math.max(MIN_EPOCHS, Math.round(durationMs / (values['restart-seconds'] * MS_PER_S)))
  const epochMs = durationMs / epochs
  const segmentBytes = Math.round(values['segment-mb'] * BYTES_PER_MIB)
  const { raft, ...options } = clusterOptions(values, machine)
  const compaction = { snapshotEntries: 0, snapshotBytes: SEGMENTS_PER_SNAPSHOT * segmentBytes }
  const maxPauseMs = Math.min(MAX_PAUSE_MS, epochMs / PAUSES_PER_EPOCH)
  return {
    cluster: {
      ...options,
      ...(machine === 'log' ? { machineOptions: { retainBytes: RETAIN_BYTES } } : {}),
      directory,
      raft: { ...raft, ...compaction, keepEntries: KEEP_ENTRIES },
      log: { segmentBytes },
    },
    client: clientSettings([window ?? 1], 1),
    workload: workloadSpec(values),
    load: window === undefined ? { kind: 'open', commandsPerSecond: rate } : { kind: 'closed', window },
    seed,
    epochs,
    epochMs,
    pauses: { minMs: Math.min(MIN_PAUSE_MS, maxPauseMs / 2), maxMs: maxPauseMs },
    sampleMs: SAMPLE_MS,
  }
}

async function soak(bench: Bench, values: SoakValues, report: SoakReport): Promise<void> {
  const plan = planOf(values, bench.directory)
  report.environment = describeEnvironment(bench.directory, values.durability)
  bench.progress.begin('append, snapshot, compact, restart, crash', plan.epochs * plan.epochMs + CLOSING_MS)
  let doing = ''
  const child = new SoakChild(plan, {
    onLine: (line) => report.takeLine(line),
    onNews: (news: SoakNews) => {
      report.take(news)
      if (news.kind === 'note') doing = news.text
      const sample = report.samples.at(-1)
      bench.progress.note([doing, ...(sample === undefined ? [] : figuresOf(sample))].join(' · '))
    },
  })
  bench.onEnd(() => child.stop())
  report.failure = await bench.or(child.ended())
}

function figuresOf(sample: SoakSample): string[] {
  const { commandsPerSecond, p99Ms, privateBytes, openFiles } = sample
  const figures = [`${formatNumber(commandsPerSecond)} op/s`, `p99 ${formatMs(p99Ms)} ms`]
  const sizes = [`memory ${formatMiB(privateBytes)}`, `disk ${formatMiB(diskBytes(sample))}`]
  return [...figures, ...sizes, ...(openFiles === null ? [] : [`${formatNumber(openFiles)} files`])]
}

async function run(values: SoakValues, context: CommandContext): Promise<number> {
  planOf(values, '')
  const report = new SoakReport(values)
  const { data, json, minutes } = values
  const command = commandLineOf('soak', optionTable, values)
  const options = { data, json, usesDisk: true, expectedMs: minutes * MS_PER_MINUTE + CLOSING_MS, command }
  return runAndReport(context, options, report, (bench) => soak(bench, values, report))
}

export const soakCommand: Command<typeof optionTable> = {
  name: 'soak',
  summary: 'a cluster for a long time under load, crashes and compactions: does anything grow, or complain?',
  details: [
    'The cluster has a process to itself, of which memory, disk, open files and every line that it writes are watched.',
    `Fails on growth, on any line of output, on anything lost or applied twice. Growth takes ${MIN_SECONDS / 60} minutes to tell.`,
  ],
  options: optionTable,
  run,
}
