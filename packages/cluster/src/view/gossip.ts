/**
 * When a node spreads what it knows: with its heartbeats, once an interval, in a turn that there is anyway where there is one.
 *
 * A follower has a turn for each heartbeat that it gets, a leader for each that it sends: those spread. Where no turn comes
 * for half an interval more (nobody leads) the node's timer makes one.
 */
import type { NodeId } from '@troupe/core'
import { ASIDE_TOPICS, type Aside } from '@troupe/wire'
import type { NodeNews } from './node-news.ts'
import type { StatusBoard } from './status-board.ts'

export interface GossipParts {
  readonly board: StatusBoard
  readonly heartbeatIntervalMs: number
  /** What the node would say of itself now. */
  readonly news: () => NodeNews
  readonly send: (to: NodeId, aside: Aside) => void
}

export class Gossip {
  readonly #parts: GossipParts
  readonly #intervalMs: number
  #spreadMs = Number.NEGATIVE_INFINITY
  readonly #send = (to: NodeId, body: readonly unknown[]): void =>
    this.#parts.send(to, { topic: ASIDE_TOPICS.status, body })

  constructor(parts: GossipParts) {
    this.#parts = parts
    this.#intervalMs = parts.heartbeatIntervalMs
  }

  /** When there must be a turn, also without events. */
  get deadlineMs(): number {
    return this.#spreadMs + 1.5 * this.#intervalMs
  }

  /** A turn is over. Gives whether it spread. */
  turnEnded(nowMs: number): boolean {
    // Heartbeats come a little early or late: one that is a bit early is not to be passed over for the next one.
    if (nowMs - this.#spreadMs < 0.75 * this.#intervalMs) return false
    this.#spreadMs = nowMs
    const { board, news } = this.#parts
    board.spread(news(), nowMs, this.#send)
    return true
  }

  /** News came from a peer. Topics of later releases are passed over. */
  received(from: NodeId, { topic, body }: Aside, nowMs: number): void {
    if (topic === ASIDE_TOPICS.status) this.#parts.board.take(from, body, nowMs)
  }
}
