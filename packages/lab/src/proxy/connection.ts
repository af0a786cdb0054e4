/**
 * One connection through the proxy: two sockets, and a stream in each direction.
 *
 *     near ──► stream of link from→to ──► far          near: who has connected, from its end
 *          ◄── stream of link to→from ◄──              far: who is connected to
 *
 * As long as one of the links is cut or jammed a new connection hangs: nobody hears of it at the other end. It comes about when
 * both are open, unless the near end has given up.
 */
import { connect, type Socket } from 'node:net'
import type { ProxyLink, ProxyStream } from './proxy-link.ts'
import { reset } from './reset.ts'
import type { Piece } from './stage.ts'

/** What may wait for one socket; then its source is not read any more, as over a network that is stuck. */
const MAX_HELD_BYTES = 1 << 20

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Where a way leads now. */
export type Target = () => Endpoint | undefined

export class ProxyConnection {
  readonly #near: Socket
  readonly #target: Target
  readonly #forward: ProxyLink
  readonly #backward: ProxyLink
  readonly #onClosed: (connection: ProxyConnection) => void
  readonly #early: Piece[] = []
  #far: Socket | undefined
  #streams: readonly ProxyStream[] = []
  #isClosed = false

  constructor(
    near: Socket,
    target: Target,
    { forward, backward }: { readonly forward: ProxyLink; readonly backward: ProxyLink },
    onClosed: (connection: ProxyConnection) => void,
  ) {
    this.#near = near
    this.#target = target
    this.#forward = forward
    this.#backward = backward
    this.#onClosed = onClosed
    near.setNoDelay(true)
    near.on('data', (bytes: Buffer) => this.#early.push(bytes))
    // Whoever dials gives up by closing: the other end shall never hear of it.
    for (const event of ['end', 'error', 'close'] as const) near.on(event, () => this.#giveUp())
    this.linksChanged()
  }

  /** Whether the other end is, or was, connected to. */
  get isThrough(): boolean {
    return this.#far !== undefined
  }

  /** Something was put on a link, or taken away. */
  linksChanged(): void {
    if (this.#isClosed || this.#far !== undefined) return
    if (this.#forward.state === 'open' && this.#backward.state === 'open') this.#reach()
  }

  /** Both ends see it close, or break off. Idempotent. */
  abort(how: 'close' | 'reset'): void {
    if (this.#isClosed) return
    const sockets = [this.#near, ...(this.#far === undefined ? [] : [this.#far])]
    for (const socket of sockets) {
      if (how === 'reset') reset(socket)
      else socket.destroySoon()
    }
    this.#closed()
  }

  /** Without a word of goodbye, for the end of everything. */
  destroy(): void {
    this.#near.destroy()
    this.#far?.destroy()
    this.#closed()
  }

  #giveUp(): void {
    if (this.#isClosed || this.#far?.readyState === 'open') return
    this.destroy()
  }

  #reach(): void {
    const target = this.#target()
    if (target === undefined) return this.abort('reset')
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#far = far
    far.on('error', () => {
      if (this.#streams.length === 0) this.abort('reset')
    })
    far.once('connect', () => this.#open(far))
  }

  #open(far: Socket): void {
    if (this.#isClosed) return
    const near = this.#near
    for (const event of ['data', 'end', 'error', 'close'] as const) near.removeAllListeners(event)
    far.removeAllListeners('error')
    const forward = this.#relay(near, far, this.#forward)
    const backward = this.#relay(far, near, this.#backward)
    this.#streams = [forward, backward]
    for (const piece of this.#early.splice(0)) forward.take(piece)
  }

  /** Everything that comes from `source` goes over the link to `sink`. */
  #relay(source: Socket, sink: Socket, link: ProxyLink): ProxyStream {
    const regulate = (): void => {
      const isFull = sink.writableNeedDrain || stream.heldBytes > MAX_HELD_BYTES
      if (isFull) source.pause()
      else if (source.isPaused()) source.resume()
    }
    const stream = link.open({
      deliver: (piece) => deliver(piece, sink),
      abort: (how) => this.abort(how),
      relieved: regulate,
    })
    let hasEnded = false
    const end = (piece: 'end' | 'reset'): void => {
      if (hasEnded) return
      hasEnded = true
      stream.take(piece)
    }
    source.on('data', (bytes: Buffer) => {
      stream.take(bytes)
      regulate()
    })
    source.on('end', () => end('end'))
    source.on('error', () => end('reset'))
    source.on('close', () => {
      end('reset')
      if (sink.destroyed) this.#closed()
    })
    sink.on('drain', regulate)
    return stream
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const stream of this.#streams) stream.close()
    // What still comes of them concerns nobody.
    for (const socket of [this.#near, this.#far]) socket?.on('error', () => {})
    this.#onClosed(this)
  }
}

function deliver(piece: Piece, sink: Socket): void {
  // Who is gone answers by a stream of its own, as far as that gets.
  if (sink.destroyed || sink.writableEnded) {
    if (piece === 'reset') sink.destroy()
    return
  }
  if (piece === 'end') sink.end()
  else if (piece === 'reset') reset(sink)
  else sink.write(piece)
}
