/**
 * What goes into a queue comes out of it, in whatever order (Jepsen's `total-queue`), by comparing multisets: O(n).
 * Stricter than Jepsen's in one thing: a value of an enqueue that certainly failed is unexpected.
 */
import type { FifoInput } from './fifo-operations.ts'
import type { Operation } from './history.ts'
import { textKey } from './values.ts'
import type { Verdict } from './verdict.ts'

/** What is asked of a queue. `drain` empties it: its answer is a list of values. */
export type TotalQueueInput = FifoInput | { readonly key?: string; readonly op: 'drain' }

/** `dequeue`: the value, or null when the queue was empty; `drain`: the values. */
export type TotalQueueOutput = unknown

export type TotalQueueOperation = Operation<TotalQueueInput, TotalQueueOutput>

/** An element, as often as it counts, with an operation that had to do with it. */
export interface QueueElement {
  readonly key: string | undefined
  readonly value: unknown
  readonly count: number
  readonly operation: TotalQueueOperation
}

/** What a check came to. Lists are in the order of the history. */
export interface TotalQueueResult {
  /** `fail` when anything is lost or unexpected; `unknown` when something remains, or nothing was enqueued. */
  readonly verdict: Verdict
  readonly isDrained: boolean
  /** Enqueues that happened or may have. */
  readonly attemptCount: number
  readonly acknowledgedCount: number
  /** Dequeued, and attempted before. */
  readonly okCount: number
  /** Enqueued for certain, and never dequeued, in a queue that was drained. */
  readonly lost: readonly QueueElement[]
  /** Likewise where it was not drained. */
  readonly remaining: readonly QueueElement[]
  /** Dequeued, and never enqueued. */
  readonly unexpected: readonly QueueElement[]
  /** Dequeued more often than enqueued. */
  readonly duplicated: readonly QueueElement[]
  /** Enqueued by an open operation, and dequeued: it did happen. */
  readonly recovered: readonly QueueElement[]
}

interface Tally {
  readonly key: string | undefined
  readonly value: unknown
  attempted: number
  acknowledged: number
  dequeued: number
  enqueue: TotalQueueOperation | undefined
  dequeue: TotalQueueOperation | undefined
}

/** Checks a queue's history. @param isDrained what was not dequeued counts as lost; by default whether it ends with a drain */
export function checkTotalQueue(
  operations: readonly TotalQueueOperation[],
  isDrained = endsWithDrain(operations),
): TotalQueueResult {
  const tallies = new Tallies()
  for (const operation of operations) if (operation.outcome !== 'fail') tallies.take(operation)
  const all = tallies.all
  const sum = (of: (tally: Tally) => number): number => all.reduce((total, tally) => total + of(tally), 0)
  const missing = elements(all, ({ acknowledged, dequeued }) => acknowledged - dequeued)
  const unexpected = elements(all, ({ attempted, dequeued }) => (attempted === 0 ? dequeued : 0))
  const hasFailed = unexpected.length > 0 || (isDrained && missing.length > 0)
  const isShown = all.length > 0 && missing.length === 0
  return {
    verdict: hasFailed ? 'fail' : isShown ? 'pass' : 'unknown',
    isDrained,
    attemptCount: sum(({ attempted }) => attempted),
    acknowledgedCount: sum(({ acknowledged }) => acknowledged),
    okCount: sum(({ attempted, dequeued }) => Math.min(attempted, dequeued)),
    lost: isDrained ? missing : [],
    remaining: isDrained ? [] : missing,
    unexpected,
    duplicated: elements(all, ({ attempted, dequeued }) => (attempted === 0 ? 0 : dequeued - attempted)),
    recovered: elements(
      all,
      ({ attempted, acknowledged, dequeued }) => Math.min(attempted, dequeued) - acknowledged,
    ),
  }
}

/** Counts by value. */
class Tallies {
  readonly #byName = new Map<unknown, Tally>()

  get all(): readonly Tally[] {
    return Array.from(this.#byName.values())
  }

  take(operation: TotalQueueOperation): void {
    const { input, output, outcome } = operation
    if (input.op === 'enqueue') {
      const tally = this.#of(input.key, input.value)
      tally.attempted++
      if (outcome === 'ok') tally.acknowledged++
      tally.enqueue ??= operation
      return
    }
    if (outcome !== 'ok') return
    const values = input.op === 'drain' ? (output as readonly unknown[]) : output === null ? [] : [output]
    for (const value of values) {
      const tally = this.#of(input.key, value)
      tally.dequeued++
      tally.dequeue = operation
    }
  }

  #of(key: string | undefined, value: unknown): Tally {
    const isPlain = key === undefined && (typeof value === 'number' || typeof value === 'boolean')
    const name = isPlain ? value : `${key ?? ''}\n${textKey(value)}`
    const known = this.#byName.get(name)
    if (known) return known
    const tally: Tally = {
      key,
      value,
      attempted: 0,
      acknowledged: 0,
      dequeued: 0,
      enqueue: undefined,
      dequeue: undefined,
    }
    this.#byName.set(name, tally)
    return tally
  }
}

function elements(tallies: readonly Tally[], countOf: (tally: Tally) => number): QueueElement[] {
  return tallies.flatMap((tally) => {
    const count = countOf(tally)
    const operation = tally.dequeue ?? tally.enqueue
    if (count <= 0 || operation === undefined) return []
    return [{ key: tally.key, value: tally.value, count, operation }]
  })
}

/** Whether something drained it after the last enqueue had ended, or may have. */
function endsWithDrain(operations: readonly TotalQueueOperation[]): boolean {
  const enqueues = operations.filter(({ input, outcome }) => input.op === 'enqueue' && outcome !== 'fail')
  // An open enqueue has no end: its call is the last that is known of it.
  const last = enqueues.reduce(
    (at, { callAt, returnAt, outcome }) => Math.max(at, outcome === 'ok' ? returnAt : callAt),
    Number.NEGATIVE_INFINITY,
  )
  return operations.some(({ input, outcome, callAt }) => {
    return input.op === 'drain' && outcome === 'ok' && callAt > last
  })
}
