/**
 * An overlay: nodes that have no connection to each other reach each other over those that have.
 *
 *     send(to, frame) ─► route ─► link to a neighbour ─► received ─► it is for this node: a delivery
 *                                                            └─► it is not: on to the next, undecoded
 *     linkUp, linkGone ─► link states, to all ─► routes ─► up(id), gone(id)
 *
 * Frames are `[0, crossed u8, digest u32, source, destination, inner…]`; states `[1, …]`. A relay changes `crossed` and
 * `digest` in place, so nothing is copied or decoded on the way.
 *
 * - **Trust.** Each node checks whom its neighbours claim to be (the transport's handshakes do), and that a frame came from
 *   its source itself, or from a neighbour that relays in this topology. So relays are trusted: one that lies can speak for
 *   others. Whoever is no relay can speak for itself alone; what it tells of connections is believed, so it can make ways
 *   longer, or cut them.
 * - **Broken connections.** A node that sees one close tells all others, over what is left; everybody then takes the
 *   shortest way that is known to be whole. A closed connection is a hint here too: that a node cannot be reached is told
 *   as `gone`, never as its death. A connection that is silent but open is not noticed.
 * - **No loops.** Whoever knows the same finds routes of which each step is nearer to the end. While not all know the same
 *   a frame may go astray: it crosses {@link maxHops} connections at most, and no relay ever makes two of one.
 * - **Losses.** Frames may be lost, states too. Each frame carries a digest of the states that its last sender knew; a
 *   neighbour that knows others answers with all of its own. So what is known heals along with the traffic.
 */
import { invariant } from '../errors.ts'
import type { NodeId } from '../types.ts'
import { LinkStates, type NodeStart, readLinkStates, writeLinkStates } from './link-states.ts'
import { ByteReader, ByteWriter, nameBytes, Unreadable } from './names.ts'
import { type Route, routesFrom } from './routes.ts'
import type { OverlayPlan } from './topology.ts'

const FRAME = 0
const STATES = 1
const CROSSED_AT = 1
const DIGEST_AT = 2
const NAMES_AT = 6

/** Where the digests of a neighbour do not fit for so many frames on end, it gets an answer to each so-many-th of them. */
const ANSWER_EVERY = 4

/** What an overlay needs of its node. Called from its methods; `up` and `gone` come last. */
export interface OverlayPorts {
  /** Hands a frame, and its memory, to the link to a neighbour. False where it takes none. */
  send(neighbour: NodeId, frame: Uint8Array): boolean
  /** A node can be reached (again): what was on its way to it may be lost. */
  up(id: NodeId, start: NodeStart): void
  /** No way to a node is left: a hint that it died, not a proof. */
  gone(id: NodeId): void
}

/** What came for this node. */
export interface Delivery {
  /** Who sent it, by what the neighbours said. */
  readonly source: NodeId
  /** A view of the frame. */
  readonly inner: Uint8Array
}

export interface OverlayMetrics {
  /** Passed on for others. */
  framesRelayed: number
  framesDelivered: number
  /** Connections that the delivered frames crossed, all together. */
  hopsDelivered: number
  /** Frames that no link took, or to which no way is known. */
  framesUnroutable: number
  /** Frames that had crossed {@link maxHops} connections. */
  framesAstray: number
  /** Frames from a neighbour that may not have them. */
  framesRefused: number
}

/** The most connections that a frame crosses: enough for it to turn round once. */
export const maxHops = ({ nodes }: OverlayPlan): number => Math.min(255, 2 * nodes.length)

export class Overlay {
  readonly metrics: OverlayMetrics = {
    framesRelayed: 0,
    framesDelivered: 0,
    hopsDelivered: 0,
    framesUnroutable: 0,
    framesAstray: 0,
    framesRefused: 0,
  }

