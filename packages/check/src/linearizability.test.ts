import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import fc from 'fast-check'

import {
  below,
  coarsened,
  execute,
  isLinearizableByForce,
  type KvOperation,
  randomOf,
  spoil,
} from './execution.fixture.ts'
import { History, type Operation } from './history.ts'
import { type KvCell, type KvInput, type KvOutput, kvModel, kvTableModel } from './kv-model.ts'
import { checkLinearizability, explainFailure } from './linearizability.ts'
import type { Model } from './model.ts'
import { type RegisterInput, type RegisterOutput, registerModel } from './register-model.ts'

const register = registerModel<number>(0)
type RegisterOperation = Operation<RegisterInput<number>, RegisterOutput<number>>

const read: RegisterInput<number> = { op: 'read' }
const write = (value: number): RegisterInput<number> => ({ op: 'write', value })
const cas = (expected: number, value: number): RegisterInput<number> => ({ op: 'cas', expected, value })

/** An operation from `callAt` to `returnAt`; each is a process of its own. */
function ok(
  callAt: number,
  returnAt: number,
  input: RegisterInput<number>,
  output?: number | boolean,
): RegisterOperation {
  return { process: callAt, input, output, callAt, returnAt, outcome: 'ok' }
}

function open(callAt: number, input: RegisterInput<number>): RegisterOperation {
  const returnAt = Number.POSITIVE_INFINITY
  return { process: callAt, input, output: undefined, callAt, returnAt, outcome: 'open' }
}

function verdictOf(...operations: RegisterOperation[]): string {
  return checkLinearizability(register, operations).verdict
}

describe('a register', () => {
  it('is linearizable when nothing happened, or one after another', () => {
    assert.equal(verdictOf(), 'pass')
    assert.equal(verdictOf(ok(0, 1, read, 0), ok(2, 3, write(1)), ok(4, 5, read, 1)), 'pass')
  })

  it('may answer a read beside a write with the old value or the new', () => {
    assert.equal(verdictOf(ok(0, 9, write(1)), ok(1, 2, read, 0), ok(3, 4, read, 1)), 'pass')
    // Once somebody has read the new value, the old one is gone.
    assert.equal(verdictOf(ok(0, 9, write(1)), ok(1, 2, read, 1), ok(3, 4, read, 0)), 'fail')
  })

  it('must not answer with a stale value', () => {
    assert.equal(verdictOf(ok(0, 1, write(1)), ok(2, 3, write(2)), ok(4, 5, read, 1)), 'fail')
  })

  it('must not lose a write', () => {
    assert.equal(verdictOf(ok(0, 1, write(1)), ok(2, 3, read, 0)), 'fail')
  })

  it('must not invent a value', () => {
    assert.equal(verdictOf(ok(0, 9, write(1)), ok(1, 2, read, 2)), 'fail')
  })

  it('keeps one order for all readers', () => {
    const writes = [ok(0, 20, write(1)), ok(1, 20, write(2))]
    const reader = (from: number, ...values: number[]): RegisterOperation[] =>
      values.map((value, index) => ok(from + 4 * index, from + 4 * index + 2, read, value))
    assert.equal(verdictOf(...writes, ...reader(2, 1, 2), ...reader(3, 1, 2)), 'pass')
    assert.equal(verdictOf(...writes, ...reader(2, 1, 2), ...reader(3, 2, 1)), 'fail')
  })

  it('counts what ends when another begins as concurrent', () => {
    assert.equal(verdictOf(ok(0, 5, write(1)), ok(5, 6, read, 0)), 'pass')
    assert.equal(verdictOf(ok(0, 5, write(1)), ok(6, 7, read, 0)), 'fail')
  })

  it('may show an open write at any time after its call, or never', () => {
    assert.equal(verdictOf(open(0, write(1)), ok(1, 2, read, 0), ok(3, 4, read, 1)), 'pass')
    assert.equal(verdictOf(open(0, write(1)), ok(1, 2, read, 0), ok(3, 4, read, 0)), 'pass')
    assert.equal(verdictOf(open(0, write(1)), ok(1, 2, write(2)), ok(3, 4, read, 1)), 'pass')
    // Once, not twice; and not before it was called.
    const twice = [ok(1, 2, read, 1), ok(3, 4, write(2)), ok(5, 6, read, 1)]
    assert.equal(verdictOf(open(0, write(1)), ...twice), 'fail')
    assert.equal(verdictOf(ok(0, 1, read, 1), open(2, write(1))), 'fail')
  })

  it('drops open reads and what certainly failed', () => {
    const failed: RegisterOperation = { ...ok(0, 1, write(1)), outcome: 'fail' }
    assert.equal(verdictOf(failed, ok(2, 3, read, 0)), 'pass')
    assert.equal(verdictOf(failed, ok(2, 3, read, 1)), 'fail')
    assert.equal(checkLinearizability(register, [open(0, read), ok(1, 2, read, 0)]).operationCount, 1)
  })

  it('lets one of two cas with the same expectation write', () => {
    assert.equal(verdictOf(ok(0, 5, cas(0, 1), true), ok(1, 6, cas(0, 2), false), ok(7, 8, read, 1)), 'pass')
    assert.equal(verdictOf(ok(0, 5, cas(0, 1), true), ok(1, 6, cas(0, 2), true)), 'fail')
    assert.equal(verdictOf(ok(0, 1, cas(0, 1), false)), 'fail')
    assert.equal(verdictOf(open(0, cas(0, 1)), ok(1, 2, cas(1, 2), true), ok(3, 4, cas(0, 3), false)), 'pass')
  })

  it('is checked in whatever order its operations are listed', () => {
    const operations = [ok(4, 5, read, 1), ok(0, 1, read, 0), ok(2, 3, write(1))]
    assert.equal(verdictOf(...operations), 'pass')
  })

  it('refuses a return before the call', () => {
    assert.throws(() => verdictOf(ok(2, 1, read, 0)), RangeError)
    assert.throws(() => verdictOf(ok(Number.NaN, 1, read, 0)), RangeError)
  })
})

