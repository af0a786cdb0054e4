/** `bench queue`: the replicated queue, and BullMQ beside it in turns. */
import type { Cluster } from '@troupe/cluster'
import { invalidOption, RaftError } from '@troupe/core'
import { Queue } from '@troupe/queue'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine, connectSettings } from '../engine/start-cluster.ts'
import { describeEnvironment } from '../environment.ts'
import { clusterOptionTable, connectOptionTable, outputOptionTable } from '../options.ts'
import { BullMqPlace, bullmqMissing } from './bullmq-queue.ts'
import { QueueReport } from './queue-report.ts'
import {
  measureAllTheWay,
  measureCrash,
  measureLatency,
  measureSendMany,
  measureSingles,
  QueuePlace,
} from './troupe-queue.ts'

const MS_PER_S = 1000
const DURABILITY = 'flush-before-ack'
/** Starting and ending a server, and emptying queues between. */
const BETWEEN_MS = 1500

const optionTable = {
  compare: {
    kind: 'choice',
    choices: ['none', 'bullmq'],
    default: 'none',
    help: 'run it beside us, in turns',
  },
  ...connectOptionTable,
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 2, help: 'load of each measurement' },
  repeat: {
    kind: 'integer',
    min: 1,
    max: 100,
    default: 2,
    help: 'do everything so often; the median counts',
  },
  seed: clusterOptionTable.seed,
  data: clusterOptionTable.data,
  ...outputOptionTable,
} as const

export type QueueValues = OptionValues<typeof optionTable>

async function openPlace(bench: Bench, values: QueueValues): Promise<QueuePlace> {
  if (values.connect !== undefined) return connected(bench, values)
  const { seed } = values
  const cluster: Cluster = await bench.startCluster('queue', {
    machine: 'queue',
    seed,
    durability: DURABILITY,
  })
  return new QueuePlace((name) => Queue.open<string>(name, { cluster }), cluster)
}

/** @throws RaftError INVALID_OPTIONS that says how to start a cluster where none answers */
async function connected(bench: Bench, values: QueueValues): Promise<QueuePlace> {
  const { seeds, tls, clientToken } = connectSettings(engineValues(values), bench.env)
  const client = {
    ...(tls === undefined ? {} : { tls }),
    ...(clientToken === undefined ? {} : { token: clientToken }),
  }
  const open = (name: string): Promise<Queue<string>> => Queue.connect<string>(seeds, name, { client })
  try {
    // Whether anybody is there at all: whoever asks for a cluster of their own knows that it runs.
    await (await Queue.connect(seeds, 'bench', { client: { ...client, connectTimeoutMs: REACH_MS } })).close()
  } catch (error) {
    if (!RaftError.is(error, 'NODE_UNAVAILABLE')) throw error
    throw invalidOption('--connect', values.connect, `a cluster that runs; \`${START}\` starts one`)
  }
  return new QueuePlace(open)
}

const engineValues = (values: QueueValues) =>
  ({ ...values, engine: 'threads', durability: DURABILITY }) as const

/** For the first answer of a cluster that is said to run. */
const REACH_MS = 2000
const START = 'pnpm troupe up --processes --machine queue'

async function measureQueue(bench: Bench, values: QueueValues, report: QueueReport): Promise<void> {
  report.environment = describeEnvironment(bench.directory, DURABILITY)
  const place = await openPlace(bench, values)
  const peer = await startPeer(bench, values, report)
  const { seconds } = values
  const step = async (text: string, run: () => Promise<Parameters<QueueReport['add']>[0]>): Promise<void> => {
    bench.progress.begin(text, seconds * MS_PER_S + BETWEEN_MS)
    report.add(await bench.or(run()))
  }
  // Code is compiled and connections are warm from here on.
  await bench.or(measureAllTheWay(place, Math.min(1, seconds), 0))
  if (peer !== undefined) await bench.or(peer.measureProcessing(Math.min(0.5, seconds), 0))
  for (let round = 1; round <= values.repeat; round++) {
    await step('sendMany', () => measureSendMany(place, seconds, round))
    if (peer !== undefined) await step('BullMQ adds', () => peer.measureAdds(seconds, round))
    await step('all the way', () => measureAllTheWay(place, seconds, round))
    if (peer !== undefined) await step('BullMQ processes', () => peer.measureProcessing(seconds, round))
    await step('single sends', () => measureSingles(place, seconds, round))
    await step('latency', () => measureLatency(place, seconds, round))
    const { cluster } = place
    if (cluster !== undefined) await step('leader crash', () => measureCrash(place, cluster, seconds, round))
  }
  if (place.cluster === undefined)
    report.notes.push('leader crash: skipped, the cluster is not ours to crash')
}

async function startPeer(
  bench: Bench,
  { compare }: QueueValues,
  report: QueueReport,
): Promise<BullMqPlace | undefined> {
  if (compare === 'none') return undefined
  const missing = bullmqMissing()
  if (missing === undefined) return BullMqPlace.start(bench)
  report.notes.push(`bullmq: skipped, ${missing.what} is missing (${missing.install})`)
  return undefined
}

export const queueCommand = commandOf({
  name: 'queue',
  summary: 'the replicated queue: messages per second in and all the way, latency, a crash of the leader',
  details: [
    'Producers and consumers are in the thread of the benchmark, replicas in worker threads of their own. Every row says under',
    'which conditions it was measured. `--compare bullmq` measures BullMQ in turns with us, on one Redis of Debian that syncs',
    'every write, started on a port of its own; skipped where redis-server or the client is missing.',
  ],
  options: optionTable,
  check: (values) => checkEngine(engineValues(values)),
  report: (values) => new QueueReport(values),
  usesDisk: () => true,
  expectedMs: ({ seconds, repeat, compare }) =>
    repeat * (compare === 'none' ? 5 : 7) * (seconds * MS_PER_S + BETWEEN_MS),
  measure: measureQueue,
})
