/** Every model against a checker so naive that it is evidently right. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkLinearizable } from './check-linearizable.ts'
import { executeOn, type Subject, spoilOne } from './concurrent.fixture.ts'
import { type CounterInput, type CounterOutput, counterModel } from './counter-model.ts'
import { below, coarsened, isLinearizableByForce, type KvOperation, randomOf } from './execution.fixture.ts'
import { fifoModel } from './fifo-model.ts'
import type { FifoInput, FifoOutput } from './fifo-operations.ts'
import type { Operation } from './history.ts'
import { checkLinearizability } from './linearizability.ts'
import { type LockInput, type LockOutput, type LockState, lockModel } from './lock-model.ts'
import type { Model } from './model.ts'
import { type RegisterInput, type RegisterOutput, registerModel } from './register-model.ts'

const RUNS = process.env['TROUPE_FULL'] === '1' ? 20_000 : 1200

const counter: Subject<number, CounterInput, CounterOutput> = {
  initial: 0,
  input: (random) => (random() < 0.5 ? { op: 'read' } : { op: 'add', amount: below(random, 5) - 2 }),
  apply: (state, input) => {
    if (input.op === 'read') return { state, output: state }
    return { state: state + input.amount, output: undefined }
  },
}

const lock: Subject<LockState, LockInput, LockOutput> = {
  initial: lockModel.initial,
  input: (random, owner) => {
    if (random() < 0.1) return { op: 'expire' }
    return random() < 0.6 ? { op: 'acquire', owner } : { op: 'release', owner }
  },
  apply: (state, input) => {
    const output = input.op === 'acquire' ? state.token + 2 : undefined
    const next = lockModel.step(state, input, output, false)
    return next && { state: next, output }
  },
}

const queue = (valueCount?: number): Subject<readonly unknown[], FifoInput, FifoOutput> => ({
  initial: [],
  input: (random, _process, fresh) => {
    if (random() < 0.5) return { op: 'dequeue' }
    return { op: 'enqueue', value: valueCount === undefined ? fresh : below(random, valueCount) }
  },
  apply: (state, input) => {
    if (input.op === 'enqueue') return { state: [...state, input.value], output: undefined }
    return { state: state.slice(1), output: state[0] ?? null }
  },
})

const register: Subject<unknown, RegisterInput<unknown>, RegisterOutput<unknown>> = {
  initial: null,
  input: (random) => {
    const value = below(random, 3)
    if (random() < 0.4) return { op: 'read' }
    return random() < 0.5 ? { op: 'write', value } : { op: 'cas', expected: below(random, 3), value }
  },
  apply: (state, input) => {
    if (input.op === 'read') return { state, output: state }
    if (input.op === 'write') return { state: input.value, output: undefined }
    return state === input.expected ? { state: input.value, output: true } : undefined
  },
}

/** Runs both checkers on one history; returns whether it is linearizable. */
function agree<State, Input extends { readonly op: string }, Output>(
  subject: Subject<unknown, Input, Output>,
  model: Model<State, Input, Output>,
  seed: number,
): boolean {
  const random = randomOf(seed)
  const processCount = 2 + below(random, 4)
  const openRate = random() < 0.5 ? 0 : 0.4
  let operations = executeOn(
    subject,
    { processCount, operationCount: 2 + below(random, 6), openRate },
    random,
  )
  for (let count = below(random, 5); count > 0 && operations.length > 0; count--) {
    operations = spoilOne(operations, random)
  }
  operations = coarsened(
    operations as unknown as KvOperation[],
    1 + below(random, 3),
  ) as unknown as typeof operations
  const expected = isLinearizableByForce(model, operations)
  assert.equal(checkLinearizability(model, operations).verdict, expected ? 'pass' : 'fail')
  if (!expected) assertShortest(model, operations)
  return expected
}

/** No prefix that ends before the impossible response fails, and the one that ends with it does. */
function assertShortest<State, Input extends { readonly op: string }, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): void {
  const { failure } = checkLinearizable('x', model, operations)
  assert.ok(failure?.isShortest)
  const blocked = failure.operations.find(({ role }) => role === 'blocked')
  const end = blocked?.returnAt
  assert.ok(typeof end === 'number')
  const until = (hasReturned: (returnAt: number) => boolean): Operation<Input, Output>[] =>
    operations
      .filter(({ callAt }) => callAt <= end)
      .map((each): Operation<Input, Output> => {
        if (hasReturned(each.returnAt)) return each
        return { ...each, output: undefined, returnAt: Number.POSITIVE_INFINITY, outcome: 'open' }
      })
  assert.ok(
    !isLinearizableByForce(
      model,
      until((returnAt) => returnAt <= end),
    ),
  )
  const before = until((returnAt) => returnAt < end)
  assert.ok(isLinearizableByForce(model, before))
  const placed = failure.operations.filter(({ place }) => place !== undefined)
  const returned = before.filter(
    ({ input, outcome }) => outcome === 'ok' || !(model.isRead?.(input) ?? false),
  )
  assert.ok(placed.length >= before.filter(({ outcome }) => outcome === 'ok').length)
  assert.ok(placed.length <= returned.length)
}

function agreeOften<State, Input extends { readonly op: string }, Output>(
  subject: Subject<unknown, Input, Output>,
  model: Model<State, Input, Output>,
): void {
  let passCount = 0
  let failCount = 0
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      if (agree(subject, model, seed)) passCount++
      else failCount++
    }),
    { numRuns: RUNS },
  )
  assert.ok(passCount > 20 && failCount > 20, `${passCount} linearizable, ${failCount} not`)
}

describe('a check agrees with trying every order, and ends the history where it fails', () => {
  it('for registers', () => {
    agreeOften(register, registerModel<unknown>(null))
  })
  it('for counters', () => {
    agreeOften(counter as Subject<unknown, CounterInput, CounterOutput>, counterModel)
  })
  it('for locks', () => {
    agreeOften(lock as Subject<unknown, LockInput, LockOutput>, lockModel)
  })
  it('for FIFO queues of unique values, which are decided without a search', () => {
    agreeOften(queue() as Subject<unknown, FifoInput, FifoOutput>, fifoModel)
  })
  it('for FIFO queues of values that come again', () => {
    agreeOften(queue(2) as Subject<unknown, FifoInput, FifoOutput>, fifoModel)
  })
})