describe('a key-value store', () => {
  const kvHistory = (...steps: [KvInput, KvOutput][]): KvOperation[] => {
    const history = new History<KvInput, KvOutput>()
    for (const [input, output] of steps) history.invoke(0, input).ok(output)
    return history.operations()
  }

  it('is checked key by key', () => {
    const result = checkLinearizability(
      kvModel,
      kvHistory(
        [{ op: 'set', key: 'a', value: 1 }, undefined],
        [{ op: 'set', key: 'b', value: 2 }, undefined],
        [
          { op: 'get', key: 'a' },
          { value: 1, version: 1 },
        ],
        [
          { op: 'get', key: 'b' },
          { value: 1, version: 1 },
        ],
      ),
    )
    assert.equal(result.verdict, 'fail')
    assert.equal(result.partitionCount, 2)
    assert.equal(result.failure?.partition, 'b')
  })

  it('must not apply a write twice, which only the version tells', () => {
    const set: KvInput = { op: 'set', key: 'a', value: 1 }
    const get: KvInput = { op: 'get', key: 'a' }
    const verdict = (reading: KvOutput): string =>
      checkLinearizability(kvModel, kvHistory([set, undefined], [get, reading])).verdict
    assert.equal(verdict({ value: 1, version: 1 }), 'pass')
    assert.equal(verdict({ value: 1, version: 2 }), 'fail')
    assert.equal(verdict({ value: 1 }), 'pass')
  })
})

