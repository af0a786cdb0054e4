/**
 * Histories for tests: executions of a real key-value table by concurrent clients, which are linearizable by
 * construction, ways to spoil them, and a checker so naive that it is evidently right.
 */
import { History, type Operation } from './history.ts'
import type { KvInput, KvOutput, KvValue } from './kv-model.ts'
import type { Model } from './model.ts'
import { sameValue } from './values.ts'

export type KvOperation = Operation<KvInput, KvOutput>

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number below `limit`. */
export function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit)
}

export interface ExecutionShape {
  readonly processCount: number
  readonly keyCount: number
  readonly operationCount: number
  /** Part of the operations whose end nobody hears of. */
  readonly openRate: number
  /** How many different values there are. @default a new one for each write */
  readonly valueCount?: number
}

/** An execution of a table that really is one: each operation takes place at one moment within its time. */
export function execute(shape: ExecutionShape, random: () => number): KvOperation[] {
  const { processCount, operationCount, openRate } = shape
  const table = new Map<string, { value: KvValue; version: number }>()
  const history = new History<KvInput, KvOutput>()
  interface Running {
    readonly input: KvInput
    readonly pending: ReturnType<typeof history.invoke>
    output?: KvOutput
    hasHappened: boolean
  }
  const running = new Map<number, Running>()
  while (history.operationCount < operationCount || running.size > 0) {
    const process = below(random, processCount)
    const current = running.get(process)
    if (current === undefined) {
      if (history.operationCount >= operationCount) continue
      const input = randomInput(shape, random, history.operationCount)
      running.set(process, { input, pending: history.invoke(process, input), hasHappened: false })
    } else if (!current.hasHappened) {
      const isOpen = random() < openRate
      if (!isOpen || random() < 0.5) current.output = applied(table, current.input)
      current.hasHappened = true
      if (isOpen) {
        current.pending.open()
        running.delete(process)
      }
    } else {
      current.pending.ok(current.output)
      running.delete(process)
    }
  }
  return history.operations()
}

function randomInput({ keyCount, valueCount }: ExecutionShape, random: () => number, fresh: number): KvInput {
  const key = `k${below(random, keyCount)}`
  const newValue = (): number => (valueCount === undefined ? fresh : below(random, valueCount))
  const chance = random()
  if (chance < 0.5) return { op: 'get', key }
  if (chance < 0.8) return { op: 'set', key, value: newValue() }
  if (chance < 0.9) return { op: 'delete', key }
  const expected = random() < 0.3 ? undefined : below(random, valueCount ?? fresh + 1)
  return { op: 'compareAndSet', key, expected, value: newValue() }
}

function applied(table: Map<string, { value: KvValue; version: number }>, input: KvInput): KvOutput {
  const cell = table.get(input.key)
  if (input.op === 'get') return cell
  if (input.op === 'delete') return table.delete(input.key)
  if (input.op === 'compareAndSet' && !sameValue(cell?.value, input.expected)) return false
  table.set(input.key, { value: input.value, version: (cell?.version ?? 0) + 1 })
  return input.op === 'set' ? undefined : true
}

/** The history with one answer, one moment or one outcome changed. It may still be linearizable. */
export function spoil(operations: readonly KvOperation[], random: () => number): KvOperation[] {
  const index = below(random, operations.length)
  const other = operations[below(random, operations.length)]
  return operations.map((operation, each) => {
    if (each !== index || other === undefined) return operation
    const { input, output, callAt, returnAt, outcome } = operation
    switch (below(random, 4)) {
      case 0:
        // Answered what another one was, or else the opposite.
        if (outcome === 'ok' && typeof output === 'boolean') return { ...operation, output: !output }
        return input.op === 'get' && other.input.op === 'get'
          ? { ...operation, output: other.output }
          : operation
      case 1:
        // A reading of the write before or after.
        if (typeof output !== 'object') return { ...operation, output: undefined }
        return {
          ...operation,
          output: { ...output, version: (output.version ?? 0) + (random() < 0.5 ? 1 : -1) },
        }
      case 2:
        // Over sooner.
        return outcome === 'ok'
          ? { ...operation, returnAt: callAt + below(random, returnAt - callAt) }
          : operation
      default:
        // Called when it had already happened.
        return outcome === 'ok' ? { ...operation, callAt: returnAt - 1 } : operation
    }
  })
}

/** The same by a clock that ticks once in `step`: more of it is at the same time. */
export function coarsened(operations: readonly KvOperation[], step: number): KvOperation[] {
  return operations.map((operation) => ({
    ...operation,
    callAt: Math.floor(operation.callAt / step),
    returnAt: Math.floor(operation.returnAt / step),
  }))
}

/** Tries every order. For a handful of operations. What returns at Infinity may be left out. */
export function isLinearizableByForce<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  state: State = model.initial,
): boolean {
  if (operations.every(({ returnAt }) => returnAt === Number.POSITIVE_INFINITY)) return true
  return operations.some((operation, index) => {
    const others = operations.toSpliced(index, 1)
    const isLate = others.some(({ returnAt }) => returnAt < operation.callAt)
    if (isLate) return false
    const { input, output, outcome } = operation
    const next = model.step(state, input, output, outcome === 'open')
    return next !== undefined && isLinearizableByForce(model, others, next)
  })
}
