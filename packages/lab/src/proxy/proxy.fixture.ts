/** What tests of the fault proxy share: time by hand, chance as given, an end that writes down what arrives. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '@troupe/core'
import type { Endpoint } from './connection.ts'
import { ProxyLink, type ProxyStream, type StreamEnds } from './proxy-link.ts'
import type { Piece, ProxyTime } from './stage.ts'

export class HandTime implements ProxyTime {
  #nowMs = 0
  readonly #tasks = new Map<number, { readonly atMs: number; readonly run: () => void }>()
  #lastId = 0

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const id = ++this.#lastId
    this.#tasks.set(id, { atMs: this.#nowMs + delayMs, run })
    return () => this.#tasks.delete(id)
  }

  get waiting(): number {
    return this.#tasks.size
  }

  advanceTo(untilMs: number): void {
    for (;;) {
      const due = [...this.#tasks].filter(([, { atMs }]) => atMs <= untilMs)
      const [next] = due.sort(([, left], [, right]) => left.atMs - right.atMs)
      if (next === undefined) break
      this.#tasks.delete(next[0])
      this.#nowMs = Math.max(this.#nowMs, next[1].atMs)
      next[1].run()
    }
    this.#nowMs = untilMs
  }
}

/** These numbers, then the last of them for ever. */
export function numbers(...values: number[]): Random {
  let next = 0
  return { next: () => values[Math.min(next++, values.length - 1)] ?? 0 }
}

/** A stream over a link, without sockets. */
export class TestedStream {
  readonly time = new HandTime()
  readonly link: ProxyLink
  readonly stream: ProxyStream
  /** `at: what` */
  readonly arrived: string[] = []
  readonly aborted: string[] = []

  constructor(random: Random = numbers(0)) {
    this.link = new ProxyLink('n1', 'n2', this.time, random)
    const ends: StreamEnds = {
      deliver: (piece) => this.arrived.push(`${Math.round(this.time.nowMs())}: ${piece.toString()}`),
      abort: (how) => {
        this.aborted.push(`${Math.round(this.time.nowMs())}: ${how}`)
        this.stream.close()
      },
      relieved: () => {},
    }
    this.stream = this.link.open(ends)
  }

  send(...pieces: string[]): void {
    for (const piece of pieces) {
      const isWord = piece === 'end' || piece === 'reset'
      this.stream.take((isWord ? piece : Buffer.from(piece)) as Piece)
    }
  }
}

const BOUND_MS = 10_000

/** Waits until it is so; fails after a bound that is far above what it takes. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + BOUND_MS
  while (!isSo()) {
    if (performance.now() > deadlineMs) assert.fail(`not within ${BOUND_MS} ms: ${what}`)
    await new Promise((resume) => setImmediate(resume))
  }
}

/** One end of a connection, and what happened there. */
export class SocketEnd {
  readonly socket: Socket
  text = ''
  hasEnded = false
  error: string | undefined
  isClosed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1')
    })
    socket.on('end', () => {
      this.hasEnded = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code
    })
    socket.on('close', () => {
      this.isClosed = true
    })
  }
}

/** Takes connections, and keeps them. */
export class TestedServer {
  readonly ends: SocketEnd[] = []
  readonly #server: Server
  endpoint!: Endpoint

  static async open(): Promise<TestedServer> {
    const tested = new TestedServer()
    tested.#server.listen({ host: '127.0.0.1', port: 0 })
    await once(tested.#server, 'listening')
    const { port } = tested.#server.address() as { readonly port: number }
    tested.endpoint = { host: '127.0.0.1', port }
    return tested
  }

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.ends.push(new SocketEnd(socket)))
  }

  /** The first connection that has come. */
  async end(): Promise<SocketEnd> {
    await until('somebody has connected', () => this.ends.length > 0)
    return this.ends[0] as SocketEnd
  }

  async close(): Promise<void> {
    for (const { socket } of this.ends) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

export async function dialled(endpoint: Endpoint): Promise<SocketEnd> {
  const socket = connect({ ...endpoint, allowHalfOpen: true })
  const end = new SocketEnd(socket)
  await once(socket, 'connect')
  return end
}
