/** Our own engines as contestants, with the load generator and the checks of `bench throughput`. */
import { type Durability, invalidOption } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { besideOthers, connectSettings, type EngineValues } from '../engine/start-cluster.ts'
import type { ClientSource, ObservedCluster } from '../engine/tested-cluster.ts'
import type { ClosedLoopSpec } from '../load/closed-loop.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { leaveAsItWas } from '../loaded-cluster.ts'
import { clientSettings } from '../options.ts'
import { speedOf } from '../throughput/throughput-run.ts'
import { verify } from '../verify.ts'
import { type Contestant, type ContestRun, type ContestSettings, NODES, type Running } from './contestant.ts'
import { RateMeter } from './rate-meter.ts'

export const DURABILITY: Durability = 'flush-before-ack'

const OPTIONS = { nodes: NODES, machine: 'kv', durability: DURABILITY }

const common = {
  isOurs: true,
  isDurable: true,
  acknowledgement: 'durable: a quorum has synced it to its log, and the leader has applied it',
  recommendation: 'the defaults',
} as const

/** Nodes as processes: what peers that are servers are compared with. */
export const troupeTcp: Contestant = {
  facts: {
    ...common,
    name: 'troupe-tcp',
    title: 'Troupe, TCP',
    transport: 'TCP, loopback',
    configuration: 'kv, defaults, flush before ack; three processes, one client in a process of its own',
  },
  startMs: 2000,
  missing: () => undefined,
  start: async (bench, settings) =>
    run(bench, await bench.startProcesses('troupe-tcp', OPTIONS, false), settings),
}

/** Nodes as worker threads of this process: beside the others, since no peer over a network can be compared with it. */
export const troupeThreads: Contestant = {
  facts: {
    ...common,
    name: 'troupe',
    title: 'Troupe, threads',
    transport: 'threads, in process',
    configuration: 'kv, defaults, flush before ack; one client in a thread of its own',
  },
  startMs: 1000,
  missing: () => undefined,
  start: async (bench, settings) => run(bench, await bench.startCluster('troupe', OPTIONS), settings),
}

/** A cluster that runs already, instead of ours: wherever it is, and whatever it has been given. */
export const troupeConnected = (values: EngineValues): Contestant => ({
  facts: {
    ...common,
    name: 'troupe-connected',
    title: 'Troupe, as it runs',
    transport: 'TCP, as it runs',
    configuration: `the cluster at ${values.connect}, as it is set; one client in a process of its own`,
    recommendation: 'nothing was changed',
  },
  startMs: 500,
  missing: () => undefined,
  async start(bench, { workload, windows }) {
    const cluster = await bench.connect(connectSettings(values, bench.env))
    const { nodes } = await bench.or(cluster.status())
    const other = nodes.find((node) => node.running && node.durability !== DURABILITY)
    if (other?.running === true)
      throw invalidOption(
        '--connect',
        values.connect,
        `nodes with ${DURABILITY}: ${other.id} has ${other.durability}`,
      )
    const beside = await bench.or(besideOthers(cluster, workload))
    const running = run(bench, cluster, { workload: beside, windows })
    return { ...running, version: 'as it runs', leave: () => bench.or(leaveAsItWas(cluster, beside)) }
  },
})

function run(
  bench: Bench,
  cluster: ObservedCluster & ClientSource,
  { workload, windows }: ContestSettings,
): Running {
  const load = bench.startLoad(cluster, workload, clientSettings(windows, 1))
  let before = { lost: 0, duplicated: 0, reordered: 0, unknown: 0 }
  const measure = async (spec: ClosedLoopSpec): Promise<ContestRun> => {
    const result = await bench.or(load.closedLoop(spec))
    const after = await bench.or(verify(cluster, load))
    const { verdict, reason } = after
    if (verdict === 'unknown') throw new Error(`what is stored could not be counted: ${reason}`)
    if (!after.digestsEqual) throw new Error('the replicas differ')
    // It counts from the start; a run has its own.
    const counts = {
      lost: after.lost - before.lost,
      duplicated: after.duplicated - before.duplicated,
      reordered: after.reordered - before.reordered,
      unknown: after.unknown - before.unknown,
    }
    before = after
    return { ...speedOf(result), commands: result.commands, ...counts, refused: 0, clientUtilisation: null }
  }
  return { version: 'this commit', run: (spec) => noted(bench, load, () => measure(spec)) }
}

/** The rate right now, behind the progress bar. */
async function noted<Value>(bench: Bench, load: LoadGenerator, work: () => Promise<Value>): Promise<Value> {
  const meter = new RateMeter()
  load.onTotals = ({ acknowledged }) => bench.progress.note(meter.note(acknowledged))
  try {
    return await work()
  } finally {
    load.onTotals = undefined
  }
}
