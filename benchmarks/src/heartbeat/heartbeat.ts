/**
 * `bench heartbeat`: are heartbeats held up by what is large? A follower is killed, the others write on and compact their
 * logs, so that it needs a snapshot when it comes back; then large appends go out as fast as they can.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import { type Client, type ClusterStatus, RaftError } from '@troupe/cluster'
import { defaultRaftKnobs, type NodeId } from '@troupe/core'
import { kv } from '@troupe/machines'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine } from '../engine/start-cluster.ts'
import { describeEnvironment } from '../environment.ts'
import { distributionOfValues, summarize } from '../latency.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { checkNothingLost } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  outputOptionTable,
  tcpOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import type { ProcessCluster } from '../tcp/process-cluster.ts'
import { rounded } from '../terminal/format.ts'
import { joinHeartbeats } from './heartbeat-log.ts'
import { HeartbeatReport, type PhaseName } from './heartbeat-report.ts'

const optionTable = {
  'snapshot-mib': {
    kind: 'integer',
    min: 1,
    max: 8192,
    unit: 'MiB',
    default: 500,
    help: 'size of the state',
  },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 10, help: 'how long the append burst is' },
  'idle-seconds': {
    kind: 'number',
    min: 0.1,
    unit: 's',
    default: 10,
    help: 'before it all, to compare with',
  },
  window: { kind: 'integer', min: 1, max: 4096, default: 64, help: 'commands outstanding in the burst' },
  ...workloadOptionTable,
  size: { ...workloadOptionTable.size, default: 64 << 10, help: 'bytes of one command of the burst' },
  keys: { ...workloadOptionTable.keys, default: 1000 },
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3 },
  ...tcpOptionTable,
  engine: {
    ...tcpOptionTable.engine,
    choices: ['tcp', 'tls'],
    default: 'tcp',
    help: 'how the nodes run: as processes over TCP on the loopback; tls: over TLS',
  },
  ...outputOptionTable,
} as const

type Values = OptionValues<typeof optionTable>

const MS_PER_S = 1000
const BYTES_PER_MIB = 1 << 20
/** Of one value of the state. */
const VALUE_BYTES = 64 << 10
const FILL_WINDOW = 32
/** Entries that stay behind a snapshot: fewer than a follower lacks that was gone while the state was written. */
const KEEP_ENTRIES = 4
const POLL_MS = 20
const CATCH_UP_TIMEOUT_MS = 600_000
const intervalMs = defaultRaftKnobs.heartbeatIntervalMs

interface Stand {
  readonly bench: Bench
  readonly cluster: ProcessCluster
  readonly report: HeartbeatReport
}

async function measure(bench: Bench, values: Values, report: HeartbeatReport): Promise<void> {
  const options = clusterOptions(values, values.machine)
  const raft = { ...options.raft, keepEntries: KEEP_ENTRIES }
  const isTls = values.tls || values.engine === 'tls'
  const watching = { watchesHeartbeats: true }
  const cluster = await bench.startProcesses('heartbeat', { ...options, raft }, isTls, watching)
  report.environment = describeEnvironment(bench.directory, values.durability)
  const load = bench.startLoad(cluster, workloadSpec(values), clientSettings([values.window], 1))
  const stand = { bench, cluster, report }
  await bench.or(load.totals())
  bench.progress.begin('nothing happens', values['idle-seconds'] * MS_PER_S)
  await phase(stand, 'idle', () => delay(values['idle-seconds'] * MS_PER_S))
  const gone = await writeStateWithoutOne(stand, values['snapshot-mib'])
  bench.progress.begin('a follower comes back and gets a snapshot', values['snapshot-mib'] * 20)
  await phase(stand, 'snapshot transfer', () => comeBack(stand, gone))
  bench.progress.begin('large appends', values.seconds * MS_PER_S)
  await phase(stand, 'append burst', () => burst(load, values))
  await checkNothingLost(bench, { cluster, load }, report)
}

