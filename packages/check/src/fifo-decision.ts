/**
 * FIFO queues with unique values, decided in O(n log n) instead of by a search.
 *
 * A history of a queue in which every value is enqueued once is linearizable exactly if there is none of four flaws
 * (Henzinger, Sezgin, Vafeiadis 2013, "Aspect-oriented linearizability proofs"; Bouajjani, Emmi, Enea, Hamza 2015):
 *
 *     fresh    a value is dequeued that was not enqueued before
 *     repeat   a value is dequeued twice
 *     order    a was enqueued before b, and b dequeued before a, or a never
 *     empty    a dequeue finds nothing, while at each moment of its time some value is in the queue for certain
 *
 * Theirs are histories without open operations. An open enqueue whose value nobody saw need not have happened. An open
 * dequeue may have taken any value: those that are missing are matched with open dequeues by their deadlines, as jobs
 * with slots. Together with empty answers the matching has choices; where the first one tried does not fit, the search decides.
 */
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import type { Operation } from './history.ts'
import type { Decision } from './model.ts'
import { showValue } from './values.ts'

type FifoOperation = Operation<FifoInput, FifoOutput>

/** A value that was enqueued, and what became of it. */
export interface Fate {
  readonly value: unknown
  readonly enqueue: FifoOperation
  dequeue: FifoOperation | undefined
}

type Fail = Extract<Decision<FifoInput, FifoOutput>, { verdict: 'fail' }>

const PASS = { verdict: 'pass' } as const
const fail = (reason: string, ...witnesses: FifoOperation[]): Fail => ({ verdict: 'fail', reason, witnesses })

/** Decides; undefined where values are not unique, or where only a search can tell. */
export function decideFifo(
  operations: readonly FifoOperation[],
): Decision<FifoInput, FifoOutput> | undefined {
  const fates = enqueued(operations)
  if (fates === undefined) return undefined
  const flaw = takeDequeues(operations, fates)
  if (flaw) return flaw
  const present = presentOf(fates)
  const order = new DequeueOrder(present)
  for (const fate of present) {
    const overtaker = fate.dequeue && order.overtakerOf(fate)
    if (overtaker) return overtaken(fate, overtaker)
  }
  return decideMissing(operations, present, order)
}

/** Values that were in the queue, with their dequeues; undefined where they are not unique, or a dequeue has none. */
export function fatesOf(operations: readonly FifoOperation[]): readonly Fate[] | undefined {
  const fates = enqueued(operations)
  return fates === undefined || takeDequeues(operations, fates) ? undefined : presentOf(fates)
}

/** All but those of open enqueues that nobody saw, which need not have happened. */
const presentOf = (fates: ReadonlyMap<unknown, Fate>): Fate[] =>
  Array.from(fates.values()).filter(
    ({ enqueue, dequeue }) => dequeue !== undefined || enqueue.outcome === 'ok',
  )

/** When open dequeues were called, ascending: each may have taken a value that is missing. */
export function openCallsOf(operations: readonly FifoOperation[]): Float64Array {
  const open = operations.filter(({ input, outcome }) => input.op === 'dequeue' && outcome === 'open')
  return Float64Array.from(open, ({ callAt }) => callAt).sort()
}

/** By value; undefined where one is enqueued twice, or is not a simple one. */
function enqueued(operations: readonly FifoOperation[]): Map<unknown, Fate> | undefined {
  const fates = new Map<unknown, Fate>()
  for (const enqueue of operations) {
    const { input } = enqueue
    if (input.op !== 'enqueue') continue
    const { value } = input
    if (typeof value === 'object' || fates.has(value)) return undefined
    fates.set(value, { value, enqueue, dequeue: undefined })
  }
  return fates
}

/** `fresh` and `repeat`. */
function takeDequeues(
  operations: readonly FifoOperation[],
  fates: ReadonlyMap<unknown, Fate>,
): Fail | undefined {
  for (const dequeue of operations) {
    const { input, output, outcome } = dequeue
    if (input.op !== 'dequeue' || outcome !== 'ok' || output === null) continue
    const fate = fates.get(output)
    const value = showValue(output)
    if (fate === undefined) return fail(`${value} is dequeued, but nobody enqueued it`, dequeue)
    if (fate.dequeue) return fail(`${value} is dequeued twice`, fate.dequeue, dequeue)
    if (dequeue.returnAt < fate.enqueue.callAt) {
      return fail(`${value} is dequeued before it is enqueued`, dequeue, fate.enqueue)
    }
    fate.dequeue = dequeue
  }
  return undefined
}

