/**
 * Open writes of values that nobody has seen, as one and the same input: for what others were answered it makes no
 * difference which of them took place.
 */
import type { Operation } from './history.ts'
import { textKey } from './values.ts'

/** What a model says of the values that its operations read and write. */
export interface ValueAccess<Input, Output, Value> {
  /** The value that the operation has seen or that its answer depends on, in any form; undefined when there is none. */
  observed(operation: Operation<Input, Output>): unknown
  /** The value that it writes; undefined when it writes none. */
  written(input: Input): Value | undefined
  /** The same input, that writes another value. */
  write(input: Input, value: Value): Input
}

/** Inputs for `Model.normalize`: of open operations that cannot be told apart, the same object. */
export function shareOpenInputs<Input, Output, Value>(
  operations: readonly Operation<Input, Output>[],
  access: ValueAccess<Input, Output, Value>,
): readonly Input[] {
  const inputs = operations.map(({ input }) => input)
  if (operations.every(({ outcome }) => outcome === 'ok')) return inputs
  const observed = new Set(operations.map((operation) => textKey(access.observed(operation))))
  let unseen: Value | undefined
  const shared = new Map<string, Input>()
  return operations.map(({ input, outcome }) => {
    if (outcome === 'ok') return input
    const value = access.written(input)
    let same = input
    if (value !== undefined && !observed.has(textKey(value))) {
      // The first such value stands for all.
      if (unseen === undefined) unseen = value
      same = access.write(input, unseen)
    }
    const key = textKey(same)
    const known = shared.get(key)
    if (known === undefined) shared.set(key, same)
    return known ?? same
  })
}
