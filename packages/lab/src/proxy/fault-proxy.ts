/**
 * A proxy between processes on the loopback: every way from one party to another is an address of its own, and everything
 * that is sent in a direction goes over a link of its own, on which faults can be put.
 *
 *     n1 ──► [n1→n2] ──► n2      who dials is one thing, who sends another: on either way the bytes of n1 go over the
 *     n1 ◄── [n2→n1] ◄── n2      link n1→n2, those of n2 over n2→n1
 *
 * Parties are names: nodes and clients. Keeps no process alive by itself once it is closed.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Random } from '@troupe/core'
import type { DirectedLink } from '@troupe/faults'
import { type Endpoint, ProxyConnection, type Target } from './connection.ts'
import { ProxyLink } from './proxy-link.ts'
import { type ProxyTime, trueTime } from './stage.ts'
import type { ProxyEffect } from './toxic.ts'

const LOOPBACK = '127.0.0.1'

export interface FaultProxyOptions {
  readonly random: Random
  /** @default that of Node.js */
  readonly time?: ProxyTime
}

interface Applied {
  readonly links: readonly ProxyLink[]
}

interface Route extends DirectedLink {
  readonly server: Server
  readonly connections: Set<ProxyConnection>
}

/** Counts since the start. */
export interface FaultProxyMetrics {
  readonly connections: number
  readonly open: number
  readonly bytes: number
}

export class FaultProxy {
  readonly #random: Random
  readonly #time: ProxyTime
  readonly #links = new Map<string, ProxyLink>()
  readonly #routes: Route[] = []
  readonly #applied = new Map<number, Applied>()
  #lastId = 0
  #connections = 0
  #isClosed = false

  constructor({ random, time = trueTime }: FaultProxyOptions) {
    this.#random = random
    this.#time = time
  }

  /**
   * A way from one party to another: whoever connects there gets through to `target`.
   * @param target looked up for each connection; where it gives none, that is refused
   * @throws Error where no port is free
   */
  async route(from: string, to: string, target: Target): Promise<Endpoint> {
    const connections = new Set<ProxyConnection>()
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(route, target, socket))
    const route: Route = { from, to, server, connections }
    this.#routes.push(route)
    server.listen({ host: LOOPBACK, port: 0 })
    await once(server, 'listening')
    const { port } = server.address() as { readonly port: number }
    return { host: LOOPBACK, port }
  }

  /** Puts that on each of the links, also on those of ways that come later. Gives what takes it away by {@link remove}. */
  apply(links: readonly DirectedLink[], effect: ProxyEffect): number {
    const id = ++this.#lastId
    const found = links.map(({ from, to }) => this.#link(from, to))
    this.#applied.set(id, { links: found })
    for (const link of found) link.add(id, effect)
    return id
  }

  /** Nothing where it was taken away already. */
  remove(id: number): void {
    const { links = [] } = this.#applied.get(id) ?? {}
    this.#applied.delete(id)
    for (const link of links) link.remove(id)
    this.#linksChanged()
  }

  /** Takes everything away. */
  heal(): void {
    for (const id of [...this.#applied.keys()]) this.remove(id)
  }

  /** Resets the connections between the two, whoever has dialled. Gives how many. */
  hangUp(left: string, right: string): number {
    const open = this.#routes
      .filter(({ from, to }) => (from === left && to === right) || (from === right && to === left))
      .flatMap(({ connections }) => [...connections].filter(({ isThrough }) => isThrough))
    for (const connection of open) connection.abort('reset')
    return open.length
  }

  /** Connections of that way, and how many of them have reached the other end. */
  connections(from: string, to: string): { readonly all: number; readonly through: number } {
    const found = this.#routes
      .filter((route) => route.from === from && route.to === to)
      .flatMap(({ connections }) => [...connections])
    return { all: found.length, through: found.filter(({ isThrough }) => isThrough).length }
  }

  get metrics(): FaultProxyMetrics {
    const open = this.#routes.reduce((sum, { connections }) => sum + connections.size, 0)
    const bytes = [...this.#links.values()].reduce((sum, link) => sum + link.bytes, 0)
    return { connections: this.#connections, open, bytes }
  }

  /** Closes every way and every connection. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    const closing = this.#routes.splice(0).map(async ({ server, connections }) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const connection of [...connections]) connection.destroy()
      await closed
    })
    await Promise.all(closing)
  }

  #accept(route: Route, target: Target, socket: Socket): void {
    if (this.#isClosed) return void socket.destroy()
    const { from, to, connections } = route
    const links = { forward: this.#link(from, to), backward: this.#link(to, from) }
    this.#connections++
    const connection = new ProxyConnection(socket, target, links, (closed) => connections.delete(closed))
    connections.add(connection)
  }

  #link(from: string, to: string): ProxyLink {
    const name = `${from}>${to}`
    const known = this.#links.get(name)
    if (known !== undefined) return known
    const link = new ProxyLink(from, to, this.#time, this.#random)
    this.#links.set(name, link)
    return link
  }

  #linksChanged(): void {
    for (const { connections } of this.#routes)
      for (const connection of connections) connection.linksChanged()
  }
}
