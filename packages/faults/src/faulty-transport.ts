/**
 * A PeerTransport whose links have faults, for engines in which messages never become bytes, or become them further
 * inside. What goes to one peer in one call is one frame: it is delayed, lost or repeated as a whole.
 */
import type { Clock, Message, NodeId, PeerTransport, Random } from '@troupe/core'
import { type FrameKind, LinkFaults, type LinkRule } from './link-faults.ts'
import type { Scheduler, Switchboard } from './ports.ts'

/** All messages of one call for one peer. */
export type MessageFrame = readonly Message[]

/** About what a message's header takes on a wire. */
const HEADER_BYTES = 64

/** A damaged frame of messages would fail its checksum: it is lost. Sizes are close to those on a wire. */
export const messageFrames: FrameKind<MessageFrame> = {
  bytesOf: (frame) => frame.reduce((sum, message) => sum + HEADER_BYTES + bulkBytes(message), 0),
  corrupted: () => undefined,
}

function bulkBytes(message: Message): number {
  switch (message.kind) {
    case 'appendRequest':
    case 'repairReply':
      return message.entries.reduce((sum, { record }) => sum + record.byteLength, 0)
    case 'proposal':
      return message.payload.byteLength
    case 'snapshotChunk':
      return message.data.byteLength
    default:
      return 0
  }
}

export interface FaultyTransportOptions {
  /** The true one, not the node's. */
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
}

/** Decorates one node's transport: what it sends. What it receives is faulty at its senders. */
export class FaultyTransport implements PeerTransport, Switchboard<LinkRule> {
  readonly #inner: PeerTransport
  readonly #options: FaultyTransportOptions
  readonly #links: LinkFaults<MessageFrame>
  /** Frames on their way to each peer. */
  readonly #underWay = new Map<NodeId, number>()
  #isClosed = false

  constructor(inner: PeerTransport, options: FaultyTransportOptions) {
    this.#inner = inner
    this.#options = options
    this.#links = new LinkFaults({ frames: messageFrames, onReleasable: () => this.#release() })
  }

  get metrics(): LinkFaults['metrics'] {
    return this.#links.metrics
  }

  add(id: number, rule: LinkRule): void {
    this.#links.add(id, rule)
  }

  remove(id: number): void {
    this.#links.remove(id)
  }

  send(messages: readonly Message[]): void {
    if (this.#isClosed) return
    const { clock, random } = this.#options
    const nowMs = clock.nowMs()
    const atOnce: Message[] = []
    for (const [to, frame] of byPeer(messages)) {
      const from = frame[0]?.from ?? ''
      for (const delivery of this.#links.plan(from, to, frame, nowMs, random)) {
        const isFree = (this.#underWay.get(to) ?? 0) === 0
        if (delivery.atMs <= nowMs && isFree) atOnce.push(...delivery.frame)
        else this.#later(delivery.atMs, to, delivery.frame)
      }
    }
    if (atOnce.length > 0) this.#inner.send(atOnce)
  }

  /**
   * Something small that is no message goes from one node to another: `deliver` is called when it arrives, if it does.
   * What is held by a jammed link is lost.
   */
  aside(from: NodeId, to: NodeId, deliver: () => void): void {
    if (this.#isClosed) return
    const { clock, scheduler, random } = this.#options
    const nowMs = clock.nowMs()
    for (const { atMs } of this.#links.plan(from, to, [], nowMs, random)) {
      if (atMs <= nowMs) deliver()
      else scheduler.schedule(atMs, () => this.#isClosed || deliver())
    }
  }

  /** Nothing is sent any more, nor what is under way. */
  close(): void {
    this.#isClosed = true
  }

  #later(atMs: number, to: NodeId, frame: MessageFrame): void {
    this.#underWay.set(to, (this.#underWay.get(to) ?? 0) + 1)
    this.#options.scheduler.schedule(atMs, () => {
      this.#underWay.set(to, (this.#underWay.get(to) ?? 1) - 1)
      if (!this.#isClosed) this.#inner.send(frame)
    })
  }

  #release(): void {
    for (const { atMs, to, frame } of this.#links.released(this.#options.clock.nowMs())) {
      this.#later(atMs, to, frame)
    }
  }
}

function byPeer(messages: readonly Message[]): Map<NodeId, Message[]> {
  const frames = new Map<NodeId, Message[]>()
  for (const message of messages) {
    const frame = frames.get(message.to)
    if (frame === undefined) frames.set(message.to, [message])
    else frame.push(message)
  }
  return frames
}
