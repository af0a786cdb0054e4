import {
  type Message,
  type NodeStart,
  Overlay,
  type OverlayPlan,
  type PlannedLink,
  plannedLinks,
  planOverlay,
} from '@troupe/core'
import { decodePeerFrame, encodePeerFrame, openFrame, sealFrame } from '@troupe/wire'
import type { Carrier } from './carrier.ts'
import { demand } from './contract.ts'
import type { Dice } from './dice.ts'
import { EXIT_MS, GONE_MS, type PeerLinks, type PeerLinksParts, UP_MS } from './peer-network.ts'
import { GROUP, type HintChances, type LongTopology } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'

/** How often a frame that does not fit its checksum ends a connection. */
const HANG_UP = 0.05

/** By then a connection to a node that has died in silence is given up. */
const SILENT_MS = 1500

/** The overlay of one life of a node. */
interface Seat {
  readonly node: SimNode
  readonly boot: number
  readonly overlay: Overlay
}

/**
 * The links between nodes where not everybody is connected to everybody: frames go from neighbour to neighbour, each time
 * over a link that has faults. What nodes are told of each other's end is what their overlays make of closed connections.
 */
export class OverlayNetwork implements PeerLinks {
  readonly #scheduler: Scheduler
  readonly #carrier: Carrier
  readonly #dice: Dice
  readonly #nodes: readonly SimNode[]
  readonly #chances: HintChances
  readonly #onRefused: () => void
  #plan: OverlayPlan
  readonly #seats = new Map<SimNode, Seat>()
  /** Which connection between two nodes, counted from 1, is the latest. */
  readonly #connections = new Map<string, number>()
  /** Connections that are closed, and will be there again in a moment. */
  readonly #mending = new Set<string>()
  /** How many frames each node has passed on for others. */
  readonly relayed = new Map<string, number>()

