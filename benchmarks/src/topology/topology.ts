/**
 * `bench topology`: the same nodes in a mesh, a ring and a layered star. Each cluster is started afresh; which topology
 * begins changes from repeat to repeat. The first node of the list leads: in the star a hub.
 */
import type { Cluster } from '@troupe/cluster'
import { invalidOption, type NodeId, type OverlayTopology, overlayTopologies } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { describeEnvironment } from '../environment.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { CHECK_MS } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  outputOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { formatNumber, rounded } from '../terminal/format.ts'
import { speedOf } from '../throughput/throughput-run.ts'
import { orderOf } from '../turns.ts'
import { verify } from '../verify.ts'
import { loseNode, settle, trialMs } from './loss-trial.ts'
import { plannedHops } from './planned-hops.ts'
import { TopologyReport } from './topology-report.ts'

const MACHINE = 'kv'
const MS_PER_S = 1000
const START_MS = 1500

const optionTable = {
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 5, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 1, help: 'load before it, not measured' },
  window: {
    kind: 'integer',
    min: 2,
    max: 1 << 17,
    default: 1024,
    help: 'callers that each await their command, for the throughput; the latency is of one',
  },
  repeat: {
    kind: 'integer',
    min: 1,
    max: 100,
    default: 3,
    help: 'do everything so often; the median counts',
  },
  'watch-ms': {
    kind: 'integer',
    min: 100,
    unit: 'ms',
    default: 1000,
    help: 'behind each loss: an election and new routes are over by then',
  },
  size: workloadOptionTable.size,
  keys: workloadOptionTable.keys,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3, default: 5 },
  ...outputOptionTable,
} as const

type TopologyValues = OptionValues<typeof optionTable>

/** Hops that frames crossed, as the nodes have counted them; 1 in a mesh, which counts nothing. */
async function measuredHops(cluster: Cluster): Promise<number> {
  const { nodes } = await cluster.status()
  let [frames, hops] = [0, 0]
  for (const node of nodes) {
    if (!node.running) continue
    frames += node.metrics.framesDelivered ?? 0
    hops += node.metrics.hopsDelivered ?? 0
  }
  return frames === 0 ? 1 : rounded(hops / frames)
}

interface Subject {
  readonly bench: Bench
  readonly values: TopologyValues
  readonly report: TopologyReport
  readonly topology: OverlayTopology
  readonly repeat: number
}

async function measureCalm(subject: Subject, cluster: Cluster, load: LoadGenerator): Promise<void> {
  const { bench, values, report, topology, repeat } = subject
  const { window, nodes, seconds } = values
  const times = { warmupMs: values['warmup-seconds'] * MS_PER_S, durationMs: seconds * MS_PER_S, batch: 1 }
  bench.progress.begin(`${topology}, one caller`, runMs(values))
  const { latencyMs } = speedOf(await bench.or(load.closedLoop({ ...times, window: 1 })))
  bench.progress.begin(`${topology}, ${formatNumber(window)} callers`, runMs(values))
  const { opsPerSecond } = speedOf(await bench.or(load.closedLoop({ ...times, window })))
  const hopsMeasured = await bench.or(measuredHops(cluster))
  const hops = plannedHops(topology, cluster.ids)
  report.runs.push({ topology, repeat, nodes, ...hops, hopsMeasured, latencyMs, opsPerSecond, window })
}

async function measureLosses(subject: Subject, cluster: Cluster, leader: NodeId): Promise<void> {
  const { bench, values, report, topology, repeat } = subject
  const watchMs = values['watch-ms']
  const client = await bench.or(cluster.client())
  bench.onEnd(() => client.close())
  for (const lost of cluster.ids) {
    bench.progress.begin(`${topology}, ${lost} is lost`, trialMs(watchMs))
    await settle(bench, cluster, leader)
    report.losses.push(await loseNode(bench, cluster, client, { topology, repeat, lost }, watchMs))
  }
  await settle(bench, cluster, leader)
}

async function measureTopology(subject: Subject): Promise<void> {
  const { bench, values, report, topology, repeat } = subject
  bench.progress.begin(`${topology} starts`, START_MS)
  const options = { ...clusterOptions(values, MACHINE), topology }
  const cluster = await bench.startCluster(`${topology}-${repeat}`, options)
  const leader = cluster.ids[0] as NodeId
  const workload = workloadSpec({ ...values, machine: MACHINE })
  const load = bench.startLoad(cluster, workload, clientSettings([values.window], 1))
  await settle(bench, cluster, leader)
  await measureCalm(subject, cluster, load)
  await measureLosses(subject, cluster, leader)
  bench.progress.begin('checking that nothing was lost', CHECK_MS)
  report.verifications.push({ topology, verification: await bench.or(verify(cluster, load)) })
  // The next has the machine to itself.
  await bench.closeAll()
}

async function measure(bench: Bench, values: TopologyValues, report: TopologyReport): Promise<void> {
  const { durability } = values
  report.environment = describeEnvironment(durability === 'memory' ? undefined : bench.directory, durability)
  for (let repeat = 1; repeat <= values.repeat; repeat++) {
    for (const topology of orderOf(overlayTopologies, repeat - 1)) {
      await measureTopology({ bench, values, report, topology, repeat })
    }
  }
}

const runMs = (values: TopologyValues): number => (values.seconds + values['warmup-seconds']) * MS_PER_S

export const topologyCommand = commandOf({
  name: 'topology',
  summary:
    'mesh, ring and layered star: connections, hops, latency, throughput, and what the loss of each node costs',
  details: [
    'Nodes on threads, the first of the list leads. Latency is that of one caller; each loss is a crash under one caller,',
    'and its pause the longest time between two acknowledgements in the time behind it that is watched. A node in memory could not come',
    'back, so --durability memory is refused.',
  ],
  options: optionTable,
  check(values) {
    const { durability } = values
    if (durability === 'memory')
      throw invalidOption('--durability', durability, 'flush-before-ack or acked-before-flush')
    workloadSpec({ ...values, machine: MACHINE })
    clusterOptions(values, MACHINE)
    clientSettings([values.window], 1)
  },
  report: (values) => new TopologyReport(values),
  expectedMs: (values) => {
    const eachMs = START_MS + 2 * runMs(values) + values.nodes * trialMs(values['watch-ms']) + CHECK_MS
    return values.repeat * overlayTopologies.length * eachMs
  },
  measure,
})
