/**
 * The bare path without Raft: the bound that the engine is compared with, in one run. Leader and followers in worker
 * threads, each with LMDB and a flush for each transaction, a client in a thread of its own; no Raft, no state machine,
 * no checksums, no faults.
 */
import { once } from 'node:events'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { ClosedLoopResult, ClosedLoopSpec } from '../load/closed-loop.ts'
import type { RigBirth, RigClientMessage } from './protocol.ts'

/** What the rig is loaded with: as a closed loop, of commands of this size. */
export interface RigLoad extends ClosedLoopSpec {
  readonly sizeBytes: number
}

export class Rig {
  readonly #nodes: readonly Worker[]
  readonly #client: Worker
  readonly #failed: Promise<never>

  private constructor(directory: string, nodes: number) {
    const client = new MessageChannel()
    const channels = Array.from({ length: nodes - 1 }, () => new MessageChannel())
    const followers = channels.map(({ port1 }) => port1)
    const leader: RigBirth = { id: 0, directory, role: { kind: 'leader', followers, client: client.port2 } }
    this.#nodes = [
      spawn('rig-node', leader, [...followers, client.port2]),
      ...channels.map(({ port2 }, index) => {
        const birth: RigBirth = { id: index + 1, directory, role: { kind: 'follower', leader: port2 } }
        return spawn('rig-node', birth, [port2])
      }),
    ]
    this.#client = spawn('rig-client', { leader: client.port1 }, [client.port1])
    this.#failed = new Promise((_, reject) => {
      for (const worker of [...this.#nodes, this.#client]) worker.once('error', reject)
    })
    this.#failed.catch(() => {})
  }

  /**
   * Starts all threads and waits until they are ready: a rig that is measured while it still loads flatters us.
   * @param directory an empty one
   */
  static async start(directory: string, nodes: number): Promise<Rig> {
    const rig = new Rig(directory, nodes)
    const ready = Promise.all([...rig.#nodes, rig.#client].map((worker) => once(worker, 'message')))
    await Promise.race([ready, rig.#failed])
    return rig
  }

  async run(load: RigLoad): Promise<ClosedLoopResult> {
    const { window, batch, sizeBytes, warmupMs, durationMs } = load
    const message: RigClientMessage = { kind: 'run', window, batch, sizeBytes, warmupMs, durationMs }
    this.#client.postMessage(message)
    const [result] = await Promise.race([once(this.#client, 'message'), this.#failed])
    return result as ClosedLoopResult
  }

  /** Ends all threads; a run that is under way never ends. */
  async stop(): Promise<void> {
    const workers = [this.#client, ...this.#nodes]
    const exits = workers.map((worker) => (worker.threadId === -1 ? undefined : once(worker, 'exit')))
    const stop: RigClientMessage = { kind: 'stop' }
    this.#client.postMessage(stop)
    for (const node of this.#nodes) node.postMessage('stop')
    await Promise.all(exits)
  }
}

function spawn(entry: 'rig-node' | 'rig-client', data: unknown, transferList: MessagePort[]): Worker {
  const url = new URL(import.meta.resolve(`@troupe/benchmarks/${entry}`))
  return new Worker(url, { name: entry, workerData: data, transferList })
}
