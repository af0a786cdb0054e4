/**
 * Whether elements that were added to a set stay in it (Jepsen's `set-full`): of each element, when it was known (added for
 * certain, or seen), and what the reads after that saw.
 *
 *     stable      the last reads have it; stale where a read that began after it was known did not
 *     lost        it was known, and the last reads do not have it
 *     never-read  neither: no read says anything
 *
 * Stricter than Jepsen's in two things: elements that nobody added are unexpected, and an element is stale by the order of
 * events, not by whole milliseconds.
 */
import type { Operation } from './history.ts'
import { textKey } from './values.ts'
import type { Verdict } from './verdict.ts'

/** What is asked of a set. */
export type SetInput = { readonly key?: string } & (
  | { readonly op: 'add'; readonly value: unknown }
  | { readonly op: 'read' }
)

/** `read`: the elements. */
export type SetOutput = readonly unknown[] | undefined

export type SetOperation = Operation<SetInput, SetOutput>

/** What became of one element. */
export interface SetElement {
  readonly key: string | undefined
  readonly value: unknown
  readonly outcome: 'stable' | 'lost' | 'never-read'
  /** Of a stable one: whether a read missed it after it was known. */
  readonly isStale: boolean
  /** From when it was known to the last read that missed it, in ms; 0 where none did, undefined without a clock. */
  readonly stableLatencyMs: number | undefined
  /** Of a lost one: from when it was known to the last read that had it; 0 where none did. */
  readonly lostLatencyMs: number | undefined
  readonly add: SetOperation
  /** The read that missed it last. */
  readonly lastAbsent: SetOperation | undefined
}

/** What a check came to. Elements are in the order of their adds. */
export interface SetFullResult {
  /** `fail` when anything is lost, unexpected or duplicated; `unknown` when nothing is stable. */
  readonly verdict: Verdict
  readonly elements: readonly SetElement[]
  readonly stable: readonly SetElement[]
  readonly lost: readonly SetElement[]
  readonly neverRead: readonly SetElement[]
  readonly stale: readonly SetElement[]
  /** Elements that a single read had more than once, with how often. */
  readonly duplicated: readonly {
    readonly value: unknown
    readonly count: number
    readonly read: SetOperation
  }[]
  /** Read, but never added, or only after the read was over. */
  readonly unexpected: readonly { readonly value: unknown; readonly read: SetOperation }[]
}

/** Of one element while the history is read; operations by their places, -1 for none. */
interface Element {
  readonly value: unknown
  readonly add: SetOperation
  knownAt: number
  knownMs: number | undefined
  lastPresent: SetOperation | undefined
  lastAbsent: SetOperation | undefined
}

/** Checks a history of sets, each by itself. @param isLinearizable whether stale elements are an error */
export function checkSetFull(operations: readonly SetOperation[], isLinearizable = false): SetFullResult {
  const byKey = Map.groupBy(
    operations.filter(({ outcome }) => outcome !== 'fail'),
    ({ input }) => input.key,
  )
  const sets = Array.from(byKey, ([key, group]) => new SetReader(key, group))
  const elements = sets.flatMap((set) => set.elements())
  const having = (outcome: SetElement['outcome']): SetElement[] =>
    elements.filter((element) => element.outcome === outcome)
  const stable = having('stable')
  const stale = stable.filter(({ isStale }) => isStale)
  const duplicated = sets.flatMap((set) => Array.from(set.duplicated.values()))
  const unexpected = sets.flatMap((set) => Array.from(set.unexpected.values()))
  const lost = having('lost')
  const hasFailed =
    lost.length + unexpected.length + duplicated.length > 0 || (isLinearizable && stale.length > 0)
  return {
    verdict: hasFailed ? 'fail' : stable.length === 0 ? 'unknown' : 'pass',
    elements,
    stable,
    lost,
    neverRead: having('never-read'),
    stale,
    duplicated,
    unexpected,
  }
}

/** Reads the history of one set. */
class SetReader {
  readonly duplicated = new Map<unknown, { value: unknown; count: number; read: SetOperation }>()
  readonly unexpected = new Map<unknown, { value: unknown; read: SetOperation }>()
  readonly #key: string | undefined
  readonly #elements: Element[] = []
  readonly #places = new Map<unknown, number>()
  /** How often the read that is looked at has the element with this place. */
  readonly #counts: Int32Array

