/**
 * A replica's own state beside that of a machine on the disk: what ReplicatedMachine and Sessions know, as rows that are
 * written in the transaction of the commands that changed them.
 *
 *     0                        format, applied index, its term, log time, last session, number of the last use
 *     1, session               last sequence number, log time and number of its last use
 *     2, session, first        an outcome that the client has not confirmed
 *
 * A frame costs the rows of its session that it changed: the session's own, the outcome it added, those it confirmed.
 */
import type { KeptState, MachineStorage } from '@troupe/core'
import { damagedState } from './chunk-frames.ts'
import type { Codec } from './machine.ts'
import { type PackedOutcome, packOutcome, unpackOutcome } from './outcome.ts'
import type { Session, Sessions } from './sessions.ts'

const FORMAT = 1

const RowKind = { header: 0, session: 1, outcome: 2 } as const

const HEADER_KEY = Uint8Array.of(RowKind.header)
const FIRST_SESSION = Uint8Array.of(RowKind.session)
const FIRST_OUTCOME = Uint8Array.of(RowKind.outcome)
const BEHIND_OUTCOMES = Uint8Array.of(RowKind.outcome + 1)

type Header = readonly [
  format: number,
  index: number,
  term: number,
  timeMs: number,
  lastSession: number,
  lastUse: number,
]
type SessionRow = readonly [last: number, usedMs: number, use: number]

/** Reads and writes those rows. */
export class KeptReplica {
  readonly #rows: MachineStorage
  readonly #codec: Codec
  readonly #key = new Uint8Array(17)
  readonly #keyView = new DataView(this.#key.buffer)

  constructor(rows: MachineStorage, codec: Codec) {
    this.#rows = rows
    this.#codec = codec
  }

  /** Fills `sessions`, which must be empty; what the state stands for, undefined where there is none. */
  read(sessions: Sessions): KeptState | undefined {
    const header = this.#rows.get(HEADER_KEY)
    if (header === undefined) return undefined
    const [format, index, term, timeMs, lastSession, lastUse] = this.#codec.decode(
      new Uint8Array(header),
    ) as Header
    if (format !== FORMAT) throw damagedState(`format ${format}, this version reads ${FORMAT}`)
    for (const session of this.#sessionsByUse()) sessions.restoreKept(session)
    for (const [key, value] of this.#rows.entries({ from: FIRST_OUTCOME, to: BEHIND_OUTCOMES })) {
      const outcome = unpackOutcome(this.#codec.decode(value) as PackedOutcome)
      sessions.restoreKeptOutcome(numberAt(key, 1), outcome)
    }
    sessions.restoreLastId(lastSession)
    sessions.restoreLastUse(lastUse)
    return { index, term, timeMs }
  }

  #sessionsByUse(): { id: number; last: number; usedMs: number; use: number }[] {
    const found = []
    for (const [key, value] of this.#rows.entries({ from: FIRST_SESSION, to: FIRST_OUTCOME })) {
      const [last, usedMs, use] = this.#codec.decode(value) as SessionRow
      found.push({ id: numberAt(key, 1), last, usedMs, use })
    }
    return found.sort((left, right) => left.use - right.use)
  }

  /** Writes what has changed since it was written last. Within a batch. */
  write(state: KeptState, sessions: Sessions): void {
    const { index, term, timeMs } = state
    const header: Header = [FORMAT, index, term, timeMs, sessions.lastId, sessions.lastUse]
    this.#rows.put(HEADER_KEY, this.#codec.encode(header))
    for (const session of sessions.gone) this.#remove(session)
    for (const session of sessions.changed) this.#write(session)
    sessions.kept()
  }

  #write({ id, last, usedMs, use, outcomes, kept }: Session): void {
    const row: SessionRow = [last, usedMs, use]
    this.#rows.put(this.#keyOf(RowKind.session, id), this.#codec.encode(row))
    for (const first of kept.dropped) this.#rows.remove(this.#keyOf(RowKind.outcome, id, first))
    const [head] = outcomes
    if (kept.isHeadCut && kept.count > 0 && head !== undefined) this.#writeOutcome(id, head)
    for (let at = kept.count; at < outcomes.length; at++)
      this.#writeOutcome(id, outcomes[at] as Session['outcomes'][number])
  }

  #writeOutcome(id: number, outcome: Session['outcomes'][number]): void {
    const key = this.#keyOf(RowKind.outcome, id, outcome.first)
    this.#rows.put(key, this.#codec.encode(packOutcome(outcome)))
  }

  #remove({ id, outcomes, kept }: Session): void {
    this.#rows.remove(this.#keyOf(RowKind.session, id))
    for (const first of kept.dropped) this.#rows.remove(this.#keyOf(RowKind.outcome, id, first))
    for (let at = 0; at < kept.count; at++)
      this.#rows.remove(this.#keyOf(RowKind.outcome, id, outcomes[at]?.first))
  }

  /** Valid until the next call. */
  #keyOf(kind: number, session: number, first?: number): Uint8Array {
    this.#key[0] = kind
    // As a float: not negative, so their bytes are in the order of the numbers.
    this.#keyView.setFloat64(1, session)
    if (first === undefined) return this.#key.subarray(0, 9)
    this.#keyView.setFloat64(9, first)
    return this.#key
  }
}

const numberAt = (key: Uint8Array, offset: number): number =>
  new DataView(key.buffer, key.byteOffset, key.byteLength).getFloat64(offset)
