/** A peer's client under load, seen from the main thread, which stays out of the way. */
import { once } from 'node:events'
import { type Transferable, Worker } from 'node:worker_threads'
import type { ClosedLoopSpec } from '../load/closed-loop.ts'
import type { ClientBirth, ClientMessage, ClientRequest, ClientRunResult } from './client-protocol.ts'

/** Without an acknowledgement for so long a peer is given up: its commands may never be answered. */
const STALL_MS = 30_000
const WATCH_MS = 1000
const CLOSE_GRACE_MS = 3000

export class PeerClient {
  /** Told a few times a second how many commands were acknowledged. */
  onProgress: ((acknowledged: number) => void) | undefined
  readonly #worker: Worker
  readonly #failed: Promise<never>
  #lastAcknowledged = 0
  #lastProgressMs = 0

  private constructor(birth: ClientBirth, transferList: readonly Transferable[]) {
    this.#worker = new Worker(new URL(import.meta.resolve('@troupe/benchmarks/compare-client')), {
      name: `client of ${birth.peer}`,
      workerData: birth,
      transferList: [...transferList],
    })
    this.#failed = new Promise((_, reject) => {
      this.#worker.once('error', reject)
      this.#worker.once('exit', () => reject(new Error(`the client of ${birth.peer} has ended`)))
      this.#worker.on('message', (message: ClientMessage) => {
        if (message.kind === 'failed') reject(new Error(message.message))
        if (message.kind === 'progress') this.#note(message.acknowledged)
      })
    })
    this.#failed.catch(() => {})
  }

  /** @param transferList the ports in its endpoint */
  static async connect(birth: ClientBirth, transferList: readonly Transferable[] = []): Promise<PeerClient> {
    const client = new PeerClient(birth, transferList)
    await client.#answer('ready')
    return client
  }

  /** @throws where the client fails, or gets no acknowledgement for half a minute */
  async run(spec: ClosedLoopSpec): Promise<ClientRunResult> {
    this.#lastProgressMs = performance.now()
    const answered = this.#answer('result')
    this.#tell({ kind: 'run', spec })
    let watch: NodeJS.Timeout | undefined
    const stalled = new Promise<never>((_, reject) => {
      watch = setInterval(() => {
        if (performance.now() - this.#lastProgressMs < STALL_MS) return
        reject(new Error(`no command was acknowledged for ${STALL_MS / 1000} s`))
      }, WATCH_MS)
    })
    try {
      return (await Promise.race([answered, stalled])).result
    } finally {
      clearInterval(watch)
    }
  }

  /** Closes the connections and ends the thread. Idempotent. */
  async close(): Promise<void> {
    if (this.#worker.threadId === -1) return
    const exited = once(this.#worker, 'exit')
    this.#tell({ kind: 'close' })
    // A connection whose servers have failed may never close. Nothing of ours is open in that thread.
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_GRACE_MS)
    await exited
    clearTimeout(timer)
  }

  #note(acknowledged: number): void {
    if (acknowledged > this.#lastAcknowledged) this.#lastProgressMs = performance.now()
    this.#lastAcknowledged = acknowledged
    this.onProgress?.(acknowledged)
  }

  #answer<Kind extends ClientMessage['kind']>(kind: Kind): Promise<Extract<ClientMessage, { kind: Kind }>> {
    const answered = new Promise<Extract<ClientMessage, { kind: Kind }>>((resolve) => {
      const take = (message: ClientMessage): void => {
        if (message.kind !== kind) return
        this.#worker.off('message', take)
        resolve(message as Extract<ClientMessage, { kind: Kind }>)
      }
      this.#worker.on('message', take)
    })
    return Promise.race([answered, this.#failed])
  }

  #tell(request: ClientRequest): void {
    this.#worker.postMessage(request)
  }
}
