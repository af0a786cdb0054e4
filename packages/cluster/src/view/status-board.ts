/**
 * What a node knows of all members: the newest piece of each, its own among them, spread from node to node.
 *
 *     own news ─► spread ─► a frame for each peer: what it has not seen ─► take ─► newer than what is here? ─► kept
 *                                                                                           view ◄────────────┘
 *
 * Nothing depends on it but what operators see: it is outside of the core, and a node that never hears any runs as well.
 *
 * Which of two pieces of a node is newer: the one of the incarnation that is a member; of one start the one with the higher
 * count; of two starts the one that was said later. (Numbers of starts are drawn, and tell nothing of their order; but a start
 * that is over says nothing new, so its last word only grows older. A piece's age leaves out the time on the way, so
 * the wrong one may stand here, until the next word of the living start.)
 *
 * Invariants: at most {@link MAX_PIECES} pieces; only of members, of peers that have a link, and, while this node knows no
 * member, of whoever it is told of; a peer is sent a piece once, and never one that it has sent itself.
 */
import { type Configuration, membersOf, type NodeId } from '@troupe/core'
import { MAX_PIECES, type NodeNews, type Piece, packNews, readNews } from './node-news.ts'
import { RoundTrips } from './round-trips.ts'
import { type Suspicion, type SuspicionTimes, suspicionOf } from './suspicion.ts'

/** A member as one node sees it. */
export interface MemberView {
  readonly id: NodeId
  /** `guest`: it has a link and is no member, as a node that waits to be added. */
  readonly standing: 'voter' | 'learner' | 'guest'
  /** How long ago it said what is in `news`, in ms; 0 for the node itself, null where nothing was ever heard. */
  readonly ageMs: number | null
  /** Null: it is not suspected. */
  readonly suspicion: Suspicion | null
  readonly news: NodeNews | null
}

/** Who the board belongs to. */
export interface BoardOwner {
  readonly id: NodeId
  readonly incarnation: number
  readonly boot: number
}

interface Kept {
  readonly piece: Piece
  /** When the node said so, by the clock of this one. */
  readonly saidMs: number
}

interface Membership {
  readonly incarnation: number
  readonly standing: 'voter' | 'learner'
}

interface Peer {
  /** What it has: it was sent there, or came from there. */
  readonly seen: Map<NodeId, Piece>
  readonly trips: RoundTrips
}

export class StatusBoard {
  /** Frames that made no sense. */
  ignored = 0
  readonly #owner: BoardOwner
  readonly #times: SuspicionTimes
  readonly #configuration: () => Configuration
  readonly #beganMs: number
  /** Of the others. */
  readonly #kept = new Map<NodeId, Kept>()
  readonly #peers = new Map<NodeId, Peer>()
  readonly #trips = new Map<NodeId, RoundTrips>()
  #count = 0
  #known: Configuration | undefined
  /** Of the configuration that is known. */
  #members: ReadonlyMap<NodeId, Membership> = new Map()

  /** @param configuration the members in effect, asked whenever it matters */
  constructor(owner: BoardOwner, times: SuspicionTimes, configuration: () => Configuration, nowMs: number) {
    this.#owner = owner
    this.#times = times
    this.#configuration = configuration
    this.#beganMs = nowMs
  }

  /** A link to that peer stands. Nothing is known of what it has. */
  peerUp(id: NodeId): void {
    const trips = this.#trips.get(id) ?? new RoundTrips()
    trips.begin()
    this.#peers.set(id, { seen: new Map(), trips })
    this.#trips.set(id, trips)
  }

  peerGone(id: NodeId): void {
    this.#peers.delete(id)
  }

  /** Round trips to each node that there ever was a link to. */
  get roundTrips(): ReadonlyMap<NodeId, RoundTrips> {
    return this.#trips
  }

