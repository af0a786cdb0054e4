/** The load generator's thread: a client, and loops that use it. Spawned by {@link LoadGenerator}. */
import { parentPort, workerData } from 'node:worker_threads'
import { CpuProfiler, hrtimeMs, threadUsage } from '@troupe/actor'
import { Client } from '@troupe/cluster/client'
import { invariant, RaftError } from '@troupe/core'
import { summarize } from '../latency.ts'
import { Workload } from '../workload.ts'
import { AckTimes } from './ack-times.ts'
import { ClosedLoop, type ClosedLoopSpec } from './closed-loop.ts'
import { keyCounts, Ledger } from './ledger.ts'
import { type BoundedProposer, OpenLoop } from './open-loop.ts'
import type { LoadBirth, LoadCallName, LoadCalls, LoadMessage, LoadRequest, LoadTotals } from './protocol.ts'

const REPORT_MS = 250
const DEFAULT_OUTSTANDING = 16_384
/** Commands of one call while keys are filled. */
const FILL_BATCH = 1000

type Handlers = {
  readonly [Name in LoadCallName]: (ask: LoadCalls[Name]['ask']) => Promise<LoadCalls[Name]['answer']>
}

class LoadThread {
  readonly #client: Client
  readonly #workload: Workload
  readonly #ledger: Ledger
  readonly #ackTimes: AckTimes
  readonly #proposer: BoundedProposer
  /** From `performance.now()`, whose origin is this thread's, to the clock of all threads. */
  readonly #clockOffsetMs = hrtimeMs() - performance.now()
  #nextSequence = 0
  /** Reads answered by loops that have ended. */
  #readsBefore = 0
  #profiler: CpuProfiler | undefined
  #loopEnded: Promise<void> = Promise.resolve()
  #closedLoop: ClosedLoop | undefined
  #openLoop: OpenLoop | undefined

  constructor(client: Client, { workload, counts, settings }: LoadBirth) {
    this.#client = client
    this.#workload = new Workload(workload)
    this.#ledger = new Ledger(this.#workload, keyCounts(counts))
    this.#ackTimes = new AckTimes(() => client.leader)
    const limit = settings.maxOutstandingCommands ?? DEFAULT_OUTSTANDING
    this.#proposer = {
      propose: (command) => client.propose(command),
      proposeMany: (commands) => client.proposeMany(commands),
      query: (query, options) => client.query(query, options),
      ask: (query, options) => client.ask(query, options),
      room: () => limit - client.outstandingCommands,
    }
  }

  readonly handlers: Handlers = {
    closedLoop: (spec) => this.#runClosedLoop(spec),
    stopClosedLoop: async () => {
      this.#closedLoop?.stop()
      await this.#loopEnded
      return undefined
    },
    fill: () => this.#fill(),
    startOpenLoop: async (spec) => {
      invariant(this.#openLoop === undefined, 'one open loop at a time')
      const first = this.#nextSequence
      this.#openLoop = new OpenLoop(this.#proposer, this.#workload, this.#ledger, this.#ackTimes, spec, first)
      return undefined
    },
    stopOpenLoop: async () => {
      const loop = this.#openLoop
      invariant(loop !== undefined, 'an open loop runs')
      const result = await loop.stop()
      this.#nextSequence = loop.nextSequence
      this.#readsBefore += loop.readsAnswered
      this.#openLoop = undefined
      return result
    },
    firstAck: async ({ afterMs, notLeader }) =>
      (await this.#ackTimes.first(afterMs - this.#clockOffsetMs, notLeader)) + this.#clockOffsetMs,
    lap: async () => (this.#openLoop ?? this.#closedLoop)?.lap() ?? summarize([]),
    totals: async () => this.totals(),
    startTrace: async () => {
      this.#client.startTrace()
      return undefined
    },
    takeTrace: async () => this.#client.takeTrace(),
    startProfile: async () => {
      this.#profiler ??= await CpuProfiler.start()
      return undefined
    },
    takeProfile: async () => {
      const profile = await this.#profiler?.stop()
      this.#profiler = undefined
      return profile
    },
    positions: async ({ next }) => this.#ledger.positions.findings(next),
    close: async () => {
      this.#closedLoop?.stop()
      this.#openLoop?.halt()
      await this.#client.close()
      return undefined
    },
  }

  totals(): LoadTotals {
    const { acknowledged, unknown } = this.#ledger
    const reads = this.#readsBefore + ((this.#openLoop ?? this.#closedLoop)?.readsAnswered ?? 0)
    const outstanding = this.#client.outstandingCommands
    return { acknowledged, unknown, reads, outstanding, ...threadUsage() }
  }

  async #runClosedLoop(spec: ClosedLoopSpec): Promise<LoadCalls['closedLoop']['answer']> {
    const loop = new ClosedLoop(this.#proposer, this.#workload, this.#ledger, this.#nextSequence)
    this.#closedLoop = loop
    const running = loop.run(spec)
    // Stopped before its time it rejects: whoever began it is told.
    this.#loopEnded = running.then(
      () => {},
      () => {},
    )
    try {
      return await running
    } finally {
      this.#nextSequence = loop.nextSequence
      this.#readsBefore += loop.readsAnswered
      this.#closedLoop = undefined
    }
  }

  async #fill(): Promise<undefined> {
    const { keys } = this.#workload.spec
    const batch = Math.min(FILL_BATCH, keys)
    const first = this.#nextSequence
    const count = Math.ceil(keys / batch)
    this.#nextSequence += count * batch
    for (let call = 0; call < count; call++) {
      const at = first + call * batch
      this.#ledger.acknowledgeMany(at, await this.#client.proposeMany(this.#workload.commandsAt(at, batch)))
    }
    return undefined
  }
}

function connect({ way, settings }: LoadBirth): Promise<Client> {
  if ('port' in way) return Client.connect(way.port, settings)
  return Client.connect(way.seeds, { ...settings, ...way.dialing })
}

async function main(): Promise<void> {
  const port = parentPort
  invariant(port !== null, 'the load generator runs in a worker thread')
  const birth = workerData as LoadBirth
  const thread = new LoadThread(await connect(birth), birth)
  const tell = (message: LoadMessage): void => port.postMessage(message)
  setInterval(() => tell({ kind: 'totals', totals: thread.totals() }), REPORT_MS)
  port.on('message', async ({ id, name, ask }: LoadRequest) => {
    try {
      const handler = thread.handlers[name] as (ask: unknown) => Promise<unknown>
      tell({ kind: 'answer', id, answer: await handler(ask) })
    } catch (error) {
      tell(failed(id, error))
    }
    // Whatever may still hold on to this thread: it has nothing open.
    if (name === 'close') process.exit()
  })
}

function failed(id: number, error: unknown): LoadMessage {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return error instanceof RaftError
    ? { kind: 'failed', id, message, error: error.toWire() }
    : { kind: 'failed', id, message }
}

await main()
