/**
 * The operations of one partition, numbered in the order of their calls, with what the search needs to know of
 * their places in time. Worked out once.
 */
import type { Operation } from './history.ts'
import type { Model } from './model.ts'

export class Timeline<Input, Output> {
  /** In the order of their calls. The other fields speak of operations by their place here. */
  readonly operations: readonly Operation<Input, Output>[]
  /** What the model is asked: the same as the operations' own, as far as anybody can tell. */
  readonly inputs: readonly Input[]
  /** Of an open operation: the one called before it that is open too and has the same input. Else -1. */
  readonly twin: Int32Array
  /** Of those with the same effect (`Model.effect`): the one that returns right before it. Else -1. */
  readonly equalBefore: Int32Array
  readonly callAt: Float64Array
  /** One more than operations: the last is Infinity, for the place behind all. */
  readonly returnAt: Float64Array
  /** The operations that returned, in the order of their returns. */
  readonly byReturn: Int32Array
  /** The place of each in `byReturn`; -1 when open. */
  readonly rank: Int32Array
  /** A number for each such that operations which are pending at the same time have different ones. */
  readonly slot: Int32Array
  readonly slotCount: number

  constructor(
    operations: readonly Operation<Input, Output>[],
    { normalize, effect }: Pick<Model<never, Input, Output>, 'normalize' | 'effect'> = {},
  ) {
    this.operations = sortedByCall(operations)
    this.inputs = normalize?.(this.operations) ?? this.operations.map(({ input }) => input)
    const size = operations.length
    this.callAt = new Float64Array(size)
    this.returnAt = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY)
    this.rank = new Int32Array(size).fill(-1)
    const returned: number[] = []
    for (const [index, operation] of this.operations.entries()) {
      assertInTime(operation)
      this.callAt[index] = operation.callAt
      if (operation.outcome !== 'ok') continue
      this.returnAt[index] = operation.returnAt
      returned.push(index)
    }
    returned.sort((left, right) => (this.returnAt[left] as number) - (this.returnAt[right] as number))
    this.byReturn = Int32Array.from(returned)
    for (const [rank, index] of returned.entries()) this.rank[index] = rank
    this.twin = twins(this.inputs, this.rank)
    this.equalBefore = new Int32Array(size).fill(-1)
    if (effect) this.#findEqual(effect)
    this.slot = new Int32Array(size)
    this.slotCount = this.#assignSlots()
  }

  #findEqual(effect: NonNullable<Model<never, Input, Output>['effect']>): void {
    const last = new Map<string | number, number>()
    const open = this.rank.keys().filter((index) => this.rank[index] === -1)
    // Open ones return last, in the order of their calls.
    for (const index of [...this.byReturn, ...open]) {
      const { output, outcome } = this.operations[index] as Operation<Input, Output>
      const key = effect(this.inputs[index] as Input, output, outcome !== 'ok')
      if (key === undefined) continue
      this.equalBefore[index] = last.get(key) ?? -1
      last.set(key, index)
    }
  }

  /** Walks through time: a call takes the slot that was freed last, a return frees one. Open ones keep theirs. */
  #assignSlots(): number {
    const free: number[] = []
    let slotCount = 0
    let called = 0
    const call = (): void => {
      this.slot[called++] = free.pop() ?? slotCount++
    }
    for (const index of this.byReturn) {
      const now = this.returnAt[index] as number
      // Calls first where numbers are equal: such operations are concurrent.
      while (called < this.callAt.length && (this.callAt[called] as number) <= now) call()
      free.push(this.slot[index] as number)
    }
    while (called < this.callAt.length) call()
    return slotCount
  }
}

function twins(inputs: readonly unknown[], rank: Int32Array): Int32Array {
  const twin = new Int32Array(rank.length).fill(-1)
  const last = new Map<unknown, number>()
  for (let index = 0; index < rank.length; index++) {
    if (rank[index] !== -1) continue
    twin[index] = last.get(inputs[index]) ?? -1
    last.set(inputs[index], index)
  }
  return twin
}

function sortedByCall<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): readonly Operation<Input, Output>[] {
  const isSorted = operations.every(
    ({ callAt }, index) =>
      index === 0 || (operations[index - 1] as Operation<Input, Output>).callAt <= callAt,
  )
  return isSorted ? operations : operations.toSorted((left, right) => left.callAt - right.callAt)
}

function assertInTime({ callAt, returnAt, outcome }: Operation<unknown, unknown>): void {
  const isInTime =
    Number.isFinite(callAt) && (outcome !== 'ok' || (returnAt >= callAt && Number.isFinite(returnAt)))
  if (!isInTime) throw new RangeError(`an operation called at ${callAt} cannot return at ${returnAt}`)
}
