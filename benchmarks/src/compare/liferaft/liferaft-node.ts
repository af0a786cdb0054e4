/**
 * A node of the peer `@markwylde/liferaft`, in a thread of its own. The library leaves the transport to its user: here
 * it is a port to each peer.
 *
 * Two things it does not bear, or entries get lost in it, and who uses it has to spare it them: packets and commands that
 * overlap (it reads the last index, awaits, and writes the next), and heartbeats that were made before an entry and arrive
 * behind it (the follower takes the entry out again). So each of the first waits for the one before, and the second are
 * dropped.
 */
import { join } from 'node:path'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { invariant } from '@troupe/core'
import { loadLibrary } from '../programs.ts'
import {
  LIFERAFT,
  type LiferaftBirth,
  type LiferaftCommand,
  type LiferaftNews,
  type LiferaftOrder,
  type LiferaftReply,
  type LiferaftRequest,
} from './liferaft-protocol.ts'

interface Packet {
  readonly type: string
  readonly data?: readonly { readonly index: number }[] | undefined
  readonly last?: { readonly index: number }
}

type Write = (reply: unknown) => void
type Handler = (packet: Packet, write: Write) => Promise<unknown>

/** The face of the library that is used. */
interface Raft {
  readonly leader: string
  readonly log: { getLastInfo(): Promise<{ readonly index: number }>; end(): unknown }
  join(id: string, write: (packet: Packet, done: (error: undefined, reply: unknown) => void) => void): unknown
  command(command: LiferaftCommand): Promise<void>
  listeners(event: 'data'): readonly Handler[]
  on(event: string, listener: (value: never) => void): void
  end(): unknown
}

type RaftClass = new (id: string, options: object) => Raft

/** Between two nodes. */
type LinkMessage =
  | { readonly kind: 'packet'; readonly number: number; readonly packet: Packet }
  | { readonly kind: 'reply'; readonly number: number; readonly packet: Packet }

/** Timeouts as in the library's own example. */
const options = { 'election min': 2000, 'election max': 5000, heartbeat: 1000 }
/** Packets whose answer the library needs. */
const ANSWERED: ReadonlySet<string> = new Set(['vote', 'append fail'])

/** One after the other. */
class Sequence {
  #last: Promise<unknown> = Promise.resolve()

  add(work: () => Promise<unknown>): void {
    this.#last = this.#last.then(work).catch(() => {})
  }
}

class Link {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, (packet: Packet) => void>()
  #lastNumber = 0
  #lastIndex = 0

  constructor(port: MessagePort, handle: (packet: Packet, write: Write) => void) {
    this.#port = port
    port.on('message', ({ kind, number, packet }: LinkMessage) => {
      if (kind === 'packet') return handle(packet, (reply) => void this.#reply(number, reply))
      this.#waiting.get(number)?.(packet)
      this.#waiting.delete(number)
    })
  }

  readonly write = (packet: Packet, done: (error: undefined, reply: unknown) => void): void => {
    if (this.#isStale(packet)) return
    const number = ++this.#lastNumber
    if (ANSWERED.has(packet.type)) this.#waiting.set(number, (reply) => done(undefined, reply))
    this.#post({ kind: 'packet', number, packet })
  }

  #isStale({ type, data, last }: Packet): boolean {
    if (type !== 'append' || last === undefined) return false
    const index = data?.[0]?.index
    if (index !== undefined) this.#lastIndex = Math.max(this.#lastIndex, index)
    return index === undefined && last.index < this.#lastIndex
  }

  /** Some replies are promises of the library's. */
  async #reply(number: number, reply: unknown): Promise<void> {
    const packet = (await reply) as Packet | undefined
    if (packet !== undefined) this.#post({ kind: 'reply', number, packet })
  }

  #post(message: LinkMessage): void {
    this.#port.postMessage(message)
  }
}

class Node {
  readonly #raft: Raft
  readonly #client: MessagePort
  readonly #packets = new Sequence()
  readonly #commands = new Sequence()
  readonly #pending = new Set<number>()

  constructor({ id, directory, peers, client }: LiferaftBirth, tell: (news: LiferaftNews) => void) {
    this.#client = client
    const Raft = loadLibrary<RaftClass>(LIFERAFT)
    const Log = loadLibrary<unknown>(`${LIFERAFT}/log`)
    const raft = new Raft(id, { ...options, Log, path: join(directory, id) })
    this.#raft = raft
    const [onData] = raft.listeners('data') as [Handler]
    for (const { id: peer, port } of peers) {
      const handle = (packet: Packet, write: Write): void =>
        this.#packets.add(() => onData.call(raft, packet, write))
      raft.join(peer, new Link(port, handle).write)
    }
    raft.on('leader', () => tell({ kind: 'leads' }))
    raft.on('commit', ({ id: command }: LiferaftCommand) => {
      if (this.#pending.delete(command)) this.#reply({ kind: 'committed', id: command })
    })
    client.on('message', (request: LiferaftRequest) => this.#take(request))
  }

  end(): void {
    this.#raft.end()
  }

  #take(request: LiferaftRequest): void {
    if (request.kind === 'commands') {
      for (const command of request.commands) this.#commands.add(() => this.#propose(command))
      return
    }
    this.#commands.add(async () => {
      const { index } = await this.#raft.log.getLastInfo()
      this.#reply({ kind: 'counted', entries: index })
    })
  }

  async #propose(command: LiferaftCommand): Promise<void> {
    this.#pending.add(command.id)
    try {
      await this.#raft.command(command)
    } catch (error) {
      this.#pending.delete(command.id)
      const reason = error instanceof Error ? error.message : String(error)
      if (reason === 'NOTLEADER') this.#reply({ kind: 'refused', id: command.id, leader: this.#raft.leader })
      else this.#reply({ kind: 'failed', id: command.id, reason })
    }
  }

  #reply(reply: LiferaftReply): void {
    this.#client.postMessage(reply)
  }
}

function main(port: MessagePort): void {
  const tell = (news: LiferaftNews): void => port.postMessage(news)
  let node: Node | undefined
  port.on('message', (order: LiferaftOrder) => {
    if (order === 'begin') {
      node = new Node(workerData as LiferaftBirth, tell)
      return
    }
    node?.end()
    process.exit()
  })
  tell({ kind: 'ready' })
}

invariant(parentPort !== null, 'a node of liferaft runs in a worker thread')
main(parentPort)