  constructor(
    { scheduler, carrier, dice, nodes, chances, onRefused }: PeerLinksParts,
    topology: LongTopology,
  ) {
    this.#scheduler = scheduler
    this.#carrier = carrier
    this.#dice = dice
    this.#nodes = nodes
    this.#chances = chances
    this.#onRefused = onRefused
    this.#plan = planOverlay(
      topology,
      nodes.map(({ id }) => id),
    )
  }

  // ---- frames

  send(from: SimNode, messages: readonly Message[]): void {
    const overlay = this.#overlay(from)
    if (overlay === undefined) return
    for (const [to, ofPeer] of Map.groupBy(messages, (message) => message.to)) {
      overlay.send(to, encodePeerFrame(GROUP, ofPeer, overlay.headroomBytes(to)))
    }
  }

  /** Over one link. Real ones have a checksum for each frame too. */
  #carry(from: SimNode, to: SimNode, frame: Uint8Array): void {
    this.#carrier.send(from.id, to.id, sealFrame(frame), (bytes) => {
      to.whenRunning(() => this.#arrived(from, to, bytes))
    })
  }

  #arrived(from: SimNode, to: SimNode, bytes: Uint8Array): void {
    const overlay = this.#overlay(to)
    if (overlay === undefined) return
    const frame = openFrame(bytes)
    if (frame === undefined) return this.#refused(from, to)
    const before = overlay.metrics.framesRelayed
    // A frame that arrives twice arrives in the same memory; whoever receives it may change it.
    const received = overlay.received(from.id, frame.slice())
    if (overlay.metrics.framesRelayed > before) this.relayed.set(to.id, (this.relayed.get(to.id) ?? 0) + 1)
    demand(
      typeof received !== 'string',
      'overlay',
      () => `${to.id} refuses what ${from.id} sent: ${received}`,
    )
    if (received === undefined) return
    const opened = decodePeerFrame(received.inner)
    demand(typeof opened !== 'string', 'overlay', () => `${to.id} got a frame that is none: ${opened}`)
    for (const message of opened.messages) {
      demand(
        message.from === received.source && message.to === to.id,
        'overlay',
        () =>
          `${to.id} got a frame of ${received.source} with a message from ${message.from} to ${message.to}`,
      )
      to.push({ kind: 'peer', message })
    }
  }

  #refused(from: SimNode, to: SimNode): void {
    this.#onRefused()
    // A real transport hangs up, and connects again. Seldom here: each time is news that crosses every link, and where more
    // than one of these frames ended a connection in its turn, there would be no end of it.
    if (this.#dice.chance(HANG_UP)) this.flap(from, to)
  }

  // ---- lives and connections

  started(node: SimNode): void {
    const { boot } = node
    if (!this.#plan.nodes.includes(node.id)) {
      this.#replan(
        this.#nodes.map(({ id }) => id).filter((id) => id === node.id || this.#plan.nodes.includes(id)),
      )
    }
    const overlay = new Overlay(startOf(node), this.#plan, {
      send: (id, frame) => {
        this.#carry(node, this.#node(id), frame)
        return true
      },
      up: (id) => node.push({ kind: 'peerUp', id }),
      gone: (id) => node.push({ kind: 'peerGone', id }),
    })
    this.#seats.set(node, { node, boot, overlay })
    for (const neighbour of this.#neighbours(node)) this.#connect(node, neighbour, UP_MS)
  }

  crashed(node: SimNode): void {
    const { boot } = node
    const isSilent = this.#dice.chance(this.#chances.silentCrash) || node.diesSilently
    // Whoever relays over a dead node has to find out at last: who is behind it would not be reached any more.
    const mostMs = isSilent ? SILENT_MS : GONE_MS
    for (const neighbour of this.#neighbours(node)) this.#tellClosed(neighbour, node, mostMs)
    if (isSilent) return
    // A supervisor needs no route.
    for (const peer of this.#nodes) {
      if (peer === node || !this.#dice.chance(this.#chances.exitTold)) continue
      this.#later(EXIT_MS, () => peer.push({ kind: 'peerExited', id: node.id, boot }))
    }
  }

  /** The rest is wired as if it had never been there: who is left may not be cut off. */
  switchedOff(node: SimNode): void {
    this.#replan(this.#plan.nodes.filter((id) => id !== node.id))
  }

  #replan(nodes: readonly string[]): void {
    const before = plannedLinks(this.#plan)
    this.#plan = planOverlay(this.#plan.topology, nodes)
    for (const { node } of this.#seats.values()) {
      // The latest by then: lists arrive in the order in which they were made.
      this.#later(UP_MS, () => node.whenRunning(() => this.#overlay(node)?.replan(this.#plan)))
    }
    const isIn = (links: readonly PlannedLink[], [a, b]: PlannedLink): boolean =>
      links.some(([one, other]) => one === a && other === b)
    const now = plannedLinks(this.#plan)
    for (const [a, b] of before.filter((link) => !isIn(now, link))) {
      this.#tellClosed(this.#node(a), this.#node(b))
      this.#tellClosed(this.#node(b), this.#node(a))
    }
    for (const [a, b] of now.filter((link) => !isIn(before, link))) {
      this.#connect(this.#node(a), this.#node(b), UP_MS)
    }
  }

  flap(left: SimNode, right: SimNode): void {
    const name = linkOf(left, right)
    if (!this.#neighbours(left).includes(right) || this.#mending.has(name)) return
    this.#mending.add(name)
    this.#tellClosed(left, right)
    this.#tellClosed(right, left)
    this.#connect(left, right, GONE_MS + UP_MS)
  }

  /** A new connection, which takes the place of what there was. */
  #connect(left: SimNode, right: SimNode, mostMs: number): void {
    const boots = [left.boot, right.boot]
    this.#later(mostMs, () => {
      this.#mending.delete(linkOf(left, right))
      if (!left.isUp || !right.isUp || left.boot !== boots[0] || right.boot !== boots[1]) return
      const name = linkOf(left, right)
      this.#connections.set(name, (this.#connections.get(name) ?? 0) + 1)
      for (const [node, peer] of [
        [left, right],
        [right, left],
      ] as const) {
        const start = startOf(peer)
        node.whenRunning(() => this.#overlay(node)?.linkUp(peer.id, start))
      }
    })
  }

  /** `node` sees that its connection to `peer` is closed, unless there is a later one by then. */
  #tellClosed(node: SimNode, peer: SimNode, mostMs = GONE_MS): void {
    const name = linkOf(node, peer)
    const connection = this.#connections.get(name)
    const { boot } = node
    this.#later(mostMs, () => {
      if (node.boot !== boot || this.#connections.get(name) !== connection) return
      node.whenRunning(() => this.#overlay(node)?.linkGone(peer.id))
    })
  }

  #later(mostMs: number, run: () => void): void {
    this.#scheduler.after(this.#dice.between(0.2, mostMs), { run })
  }

  #overlay(node: SimNode): Overlay | undefined {
    const seat = this.#seats.get(node)
    return node.isUp && seat?.boot === node.boot ? seat.overlay : undefined
  }

  #node(id: string): SimNode {
    const node = this.#nodes.find((one) => one.id === id)
    demand(node !== undefined, 'overlay', () => `a frame for ${id}, which is nobody's neighbour`)
    return node
  }

  #neighbours({ id }: SimNode): readonly SimNode[] {
    return (this.#plan.neighbours.get(id) ?? []).map((neighbour) => this.#node(neighbour))
  }
}

const startOf = ({ id, incarnation, boot }: SimNode): NodeStart & { readonly id: string } => ({
  id,
  incarnation,
  boot,
})

const linkOf = (one: SimNode, other: SimNode): string =>
  one.index < other.index ? `${one.id}>${other.id}` : `${other.id}>${one.id}`