describe('open writes that nobody has read', () => {
  const history = new History<KvInput, KvOutput>()
  for (const value of [1, 2, 3]) history.invoke(value, { op: 'set', key: 'a', value }).open()
  history.invoke(0, { op: 'set', key: 'a', value: 4 }).ok(undefined)
  const verdict = (version: number): string => {
    const get: KvInput = { op: 'get', key: 'a' }
    const callAt = history.events.length
    const output = { value: 4, version }
    const reading: KvOperation = {
      process: 0,
      input: get,
      output,
      callAt,
      returnAt: callAt + 1,
      outcome: 'ok',
    }
    return checkLinearizability(kvModel, [...history.operations(), reading]).verdict
  }

  it('may all have taken place, or some of them, or none', () => {
    assert.deepEqual([1, 2, 3, 4, 5].map(verdict), ['pass', 'pass', 'pass', 'pass', 'fail'])
  })

  it('cost no choice among them: half of a hundred is found, and a flaw behind them', () => {
    const many = new History<KvInput, KvOutput>()
    for (let value = 0; value < 100; value++) many.invoke(value, { op: 'set', key: 'a', value }).open()
    many.invoke(0, { op: 'set', key: 'a', value: -1 }).ok(undefined)
    many.invoke(0, { op: 'get', key: 'a' }).ok({ value: -1, version: 51 })
    assert.equal(checkLinearizability(kvModel, many.operations()).verdict, 'pass')
    many.invoke(0, { op: 'get', key: 'a' }).ok({ value: -2, version: 51 })
    assert.equal(checkLinearizability(kvModel, many.operations()).verdict, 'fail')
  })
})

describe('the explanation of a failure', () => {
  const operations = [
    ok(0, 1, write(1)),
    ok(2, 9, write(2)),
    open(3, write(3)),
    ok(4, 5, read, 2),
    ok(6, 8, read, 1),
    ok(10, 11, read, 7),
  ]
  const { failure } = checkLinearizability(register, operations)
  assert.ok(failure)

  it('names the first return that has no place, and what overlaps it', () => {
    assert.equal(failure.blocked, operations[4])
    assert.deepEqual(new Set(failure.concurrent), new Set([operations[1], operations[2]]))
  })

  it('gives an order of all that returned before, and the state it leads to', () => {
    assert.deepEqual(failure.prefix.slice(0, 3), [operations[0], operations[1], operations[3]])
    let state: number | undefined = register.initial
    for (const { input, output, outcome } of failure.prefix) {
      state = register.step(state, input, output, outcome === 'open')
      assert.ok(state !== undefined)
    }
    assert.equal(state, failure.state)
    assert.deepEqual(new Set(failure.states), new Set([2, 3]))
  })

  it('is a readable text', () => {
    assert.equal(
      explainFailure(register, failure, 2),
      [
        'not linearizable: register',
        '  this operation fits nowhere:',
        '    process 6: read → 1  [6 … 8]',
        '  possible states before it: 2 | 3',
        '  what returned before it fits in this order (last 2 of 3):',
        '    process 2: write 2  [2 … 9]',
        '    process 4: read → 2  [4 … 5]',
        '  concurrent with it, and not placed:',
        '    process 3: write 3 → ?  [3 … open]',
      ].join('\n'),
    )
  })
})

describe('the budget', () => {
  /** No order fits, and nothing short of trying them all shows it. */
  const hard = Array.from({ length: 12 }, (_, index) => ok(index, 100, cas(index + 1, index + 2), true))

  it('gives up with unknown, by steps and so the same everywhere', () => {
    const writes = Array.from({ length: 12 }, (_, index) => ok(index, 100, write(index + 1)))
    const operations = [...writes, ok(101, 102, read, 99)]
    const first = checkLinearizability(register, operations, { maxStepsPerPartition: 1000 })
    const second = checkLinearizability(register, operations, { maxStepsPerPartition: 1000 })
    assert.equal(first.verdict, 'unknown')
    assert.deepEqual(first.undecided, ['register'])
    assert.equal(first.stepCount, second.stepCount)
    assert.equal(checkLinearizability(register, operations).verdict, 'fail')
    assert.equal(checkLinearizability(register, hard).verdict, 'fail')
  })

  it('does not hide that another partition fails', () => {
    const history = new History<KvInput, KvOutput>()
    const sets = Array.from({ length: 12 }, (_, value) =>
      history.invoke(value, { op: 'set', key: 'a', value }),
    )
    for (const set of sets) set.ok(undefined)
    history.invoke(0, { op: 'get', key: 'a' }).ok({ value: 99 })
    assert.equal(
      checkLinearizability(kvModel, history.operations(), { maxStepsPerPartition: 500 }).verdict,
      'unknown',
    )
    history.invoke(0, { op: 'get', key: 'b' }).ok({ value: 1 })
    const result = checkLinearizability(kvModel, history.operations(), { maxStepsPerPartition: 500 })
    assert.equal(result.verdict, 'fail')
    assert.deepEqual(result.undecided, ['a'])
  })
})

