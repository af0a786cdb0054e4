/**
 * Sequential models: what an object does when only one client uses it. A checker asks whether concurrent
 * operations could have been such a sequence.
 */
import type { Operation } from './history.ts'
import { sameValue, showValue } from './values.ts'

/** Operations that can be checked apart from the others, with a name for people. */
export interface Partition<Input, Output> {
  readonly name: string
  readonly operations: readonly Operation<Input, Output>[]
}

/** What a model's own way to decide came to. */
export type Decision<Input, Output> =
  | { readonly verdict: 'pass' }
  | {
      readonly verdict: 'fail'
      /** One sentence, that names values. */
      readonly reason: string
      /** Operations that nothing explains together: at least one, and one of them returned. */
      readonly witnesses: readonly Operation<Input, Output>[]
    }

/**
 * A sequential model. Deterministic: state and input decide the next state and the output. States are values that
 * are never changed in place, and never undefined.
 */
export interface Model<State, Input, Output> {
  readonly name: string
  readonly initial: State
  /**
   * The state after the operation, or undefined where the object in `state` cannot answer so.
   *
   * Of an open operation nobody knows the output: `isOpen` is true and `output` undefined. The model then answers
   * with the state after it, or undefined if it cannot take place in `state` at all.
   *
   * Where the operation changes nothing, return `state` itself, not a copy.
   */
  step(state: State, input: Input, output: Output | undefined, isOpen: boolean): State | undefined
  /** Whether `input` never changes a state. Such operations are dropped when open. @default never */
  isRead?(input: Input): boolean
  /**
   * Whether the operation, answered so, changes no state in which it fits: a read, and a compare-and-set that did not
   * write. The search takes such operations without branching, and that is most of its speed. A write of the value that
   * is there already is none: elsewhere it does change something. @default isRead
   */
  isObservation?(input: Input, output: Output | undefined): boolean
  /**
   * Splits a history into parts that do not touch each other's state: a history is linearizable exactly if each part
   * is (locality: Herlihy and Wing 1990, §3.3; P-compositionality: Horn and Kroening 2015). @default one part
   */
  partition?(operations: readonly Operation<Input, Output>[]): Iterable<Partition<Input, Output>>
  /**
   * Inputs to search with in place of the operations' own, one for each: such that no answer of these operations tells
   * the difference. Open operations with one and the same input are taken as interchangeable: then twenty timed out
   * writes that nobody has read are one case, not 2²⁰. @default the operations' own
   */
  normalize?(operations: readonly Operation<Input, Output>[]): readonly Input[]
  /**
   * What operations have in common that do the same: a number or text, undefined for none. Answered ones with the same effect
   * fit in the same states; and where an open one changes anything, they fit, too. Of those that are pending together the
   * search then places the one first that returns first: which of them it was, nobody can tell.
   */
  effect?(input: Input, output: Output | undefined, isOpen: boolean): string | number | undefined
  /**
   * A way to decide a part that is faster than the search, where there is one for such operations; undefined: search.
   * It is right, or has no answer. What failed for certain and open reads are left out before.
   */
  decide?(operations: readonly Operation<Input, Output>[]): Decision<Input, Output> | undefined
  /**
   * A model that allows fewer orders, to find one quickly of operations that `decide` has passed. It may have none.
   * @default the model itself
   */
  guide?(operations: readonly Operation<Input, Output>[]): Model<State, Input, Output> | undefined
  /** Whether two states are the same. @default sameValue, by content */
  equal?(left: State, right: State): boolean
  /**
   * An integer, the same for states that are `equal`. Worth having where the same set of operations can lead to many
   * states by their order. @default 0
   */
  hash?(state: State): number
  /** An operation in a few words; its output is undefined when `isOpen`. @default the plain values */
  describe?(input: Input, output: Output | undefined, isOpen: boolean): string
  /** A state in a few words. @default the plain value */
  describeState?(state: State): string
}

/** Parts by a key that each operation has, in the order in which the keys appear. */
export function partitionBy<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  keyOf: (input: Input) => string,
): Partition<Input, Output>[] {
  const groups = Map.groupBy(operations, ({ input }) => keyOf(input))
  return Array.from(groups, ([name, group]) => ({ name, operations: group }))
}

/** Whether two states of the model are the same. */
export function sameState<State, Input, Output>(
  model: Model<State, Input, Output>,
  left: State,
  right: State,
): boolean {
  return left === right || (model.equal?.(left, right) ?? sameValue(left, right))
}

/** An operation in a few words, as its model describes it. */
export function describeOperation<State, Input, Output>(
  model: Model<State, Input, Output>,
  { input, output, outcome }: Operation<Input, Output>,
): string {
  const isOpen = outcome !== 'ok'
  if (model.describe) return model.describe(input, output, isOpen)
  return `${showValue(input)} → ${isOpen ? 'unknown' : showValue(output)}`
}

/** A state in a few words, as its model describes it. */
export function describeState<State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State,
): string {
  return model.describeState?.(state) ?? showValue(state)
}
