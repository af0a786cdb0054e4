/** Counter, lock and FIFO queue as checks by name. */
import { checkLinearizable } from './check-linearizable.ts'
import { type CounterInput, type CounterOutput, counterModel } from './counter-model.ts'
import { fifoModel } from './fifo-model.ts'
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import { type LockInput, type LockOutput, lockModel } from './lock-model.ts'
import { echoOf, integerOf, keyOf, type NamedModel, presentOf, ValueProblem } from './named-model.ts'
import { sameValue } from './values.ts'

const counter: NamedModel<CounterInput, CounterOutput> = {
  name: 'counter',
  summary: 'a counter for each key, from 0: add, increment, decrement, read',
  ops: ['add', 'read'],
  functions: {
    add: 'an integer, negative too; the response may have the number after it as "result"',
    increment: 'none for 1, or an integer',
    decrement: 'none for 1, or an integer',
    read: 'the number that was read',
  },
  decodeCall: (call) => {
    const { f, value } = call
    if (f === 'read') return { ...keyOf(call), op: 'read' }
    const amount = f === 'add' ? integerOf(value, 'an integer') : integerOf(value ?? 1, 'an integer, or none')
    return { ...keyOf(call), op: 'add', amount: f === 'decrement' ? -amount : amount }
  },
  decodeReturn: (input, { value, extra: { result } }) => {
    if (input.op === 'read') return integerOf(value, 'the integer that was read')
    echoOf(value, input.amount, (left, right) => Math.abs(left as number) === Math.abs(right as number))
    if (result === undefined || typeof result === 'number') return result
    throw new ValueProblem('result', result, 'a number')
  },
  check(operations, options) {
    return checkLinearizable(this.name, counterModel, operations, options)
  },
}

const TOKEN = 'an integer above 0, or none where the lock has no tokens'

const lock: NamedModel<LockInput, LockOutput> = {
  name: 'lock',
  summary: 'a lock for each key, with fencing tokens that only rise: acquire, release, expire',
  ops: ['acquire', 'release', 'expire'],
  functions: {
    acquire: `none; the response has the token: ${TOKEN}`,
    release: 'none, or the token that is given back',
    expire: 'none: the lock was taken from its holder',
  },
  decodeCall: (call) => {
    const { f, process: owner, value } = call
    if (f === 'expire') return { ...keyOf(call), op: 'expire' }
    if (f === 'acquire') return { ...keyOf(call), op: 'acquire', owner }
    if (value === null || value === undefined) return { ...keyOf(call), op: 'release', owner }
    return { ...keyOf(call), op: 'release', owner, token: integerOf(value, TOKEN, 1) }
  },
  decodeReturn: (input, { value }) => {
    if (input.op !== 'acquire' || value === null || value === undefined) return undefined
    return integerOf(value, TOKEN, 1)
  },
  check(operations, options) {
    return checkLinearizable(this.name, lockModel, operations, options)
  },
}

const fifoQueue: NamedModel<FifoInput, FifoOutput> = {
  name: 'fifo-queue',
  summary: 'a FIFO queue for each key: enqueue, dequeue',
  ops: ['enqueue', 'dequeue'],
  functions: { enqueue: 'the value', dequeue: 'the value; null when the queue was empty' },
  decodeCall: (call) => {
    if (call.f === 'dequeue') return { ...keyOf(call), op: 'dequeue' }
    return { ...keyOf(call), op: 'enqueue', value: presentOf(call.value, 'what is enqueued') }
  },
  decodeReturn: (input, { value }) => {
    if (input.op === 'dequeue') return value ?? null
    return echoOf(value, input.value, sameValue)
  },
  check(operations, options) {
    return checkLinearizable(this.name, fifoModel, operations, options)
  },
}

export const objectModels: readonly NamedModel[] = [counter, lock, fifoQueue] as readonly NamedModel[]
