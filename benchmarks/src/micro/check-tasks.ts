/** The checkers by themselves, over histories of many clients in which some operations have no answer. */
import {
  checkLinearizability,
  type FifoInput,
  type FifoOutput,
  fifoModel,
  History,
  type KvInput,
  type KvOutput,
  kvModel,
  type Model,
  type Operation,
  type RegisterInput,
  type RegisterOutput,
  registerModel,
} from '@troupe/check'
import { computing, type MicroTask } from './task.ts'

const CHECKED = 2000
const OVERLAP = 6
const KEYS = 10

/** Writes and reads that overlap, each of which takes place in the middle of its time: linearizable. */
function overlapping(): Operation<KvInput, KvOutput>[] {
  const cells = new Map<string, { value: number; version: number }>()
  return Array.from({ length: CHECKED }, (_, at) => {
    const key = `k${at % KEYS}`
    const cell = cells.get(key)
    const times = { process: at, callAt: at - OVERLAP, returnAt: at + OVERLAP, outcome: 'ok' } as const
    // Keys take turns: so must what is done to one.
    if (Math.floor(at / KEYS) % 3 === 1) return { ...times, input: { op: 'get', key }, output: cell }
    cells.set(key, { value: at, version: (cell?.version ?? 0) + 1 })
    return { ...times, input: { op: 'set', key, value: at }, output: undefined }
  })
}

/** Numbers from 0 to 1, always the same (a linear congruence: good enough to mix clients). */
function chance(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state >>> 0) / 2 ** 32
  }
}

interface Subject<Input, Output> {
  readonly clients: number
  readonly operations: number
  /** Part of them whose end nobody hears of. */
  readonly openRate: number
  input(random: () => number, at: number): Input
  /** Does it; undefined where it is refused. */
  apply(input: Input): { readonly output: Output } | undefined
}

interface Running<Input, Output> {
  readonly input: Input
  readonly pending: ReturnType<History<Input, Output>['invoke']>
  result: { readonly output: Output } | undefined
  hasHappened: boolean
}

/** What clients were answered by an object that really is one: linearizable. */
function executed<Input, Output>(subject: Subject<Input, Output>): Operation<Input, Output>[] {
  const { clients, operations, openRate } = subject
  const random = chance()
  const history = new History<Input, Output>()
  const running = new Map<number, Running<Input, Output>>()
  while (history.operationCount < operations || running.size > 0) {
    const client = Math.floor(random() * clients)
    const current = running.get(client)
    if (current === undefined) {
      if (history.operationCount === operations) continue
      const input = subject.input(random, history.operationCount)
      running.set(client, {
        input,
        pending: history.invoke(client, input),
        result: undefined,
        hasHappened: false,
      })
    } else if (current.hasHappened) {
      running.delete(client)
      if (current.result === undefined) current.pending.fail()
      else current.pending.ok(current.result.output)
    } else {
      const isOpen = random() < openRate
      if (!isOpen || random() < 0.5) current.result = subject.apply(current.input)
      current.hasHappened = true
      if (isOpen) running.delete(client)
    }
  }
  return history.operations()
}

const QUEUED = 100_000

function queueHistory(): Operation<FifoInput, FifoOutput>[] {
  // An array's head is expensive to take off: this one is only read from.
  const values: unknown[] = []
  let taken = 0
  return executed<FifoInput, FifoOutput>({
    clients: 20,
    operations: QUEUED,
    openRate: 0.001,
    input: (random, at) => (random() < 0.5 ? { op: 'enqueue', value: at } : { op: 'dequeue' }),
    apply: (input) => {
      if (input.op === 'dequeue') return { output: taken < values.length ? values[taken++] : null }
      values.push(input.value)
      return { output: undefined }
    },
  })
}

const COMPARED = 10_000
const REGISTERS = 100
const VALUES = 5

function compareAndSetHistory(): Operation<RegisterInput<unknown>, RegisterOutput<unknown>>[] {
  const registers = new Map<string, unknown>()
  return executed<RegisterInput<unknown>, RegisterOutput<unknown>>({
    clients: 30,
    operations: COMPARED,
    openRate: 0.02,
    input: (random) => {
      const value = (): number => Math.floor(random() * VALUES)
      const key = `r${Math.floor(random() * REGISTERS)}`
      const kind = random()
      if (kind < 0.35) return { op: 'read', key }
      return kind < 0.6
        ? { op: 'write', key, value: value() }
        : { op: 'cas', key, expected: value(), value: value() }
    },
    apply: (input) => {
      const { key = '' } = input
      const held = registers.get(key) ?? null
      if (input.op === 'read') return { output: held }
      if (input.op === 'cas' && held !== input.expected) return { output: false }
      registers.set(key, input.value)
      return { output: input.op === 'cas' ? true : undefined }
    },
  })
}

function checking<State, Input, Output>(
  name: string,
  count: number,
  model: Model<State, Input, Output>,
  make: () => Operation<Input, Output>[],
): MicroTask {
  return computing(`checker: ${name}`, 'operations', count, () => {
    const operations = make()
    return () => {
      const { verdict } = checkLinearizability(model, operations)
      if (verdict !== 'pass') throw new Error(`the checker says ${verdict}`)
    }
  })
}

export const checkTasks: readonly MicroTask[] = [
  checking('linearizability', CHECKED, kvModel, overlapping),
  checking(
    'compare-and-set, 10,000 over 100 keys',
    COMPARED,
    registerModel<unknown>(null),
    compareAndSetHistory,
  ),
  checking('FIFO queue of 100,000', QUEUED, fifoModel, queueHistory),
]
