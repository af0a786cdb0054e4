import type { Message } from '@troupe/core'
import { decodePeerFrame, encodePeerFrame } from '@troupe/wire'
import type { Carrier } from './carrier.ts'
import type { Dice } from './dice.ts'
import type { MessageIds } from './message-ids.ts'
import { GROUP, type HintChances } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'

/** Times of hints about peers, in ms. */
export const GONE_MS = 3
export const EXIT_MS = 26
export const UP_MS = 20

/** What carries messages between nodes, and tells them of each other. */
export interface PeerLinks {
  /** One frame to each peer that `messages` name. */
  send(from: SimNode, messages: readonly Message[]): void
  /** A life began: everybody hears of it, sooner or later. */
  started(node: SimNode): void
  /** A life ended: mostly the others see the connection close, and mostly the supervisor tells them. */
  crashed(node: SimNode): void
  /** A node is taken out for good, as far as one knows; the others hear nothing of it. */
  switchedOff(node: SimNode): void
  /** Connections close and open again, for no reason that Raft would know of. */
  flap(left: SimNode, right: SimNode): void
}

export interface PeerLinksParts {
  readonly scheduler: Scheduler
  readonly carrier: Carrier
  readonly dice: Dice
  readonly nodes: readonly SimNode[]
  readonly chances: HintChances
  /** Told of a frame that was refused as it came in. */
  readonly onRefused: () => void
  readonly messageIds?: MessageIds | undefined
}

/** The links between nodes: the real codec, with faults in between, and hints of who is there. */
export class PeerNetwork implements PeerLinks {
  readonly #scheduler: Scheduler
  readonly #carrier: Carrier
  readonly #dice: Dice
  readonly #nodes: readonly SimNode[]
  readonly #chances: HintChances
  readonly #onRefused: () => void
  readonly #messageIds: MessageIds | undefined

  constructor(parts: PeerLinksParts) {
    this.#scheduler = parts.scheduler
    this.#carrier = parts.carrier
    this.#dice = parts.dice
    this.#nodes = parts.nodes
    this.#chances = parts.chances
    this.#onRefused = parts.onRefused
    this.#messageIds = parts.messageIds
  }

  send(from: SimNode, messages: readonly Message[]): void {
    const first = messages[0]
    if (first === undefined) return
    if (messages.every(({ to }) => to === first.to)) return this.#sendFrame(from, first.to, messages)
    for (const [to, ofPeer] of Map.groupBy(messages, (message) => message.to))
      this.#sendFrame(from, to, ofPeer)
  }

  #sendFrame(from: SimNode, id: string, messages: readonly Message[]): void {
    const to = this.#nodes.find((node) => node.id === id)
    if (to === undefined) return
    const frame = encodePeerFrame(GROUP, messages)
    const ids = this.#messageIds && messages.map((message) => this.#messageIds?.of(message) as number)
    this.#carrier.send(from.id, to.id, frame, (bytes) => this.#arrived(from, to, bytes, ids))
  }

  #arrived(from: SimNode, to: SimNode, bytes: Uint8Array, ids: readonly number[] | undefined): void {
    if (to.life === undefined) return
    const frame = decodePeerFrame(bytes)
    if (typeof frame === 'string') {
      this.#onRefused()
      // A real transport hangs up, and connects again.
      if (this.#dice.chance(0.5)) this.#reconnect(from, to)
      return
    }
    if (ids !== undefined) this.#messageIds?.arrived(frame.messages, ids)
    for (const message of frame.messages) to.push({ kind: 'peer', message })
  }

  #reconnect(from: SimNode, to: SimNode): void {
    for (const [node, peer] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#tell(node, GONE_MS, () => node.push({ kind: 'peerGone', id: peer.id }))
      this.#tell(node, GONE_MS + UP_MS, () => {
        if (peer.isUp) node.push({ kind: 'peerUp', id: peer.id })
      })
    }
  }

  started(node: SimNode): void {
    const { boot } = node
    for (const peer of this.#nodes) {
      if (peer === node) continue
      this.#tell(node, UP_MS, () => {
        if (node.boot !== boot || !node.isUp || !peer.isUp) return
        node.push({ kind: 'peerUp', id: peer.id })
        peer.push({ kind: 'peerUp', id: node.id })
      })
    }
  }

  crashed(node: SimNode): void {
    const { boot } = node
    const isSilent = this.#dice.chance(this.#chances.silentCrash) || node.diesSilently
    for (const peer of this.#nodes) {
      if (peer === node) continue
      if (!isSilent) this.#tell(peer, GONE_MS, () => peer.push({ kind: 'peerGone', id: node.id }))
      if (!isSilent && this.#dice.chance(this.#chances.exitTold)) {
        this.#tell(peer, EXIT_MS, () => peer.push({ kind: 'peerExited', id: node.id, boot }))
      }
    }
  }

  switchedOff(): void {}

  flap(left: SimNode, right: SimNode): void {
    this.#reconnect(left, right)
  }

  #tell(node: SimNode, mostMs: number, tell: () => void): void {
    const { boot } = node
    this.#scheduler.after(this.#dice.between(0.2, mostMs), {
      run: () => {
        if (node.boot === boot) tell()
      },
    })
  }
}