/** Kills a follower, has the others write a state of that size and take snapshots of it. Tells who was killed. */
async function writeStateWithoutOne({ bench, cluster }: Stand, mib: number): Promise<NodeId> {
  const gone = cluster.ids.find((id) => id !== cluster.leader) as NodeId
  await bench.or(cluster.crash(gone))
  const values = Math.max(2 * KEEP_ENTRIES, Math.ceil((mib * BYTES_PER_MIB) / VALUE_BYTES))
  bench.progress.begin(`writing ${mib} MiB`, mib * 30)
  {
    await using client = await bench.or(cluster.client({ timeoutMs: CATCH_UP_TIMEOUT_MS }))
    await bench.or(fill(client, values, (done) => bench.progress.step(done, values)))
  }
  const running = cluster.ids.filter((id) => id !== gone)
  const order = { kind: 'takeSnapshot' } as const
  await bench.or(Promise.all(running.map((id) => cluster.command(id, order, CATCH_UP_TIMEOUT_MS))))
  return gone
}

async function fill(client: Client, values: number, onDone: (done: number) => void): Promise<void> {
  let next = 0
  const value = new Uint8Array(VALUE_BYTES).fill(7)
  const write = async (): Promise<void> => {
    while (next < values) {
      await client.propose(kv.set(`state-${next++}`, value))
      onDone(next)
    }
  }
  await Promise.all(Array.from({ length: FILL_WINDOW }, write))
}

async function comeBack({ bench, cluster }: Stand, id: NodeId): Promise<void> {
  await bench.or(cluster.restart(id))
  const deadlineMs = hrtimeMs() + CATCH_UP_TIMEOUT_MS
  for (;;) {
    const { leader, nodes } = await bench.or(cluster.status())
    const running = nodes.filter((node) => node.running)
    const led = running.find((node) => node.id === leader)
    const back = running.find((node) => node.id === id)
    // A log that begins behind the first entry, where nobody has compacted it: it got a snapshot.
    if (led !== undefined && back !== undefined && back.base > 0 && back.applied >= led.commit) return
    if (hrtimeMs() > deadlineMs) {
      const timeoutMs = CATCH_UP_TIMEOUT_MS
      throw new RaftError('TIMEOUT', `${id} got no snapshot within ${timeoutMs} ms`, { timeoutMs })
    }
    await bench.or(delay(POLL_MS))
  }
}

async function burst(load: LoadGenerator, { window, seconds }: Values): Promise<void> {
  await load.closedLoop({ window, batch: 1, warmupMs: 0, durationMs: seconds * MS_PER_S })
}

/** Measures the heartbeats while `work` is done. */
async function phase(
  { bench, cluster, report }: Stand,
  name: PhaseName,
  work: () => Promise<void>,
): Promise<void> {
  await bench.or(cluster.takeHeartbeats())
  const before = await bench.or(cluster.status())
  const beganMs = hrtimeMs()
  await bench.or(work())
  const seconds = rounded((hrtimeMs() - beganMs) / MS_PER_S)
  const times = joinHeartbeats(await bench.or(cluster.takeHeartbeats()), intervalMs)
  const after = await bench.or(cluster.status())
  report.phases.push({
    ...{ phase: name, seconds, notArrived: times.lost },
    peerBytes: bytesBetween(before, after),
    delayMs: summarize(times.delaysMs),
    roundTripMs: summarize(times.roundTripsMs),
    elections: after.term - before.term,
    distribution: distributionOfValues(times.delaysMs),
  })
}

/** A node that was started meanwhile began to count at 0. */
function bytesBetween(before: ClusterStatus, after: ClusterStatus): number {
  return after.nodes.reduce((sum, node) => {
    if (!node.running) return sum
    const earlier = before.nodes.find(({ id }) => id === node.id)
    const from = earlier?.running === true ? earlier.metrics.bytesSent : 0
    return sum + Math.max(0, node.metrics.bytesSent - from)
  }, 0)
}

export const heartbeatCommand = commandOf({
  name: 'heartbeat',
  summary:
    'the delay of heartbeats during the transfer of a large snapshot and during a burst of appends, over TCP',
  details: [
    'A follower is killed, the state is written and snapshots are taken without it: it comes back and gets one. Delay counts',
    "from the leader's transport to the follower's mailbox: the processes of a machine read one clock.",
  ],
  options: optionTable,
  check(values) {
    workloadSpec(values)
    checkEngine(values)
  },
  report: (values) => new HeartbeatReport(values, intervalMs),
  expectedMs: (values) =>
    values['snapshot-mib'] * 50 + (values.seconds + values['idle-seconds']) * MS_PER_S + 10_000,
  measure,
})