  readonly #self: NodeId
  readonly #ports: OverlayPorts
  #plan: OverlayPlan
  readonly #states: LinkStates
  readonly #links = new Map<NodeId, NodeStart>()
  #routes: ReadonlyMap<NodeId, Route> = new Map()
  /** Which start of each node was told as up. */
  readonly #reached = new Map<NodeId, NodeStart>()
  /** Frames on end of each neighbour whose digest was another. */
  readonly #unlike = new Map<NodeId, number>()
  /** Headers of frames to each node. */
  readonly #heads = new Map<NodeId, Uint8Array>()

  constructor({ id, ...start }: NodeStart & { readonly id: NodeId }, plan: OverlayPlan, ports: OverlayPorts) {
    this.#self = id
    this.#plan = plan
    this.#ports = ports
    this.#states = new LinkStates(id, start)
  }

  /** The way to each node that can be reached. */
  get routes(): ReadonlyMap<NodeId, Route> {
    return this.#routes
  }

  /** Whom this node is to be connected to. */
  get neighbours(): readonly NodeId[] {
    return this.#plan.neighbours.get(this.#self) ?? []
  }

  /** Other nodes than before, or another order of them. */
  replan(plan: OverlayPlan): void {
    this.#plan = plan
    this.#states.keep(plan.nodes)
    this.#reroute()
  }

  // ---- connections

