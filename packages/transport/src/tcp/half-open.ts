/** The connections that have not proven anything yet: how many there may be, and for how long. */
import type { Socket } from 'node:net'
import type { FramedSocket } from './framed-socket.ts'
import type { ListenLimits } from './listen-options.ts'
import type { Timers } from './timers.ts'

interface HalfOpen {
  readonly timer: unknown
  readonly address: string
  /** Once a handshake may come: TLS is through, or there is none. */
  framed: FramedSocket | undefined
}

/** How a half-open connection ends without a handshake. */
export interface HalfOpenEvents {
  /** The time is up. `framed` is there where the other end can be told. */
  expired(framed: FramedSocket | undefined): void
  /** It was closed before it was settled. */
  abandoned(): void
}

export class HalfOpenSockets {
  readonly #limits: ListenLimits
  readonly #timers: Timers
  readonly #bySocket = new Map<string, HalfOpen>()
  readonly #byAddress = new Map<string, number>()

  constructor(limits: ListenLimits, timers: Timers) {
    this.#limits = limits
    this.#timers = timers
  }

  get count(): number {
    return this.#bySocket.size
  }

  /** Takes one in, until `settled`. Gives the reason where there are too many. */
  admit(socket: Socket, events: HalfOpenEvents): string | undefined {
    const { maxHalfOpen, maxHalfOpenPerAddress, handshakeTimeoutMs } = this.#limits
    const address = socket.remoteAddress ?? ''
    const fromAddress = this.#byAddress.get(address) ?? 0
    if (this.#bySocket.size >= maxHalfOpen) return `${maxHalfOpen} connections without a handshake already`
    if (fromAddress >= maxHalfOpenPerAddress) {
      return `${maxHalfOpenPerAddress} connections without a handshake from that address already`
    }
    this.#byAddress.set(address, fromAddress + 1)
    const key = keyOf(socket)
    const timer = this.#timers.set(() => events.expired(this.#bySocket.get(key)?.framed), handshakeTimeoutMs)
    this.#bySocket.set(key, { timer, address, framed: undefined })
    socket.once('close', () => {
      if (this.settled(key)) events.abandoned()
    })
    return undefined
  }

  /** A handshake may come over `framed` from now on. */
  shaking(framed: FramedSocket): void {
    const entry = this.#bySocket.get(keyOf(framed.socket))
    if (entry !== undefined) entry.framed = framed
  }

  /** Its handshake is over, or the connection. Gives whether it was still half-open. */
  settled(key: string): boolean {
    const entry = this.#bySocket.get(key)
    if (entry === undefined) return false
    this.#bySocket.delete(key)
    this.#timers.clear(entry.timer)
    const left = (this.#byAddress.get(entry.address) ?? 0) - 1
    if (left > 0) this.#byAddress.set(entry.address, left)
    else this.#byAddress.delete(entry.address)
    return true
  }
}

/** Names a connection: the same for a socket and for TLS over it, and gone when it is closed. */
export const keyOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`
