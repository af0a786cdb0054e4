/** liferaft over a port to each of its nodes: commands of one turn go together, to whoever leads. */
import type { MessagePort } from 'node:worker_threads'
import type { LiferaftCommand, LiferaftReply, LiferaftRequest } from '../liferaft/liferaft-protocol.ts'
import { type Connection, turnedAway, unknownOutcome } from './connection.ts'

export interface LiferaftEndpoint {
  readonly nodes: readonly { readonly id: string; readonly port: MessagePort }[]
  readonly leader: string
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class LiferaftConnection implements Connection {
  readonly #ports: ReadonlyMap<string, MessagePort>
  readonly #body: string
  readonly #waiting = new Map<number, Waiting>()
  readonly #flush = (): void => this.#send()
  #leader: string
  #lastId = 0
  #pending: LiferaftCommand[] = []
  #storedBefore = 0
  #counted: ((entries: number) => void) | undefined
  refused = 0

  constructor({ nodes, leader }: LiferaftEndpoint, sizeBytes: number) {
    this.#ports = new Map(nodes.map(({ id, port }) => [id, port]))
    this.#leader = leader
    this.#body = 'x'.repeat(sizeBytes)
    for (const { port } of nodes) port.on('message', (reply: LiferaftReply) => this.#take(reply))
  }

  propose(): Promise<void> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#waiting.set(id, { resolve, reject })
      if (this.#pending.push({ id, body: this.#body }) === 1) setImmediate(this.#flush)
    })
  }

  async countStored(): Promise<number> {
    const entries = await new Promise<number>((resolve) => {
      this.#counted = resolve
      this.#post({ kind: 'count' })
    })
    const stored = entries - this.#storedBefore
    this.#storedBefore = entries
    return stored
  }

  async close(): Promise<void> {
    for (const port of this.#ports.values()) port.close()
  }

  #send(): void {
    const commands = this.#pending
    this.#pending = []
    this.#post({ kind: 'commands', commands })
  }

  #post(request: LiferaftRequest): void {
    this.#ports.get(this.#leader)?.postMessage(request)
  }

  #take(reply: LiferaftReply): void {
    if (reply.kind === 'counted') return this.#counted?.(reply.entries)
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.kind === 'committed') return waiting?.resolve()
    if (reply.kind === 'failed') return waiting?.reject(unknownOutcome(reply.reason))
    this.refused++
    if (this.#ports.has(reply.leader)) this.#leader = reply.leader
    waiting?.reject(turnedAway('not the leader'))
  }
}

export async function connectLiferaft(endpoint: LiferaftEndpoint, sizeBytes: number): Promise<Connection> {
  return new LiferaftConnection(endpoint, sizeBytes)
}
