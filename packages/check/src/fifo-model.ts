/** A FIFO queue: what is enqueued first is dequeued first. */
import { decideFifo } from './fifo-decision.ts'
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import { fifoOrder } from './fifo-order.ts'
import type { Operation } from './history.ts'
import { type Model, partitionBy } from './model.ts'
import { sameValue, showValue, textKey } from './values.ts'

/** What is in a queue, the oldest first. */
export interface FifoState {
  readonly values: readonly unknown[]
  readonly hash: number
}

type FifoOperation = Operation<FifoInput, FifoOutput>

const EMPTY: FifoState = { values: [], hash: 0 }

/** The model of a FIFO queue, empty at first. Unique values are decided without a search. */
export const fifoModel: Model<FifoState, FifoInput, FifoOutput> = {
  name: 'fifo-queue',
  initial: EMPTY,
  step: (state, input, output, isOpen) => {
    if (input.op === 'enqueue') return stateOf([...state.values, input.value])
    const [oldest] = state.values
    if (oldest === undefined) return isOpen || output === null ? state : undefined
    if (!isOpen && !sameValue(oldest, output)) return undefined
    return stateOf(state.values.slice(1))
  },
  isObservation: ({ op }, output) => op === 'dequeue' && output === null,
  partition: (operations) => partitionBy(operations, ({ key = 'fifo-queue' }) => key),
  decide: decideFifo,
  guide: inOrder,
  equal: ({ values, hash }, right) => hash === right.hash && sameValue(values, right.values),
  hash: ({ hash }) => hash,
  describe: (input, output, isOpen) => {
    if (input.op === 'enqueue') return `enqueue ${showValue(input.value)}${isOpen ? ' → ?' : ''}`
    return `dequeue → ${isOpen ? '?' : output === null ? 'empty' : showValue(output)}`
  },
  describeState: ({ values }) => (values.length === 0 ? 'empty' : showValue(values)),
}

/**
 * The queue where values go through it in one order alone. Its state is the part of that order that is in the queue:
 * so it takes no copies.
 */
function inOrder(operations: readonly FifoOperation[]): Model<FifoState, FifoInput, FifoOutput> | undefined {
  if (decideFifo(operations)?.verdict !== 'pass') return undefined
  const order = fifoOrder(operations)
  if (order === undefined) return undefined
  const { places, seen } = order
  const values = Array.from(places.keys())
  return {
    ...fifoModel,
    initial: { values: [0, 0], hash: 0 },
    step: (state, input, output, isOpen) => {
      const [first, end] = state.values as [number, number]
      if (input.op === 'enqueue') {
        return places.get(input.value) === end
          ? { values: [first, end + 1], hash: first * 31 + end + 1 }
          : undefined
      }
      if (first === end) return isOpen || output === null ? state : undefined
      const oldest = values[first]
      if (isOpen ? seen.has(oldest) : oldest !== output) return undefined
      return { values: [first + 1, end], hash: (first + 1) * 31 + end }
    },
  }
}

function stateOf(values: readonly unknown[]): FifoState {
  let hash = 0
  for (const value of values) hash = (Math.imul(hash, 31) + hashOf(value)) | 0
  return { values, hash }
}

function hashOf(value: unknown): number {
  if (typeof value === 'number' && (value | 0) === value) return value
  let hash = 7
  for (const character of textKey(value)) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) | 0
  return hash
}
