/**
 * The total-queue check (as in Jepsen's `total-queue`): what was put in comes out, and nothing else does.
 * Values are unique, so it is a comparison of sets, not a search: O(n log n).
 */
import type { Operation } from './history.ts'
import { combineVerdicts, type Verdict } from './verdict.ts'

/** A value in a queue. Each is enqueued at most once in a history: a retry of the same enqueue is one operation. */
export type QueueValue = string | number

/** What is asked of a queue. `ack` confirms a delivery: after it the value is not delivered again. */
export type QueueInput<Value extends QueueValue> =
  | { readonly op: 'enqueue'; readonly value: Value }
  | { readonly op: 'dequeue' }
  | { readonly op: 'ack'; readonly value: Value }

/** `dequeue`: the values that were delivered, none when the queue was empty. Of the others it says nothing. */
export type QueueOutput<Value extends QueueValue> = readonly Value[] | undefined

/** What the run says of itself. */
export interface QueueCheckOptions {
  /**
   * Whether the consumers emptied the queue at the end, on a healthy cluster. If not, what was never delivered may
   * still be in the queue, and counts as `remaining` instead of `lost`.
   */
  readonly isDrained: boolean
}

/** What a check came to. Values stand in the order of their enqueue, `unexpected` ones in that of their delivery. */
export interface QueueCheckResult<Value extends QueueValue> {
  /** `fail` when anything is lost, unexpected or redelivered after its ack; `unknown` when anything remains. */
  readonly verdict: Verdict
  /** Enqueues that happened or may have. */
  readonly attemptedCount: number
  readonly acknowledgedCount: number
  /** Different values that were delivered. */
  readonly deliveredCount: number
  /** Deliveries of a value beyond its first: allowed until it is acknowledged. */
  readonly duplicateCount: number
  /** Enqueued for certain and never delivered. */
  readonly lost: readonly Value[]
  /** Likewise, but the queue was not drained. */
  readonly remaining: readonly Value[]
  /** Delivered, but never enqueued, or not before the delivery was over. */
  readonly unexpected: readonly Value[]
  /** Delivered to a dequeue that was called after an ack of the value had returned. */
  readonly redeliveredAfterAck: readonly Value[]
  /** Enqueued by an open operation, and delivered: it did happen. */
  readonly recovered: readonly Value[]
}

interface Fate {
  readonly enqueue: Operation<unknown, unknown>
  deliveryCount: number
  /** When an ack of it had first returned. */
  ackedAt: number
  isRedeliveredAfterAck: boolean
}

/**
 * Checks a queue's history. An open dequeue excuses no loss: the queue is one that delivers again what was not
 * acknowledged.
 *
 * @throws Error when a value is enqueued twice
 */
export function checkQueue<Value extends QueueValue>(
  operations: Iterable<Operation<QueueInput<Value>, QueueOutput<Value>>>,
  { isDrained }: QueueCheckOptions,
): QueueCheckResult<Value> {
  const all = Array.from(operations).filter(({ outcome }) => outcome !== 'fail')
  const fates = enqueuedIn(all)
  const unexpected = new Set<Value>()
  for (const { input, returnAt, outcome } of all) {
    if (input.op !== 'ack' || outcome !== 'ok') continue
    const fate = fates.get(input.value)
    if (fate) fate.ackedAt = Math.min(fate.ackedAt, returnAt)
  }
  const dequeues = all.filter(({ input, outcome }) => input.op === 'dequeue' && outcome === 'ok')
  for (const { output, callAt, returnAt } of dequeues.sort((left, right) => left.returnAt - right.returnAt)) {
    for (const value of output ?? []) {
      const fate = fates.get(value)
      if (fate === undefined || fate.enqueue.callAt > returnAt) unexpected.add(value)
      if (fate === undefined) continue
      fate.deliveryCount++
      if (fate.ackedAt < callAt) fate.isRedeliveredAfterAck = true
    }
  }
  return summary(fates, Array.from(unexpected), isDrained)
}

function enqueuedIn<Value extends QueueValue>(
  operations: readonly Operation<QueueInput<Value>, QueueOutput<Value>>[],
): Map<Value, Fate> {
  const fates = new Map<Value, Fate>()
  for (const enqueue of operations) {
    if (enqueue.input.op !== 'enqueue') continue
    const { value } = enqueue.input
    if (fates.has(value)) throw new Error(`${value} is enqueued twice: values of this check are unique`)
    const ackedAt = Number.POSITIVE_INFINITY
    fates.set(value, { enqueue, deliveryCount: 0, ackedAt, isRedeliveredAfterAck: false })
  }
  return fates
}

function summary<Value extends QueueValue>(
  fates: ReadonlyMap<Value, Fate>,
  unexpected: readonly Value[],
  isDrained: boolean,
): QueueCheckResult<Value> {
  const having = (predicate: (fate: Fate) => boolean): Value[] =>
    Array.from(fates)
      .filter(([, fate]) => predicate(fate))
      .map(([value]) => value)
  const isAcknowledged = ({ enqueue }: Fate): boolean => enqueue.outcome === 'ok'
  const missing = having((fate) => isAcknowledged(fate) && fate.deliveryCount === 0)
  const redeliveredAfterAck = having((fate) => fate.isRedeliveredAfterAck)
  const lost = isDrained ? missing : []
  const hasFailed = lost.length + unexpected.length + redeliveredAfterAck.length > 0
  return {
    verdict: combineVerdicts([
      hasFailed ? 'fail' : 'pass',
      isDrained || missing.length === 0 ? 'pass' : 'unknown',
    ]),
    attemptedCount: fates.size,
    acknowledgedCount: having(isAcknowledged).length,
    deliveredCount: having(({ deliveryCount }) => deliveryCount > 0).length,
    duplicateCount: fates
      .values()
      .reduce((sum, { deliveryCount }) => sum + Math.max(0, deliveryCount - 1), 0),
    lost,
    remaining: isDrained ? [] : missing,
    unexpected,
    redeliveredAfterAck,
    recovered: having((fate) => !isAcknowledged(fate) && fate.deliveryCount > 0),
  }
}
