/**
 * What a node tells of itself, and how that stands in a frame beside the protocol.
 *
 *     [number, echoed, heldMs, pieces]                                                  a frame, to one peer
 *     [id, incarnation, boot, count, ageMs, role, term, leader, commit, applied, lastIndex, disk, mailbox]   a piece
 *
 * What stands behind these fields is passed over: a later release may add some.
 */
import type { NodeId, Role } from '@troupe/core'

/** How a node's disk does: `full`: it is refused space; `repairing`: entries of its log are damaged; `lost`: no voter has them. */
export type DiskHealth = 'ok' | 'full' | 'repairing' | 'lost'

/** A node as it saw itself a moment ago. */
export interface NodeNews {
  readonly role: Role
  readonly term: number
  /** The leader that it knows. */
  readonly leader: NodeId | null
  readonly commit: number
  readonly applied: number
  readonly lastIndex: number
  readonly disk: DiskHealth
  /** The most that one turn has found in its mailbox since it last told. */
  readonly mailboxDepth: number
}

/** News with their origin: newer ones of one start of a node have a higher count. */
export interface Piece {
  readonly id: NodeId
  readonly incarnation: number
  readonly boot: number
  readonly count: number
  /** How long ago the node said so, as far as whoever passes it on can tell: the time on the way is not in it. */
  readonly ageMs: number
  readonly news: NodeNews
}

/** What one frame says. */
export interface NewsFrame {
  /** Of this frame, for its sender's clock: numbers to one peer rise. */
  readonly number: number
  /** The number of the last frame that came from the receiver, 0 where none did, and how long ago that was. */
  readonly echoed: number
  readonly heldMs: number
  readonly pieces: readonly Piece[]
}

/** By their number on the wire: never reuse one. */
const ROLES: readonly Role[] = ['follower', 'preCandidate', 'candidate', 'leader']
const DISKS: readonly DiskHealth[] = ['ok', 'full', 'repairing', 'lost']

/** Pieces that are read of one frame; clusters are smaller. */
export const MAX_PIECES = 64
const MAX_NAME_LENGTH = 256
const PIECE_FIELDS = 13

export function packNews({ number, echoed, heldMs, pieces }: NewsFrame): readonly unknown[] {
  return [number, echoed, heldMs, pieces.map(packPiece)]
}

function packPiece({ id, incarnation, boot, count, ageMs, news }: Piece): readonly unknown[] {
  const { role, term, leader, commit, applied, lastIndex, disk, mailboxDepth } = news
  const origin = [id, incarnation, boot, count, ageMs]
  const place = [ROLES.indexOf(role), term, leader ?? '', commit, applied, lastIndex]
  return [...origin, ...place, DISKS.indexOf(disk), mailboxDepth]
}

/** Undefined for what is no such frame. Pieces that make no sense are left out. Never throws. */
export function readNews(body: unknown): NewsFrame | undefined {
  if (!Array.isArray(body)) return undefined
  const [number, echoed, heldMs, packed] = body as unknown[]
  if (!isCount(number) || !isCount(echoed) || !isSpan(heldMs) || !Array.isArray(packed)) return undefined
  const pieces = packed.slice(0, MAX_PIECES).flatMap((piece) => readPiece(piece) ?? [])
  return { number, echoed, heldMs, pieces }
}

function readPiece(packed: unknown): Piece | undefined {
  if (!Array.isArray(packed) || packed.length < PIECE_FIELDS) return undefined
  const [id, incarnation, boot, count, ageMs, role, term, leader, ...rest] = packed as unknown[]
  if (!isName(id) || id === '' || !isCount(incarnation) || !isCount(boot) || !isCount(count)) return undefined
  if (!isSpan(ageMs) || !isName(leader)) return undefined
  const [commit, applied, lastIndex, disk, mailboxDepth] = rest
  if (!isCount(term) || !isCount(commit) || !isCount(applied) || !isCount(lastIndex)) return undefined
  const [knownRole, knownDisk] = [ROLES[role as number], DISKS[disk as number]]
  if (knownRole === undefined || knownDisk === undefined || !isCount(mailboxDepth)) return undefined
  const place = { role: knownRole, term, leader: leader === '' ? null : leader, commit, applied, lastIndex }
  return { id, incarnation, boot, count, ageMs, news: { ...place, disk: knownDisk, mailboxDepth } }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isSpan = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_NAME_LENGTH
