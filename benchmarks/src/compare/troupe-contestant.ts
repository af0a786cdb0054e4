/** Our own engine as a contestant, with the load generator and the checks of `bench throughput`. */
import type { Durability } from '@troupe/core'
import type { Bench } from '../bench.ts'
import type { ClosedLoopSpec } from '../load/closed-loop.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { clientSettings } from '../options.ts'
import { speedOf } from '../throughput/throughput-run.ts'
import { verify } from '../verify.ts'
import { type Contestant, type ContestRun, type ContestSettings, NODES, type Running } from './contestant.ts'
import { RateMeter } from './rate-meter.ts'

export const DURABILITY: Durability = 'flush-before-ack'

/** The engine whose nodes are worker threads of this process. An engine over TCP is another contestant beside it. */
export const troupeThreads: Contestant = {
  facts: {
    name: 'troupe',
    title: 'Troupe',
    transport: 'threads, in process',
    isDurable: true,
    acknowledgement: 'durable: a quorum has synced it to its log, and the leader has applied it',
    configuration: 'kv, defaults, flush before ack; one client in a thread of its own',
    recommendation: 'the defaults',
  },
  startMs: 1000,
  missing: () => undefined,
  start: startThreads,
}

async function startThreads(bench: Bench, { workload, windows }: ContestSettings): Promise<Running> {
  const cluster = await bench.startCluster('troupe', { nodes: NODES, machine: 'kv', durability: DURABILITY })
  const load = bench.startLoad(cluster, workload, clientSettings(windows, 1))
  let before = { lost: 0, duplicated: 0, unknown: 0 }
  const run = async (spec: ClosedLoopSpec): Promise<ContestRun> => {
    const result = await bench.or(load.closedLoop(spec))
    const after = await bench.or(verify(cluster, load))
    const { verdict, reason } = after
    if (verdict === 'unknown') throw new Error(`what is stored could not be counted: ${reason}`)
    if (!after.digestsEqual) throw new Error('the replicas differ')
    // It counts from the start; a run has its own.
    const counts = {
      lost: after.lost - before.lost,
      duplicated: after.duplicated - before.duplicated,
      unknown: after.unknown - before.unknown,
    }
    before = after
    return { ...speedOf(result), commands: result.commands, ...counts, refused: 0, clientUtilisation: null }
  }
  return { version: 'this commit', run: (spec) => noted(bench, load, () => run(spec)) }
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
