/**
 * Faults on the links of clients: between a client and its connections, whatever these are made of.
 *
 *     Client ─► [faults: c1 > n1] ─► connection ─► node
 *     Client ◄─ [faults: n1 > c1] ◄─ connection ◄─ node
 */
import type { ClientLink, ClientLinkEvents, ClientLinks } from '@troupe/cluster'
import type { Random } from '@troupe/core'
import { type Delivery, LinkFaults, type LinkRule } from '@troupe/faults'
import { computerMs } from './computer-clock.ts'

/** What is damaged does not fit its checksum and is dropped. */
const frames = { bytesOf: (frame: Uint8Array): number => frame.byteLength, corrupted: () => undefined }

/** One for all clients: rules name their links. */
export class ClientFaults {
  readonly #links: LinkFaults<Uint8Array>
  readonly #random: Random
  readonly #open = new Map<string, Map<string, ClientLink>>()
  readonly #ways = new Map<string, (frame: Uint8Array) => boolean>()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(random: Random) {
    this.#random = random
    this.#links = new LinkFaults({ frames, onReleasable: () => this.#release() })
  }

  get lost(): number {
    return this.#links.metrics.lost
  }

  /** Connections that stand. */
  get connected(): { client: string; node: string }[] {
    return [...this.#open].flatMap(([client, nodes]) => [...nodes.keys()].map((node) => ({ client, node })))
  }

  add(id: number, rule: LinkRule): void {
    this.#links.add(id, rule)
  }

  remove(id: number): void {
    this.#links.remove(id)
  }

  /** Closes a connection, as if its network had gone. False where there is none. */
  hangUp(client: string, node: string): boolean {
    const link = this.#open.get(client)?.get(node)
    link?.close()
    return link !== undefined
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** The same connections, with faults. */
  between(client: string, inner: ClientLinks): ClientLinks {
    const open = new Map<string, ClientLink>()
    this.#open.set(client, open)
    return {
      get nodes() {
        return inner.nodes
      },
      get durability() {
        return inner.durability
      },
      start: (events) => inner.start(this.#events(client, open, events)),
      close: () => inner.close(),
    }
  }

  #events(client: string, open: Map<string, ClientLink>, events: ClientLinkEvents): ClientLinkEvents {
    const outer = new Map<ClientLink, ClientLink>()
    return {
      opened: (node, link) => {
        const faulty: ClientLink = {
          send: (frame) => {
            // What is on its way belongs to this connection, whatever comes after it.
            this.#ways.set(`${client}>${node}`, (late) => link.send(late))
            return this.#send(client, node, frame)
          },
          close: () => link.close(),
        }
        outer.set(link, faulty)
        open.set(node, link)
        events.opened(node, faulty)
      },
      frame: (node, link, frame) => {
        const faulty = outer.get(link)
        if (faulty === undefined) return
        this.#ways.set(`${node}>${client}`, (late) => {
          if (outer.has(link)) events.frame(node, faulty, late)
          return true
        })
        this.#send(node, client, frame)
      },
      writable: () => events.writable(),
      closed: (node, link) => {
        const faulty = outer.get(link)
        outer.delete(link)
        if (open.get(node) === link) open.delete(node)
        if (faulty !== undefined) events.closed(node, faulty)
      },
      ended: () => events.ended(),
    }
  }

  /** False where the connection itself does not take it now. */
  #send(from: string, to: string, frame: Uint8Array): boolean {
    const nowMs = computerMs()
    // A connection delivers at most once: clients count on it.
    const [delivery] = this.#links.plan(from, to, frame, nowMs, this.#random)
    return delivery === undefined || this.#deliver(from, to, delivery, nowMs)
  }

  #deliver(from: string, to: string, { atMs, frame }: Delivery<Uint8Array>, nowMs: number): boolean {
    const way = this.#ways.get(`${from}>${to}`)
    if (way === undefined) return true
    if (atMs <= nowMs) return way(frame)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      way(frame)
    }, atMs - nowMs)
    this.#timers.add(timer)
    return true
  }

  #release(): void {
    const nowMs = computerMs()
    for (const { from, to, atMs, frame } of this.#links.released(nowMs)) {
      this.#deliver(from, to, { atMs, frame }, nowMs)
    }
  }
}
