/**
 * Replicated client sessions (Raft §8, thesis §6.3): why a retried command is not applied twice.
 *
 * A session is opened by a command of its own, so its number is never given out again and a late duplicate from a
 * forgotten session is refused. Within a session sequence numbers are dense: a gap is refused, a duplicate is
 * answered with the first result, which is kept until the client has confirmed it. A session that is not used expires, by
 * log time.
 * All of it is part of the replicated state: every replica decides alike, and digests cover it.
 *
 * Invariant: by use, sessions stand in the order of their `usedMs`: log time never goes back.
 */
import type { CommandFrame } from './command-frame.ts'
import type { Codec } from './machine.ts'
import { type Outcome, type PackedOutcome, packOutcome, sliceOutcome, unpackOutcome } from './outcome.ts'

export interface SessionLimits {
  /** Sessions kept; the least recently used goes when one more is opened. @default 4096 */
  readonly maxSessions: number
  /**
   * Commands of one session whose results the client has not confirmed; a single larger frame is still taken, once all before
   * it is confirmed. @default 1,048,576
   */
  readonly maxUnconfirmedCommands: number
  /**
   * Log time in ms after which a session that was not used is forgotten; 0: never. Like the other limits it must be the
   * same on every replica. @default 3,600,000 (an hour)
   */
  readonly sessionTtlMs: number
}

export const defaultSessionLimits: SessionLimits = {
  maxSessions: 4096,
  maxUnconfirmedCommands: 1 << 20,
  sessionTtlMs: 3_600_000,
}

export interface Session {
  readonly id: number
  /** Sequence number of the last command applied. */
  last: number
  /** Log time of its last frame. */
  usedMs: number
  /** The number of its last use: sessions stand in the order of these. Each replica has its own. */
  use: number
  /** Results of the commands after the last confirmed one, by rising sequence number. */
  outcomes: Outcome[]
  /** Whether a view may hold the array `outcomes` as well. */
  isShared: boolean
  /** Where sessions are kept on the disk: which outcomes are there. */
  readonly kept: KeptOutcomes
}

/** Outcomes of a session that are on the disk (kept-replica.ts). */
interface KeptOutcomes {
  /** So many from the first on are there as they are, but for the first one where it `isHeadCut`. */
  count: number
  isHeadCut: boolean
  /** First commands of those that are there and should not be. */
  dropped: number[]
}

const newSession = (id: number, usedMs: number, use: number, last = 0): Session => ({
  id,
  last,
  usedMs,
  use,
  outcomes: [],
  isShared: false,
  kept: { count: 0, isHeadCut: false, dropped: [] },
})

/** In a saved state: a session, or an outcome of the session before it. */
type SavedItem = readonly [id: number, last: number, usedMs: number] | PackedOutcome

/** Items in one piece of a saved state, and commands whose results they hold. */
const MAX_PIECE_ITEMS = 512
const MAX_PIECE_COMMANDS = 8192

/** What is to be done with a frame. */
export type Admission =
  | { readonly kind: 'apply'; readonly skip: number; readonly answered: readonly Outcome[] }
  | { readonly kind: 'duplicate'; readonly answered: readonly Outcome[] }
  | { readonly kind: 'gap'; readonly expected: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'full' }

const NONE: readonly Outcome[] = []
const APPLY_ALL: Admission = { kind: 'apply', skip: 0, answered: NONE }
const STALE: Admission = { kind: 'stale' }
const FULL: Admission = { kind: 'full' }

export class Sessions {
  readonly #limits: SessionLimits
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>()
  #lastId = 0
  #lastUse = 0
  /** The session that restored outcomes belong to. */
  #restored = 0
  readonly #isKept: boolean
  /** Since {@link kept}, where they are kept on the disk. */
  readonly #changed = new Set<Session>()
  readonly #gone: Session[] = []