  /** A connection to a neighbour is there; where there was one, in its place. */
  linkUp(neighbour: NodeId, start: NodeStart): void {
    // What was on its way over an earlier one is lost: that is told, although the node never seemed gone.
    if (this.#links.has(neighbour)) this.#reached.delete(neighbour)
    this.#links.set(neighbour, start)
    this.#unlike.delete(neighbour)
    this.#tellLinks(neighbour)
    this.#sendStates(neighbour)
    this.#reroute()
  }

  /** The connection to a neighbour is closed. */
  linkGone(neighbour: NodeId): void {
    if (!this.#links.delete(neighbour)) return
    this.#tellLinks()
    this.#reroute()
  }

  #tellLinks(except?: NodeId): void {
    this.#states.tell([...this.#links.keys()])
    for (const link of this.#links.keys())
      if (link !== except) this.#ports.send(link, statesFrame([this.#states.own]))
  }

  /** Everything that is known. */
  #sendStates(neighbour: NodeId): void {
    this.#ports.send(neighbour, statesFrame(this.#states.all, true))
  }

  // ---- own frames

  /** Bytes that a frame to `to` has to have free at its beginning. */
  headroomBytes(to: NodeId): number {
    return this.#head(to).byteLength
  }

  /** Sends a frame, with its headroom; its memory is given away. False where it goes nowhere. */
  send(to: NodeId, frame: Uint8Array): boolean {
    const route = this.#routes.get(to)
    if (route === undefined) {
      this.metrics.framesUnroutable++
      return false
    }
    frame.set(this.#head(to))
    return this.#pass(route.next, frame)
  }

  #head(to: NodeId): Uint8Array {
    let head = this.#heads.get(to)
    if (head === undefined) {
      const names = nameBytes(this.#self) + nameBytes(to)
      head = new ByteWriter(NAMES_AT + names).byte(FRAME).byte(0).word(0).name(this.#self).name(to).bytes
      this.#heads.set(to, head)
    }
    return head
  }

  #pass(next: NodeId, frame: Uint8Array): boolean {
    const { digest } = this.#states
    frame[CROSSED_AT] = (frame[CROSSED_AT] ?? 0) + 1
    for (let byte = 0; byte < 4; byte++) frame[DIGEST_AT + byte] = digest >>> (8 * byte)
    const isSent = this.#ports.send(next, frame)
    if (!isSent) this.metrics.framesUnroutable++
    return isSent
  }

  // ---- what comes from neighbours

  /**
   * Takes what came over the link to a neighbour, and its memory. A text is the reason why that link is not to be trusted
   * any more; nothing: there is nothing left to do.
   */
  received(neighbour: NodeId, frame: Uint8Array): Delivery | string | undefined {
    try {
      const reader = new ByteReader(frame)
      const kind = reader.byte()
      if (kind === FRAME) return this.#frame(neighbour, frame, reader)
      if (kind !== STATES) return `a frame of kind ${kind}`
      this.#merge(neighbour, reader)
      return undefined
    } catch (error) {
      if (error instanceof Unreadable) return error.message
      throw error
    }
  }

  #frame(neighbour: NodeId, frame: Uint8Array, reader: ByteReader): Delivery | undefined {
    const [crossed, digest, source, destination] = [
      reader.byte(),
      reader.word(),
      reader.name(),
      reader.name(),
    ]
    this.#compare(neighbour, digest)
    const { metrics } = this
    if (crossed > maxHops(this.#plan)) metrics.framesAstray++
    else if (source !== neighbour && !this.#plan.relays.has(neighbour)) metrics.framesRefused++
    else if (destination === this.#self) {
      metrics.framesDelivered++
      metrics.hopsDelivered += crossed
      return { source, inner: frame.subarray(reader.at) }
    } else this.#relay(destination, crossed, frame)
    return undefined
  }

  #relay(destination: NodeId, crossed: number, frame: Uint8Array): void {
    const { metrics } = this
    const route = this.#routes.get(destination)
    if (!this.#plan.relays.has(this.#self)) metrics.framesRefused++
    else if (crossed >= maxHops(this.#plan)) metrics.framesAstray++
    else if (route === undefined) metrics.framesUnroutable++
    else if (this.#pass(route.next, frame)) metrics.framesRelayed++
  }

  /** A neighbour that knows something else hears what is known here; it answers with what is not. */
  #compare(neighbour: NodeId, digest: number): void {
    if (digest === this.#states.digest) {
      this.#unlike.delete(neighbour)
      return
    }
    const frames = this.#unlike.get(neighbour) ?? 0
    this.#unlike.set(neighbour, frames + 1)
    if (frames % ANSWER_EVERY === 0 && this.#links.has(neighbour)) this.#sendStates(neighbour)
  }

  #merge(neighbour: NodeId, reader: ByteReader): void {
    const { states, isWhole } = readLinkStates(reader)
    const known = states.filter(({ id }) => this.#plan.nodes.includes(id))
    const { news, unknownThere } = this.#states.merge(known, isWhole)
    if (unknownThere.length > 0 && this.#links.has(neighbour))
      this.#ports.send(neighbour, statesFrame(unknownThere))
    const isOutbid = unknownThere.includes(this.#states.own)
    const told = isOutbid ? [...news, this.#states.own] : news
    if (told.length === 0) return
    for (const link of this.#links.keys()) if (link !== neighbour) this.#ports.send(link, statesFrame(told))
    this.#reroute()
  }

  // ---- routes

  #reroute(): void {
    const routes = routesFrom(this.#plan, this.#self, (from, to) => this.#isUp(from, to))
    this.#routes = routes
    for (const id of [...this.#reached.keys()].filter((reached) => !routes.has(reached))) {
      this.#reached.delete(id)
      this.#ports.gone(id)
    }
    for (const id of routes.keys()) {
      const start = this.#links.get(id) ?? (this.#states.of(id) as NodeStart)
      const before = this.#reached.get(id)
      if (before?.boot === start.boot && before.incarnation === start.incarnation) continue
      this.#reached.set(id, start)
      this.#ports.up(id, start)
    }
  }

  /** Of its own connections a node knows best; of others' both ends have to say so. */
  #isUp(from: NodeId, to: NodeId): boolean {
    if (from === this.#self) return this.#links.has(to)
    if (to === this.#self) return this.#links.has(from)
    const says = (one: NodeId, other: NodeId): boolean => this.#states.of(one)?.up.includes(other) === true
    return says(from, to) && says(to, from)
  }
}

function statesFrame(states: Parameters<typeof writeLinkStates>[0], isWhole = false): Uint8Array {
  invariant(states.length > 0, 'a frame without states')
  const frame = writeLinkStates(states, isWhole, 1)
  frame[0] = STATES
  return frame
}
