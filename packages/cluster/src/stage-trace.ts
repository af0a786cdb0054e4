/**
 * Where a command's time goes, written down by each actor for itself while it is asked to: rings of numbers, which the
 * benchmark collects at the end and joins. Nothing is added to what is sent: a frame is named by its session and its first
 * command, an entry by its index, and all threads read one clock.
 *
 *     client  sending(session, first) ................................................. answered(session, first)
 *     leader            taken(session, first) ─ proposed(…, index) ─ turn ─ flush(token) ─ turn
 *     follower                                                         turn ─ flush(token)
 *
 * While nobody asks there is no tracer: a comparison a frame, a flush and three a turn.
 */
import { hrtimeMs } from '@troupe/actor'
import type { TurnTracer } from '@troupe/core'
import type { ClientTracer, GatewayTracer } from '@troupe/machines'

/** Rows of the same columns, the oldest first: `values[row * width + column]`. */
export interface TraceRows {
  readonly width: number
  readonly values: Float64Array
}

/** Columns of {@link NodeTrace.turns}. */
export const TurnColumn = {
  beganMs: 0,
  /** What is to be stored is with the store, what is to be sent is sent. */
  handedMs: 1,
  appliedMs: 2,
  /** Replies have left. */
  endedMs: 3,
  term: 4,
  /** Where the log ended when it was handed over. */
  lastIndex: 5,
  /** Of the request that the store was handed; 0 where it was handed none. */
  token: 6,
  commit: 7,
  applied: 8,
} as const

/** Columns of {@link NodeTrace.flushes}. */
export const FlushColumn = { token: 0, atMs: 1 } as const
/** Columns of {@link NodeTrace.taken}. */
export const TakenColumn = { session: 0, first: 1, atMs: 2 } as const
/** Columns of {@link NodeTrace.proposed}. */
export const ProposedColumn = { session: 0, first: 1, index: 2 } as const
/** Columns of {@link ClientTrace.sent}: when the first command was proposed, and when its message left. */
export const SentColumn = { session: 0, first: 1, commandCount: 2, queuedMs: 3, sentMs: 4 } as const
/** Columns of {@link ClientTrace.answered}. */
export const AnsweredColumn = { session: 0, first: 1, atMs: 2 } as const

const widthOf = (columns: Readonly<Record<string, number>>): number => Object.keys(columns).length

/** What a node wrote down. Times are those of the process-wide monotonic clock. */
export interface NodeTrace {
  readonly turns: TraceRows
  readonly flushes: TraceRows
  readonly taken: TraceRows
  readonly proposed: TraceRows
}

/** What a client wrote down. */
export interface ClientTrace {
  readonly sent: TraceRows
  readonly answered: TraceRows
}

/** Rows that are kept of each kind, unless said otherwise: the latest. */
const defaultTraceRows = 1 << 15

/** Keeps the latest rows. */
class RowRing {
  readonly #width: number
  readonly #capacity: number
  readonly #values: Float64Array
  #count = 0

  constructor(columns: Readonly<Record<string, number>>, capacity: number) {
    this.#width = widthOf(columns)
    this.#capacity = capacity
    this.#values = new Float64Array(capacity * this.#width)
  }

  /** Writes where the next row goes; `next` makes it one. */
  set(column: number, value: number): void {
    this.#values[(this.#count % this.#capacity) * this.#width + column] = value
  }

  next(): void {
    this.#count++
  }

  rows(): TraceRows {
    const size = this.#capacity * this.#width
    if (this.#count <= this.#capacity) {
      return { width: this.#width, values: this.#values.slice(0, this.#count * this.#width) }
    }
    const start = (this.#count % this.#capacity) * this.#width
    const values = new Float64Array(size)
    values.set(this.#values.subarray(start))
    values.set(this.#values.subarray(0, start), size - start)
    return { width: this.#width, values }
  }
}

/** Of one node: its driver, its gateway and its store tell it. */
export class NodeTracer implements TurnTracer, GatewayTracer {
  readonly #turns: RowRing
  readonly #flushes: RowRing
  readonly #taken: RowRing
  readonly #proposed: RowRing

  constructor(capacity = defaultTraceRows) {
    this.#turns = new RowRing(TurnColumn, capacity)
    this.#flushes = new RowRing(FlushColumn, capacity)
    this.#taken = new RowRing(TakenColumn, capacity)
    this.#proposed = new RowRing(ProposedColumn, capacity)
  }

  handed(beganMs: number, term: number, lastIndex: number, token: number): void {
    const turns = this.#turns
    turns.set(TurnColumn.beganMs, beganMs)
    turns.set(TurnColumn.handedMs, hrtimeMs())
    turns.set(TurnColumn.term, term)
    turns.set(TurnColumn.lastIndex, lastIndex)
    turns.set(TurnColumn.token, token)
  }

  applied(commit: number, applied: number): void {
    this.#turns.set(TurnColumn.appliedMs, hrtimeMs())
    this.#turns.set(TurnColumn.commit, commit)
    this.#turns.set(TurnColumn.applied, applied)
  }

  ended(): void {
    this.#turns.set(TurnColumn.endedMs, hrtimeMs())
    this.#turns.next()
  }

  /** The store has told that everything up to `token` is flushed. */
  flushed(token: number): void {
    this.#flushes.set(FlushColumn.token, token)
    this.#flushes.set(FlushColumn.atMs, hrtimeMs())
    this.#flushes.next()
  }

  taken(session: number, first: number): void {
    this.#taken.set(TakenColumn.session, session)
    this.#taken.set(TakenColumn.first, first)
    this.#taken.set(TakenColumn.atMs, hrtimeMs())
    this.#taken.next()
  }

  proposed(session: number, first: number, index: number): void {
    this.#proposed.set(ProposedColumn.session, session)
    this.#proposed.set(ProposedColumn.first, first)
    this.#proposed.set(ProposedColumn.index, index)
    this.#proposed.next()
  }

  trace(): NodeTrace {
    return {
      turns: this.#turns.rows(),
      flushes: this.#flushes.rows(),
      taken: this.#taken.rows(),
      proposed: this.#proposed.rows(),
    }
  }
}

/** Of one client. */
export class ClientStageTracer implements ClientTracer {
  readonly #timeoutMs: number
  readonly #sent: RowRing
  readonly #answered: RowRing

  /** @param timeoutMs of the calls: a call that has another one of its own gets a wrong time at which it was queued */
  constructor(timeoutMs: number, capacity = defaultTraceRows) {
    this.#timeoutMs = timeoutMs
    this.#sent = new RowRing(SentColumn, capacity)
    this.#answered = new RowRing(AnsweredColumn, capacity)
  }

  sending(session: number, first: number, commandCount: number, deadlineMs: number): void {
    this.#sent.set(SentColumn.session, session)
    this.#sent.set(SentColumn.first, first)
    this.#sent.set(SentColumn.commandCount, commandCount)
    this.#sent.set(SentColumn.queuedMs, deadlineMs - this.#timeoutMs)
    this.#sent.set(SentColumn.sentMs, hrtimeMs())
    this.#sent.next()
  }

  answered(session: number, first: number): void {
    this.#answered.set(AnsweredColumn.session, session)
    this.#answered.set(AnsweredColumn.first, first)
    this.#answered.set(AnsweredColumn.atMs, hrtimeMs())
    this.#answered.next()
  }

  trace(): ClientTrace {
    return { sent: this.#sent.rows(), answered: this.#answered.rows() }
  }
}