  /** Hands a frame for each peer to `send`: the own news, and what that peer has not seen of the others. */
  spread(news: NodeNews, nowMs: number, send: (to: NodeId, body: readonly unknown[]) => void): void {
    const own: Piece = { ...this.#owner, count: ++this.#count, ageMs: 0, news }
    this.#prune()
    for (const [to, { seen, trips }] of this.#peers) {
      const pieces = [own]
      for (const [id, { piece, saidMs }] of this.#kept) {
        const known = seen.get(id)
        if (id === to || (known !== undefined && isSame(known, piece))) continue
        seen.set(id, piece)
        pieces.push({ ...piece, ageMs: nowMs - saidMs })
      }
      send(to, packNews({ ...trips.sending(nowMs), pieces }))
    }
  }

  /** Takes what a peer has spread. */
  take(from: NodeId, body: unknown, nowMs: number): void {
    const peer = this.#peers.get(from)
    const frame = readNews(body)
    if (frame === undefined) {
      this.ignored++
      return
    }
    peer?.trips.received(frame, nowMs)
    for (const piece of frame.pieces) {
      if (piece.id === this.#owner.id) continue
      this.#merge(piece, nowMs)
      // A peer may tell of as many as it makes up: what is passed over is not remembered either.
      if (this.#kept.has(piece.id)) peer?.seen.set(piece.id, piece)
    }
  }

  /** All members and whoever has a link, by name. `own`: what this node would say of itself now. */
  view(own: NodeNews, nowMs: number): MemberView[] {
    this.#prune()
    const others = [...this.#current().keys(), ...this.#peers.keys(), ...this.#kept.keys()]
    const ids = new Set([this.#owner.id, ...others])
    return [...ids].sort().map((id) => this.#viewOf(id, own, nowMs))
  }

  #viewOf(id: NodeId, own: NodeNews, nowMs: number): MemberView {
    const standing = this.#members.get(id)?.standing ?? 'guest'
    if (id === this.#owner.id) return { id, standing, ageMs: 0, suspicion: null, news: own }
    const kept = this.#kept.get(id)
    const ageMs = kept === undefined ? null : Math.max(0, nowMs - kept.saidMs)
    const seen = { ageMs, isLinked: this.#peers.has(id), watchedMs: nowMs - this.#beganMs }
    return { id, standing, ageMs, suspicion: suspicionOf(seen, this.#times), news: kept?.piece.news ?? null }
  }

  #merge(piece: Piece, nowMs: number): void {
    if (!this.#isHeard(piece.id)) return
    const kept = this.#kept.get(piece.id)
    const heard: Kept = { piece, saidMs: nowMs - piece.ageMs }
    if (kept !== undefined && !this.#isNewer(heard, kept)) return
    if (kept === undefined && !this.#makeRoomFor(piece.id)) return
    this.#kept.set(piece.id, heard)
  }

  /** Whether there is room; guests give up theirs for members. */
  #makeRoomFor(id: NodeId): boolean {
    if (this.#kept.size < MAX_PIECES) return true
    const members = this.#current()
    const guest = [...this.#kept.keys()].find((other) => !members.has(other))
    if (guest === undefined || !members.has(id)) return false
    this.#forget(guest)
    return true
  }

  #forget(id: NodeId): void {
    this.#kept.delete(id)
    for (const { seen } of this.#peers.values()) seen.delete(id)
  }

  #isNewer(heard: Kept, kept: Kept): boolean {
    const [a, b] = [heard.piece, kept.piece]
    if (a.incarnation === b.incarnation && a.boot === b.boot) return a.count > b.count
    const member = this.#current().get(a.id)?.incarnation
    const [isMemberA, isMemberB] = [a.incarnation === member, b.incarnation === member]
    return isMemberA === isMemberB ? heard.saidMs > kept.saidMs : isMemberA
  }

  /** Whose pieces are kept. */
  #isHeard(id: NodeId): boolean {
    const members = this.#current()
    return members.has(id) || this.#peers.has(id) || members.size === 0
  }

  #current(): ReadonlyMap<NodeId, Membership> {
    const configuration = this.#configuration()
    if (configuration !== this.#known) {
      this.#known = configuration
      this.#members = membershipsIn(configuration)
    }
    return this.#members
  }

  /** Who is a member no more, and has no link, is forgotten. */
  #prune(): void {
    for (const id of this.#kept.keys()) if (!this.#isHeard(id)) this.#forget(id)
    for (const id of this.#trips.keys()) if (!this.#isHeard(id)) this.#trips.delete(id)
  }
}

function membershipsIn(configuration: Configuration): Map<NodeId, Membership> {
  const { voters, outgoing } = configuration
  const isVoter = (id: NodeId): boolean => [...voters, ...outgoing].some((voter) => voter.id === id)
  const memberships = membersOf(configuration).map(({ id, incarnation }): [NodeId, Membership] => [
    id,
    { incarnation, standing: isVoter(id) ? 'voter' : 'learner' },
  ])
  return new Map(memberships)
}

const isSame = (a: Piece, b: Piece): boolean =>
  a.count === b.count && a.boot === b.boot && a.incarnation === b.incarnation
