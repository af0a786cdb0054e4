/**
 * In which order the values of a FIFO queue went through it: any that agrees with who enqueued and who dequeued before
 * whom. It makes the search for an order of the operations short, where the decision has said that there is one.
 */
import { DequeueOrder, type Fate, fatesOf, openCallsOf } from './fifo-decision.ts'
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import type { Operation } from './history.ts'

interface Value {
  readonly value: unknown
  /** When its enqueue can have taken place: also not after its dequeue. */
  readonly enqueueAt: number
  readonly enqueuedAt: number
  /** When its dequeue can have: also not before its enqueue. Infinity while it stays. */
  readonly dequeueAt: number
  readonly dequeuedAt: number
  isPlaced: boolean
}

export interface FifoOrder {
  /** Of each value that went into the queue, from 0. */
  readonly places: ReadonlyMap<unknown, number>
  /** Those that somebody is known to have dequeued. */
  readonly seen: ReadonlySet<unknown>
}

/** Unique values in order; undefined where there is none. */
export function fifoOrder(operations: readonly Operation<FifoInput, FifoOutput>[]): FifoOrder | undefined {
  const fates = fatesOf(operations)
  const order = fates && sorted(valuesOf(fates, openCallsOf(operations)))
  if (fates === undefined || order === undefined) return undefined
  const seen = fates.filter(({ dequeue }) => dequeue !== undefined)
  return {
    places: new Map(order.map(({ value }, place) => [value, place])),
    seen: new Set(seen.map(({ value }) => value)),
  }
}

/** What is missing and must be gone went by an open dequeue: who must go first, by the one that was called first. */
function valuesOf(fates: readonly Fate[], openCalls: Float64Array): Value[] {
  const overtaking = new DequeueOrder(fates)
  const due = fates
    .filter(({ dequeue }) => dequeue === undefined)
    .map((fate) => ({ fate, deadline: overtaking.deadlineOf(fate) }))
    .filter(({ deadline }) => Number.isFinite(deadline))
    .sort((left, right) => left.deadline - right.deadline)
  const takenAt = new Map(due.map(({ fate }, index) => [fate, openCalls[index]]))
  return fates.map((fate) => {
    const { value, enqueue, dequeue } = fate
    const dequeuedAt = dequeue?.returnAt ?? Number.POSITIVE_INFINITY
    return {
      value,
      enqueueAt: enqueue.callAt,
      enqueuedAt: Math.min(enqueue.returnAt, dequeuedAt),
      dequeueAt: Math.max(dequeue?.callAt ?? takenAt.get(fate) ?? Number.POSITIVE_INFINITY, enqueue.callAt),
      dequeuedAt,
      isPlaced: false,
    }
  })
}

/**
 * Takes again and again a value that no other one that is left has to be before: enqueued before it, or dequeued. What is
 * left is looked at in four orders at once.
 */
function sorted(values: readonly Value[]): readonly Value[] | undefined {
  const by = (of: (value: Value) => number): Value[] => values.toSorted((left, right) => of(left) - of(right))
  const calls = by(({ enqueueAt }) => enqueueAt)
  const returns = by(({ enqueuedAt }) => enqueuedAt)
  const dequeued = by(({ dequeuedAt }) => dequeuedAt)
  /** Called, by the calls of their dequeues: the last is the earliest. As many as are pending at once, or little more. */
  const ready: Value[] = []
  const order: Value[] = []
  let [called, returned, gone] = [0, 0, 0]
  while (order.length < values.length) {
    while (returns[returned]?.isPlaced) returned++
    while (dequeued[gone]?.isPlaced) gone++
    const enqueuedBy = returns[returned]?.enqueuedAt ?? Number.POSITIVE_INFINITY
    for (let next = calls[called]; next && next.enqueueAt <= enqueuedBy; next = calls[++called]) {
      insert(ready, next)
    }
    const best = ready.pop()
    if (best === undefined || best.dequeueAt > (dequeued[gone]?.dequeuedAt ?? Number.POSITIVE_INFINITY)) {
      return undefined
    }
    best.isPlaced = true
    order.push(best)
  }
  return order
}

function insert(ready: Value[], value: Value): void {
  let at = ready.length
  while (at > 0 && (ready[at - 1] as Value).dequeueAt < value.dequeueAt) at--
  ready.splice(at, 0, value)
}