function overtaken({ value, enqueue, dequeue }: Fate, overtaker: Fate): Fail {
  const [first, second] = [showValue(value), showValue(overtaker.value)]
  const reason = `${first} is enqueued before ${second}, but ${second} is dequeued before ${first}`
  const dequeues = [overtaker.dequeue, dequeue].filter((each) => each !== undefined)
  return fail(reason, enqueue, overtaker.enqueue, ...dequeues)
}

const dequeueReturnOf = ({ dequeue }: Fate): number => dequeue?.returnAt ?? Number.POSITIVE_INFINITY
const dequeueCallOf = ({ dequeue }: Fate): number => dequeue?.callAt ?? Number.POSITIVE_INFINITY

/** Of all values that are enqueued after a moment: which is dequeued first. */
export class DequeueOrder {
  /** Calls of enqueues, ascending. */
  readonly #calls: Float64Array
  /** Of those from this one on, the value whose dequeue returned first. */
  readonly #first: readonly Fate[]

  constructor(fates: readonly Fate[]) {
    const sorted = fates.toSorted((left, right) => left.enqueue.callAt - right.enqueue.callAt)
    this.#calls = Float64Array.from(sorted, ({ enqueue }) => enqueue.callAt)
    const first = sorted
    for (let index = first.length - 2; index >= 0; index--) {
      const [here, behind] = [first[index] as Fate, first[index + 1] as Fate]
      if (dequeueReturnOf(behind) < dequeueReturnOf(here)) first[index] = behind
    }
    this.#first = first
  }

  /** Undefined where nothing is enqueued after it. */
  firstAfter({ enqueue }: Fate): Fate | undefined {
    let low = 0
    let high = this.#calls.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#calls[middle] as number) > enqueue.returnAt) high = middle
      else low = middle + 1
    }
    return this.#first[low]
  }

  /** A value that is enqueued after this one and dequeued before it, for certain. */
  overtakerOf(fate: Fate): Fate | undefined {
    const first = this.firstAfter(fate)
    return first && dequeueReturnOf(first) < dequeueCallOf(fate) ? first : undefined
  }

  /** By when it must be gone, because of what was dequeued after it; Infinity where it may stay. */
  deadlineOf(fate: Fate): number {
    const first = this.firstAfter(fate)
    return first === undefined ? Number.POSITIVE_INFINITY : dequeueReturnOf(first)
  }
}

/** A value that nobody is known to have dequeued. */
interface Missing {
  readonly fate: Fate
  readonly deadline: number
}

/** What is missing, against the open dequeues that may have taken it, and against empty answers. */
function decideMissing(
  operations: readonly FifoOperation[],
  fates: readonly Fate[],
  order: DequeueOrder,
): Decision<FifoInput, FifoOutput> | undefined {
  const calls = openCallsOf(operations)
  const missing = fates
    .filter(({ dequeue }) => dequeue === undefined)
    .map((fate) => ({ fate, deadline: order.deadlineOf(fate) }))
  const late = firstLate(missing, calls)
  if (late) return overtaken(late.fate, order.firstAfter(late.fate) as Fate)
  const empties = operations.filter(({ input, output, outcome }) => {
    return input.op === 'dequeue' && outcome === 'ok' && output === null
  })
  if (empties.length === 0) return PASS
  const moments = new EmptyMoments(fates, missing, calls)
  const found: number[] = []
  for (const empty of empties) {
    const moment = moments.firstIn(empty)
    if (moment === undefined) return notEmpty(empty, fates)
    found.push(moment)
  }
  found.sort((left, right) => left - right)
  const both = missing.map(({ fate, deadline }) => {
    const next = found[countThrough(found, fate.enqueue.returnAt)] ?? Number.POSITIVE_INFINITY
    return { fate, deadline: Math.min(deadline, next) }
  })
  return firstLate(both, calls) ? undefined : PASS
}

