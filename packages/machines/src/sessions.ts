/**
 * Replicated client sessions (Raft §8, thesis §6.3): why a retried command is not applied twice.
 *
 * A session is opened by a command of its own, so its number is never given out again and a late duplicate from a
 * forgotten session is refused. Within a session sequence numbers are dense: a gap is refused, a duplicate is
 * answered with the first result, which is kept until the client has confirmed it.
 * All of it is part of the replicated state: every replica decides alike, and digests cover it.
 */
import type { CommandFrame } from './command-frame.ts'
import type { Codec } from './machine.ts'
import { type Outcome, type PackedOutcome, packOutcome, sliceOutcome, unpackOutcome } from './outcome.ts'

export interface SessionLimits {
  /** Sessions kept; the least recently used goes when one more is opened. @default 4096 */
  readonly maxSessions: number
  /** Commands of one session whose results the client has not confirmed. @default 1,048,576 */
  readonly maxUnconfirmedCommands: number
}

export const defaultSessionLimits: SessionLimits = { maxSessions: 4096, maxUnconfirmedCommands: 1 << 20 }

interface Session {
  readonly id: number
  /** Sequence number of the last command applied. */
  last: number
  /** Results of the commands after the last confirmed one, by rising sequence number. */
  outcomes: Outcome[]
}

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

  constructor(limits: SessionLimits = defaultSessionLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Opens a session and returns its number. May push out the least recently used one. */
  open(): number {
    const id = ++this.#lastId
    this.#sessions.set(id, { id, last: 0, outcomes: [] })
    if (this.#sessions.size > this.#limits.maxSessions) {
      const [oldest] = this.#sessions.keys()
      this.#sessions.delete(oldest as number)
    }
    return id
  }

  /** Decides about a frame, and lets go of what its client has confirmed. */
  admit(frame: CommandFrame): Admission {
    const session = this.#sessions.get(frame.session)
    if (session === undefined) return STALE
    this.#touch(session)
    confirm(session, frame.confirmed)
    const end = frame.first + frame.count - 1
    if (frame.first === session.last + 1) {
      return end - frame.confirmed > this.#limits.maxUnconfirmedCommands ? FULL : APPLY_ALL
    }
    if (frame.first > session.last) return { kind: 'gap', expected: session.last + 1 }
    const answered = answersFor(session, frame.first, Math.min(end, session.last))
    if (end <= session.last) return { kind: 'duplicate', answered }
    return { kind: 'apply', skip: session.last + 1 - frame.first, answered }
  }

  /** Records what the commands following the session's last one came to. */
  record(id: number, outcome: Outcome): void {
    const session = this.#sessions.get(id) as Session
    session.last = outcome.first + outcome.count - 1
    const previous = session.outcomes.at(-1)
    if (previous !== undefined && isPlain(previous) && isPlain(outcome)) {
      session.outcomes[session.outcomes.length - 1] = { ...previous, count: previous.count + outcome.count }
    } else {
      session.outcomes.push(outcome)
    }
  }

  #touch(session: Session): void {
    if (this.#sessions.size === 1) return
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  /** All sessions, least recently used first: a part of the replicated state. */
  save(codec: Codec): Uint8Array {
    const sessions = [...this.#sessions.values()].map(({ id, last, outcomes }) => [
      id,
      last,
      outcomes.map(packOutcome),
    ])
    return codec.encode([this.#lastId, sessions])
  }

  load(bytes: Uint8Array, codec: Codec): void {
    type Packed = [lastId: number, sessions: [id: number, last: number, outcomes: PackedOutcome[]][]]
    const [lastId, sessions] = codec.decode(bytes) as Packed
    this.#lastId = lastId
    this.#sessions.clear()
    for (const [id, last, outcomes] of sessions) {
      this.#sessions.set(id, { id, last, outcomes: outcomes.map(unpackOutcome) })
    }
  }
}

const isPlain = (outcome: Outcome): boolean => outcome.results === undefined && outcome.errors === undefined

/** Drops results that the client has; a result that spans the border is cut. */
function confirm(session: Session, confirmed: number): void {
  let count = 0
  for (const outcome of session.outcomes) {
    const end = outcome.first + outcome.count - 1
    if (end > confirmed) break
    count++
  }
  if (count > 0) session.outcomes.splice(0, count)
  const head = session.outcomes[0]
  if (head !== undefined && head.first <= confirmed) {
    const end = head.first + head.count - 1
    session.outcomes[0] = sliceOutcome(head, confirmed + 1, end - confirmed)
  }
}

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