describe('the search', () => {
  /** The kv model of one key without versions: open writes then hide each other. */
  const unversioned: Model<KvCell | null, KvInput, KvOutput> = {
    ...kvModel,
    step: (state, input, output, isOpen) => {
      const reading = typeof output === 'object' ? { value: output.value } : output
      const next = kvModel.step(state, input, reading, isOpen)
      return next && { ...next, version: 1 }
    },
  }

  /** Runs both checkers on histories of one kind; returns how many were linearizable. */
  function agree(model: Model<KvCell | null, KvInput, KvOutput>, seed: number): boolean {
    const random = randomOf(seed)
    const shape = {
      processCount: 2 + below(random, 4),
      keyCount: 1 + below(random, 2),
      operationCount: 2 + below(random, 6),
      openRate: random() < 0.5 ? 0 : 0.4,
      valueCount: 1 + below(random, 3),
    }
    let operations = execute(shape, random)
    for (let count = below(random, 12); count > 0; count--) operations = spoil(operations, random)
    operations = coarsened(operations, 1 + below(random, 3))
    const expected = [...Map.groupBy(operations, ({ input }) => input.key).values()].every((group) =>
      isLinearizableByForce(model, group),
    )
    const { verdict, failure } = checkLinearizability(model, operations)
    assert.equal(verdict, expected ? 'pass' : 'fail')
    if (model === kvModel) assert.equal(checkLinearizability(kvTableModel, operations).verdict, verdict)
    if (failure) assertExplains(model, failure, operations)
    return expected
  }

  /** What returned before has an explanation; with the blocked return, none. What was pending may be left out. */
  function assertExplains(
    model: Model<KvCell | null, KvInput, KvOutput>,
    { blocked, partition }: { blocked: KvOperation; partition: string },
    operations: readonly KvOperation[],
  ): void {
    const until = (hasReturned: (operation: KvOperation) => boolean): KvOperation[] =>
      operations
        .filter(({ input, callAt }) => input.key === partition && callAt <= blocked.returnAt)
        .map((each) => (hasReturned(each) ? each : { ...each, returnAt: Number.POSITIVE_INFINITY }))
    const before = until((each) => each.returnAt < blocked.returnAt)
    const upTo = until((each) => each.returnAt <= blocked.returnAt)
    assert.ok(isLinearizableByForce(model, before))
    assert.ok(!isLinearizableByForce(model, upTo))
  }

  for (const [name, model] of [
    ['with versions', kvModel],
    ['without versions', unversioned],
  ] as const) {
    it(`agrees with trying every order, ${name}`, () => {
      let passCount = 0
      let failCount = 0
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          if (agree(model, seed)) passCount++
          else failCount++
        }),
        { numRuns: 1500 },
      )
      assert.ok(passCount > 300 && failCount > 300, `${passCount} linearizable, ${failCount} not`)
    })
  }

  it('gets through long histories', () => {
    const shape = { processCount: 10, keyCount: 20, operationCount: 20_000, openRate: 0.001 }
    const operations = execute(shape, randomOf(1))
    const result = checkLinearizability(kvModel, operations)
    assert.equal(result.verdict, 'pass')
    assert.equal(result.partitionCount, 20)
  })

  it('gets through a long history of one key, and finds its flaw near the end', () => {
    const shape = { processCount: 10, keyCount: 1, operationCount: 10_000, openRate: 0 }
    const operations = execute(shape, randomOf(2))
    assert.equal(checkLinearizability(kvModel, operations).verdict, 'pass')
    const index = operations.findLastIndex(({ input }) => input.op === 'get')
    const get = operations[index] as KvOperation
    const flawed = operations.with(index, { ...get, output: { value: 'never written', version: 1 } })
    const { verdict, failure } = checkLinearizability(kvModel, flawed)
    assert.equal(verdict, 'fail')
    assert.equal(failure?.blocked.callAt, get.callAt)
  })
})