/** The first, by deadlines, for which no open dequeue is left (Hall's condition for slots that open one after another). */
function firstLate(missing: readonly Missing[], calls: Float64Array): Missing | undefined {
  const due = missing.filter(({ deadline }) => Number.isFinite(deadline))
  due.sort((left, right) => left.deadline - right.deadline)
  return due.find(({ deadline }, index) => countThrough(calls, deadline) <= index)
}

/** How many of the ascending numbers are not above `limit`. */
function countThrough(ascending: ArrayLike<number>, limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) <= limit) low = middle + 1
    else high = middle
  }
  return low
}

function notEmpty(empty: FifoOperation, fates: readonly Fate[]): Fail {
  const covering = fates.filter(
    (fate) => fate.enqueue.returnAt < empty.returnAt && dequeueCallOf(fate) > empty.callAt,
  )
  // Of many, the one that is there longest says most.
  covering.sort((left, right) => dequeueCallOf(right) - dequeueCallOf(left))
  const witnesses = covering
    .slice(0, 4)
    .flatMap(({ enqueue, dequeue }) => (dequeue ? [enqueue, dequeue] : [enqueue]))
  const values = covering.slice(0, 4).map(({ value }) => showValue(value))
  return fail(`the queue is said to be empty, but has ${values.join(', ')}`, empty, ...witnesses)
}

/** When the queue may have been empty. */
class EmptyMoments {
  /** Times in which some value was in it for certain, ascending, apart from each other. */
  readonly #full: readonly (readonly [from: number, to: number])[]
  readonly #fullFrom: Float64Array
  /** Where something may change for the better: ends of these times, and calls of open dequeues. */
  readonly #changes: Float64Array
  readonly #deadlines: Float64Array
  /** When enqueues of missing values returned, ascending. */
  readonly #enqueued: Float64Array
  readonly #missing: readonly Missing[]
  readonly #calls: Float64Array

  constructor(fates: readonly Fate[], missing: readonly Missing[], calls: Float64Array) {
    this.#full = united(fates.filter(({ dequeue }) => dequeue !== undefined))
    this.#fullFrom = Float64Array.from(this.#full, ([from]) => from)
    this.#changes = Float64Array.from([...this.#full.map(([, to]) => to), ...calls]).sort()
    this.#missing = missing
    this.#deadlines = Float64Array.from(missing, ({ deadline }) => deadline).sort()
    this.#enqueued = Float64Array.from(missing, ({ fate }) => fate.enqueue.returnAt).sort()
    this.#calls = calls
  }

  /** The first within the operation's time; undefined where there is none. */
  firstIn({ callAt, returnAt }: FifoOperation): number | undefined {
    if (this.#isPossible(callAt)) return callAt
    for (let index = countThrough(this.#changes, callAt); index < this.#changes.length; index++) {
      const moment = this.#changes[index] as number
      if (moment > returnAt) return undefined
      if (this.#isPossible(moment)) return moment
    }
    return undefined
  }

  #isPossible(moment: number): boolean {
    return !this.#isFull(moment) && this.#goneBy(moment) <= countThrough(this.#calls, moment)
  }

  #isFull(moment: number): boolean {
    const time = this.#full[countThrough(this.#fullFrom, moment) - 1]
    return time !== undefined && time[0] < moment && moment < time[1]
  }

  /** How many missing values must be gone. */
  #goneBy(moment: number): number {
    if (this.#enqueued.length === 0 || (this.#enqueued[0] as number) >= moment) {
      return countThrough(this.#deadlines, moment)
    }
    const isGone = ({ fate, deadline }: Missing): boolean =>
      deadline <= moment || fate.enqueue.returnAt < moment
    return this.#missing.filter(isGone).length
  }
}

/** The times between the return of the enqueue and the call of the dequeue, joined where they overlap. */
function united(fates: readonly Fate[]): (readonly [number, number])[] {
  const times = fates
    .map((fate) => [fate.enqueue.returnAt, dequeueCallOf(fate)] as const)
    .filter(([from, to]) => from < to)
    .sort((left, right) => left[0] - right[0])
  const joined: [number, number][] = []
  for (const [from, to] of times) {
    const last = joined.at(-1)
    // Where one ends as the next begins, the queue may have been empty at that moment.
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}