  /** @param isKept whether somebody keeps them on the disk, and wants to know what has changed */
  constructor(limits: SessionLimits = defaultSessionLimits, isKept = false) {
    this.#limits = limits
    this.#isKept = isKept
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Number of the last session opened. */
  get lastId(): number {
    return this.#lastId
  }

  /** Opens a session and returns its number. May push out the least recently used one. */
  open(timeMs: number): number {
    const id = ++this.#lastId
    const session = newSession(id, timeMs, ++this.#lastUse)
    this.#sessions.set(id, session)
    if (this.#isKept) this.#changed.add(session)
    if (this.#sessions.size > this.#limits.maxSessions) {
      const [oldest] = this.#sessions.values()
      this.#forget(oldest as Session)
    }
    return id
  }

  /** Forgets the sessions that were not used for too long. Looks at those and one more. */
  expire(timeMs: number): void {
    const { sessionTtlMs } = this.#limits
    if (sessionTtlMs === 0) return
    for (const session of this.#sessions.values()) {
      if (timeMs - session.usedMs <= sessionTtlMs) return
      this.#forget(session)
    }
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.id)
    if (!this.#isKept) return
    this.#changed.delete(session)
    this.#gone.push(session)
  }

  /** Decides about a frame, and lets go of what its client has confirmed. */
  admit(frame: CommandFrame, timeMs: number): Admission {
    const session = this.#sessions.get(frame.session)
    if (session === undefined) return STALE
    this.#touch(session, timeMs)
    this.#confirm(session, frame.confirmed)
    const end = frame.first + frame.count - 1
    if (frame.first > session.last + 1) return { kind: 'gap', expected: session.last + 1 }
    if (end <= session.last) return { kind: 'duplicate', answered: answersFor(session, frame.first, end) }
    // A frame that stands alone is taken, however large: no confirmation would make room for it, and it would come for ever.
    const standsAlone = frame.confirmed === frame.first - 1
    if (!standsAlone && end - frame.confirmed > this.#limits.maxUnconfirmedCommands) return FULL
    if (frame.first === session.last + 1) return APPLY_ALL
    const answered = answersFor(session, frame.first, session.last)
    return { kind: 'apply', skip: session.last + 1 - frame.first, answered }
  }

  /** Records what the commands following the session's last one came to. */
  record(id: number, outcome: Outcome): void {
    const session = this.#sessions.get(id) as Session
    session.last = outcome.first + outcome.count - 1
    this.#unshare(session)
    const previous = session.outcomes.at(-1)
    if (previous !== undefined && isPlain(previous) && isPlain(outcome)) {
      const at = session.outcomes.length - 1
      session.outcomes[at] = { ...previous, count: previous.count + outcome.count }
      if (session.kept.count > at) replaceLastKept(session.kept, previous.first)
    } else {
      session.outcomes.push(outcome)
    }
  }

  #touch(session: Session, timeMs: number): void {
    session.usedMs = timeMs
    session.use = ++this.#lastUse
    if (this.#isKept) this.#changed.add(session)
    if (this.#sessions.size === 1) return
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  /** Drops results that the client has; a result that spans the border is cut. */
  #confirm(session: Session, confirmed: number): void {
    const head = session.outcomes[0]
    if (head === undefined || head.first > confirmed) return
    this.#unshare(session)
    const { outcomes } = session
    const left = outcomes.findIndex(({ first, count }) => first + count - 1 > confirmed)
    const dropped = left < 0 ? outcomes.length : left
    if (session.kept.count > 0) dropKept(session, dropped)
    outcomes.splice(0, dropped)
    const cut = outcomes[0]
    if (cut === undefined || cut.first > confirmed) return
    if (session.kept.count > 0) cutKept(session.kept, cut.first)
    outcomes[0] = sliceOutcome(cut, confirmed + 1, cut.first + cut.count - 1 - confirmed)
  }

  /** Before its outcomes change: a view keeps them as they were. */
  #unshare(session: Session): void {
    if (!session.isShared) return
    session.outcomes = session.outcomes.slice()
    session.isShared = false
  }

  /**
   * All sessions as they are now, least recently used first, in pieces: later changes do not show in them. Taking the
   * view costs as much as there are sessions, not results.
   */
  view(codec: Codec): Iterator<Uint8Array> {
    const sessions = [...this.#sessions.values()].map((session) => {
      session.isShared = true
      const { id, last, usedMs, outcomes } = session
      return { id, last, usedMs, outcomes }
    })
    return pieces(sessions, codec)
  }

  /** Adds a piece of a view, in the order they were given. The bytes may be the caller's again afterwards. */
  restore(piece: Uint8Array, codec: Codec): void {
    // Of a copy: bytes among the results are views of it.
    for (const item of codec.decode(new Uint8Array(piece)) as SavedItem[]) {
      if (item.length === 3) {
        const [id, last, usedMs] = item
        const session = newSession(id, usedMs, ++this.#lastUse, last)
        this.#sessions.set(id, session)
        if (this.#isKept) this.#changed.add(session)
        this.#restored = id
      } else {
        this.#sessions.get(this.#restored)?.outcomes.push(unpackOutcome(item))
      }
    }
  }

  /** What a view does not tell. */
  restoreLastId(lastId: number): void {
    this.#lastId = lastId
  }

  // ---- where they are kept on the disk

  /** Number of the last use of any session. */
  get lastUse(): number {
    return this.#lastUse
  }

  /** Sessions that have changed since {@link kept}. */
  get changed(): Iterable<Session> {
    return this.#changed
  }

  /** Sessions that have been forgotten since. */
  get gone(): readonly Session[] {
    return this.#gone
  }

  /** Everything that has changed is on the disk. */
  kept(): void {
    for (const { kept, outcomes } of this.#changed) {
      kept.count = outcomes.length
      kept.isHeadCut = false
      if (kept.dropped.length > 0) kept.dropped.length = 0
    }
    this.#changed.clear()
    this.#gone.length = 0
  }

  /** Puts back a session that was kept, behind all others. */
  restoreKept({ id, last, usedMs, use }: Pick<Session, 'id' | 'last' | 'usedMs' | 'use'>): void {
    this.#sessions.set(id, newSession(id, usedMs, use, last))
  }

  /** Puts back an outcome of it, behind its others. */
  restoreKeptOutcome(id: number, outcome: Outcome): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    session.outcomes.push(outcome)
    session.kept.count = session.outcomes.length
  }

  restoreLastUse(lastUse: number): void {
    this.#lastUse = lastUse
  }
}

/** So many outcomes go that may be on the disk. */
function dropKept({ outcomes, kept }: Session, dropped: number): void {
  const count = Math.min(dropped, kept.count)
  // Where the first one is cut, what is there under its old number is among the dropped already.
  for (let at = kept.isHeadCut ? 1 : 0; at < count; at++) kept.dropped.push((outcomes[at] as Outcome).first)
  kept.count -= count
  if (count > 0) kept.isHeadCut = false
}

/** The last outcome, on the disk as `first` unless it is the first one and cut, takes more in. */
function replaceLastKept(kept: KeptOutcomes, first: number): void {
  kept.count--
  if (kept.count > 0 || !kept.isHeadCut) kept.dropped.push(first)
  else kept.isHeadCut = false
}

/** The first outcome, on the disk as `first`, gets another beginning. */
function cutKept(kept: KeptOutcomes, first: number): void {
  if (!kept.isHeadCut) kept.dropped.push(first)
  kept.isHeadCut = true
}

function* pieces(
  sessions: readonly Pick<Session, 'id' | 'last' | 'usedMs' | 'outcomes'>[],
  codec: Codec,
): Generator<Uint8Array, undefined, undefined> {
  let items: SavedItem[] = []
  let commands = 0
  for (const { id, last, usedMs, outcomes } of sessions) {
    items.push([id, last, usedMs])
    for (const outcome of outcomes) {
      items.push(packOutcome(outcome))
      if (Array.isArray(outcome.results)) commands += outcome.count
      if (items.length < MAX_PIECE_ITEMS && commands < MAX_PIECE_COMMANDS) continue
      yield codec.encode(items)
      items = []
      commands = 0
    }
    if (items.length < MAX_PIECE_ITEMS) continue
    yield codec.encode(items)
    items = []
  }
  if (items.length > 0) yield codec.encode(items)
  return undefined
}

const isPlain = (outcome: Outcome): boolean => outcome.results === undefined && outcome.errors === undefined

/** What is kept of the commands `first` to `end`. */
function answersFor(session: Session, first: number, end: number): Outcome[] {
  const answers: Outcome[] = []
  for (const outcome of session.outcomes) {
    const from = Math.max(first, outcome.first)
    const to = Math.min(end, outcome.first + outcome.count - 1)
    if (from <= to) answers.push(sliceOutcome(outcome, from, to - from + 1))
  }
  return answers
}
