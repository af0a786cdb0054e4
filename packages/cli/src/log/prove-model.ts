/**
 * What a log must hold after a kill, and whether it does.
 *
 *     step:      1 ── 2 ── 3 ── 4 ── 5 ── 6        a request to the store each, in the order they were handed over
 *                     └ acknowledged     └ handed over last
 *
 * A step is one or none: entries, hard state, truncation and compaction of it together. So what is found is the log as it
 * was after one of the steps from the one acknowledged last to the one handed over last (2 to 6), and nothing in
 * between. Where it is that of an earlier step something acknowledged is *missing*; where it is none of them something is
 * *half-written*. Term and vote alone may be those of a later step: the witness is written beside the transaction, and
 * nobody was told of them; but they are never behind.
 */
import {
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  type LogPosition,
  recordChecksum,
} from '@troupe/core'
import { scanLog } from '@troupe/store'

/** What tells an entry from any other one: it chains, so this stands for all before it. */
export interface EntryMark {
  readonly term: number
  readonly checksum: number
}

/** What a step does, in this order. */
export interface StepEffect<Item> {
  readonly reset?: LogPosition | undefined
  readonly truncateFrom?: number | undefined
  readonly entries: readonly Item[]
  readonly hardState?: HardState | undefined
  readonly compactTo?: LogPosition | undefined
}

/** A step as the writer tells of it. */
export interface Step extends StepEffect<EntryMark> {
  readonly token: number
}

/** A log and its hard state after a number of steps. */
export class LogModel<Item> {
  base: LogPosition
  hardState: HardState
  /**
   * The one beside the entries. After a kill the one in effect may stand in the witness alone: with the next change, or
   * the next segment, it comes here too.
   */
  writtenHardState: HardState
  /** The first stands right behind the base. */
  readonly entries: Item[]

  constructor(
    base: LogPosition = { index: 0, term: 0 },
    hardState: HardState = INITIAL_HARD_STATE,
    entries: Item[] = [],
  ) {
    this.base = base
    this.hardState = hardState
    this.writtenHardState = hardState
    this.entries = entries
  }

  /** Another one, that holds the same. */
  copy(): LogModel<Item> {
    const copy = new LogModel(this.base, this.hardState, [...this.entries])
    copy.writtenHardState = this.writtenHardState
    return copy
  }

  get lastIndex(): number {
    return this.base.index + this.entries.length
  }

  at(index: number): Item | undefined {
    return this.entries[index - this.base.index - 1]
  }

  apply({ reset, truncateFrom, entries, hardState, compactTo }: StepEffect<Item>): void {
    if (reset !== undefined) {
      this.base = reset
      this.entries.length = 0
    }
    if (truncateFrom !== undefined) this.entries.length = truncateFrom - this.base.index - 1
    this.entries.push(...entries)
    if (hardState !== undefined) {
      this.hardState = hardState
      this.writtenHardState = hardState
    }
    if (compactTo === undefined || compactTo.index <= this.base.index) return
    this.entries.splice(0, compactTo.index - this.base.index)
    this.base = compactTo
  }
}

/** A log as somebody has found it. */
export interface SeenLog {
  readonly base: LogPosition
  readonly hardState: HardState
  /** The one beside the newest entries; undefined where only the one in effect is known. */
  readonly writtenHardState: HardState | undefined
  /** From right behind the base on; undefined where one is damaged. */
  readonly entries: readonly (EntryMark | undefined)[]
  readonly damaged: readonly IndexRange[]
  readonly problems: readonly string[]
}

/** Looks at the log of one group without LMDB. @throws RaftError STORAGE_DAMAGED, STORAGE_FAILED */
export function lookAtLog(path: string): SeenLog {
  const marks = new Map<number, EntryMark>()
  const { segments, base, lastIndex, hardState, damaged, problems, dead } = scanLog(
    path,
    undefined,
    (index, record) => marks.set(index, markOf(record)),
  )
  const known = hardState ?? INITIAL_HARD_STATE
  return {
    base,
    hardState: known,
    writtenHardState: segments.at(-1)?.scanned?.hardState,
    entries: Array.from({ length: lastIndex - base.index }, (_, at) => marks.get(base.index + 1 + at)),
    damaged,
    // What counts no more may be half gone: it was being unlinked.
    problems: problems.flatMap(({ path: place, reason }) =>
      dead.includes(place) ? [] : `${place}: ${reason}`,
    ),
  }
}

export function markOf(record: Uint8Array): EntryMark {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  return { term: view.getFloat64(16, true), checksum: recordChecksum(record) }
}

export type Comparison =
  | {
      readonly kind: 'sound'
      /** How many of the steps that were not acknowledged are there. */
      readonly steps: number
      /** Term and vote are those of a step that is not there otherwise. */
      readonly isHardStateAhead: boolean
    }
  | { readonly kind: 'missing' | 'half-written' | 'damaged'; readonly reason: string }

/**
 * Compares what was found with what must be there.
 * @param acknowledged as it was after the last step acknowledged; where all is well it is brought to what was found
 * @param pending handed over behind that
 */
