/** Three nodes of liferaft in threads of this process, with ports between them and to a client. */
import { once } from 'node:events'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { LiferaftEndpoint } from '../clients/liferaft-client.ts'
import type { LiferaftBirth, LiferaftNews, LiferaftOrder } from './liferaft-protocol.ts'

const STOP_GRACE_MS = 3000

export class LiferaftCluster {
  readonly #workers: readonly Worker[]
  readonly #endpoints: { readonly id: string; readonly port: MessagePort }[] = []

  constructor(ids: readonly string[], directory: string) {
    const links = new Map<string, { id: string; port: MessagePort }[]>(ids.map((id) => [id, []]))
    for (const [index, left] of ids.entries()) {
      for (const right of ids.slice(index + 1)) {
        const { port1, port2 } = new MessageChannel()
        links.get(left)?.push({ id: right, port: port1 })
        links.get(right)?.push({ id: left, port: port2 })
      }
    }
    this.#workers = ids.map((id) => {
      const { port1, port2 } = new MessageChannel()
      this.#endpoints.push({ id, port: port1 })
      const peers = links.get(id) ?? []
      const birth: LiferaftBirth = { id, directory, peers, client: port2 }
      return new Worker(new URL(import.meta.resolve('@troupe/benchmarks/liferaft-node')), {
        name: id,
        workerData: birth,
        transferList: [...peers.map(({ port }) => port), port2],
      })
    })
  }

  /** Has all nodes begin once all are there; resolves with a leader. */
  async start(): Promise<LiferaftEndpoint> {
    const failed = Promise.race(this.#workers.map((worker) => once(worker, 'exit'))).then(() => {
      throw new Error('a node of liferaft has ended')
    })
    const leads = Promise.race(
      this.#workers.map(async (worker, index) => {
        await told(worker, 'leads')
        return (this.#endpoints[index] as { readonly id: string }).id
      }),
    )
    await Promise.race([Promise.all(this.#workers.map((worker) => told(worker, 'ready'))), failed])
    this.#order('begin')
    const leader = await Promise.race([leads, failed])
    failed.catch(() => {})
    return { nodes: this.#endpoints, leader }
  }

  async stop(): Promise<void> {
    const running = this.#workers.filter(({ threadId }) => threadId !== -1)
    const exits = running.map((worker) => once(worker, 'exit'))
    this.#order('stop')
    const timer = setTimeout(() => {
      for (const worker of running) void worker.terminate()
    }, STOP_GRACE_MS)
    await Promise.all(exits)
    clearTimeout(timer)
  }

  #order(order: LiferaftOrder): void {
    for (const worker of this.#workers) worker.postMessage(order)
  }
}

function told(worker: Worker, kind: LiferaftNews['kind']): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.on('message', (news: LiferaftNews) => {
      if (news.kind === kind) resolve()
    })
  })
}
