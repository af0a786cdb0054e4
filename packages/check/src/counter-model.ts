/**
 * A counter: increments, decrements and reads. Which of several pending additions took place is a matter of sums: the
 * search may have many to try. Bounds for each read need no search, and find most of what goes wrong (Jepsen's
 * `counter`, here with decrements too).
 */
import type { Operation } from './history.ts'
import { type Decision, type Model, partitionBy } from './model.ts'

/** What is asked of a counter. Counters with different keys are different counters. */
export type CounterInput = { readonly key?: string } & (
  | { readonly op: 'add'; readonly amount: number }
  | { readonly op: 'read' }
)

/** `read`: the number; `add`: the number after it, where the counter tells. */
export type CounterOutput = number | undefined

type CounterOperation = Operation<CounterInput, CounterOutput>

/** The model of a counter that begins at 0. */
export const counterModel: Model<number, CounterInput, CounterOutput> = {
  name: 'counter',
  initial: 0,
  step: (state, input, output, isOpen) => {
    const next = input.op === 'add' ? state + input.amount : state
    return isOpen || output === undefined || output === next ? next : undefined
  },
  isRead: ({ op }) => op === 'read',
  partition: (operations) => partitionBy(operations, ({ key = 'counter' }) => key),
  normalize: shareAmounts,
  effect: (input, output) => (input.op === 'add' && output === undefined ? input.amount : undefined),
  decide: outOfBounds,
  equal: (left, right) => left === right,
  hash: (state) => state | 0,
  describe: (input, output, isOpen) => {
    const answer = isOpen ? ' → ?' : output === undefined ? '' : ` → ${output}`
    return `${input.op === 'add' ? `add ${input.amount}` : 'read'}${answer}`
  },
  describeState: String,
}

/** Open additions of the same amount cannot be told apart. */
function shareAmounts(operations: readonly CounterOperation[]): readonly CounterInput[] {
  const shared = new Map<number, CounterInput>()
  return operations.map(({ input, outcome }) => {
    if (outcome === 'ok' || input.op === 'read') return input
    const known = shared.get(input.amount)
    if (known === undefined) shared.set(input.amount, input)
    return known ?? input
  })
}

/** The least and the most that a read can have seen, by what is added before and beside it. */
export interface CounterBounds {
  readonly read: CounterOperation
  readonly lower: number
  readonly upper: number
}

/**
 * Bounds for each read, in the order of their returns: what had returned before its call is in the number; what was called
 * before its return may be. O(n log n).
 */
export function counterBounds(operations: readonly CounterOperation[]): CounterBounds[] {
  const adds = operations.filter(({ input, outcome }) => input.op === 'add' && outcome !== 'fail')
  const byCall = new Sums(
    adds.toSorted((left, right) => left.callAt - right.callAt),
    ({ callAt }) => callAt,
  )
  const returned = adds.filter(({ outcome }) => outcome === 'ok')
  const byReturn = new Sums(
    returned.toSorted((left, right) => left.returnAt - right.returnAt),
    ({ returnAt }) => returnAt,
  )
  return operations
    .filter(({ input, outcome }) => input.op === 'read' && outcome === 'ok')
    .sort((left, right) => left.returnAt - right.returnAt)
    .map((read) => {
      const begun = byCall.through(read.returnAt)
      const done = byReturn.before(read.callAt)
      return { read, lower: begun.negative + done.positive, upper: begun.positive + done.negative }
    })
}

/** Sums of positive and of negative amounts up to a moment. */
class Sums {
  readonly #moments: Float64Array
  readonly #positive: Float64Array
  readonly #negative: Float64Array

  constructor(sorted: readonly CounterOperation[], momentOf: (operation: CounterOperation) => number) {
    this.#moments = Float64Array.from(sorted, momentOf)
    this.#positive = new Float64Array(sorted.length + 1)
    this.#negative = new Float64Array(sorted.length + 1)
    for (const [index, { input }] of sorted.entries()) {
      const amount = input.op === 'add' ? input.amount : 0
      this.#positive[index + 1] = (this.#positive[index] as number) + Math.max(0, amount)
      this.#negative[index + 1] = (this.#negative[index] as number) + Math.min(0, amount)
    }
  }

  before(moment: number): { readonly positive: number; readonly negative: number } {
    return this.#first(this.#count((each) => each < moment))
  }

  through(moment: number): { readonly positive: number; readonly negative: number } {
    return this.#first(this.#count((each) => each <= moment))
  }

  #first(count: number): { readonly positive: number; readonly negative: number } {
    return { positive: this.#positive[count] as number, negative: this.#negative[count] as number }
  }

  #count(isIn: (moment: number) => boolean): number {
    let low = 0
    let high = this.#moments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isIn(this.#moments[middle] as number)) low = middle + 1
      else high = middle
    }
    return low
  }
}

function outOfBounds(
  operations: readonly CounterOperation[],
): Decision<CounterInput, CounterOutput> | undefined {
  for (const { read, lower, upper } of counterBounds(operations)) {
    if (read.output === undefined || (read.output >= lower && read.output <= upper)) continue
    const reason = `a read of ${read.output}, where the counter was from ${lower} to ${upper}`
    return { verdict: 'fail', reason, witnesses: [read] }
  }
  return undefined
}