export function compareLogs(
  seen: SeenLog,
  acknowledged: LogModel<EntryMark>,
  pending: readonly Step[],
): Comparison {
  const [range] = seen.damaged
  if (range !== undefined) return damaged(`entries ${range.from} to ${range.to} are damaged`)
  if (seen.problems.length > 0) return damaged(seen.problems.join('; '))
  const candidates = candidatesOf(seen, acknowledged, pending)
  const exact = candidates.find(({ model }) => holdsState(seen, model))
  const match = exact ?? candidates[0]
  if (match === undefined) return whyNone(seen, acknowledged, pending)
  const reason = exact === undefined ? whatIsBehind(seen, match, pending) : undefined
  if (reason !== undefined) {
    const { hardState } = acknowledged
    const isLost = seen.hardState.term <= hardState.term && !isSameState(seen.hardState, hardState)
    return { kind: isLost ? 'missing' : 'half-written', reason }
  }
  const { base, entries, writtenHardState } = match.model
  acknowledged.base = base
  acknowledged.hardState = seen.hardState
  acknowledged.writtenHardState = seen.writtenHardState ?? writtenHardState
  acknowledged.entries.splice(0, acknowledged.entries.length, ...entries)
  return { kind: 'sound', steps: match.steps, isHardStateAhead: exact === undefined }
}

/** The log after so many of the steps that were not acknowledged. */
interface Candidate {
  readonly steps: number
  readonly model: LogModel<EntryMark>
}

/** Those that have what was found, but for the hard state. */
function candidatesOf(
  seen: SeenLog,
  acknowledged: LogModel<EntryMark>,
  pending: readonly Step[],
): Candidate[] {
  const candidates: Candidate[] = []
  const model = acknowledged.copy()
  for (let steps = 0; steps <= pending.length; steps++) {
    if (steps > 0) model.apply(pending[steps - 1] as Step)
    if (!holdsEntries(seen, model)) continue
    candidates.push({ steps, model: model.copy() })
  }
  return candidates
}

function whyNone(seen: SeenLog, acknowledged: LogModel<EntryMark>, pending: readonly Step[]): Comparison {
  const missing = whatIsMissing(seen, acknowledged, pending)
  if (missing !== undefined) return { kind: 'missing', reason: missing }
  const extent = `entries ${seen.base.index + 1} to ${seen.base.index + seen.entries.length}`
  // Without a step in flight there is nothing that could be half done.
  if (pending.length === 0)
    return { kind: 'missing', reason: `${extent} are not the log as it was acknowledged` }
  const reason = `${extent} are not the log after any of the ${pending.length + 1} steps that it could be`
  return { kind: 'half-written', reason }
}

const damaged = (reason: string): Comparison => ({ kind: 'damaged', reason })

function holdsEntries({ base, entries }: SeenLog, model: LogModel<EntryMark>): boolean {
  return (
    base.index === model.base.index &&
    base.term === model.base.term &&
    entries.length === model.entries.length &&
    entries.every((mark, at) => isSameMark(mark, model.entries[at]))
  )
}

const isSameMark = (a: EntryMark | undefined, b: EntryMark | undefined): boolean =>
  a !== undefined && a.checksum === b?.checksum && a.term === b.term

const isSameState = (a: HardState, b: HardState): boolean =>
  a.term === b.term && a.vote === b.vote && a.voteIncarnation === b.voteIncarnation

const holdsState = ({ hardState, writtenHardState }: SeenLog, model: LogModel<EntryMark>): boolean =>
  isSameState(hardState, model.hardState) &&
  (writtenHardState === undefined ||
    isSameState(writtenHardState, model.writtenHardState) ||
    isSameState(writtenHardState, model.hardState))

/** Term and vote must be those of the step that is there, or of one behind it. */
function whatIsBehind(
  { hardState, writtenHardState }: SeenLog,
  { model, steps }: Candidate,
  pending: readonly Step[],
): string | undefined {
  const states = [model.hardState, ...pending.slice(steps).flatMap((step) => step.hardState ?? [])]
  const isOneOf = (found: HardState, of: readonly HardState[]): boolean =>
    of.some((state) => isSameState(state, found))
  if (!isOneOf(hardState, states)) return doesNotGo(hardState)
  if (writtenHardState === undefined || isOneOf(writtenHardState, [model.writtenHardState, ...states]))
    return undefined
  return doesNotGo(writtenHardState)
}

const doesNotGo = ({ term, vote }: HardState): string =>
  `term ${term} and vote "${vote}" do not go with the entries`

/** Something acknowledged that no later step takes away, and that is not there. */
function whatIsMissing(
  seen: SeenLog,
  acknowledged: LogModel<EntryMark>,
  pending: readonly Step[],
): string | undefined {
  const { hardState } = acknowledged
  if (seen.hardState.term < hardState.term)
    return `term ${hardState.term} was acknowledged, ${seen.hardState.term} is there`
  let from = acknowledged.base.index + 1
  let to = acknowledged.lastIndex
  for (const { reset, truncateFrom, compactTo } of pending) {
    if (reset !== undefined) return undefined
    to = Math.min(to, (truncateFrom ?? Number.POSITIVE_INFINITY) - 1)
    from = Math.max(from, (compactTo?.index ?? 0) + 1)
  }
  for (let index = from; index <= to; index++) {
    if (!isSameMark(seen.entries[index - seen.base.index - 1], acknowledged.at(index))) {
      return `entry ${index} was acknowledged, and is ${seen.entries[index - seen.base.index - 1] ? 'another one' : 'not there'}`
    }
  }
  return undefined
}