  constructor(key: string | undefined, operations: readonly SetOperation[]) {
    this.#key = key
    const adds = operations
      .filter(({ input }) => input.op === 'add')
      .sort((left, right) => left.callAt - right.callAt)
    for (const add of adds) this.#take(add)
    this.#counts = new Int32Array(this.#elements.length)
    const reads = operations
      .filter(({ input, outcome }) => input.op === 'read' && outcome === 'ok')
      .sort((left, right) => left.returnAt - right.returnAt)
    for (const read of reads) this.#look(read)
  }

  #take(add: SetOperation): void {
    const value = add.input.op === 'add' ? add.input.value : undefined
    const name = nameOf(value)
    const { returnAt, returnMs, outcome } = add
    const knownAt = outcome === 'ok' ? returnAt : Number.POSITIVE_INFINITY
    const known = this.#elements[this.#places.get(name) ?? -1]
    if (known) {
      // Added again: known as soon as one of them is.
      if (knownAt < known.knownAt) Object.assign(known, { knownAt, knownMs: returnMs })
      return
    }
    this.#places.set(name, this.#elements.length)
    const knownMs = outcome === 'ok' ? returnMs : undefined
    this.#elements.push({ value, add, knownAt, knownMs, lastPresent: undefined, lastAbsent: undefined })
  }

  #look(read: SetOperation): void {
    const counts = this.#counts.fill(0)
    for (const value of read.output ?? []) {
      const name = nameOf(value)
      const place = this.#places.get(name)
      const element = this.#elements[place ?? -1]
      if (place === undefined || element === undefined || element.add.callAt > read.returnAt) {
        if (!this.unexpected.has(name)) this.unexpected.set(name, { value, read })
        continue
      }
      const count = (counts[place] as number) + 1
      counts[place] = count
      if (count > (this.duplicated.get(name)?.count ?? 1)) this.duplicated.set(name, { value, count, read })
    }
    for (const [place, element] of this.#elements.entries()) {
      if (element.add.callAt > read.returnAt) break
      if ((counts[place] as number) > 0) seen(element, read)
      else if (read.callAt > (element.lastAbsent?.callAt ?? Number.NEGATIVE_INFINITY))
        element.lastAbsent = read
    }
  }

  elements(): SetElement[] {
    return this.#elements.map((element) => fateOf(this.#key, element))
  }
}

function seen(element: Element, read: SetOperation): void {
  if (read.returnAt < element.knownAt) {
    element.knownAt = read.returnAt
    element.knownMs = read.returnMs
  }
  if (read.callAt > (element.lastPresent?.callAt ?? Number.NEGATIVE_INFINITY)) element.lastPresent = read
}

function fateOf(key: string | undefined, element: Element): SetElement {
  const { value, add, knownAt, knownMs, lastPresent, lastAbsent } = element
  const presentAt = lastPresent?.callAt ?? Number.NEGATIVE_INFINITY
  const absentAt = lastAbsent?.callAt ?? Number.NEGATIVE_INFINITY
  const isStable = lastPresent !== undefined && absentAt < presentAt
  const isLost = Number.isFinite(knownAt) && presentAt < absentAt && knownAt < absentAt
  const since = (ms: number | undefined): number | undefined =>
    ms === undefined || knownMs === undefined ? undefined : Math.max(0, ms - knownMs)
  const hasClock = knownMs !== undefined
  return {
    key,
    value,
    outcome: isStable ? 'stable' : isLost ? 'lost' : 'never-read',
    isStale: isStable && absentAt > knownAt,
    stableLatencyMs: isStable && hasClock ? (lastAbsent ? since(lastAbsent.callMs) : 0) : undefined,
    lostLatencyMs: isLost && hasClock ? (lastPresent ? since(lastPresent.callMs) : 0) : undefined,
    add,
    lastAbsent,
  }
}

const nameOf = (value: unknown): unknown =>
  typeof value === 'number' ? value : typeof value === 'string' ? value : `\u0000${textKey(value)}`

/** The latencies at these shares of all, as Jepsen's frequency distribution: 0 is the least, 1 the most. */
export function distributionOf(
  latencies: readonly number[],
  shares: readonly number[] = [0, 0.5, 0.95, 0.99, 1],
): Readonly<Record<string, number>> | undefined {
  if (latencies.length === 0) return undefined
  const sorted = latencies.toSorted((left, right) => left - right)
  const at = (share: number): number => {
    const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share))
    return sorted[index] as number
  }
  return Object.fromEntries(shares.map((share) => [String(share), at(share)]))
}
