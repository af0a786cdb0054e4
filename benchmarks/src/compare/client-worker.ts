/** The thread of a peer's client: the same closed loop that loads our own engine, and a count of what was stored. */
import { parentPort, workerData } from 'node:worker_threads'
import { invariant } from '@troupe/core'
import { ClosedLoop, type ClosedLoopSpec, type Proposer } from '../load/closed-loop.ts'
import { keyCounts, keyCountsBuffer, Ledger } from '../load/ledger.ts'
import { rounded } from '../terminal/format.ts'
import { Workload } from '../workload.ts'
import type { ClientBirth, ClientMessage, ClientRequest, ClientRunResult } from './client-protocol.ts'
import { connectPeer } from './clients/connect-peer.ts'
import type { Connection, SetCommand } from './clients/connection.ts'
import { lossesOf } from './losses.ts'

const PROGRESS_MS = 250

class PeerLoad {
  readonly #connection: Connection
  readonly #workload: Workload
  readonly #ledger: Ledger
  readonly #proposer: Proposer
  #nextSequence = 0

  constructor(connection: Connection, { workload }: ClientBirth) {
    this.#connection = connection
    this.#proposer = {
      propose: (command) => connection.propose(command as SetCommand),
      proposeMany: () => Promise.reject(new Error('a peer gets one command at a time')),
      query: () => Promise.reject(new Error('a peer is not asked')),
      ask: () => Promise.reject(new Error('a peer is not asked')),
    }
    this.#workload = new Workload(workload)
    this.#ledger = new Ledger(this.#workload, keyCounts(keyCountsBuffer(workload.keys)))
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged
  }

  async run(spec: ClosedLoopSpec): Promise<ClientRunResult> {
    const ledger = this.#ledger
    const before = { acknowledged: ledger.acknowledged, unknown: ledger.unknown, refused: this.#refused }
    const loop = new ClosedLoop(this.#proposer, this.#workload, ledger, this.#nextSequence)
    const start = performance.eventLoopUtilization()
    const result = await loop.run(spec)
    const { utilization } = performance.eventLoopUtilization(start)
    this.#nextSequence = loop.nextSequence
    const acknowledged = ledger.acknowledged - before.acknowledged
    const unknown = ledger.unknown - before.unknown
    const losses = lossesOf(acknowledged, unknown, await this.#connection.countStored())
    const refused = this.#refused - before.refused
    return { ...result, ...losses, unknown, refused, clientUtilisation: rounded(utilization) }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  get #refused(): number {
    return this.#connection.refused ?? 0
  }
}

async function main(): Promise<void> {
  const port = parentPort
  invariant(port !== null, "a peer's client runs in a worker thread")
  const birth = workerData as ClientBirth
  const tell = (message: ClientMessage): void => port.postMessage(message)
  const load = new PeerLoad(await connectPeer(birth), birth)
  setInterval(() => tell({ kind: 'progress', acknowledged: load.acknowledged }), PROGRESS_MS)
  port.on('message', async (request: ClientRequest) => {
    try {
      if (request.kind === 'run') return tell({ kind: 'result', result: await load.run(request.spec) })
      await load.close()
    } catch (error) {
      tell({
        kind: 'failed',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    if (request.kind === 'close') process.exit()
  })
  tell({ kind: 'ready' })
}

await main()
