/** A FIFO queue: what is enqueued first is dequeued first. */
import { decideFifo } from './fifo-decision.ts'
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import { type Model, partitionBy } from './model.ts'
import { sameValue, showValue, textKey } from './values.ts'

/** What is in a queue, the oldest first. */
export interface FifoState {
  readonly values: readonly unknown[]
  readonly hash: number
}

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
  equal: ({ values, hash }, right) => hash === right.hash && sameValue(values, right.values),
  hash: ({ hash }) => hash,
  describe: (input, output, isOpen) => {
    if (input.op === 'enqueue') return `enqueue ${showValue(input.value)}${isOpen ? ' → ?' : ''}`
    return `dequeue → ${isOpen ? '?' : output === null ? 'empty' : showValue(output)}`
  },
  describeState: ({ values }) => (values.length === 0 ? 'empty' : showValue(values)),
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
