/**
 * Reaches one peer, again and again until there is a link.
 *
 *     start ─► attempt ─► link ─► ... ─► lost ─┐
 *                │  ▲                          │
 *          failed│  │after a wait, longer each time (backoff.ts)
 *                └──┴──────────────────────────┘
 *
 * Of two nodes the one with the smaller name dials, so that there are never two links that replace each other in turns. The
 * other only knocks: a node that has just started need not wait for the end of the dialler's wait.
 */
import type { NodeId } from '@troupe/core'
import type { Handshake, Hello } from '@troupe/wire'
import type { Address } from './address.ts'
import type { Backoff } from './backoff.ts'
import type { Credentials } from './credentials.ts'
import { type DialFailure, dial } from './dial.ts'
import type { FramedSocket } from './framed-socket.ts'
import type { LinkChannel } from './peer-link.ts'
import type { Timers } from './timers.ts'

export interface PeerDialerOptions {
  readonly id: NodeId
  readonly address: Address
  readonly hello: Hello
  readonly credentials: Credentials | undefined
  readonly timeoutMs: number
  readonly timers: Timers
  readonly backoff: Backoff
  /** A number for the connections of one attempt. */
  readonly nextLink: () => number
}

export interface PeerDialerEvents {
  /** A connection stands; that of an attempt's other channel follows or has come. */
  opened(channel: LinkChannel, connection: FramedSocket, welcome: Handshake): void
  /** An attempt has failed. Connections of it are to be closed. */
  failed(failure: DialFailure): void
}

export class PeerDialer {
  readonly #options: PeerDialerOptions
  readonly #events: PeerDialerEvents
  readonly #isDialling: boolean
  #state: 'idle' | 'attempting' | 'waiting' = 'idle'
  #cancels: (() => void)[] = []
  #timer: unknown

  constructor(options: PeerDialerOptions, events: PeerDialerEvents) {
    this.#options = options
    this.#events = events
    this.#isDialling = dials(options.hello.from, options.id)
  }

  /** There is no link, and never was: begins at once. */
  start(): void {
    if (this.#state === 'idle') this.#attempt()
  }

  /** There is a link, whoever made it. */
  stop(): void {
    this.#options.timers.clear(this.#timer)
    for (const cancel of this.#cancels) cancel()
    this.#cancels = []
    this.#state = 'idle'
  }

  /** As `stop`, and the next wait is a first one. */
  succeeded(): void {
    this.stop()
    this.#options.backoff.reset()
  }

  /** The link fell, or did not come about: begins after a wait. */
  lost(): void {
    if (this.#state === 'waiting') return
    this.stop()
    this.#wait()
  }

  /** The other end asks for a link: it is there, so there is nothing to wait for. */
  knocked(): void {
    if (this.#state === 'attempting' || !this.#isDialling) return
    this.stop()
    this.#attempt()
  }

  #wait(): void {
    const { timers, backoff } = this.#options
    this.#state = 'waiting'
    this.#timer = timers.set(() => this.#attempt(), backoff.nextMs())
  }

  #attempt(): void {
    this.#state = 'attempting'
    this.#cancels = []
    const link = this.#options.nextLink()
    if (!this.#isDialling) return this.#dial('knock', link)
    this.#dial('urgent', link)
    this.#dial('bulk', link)
  }

  #dial(channel: LinkChannel | 'knock', link: number): void {
    const { id, address, hello, credentials, timeoutMs, timers } = this.#options
    const request = { address, expected: id, credentials, timeoutMs, timers }
    const cancel = dial(
      { ...request, hello: { ...hello, channel, link, to: id } },
      {
        opened: (connection, welcome) => {
          if (channel !== 'knock') return this.#events.opened(channel, connection, welcome)
          // Heard. Should it not come, this is tried again.
          connection.close()
          this.lost()
        },
        failed: (failure) => {
          this.lost()
          this.#events.failed(failure)
        },
      },
    )
    this.#cancels.push(cancel)
  }
}

/** Whether `own` dials `other`, and not the other way round. */
export const dials = (own: NodeId, other: NodeId): boolean => own < other
