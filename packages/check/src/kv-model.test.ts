import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import {
  type KvInput,
  type KvOutput,
  type KvState,
  type KvTableInput,
  type KvTableOutput,
  kvModel,
  kvTableModel,
} from './kv-model.ts'

const key = 'k'
const get: KvInput = { op: 'get', key }
const set = (value: number): KvInput => ({ op: 'set', key, value })
const remove: KvInput = { op: 'delete', key }
const cas = (expected: number | undefined, value: number): KvInput => {
  return { op: 'compareAndSet', key, expected, value }
}

/** The state after operations that were answered so; undefined once one is impossible. */
function after(...steps: [KvInput, KvOutput][]): KvState | undefined {
  return steps.reduce<KvState | undefined>(
    (state, [input, output]) => (state === undefined ? undefined : kvModel.step(state, input, output, false)),
    kvModel.initial,
  )
}

describe('the model of a key', () => {
  it('counts the writes since the key was created', () => {
    assert.deepEqual(after([set(7), undefined], [set(8), undefined]), { value: 8, version: 2 })
    assert.deepEqual(after([set(7), undefined], [remove, true], [set(8), undefined]), {
      value: 8,
      version: 1,
    })
  })

  it('answers a get with value and version, or nothing', () => {
    assert.equal(after([get, undefined]), null)
    assert.equal(after([get, { value: 7, version: 1 }]), undefined)
    assert.ok(after([set(7), undefined], [get, { value: 7, version: 1 }]))
    assert.ok(after([set(7), undefined], [get, { value: 7 }]))
    assert.equal(after([set(7), undefined], [get, { value: 7, version: 2 }]), undefined)
    assert.equal(after([set(7), undefined], [get, undefined]), undefined)
  })

  it('answers a delete with whether the key was there', () => {
    assert.equal(after([remove, false]), null)
    assert.equal(after([remove, true]), undefined)
    assert.equal(after([set(7), undefined], [remove, true]), null)
  })

  it('writes by compare-and-set only over what is expected', () => {
    assert.deepEqual(after([cas(undefined, 7), true]), { value: 7, version: 1 })
    assert.deepEqual(after([set(7), undefined], [cas(7, 8), true]), { value: 8, version: 2 })
    assert.deepEqual(after([set(7), undefined], [cas(6, 8), false]), { value: 7, version: 1 })
    assert.equal(after([set(7), undefined], [cas(undefined, 8), true]), undefined)
    assert.equal(after([cas(7, 8), true]), undefined)
  })

  it('does whatever an open operation would', () => {
    const state = { value: 7, version: 1 }
    assert.equal(kvModel.step(state, remove, undefined, true), null)
    assert.deepEqual(kvModel.step(state, cas(7, 8), undefined, true), { value: 8, version: 2 })
    assert.equal(kvModel.step(state, cas(6, 8), undefined, true), state)
  })

  it('compares values by content', () => {
    const bytes = (): Uint8Array => Uint8Array.of(1, 2)
    const state = after([{ op: 'set', key, value: bytes() }, undefined])
    assert.ok(state && kvModel.step(state, get, { value: bytes() }, false))
    assert.ok(state && kvModel.equal?.(state, { value: bytes(), version: 1 }))
  })

  it('takes open writes that nobody has read for one another', () => {
    const open = { process: 0, output: undefined, callAt: 0, returnAt: Number.POSITIVE_INFINITY } as const
    const read = { process: 0, output: { value: 3 }, callAt: 0, returnAt: 1 } as const
    const inputs = kvModel.normalize?.([
      { ...open, input: set(1), outcome: 'open' },
      { ...open, input: set(2), outcome: 'open' },
      { ...open, input: set(3), outcome: 'open' },
      { ...open, input: cas(4, 5), outcome: 'open' },
      { ...open, input: set(4), outcome: 'open' },
      { ...read, input: get, outcome: 'ok' },
    ])
    assert.ok(inputs)
    assert.equal(inputs[0], inputs[1])
    assert.equal(new Set(inputs).size, 5)
    assert.deepEqual(inputs[2], set(3))
    assert.deepEqual(inputs[4], set(4))
  })
})

describe('the model of a table', () => {
  const state = new Map([
    ['b', { value: 2, version: 5 }],
    ['a', { value: 1, version: 1 }],
    ['x', { value: 3, version: 1 }],
  ])
  const fits = (input: KvTableInput, output: KvTableOutput): boolean =>
    kvTableModel.step(state, input, output, false) === state

  it('answers queries over several keys', () => {
    assert.ok(fits({ op: 'count' }, 3))
    assert.ok(!fits({ op: 'count' }, 2))
    assert.ok(fits({ op: 'versions', keys: ['x', 'y', 'b'] }, [1, 0, 5]))
    assert.ok(!fits({ op: 'versions', keys: ['x', 'y', 'b'] }, [1, 1, 5]))
    const list = { op: 'list', prefix: '', after: '', limit: 2 } as const
    const a = { key: 'a', value: 1, version: 1 }
    const b = { key: 'b', value: 2, version: 5 }
    assert.ok(fits(list, [a, b]))
    assert.ok(!fits(list, [b, a]))
    assert.ok(!fits(list, [a]))
    assert.ok(fits({ ...list, after: 'a', limit: 1 }, [b]))
    assert.ok(fits({ ...list, prefix: 'b' }, [b]))
    assert.ok(!fits({ ...list, prefix: 'b' }, [{ ...b, version: 4 }]))
  })

  it('changes a copy, and only if there is a change', () => {
    const written = kvTableModel.step(state, { op: 'set', key: 'a', value: 9 }, undefined, false)
    assert.deepEqual(written?.get('a'), { value: 9, version: 2 })
    assert.deepEqual(state.get('a'), { value: 1, version: 1 })
    assert.ok(fits({ op: 'delete', key: 'nobody' }, false))
    assert.equal(kvTableModel.step(state, { op: 'delete', key: 'a' }, true, false)?.size, 2)
    assert.ok(!kvTableModel.equal?.(state, written ?? state))
    assert.ok(kvTableModel.equal?.(state, new Map(state)))
  })

  it('tells what happened in words', () => {
    assert.equal(kvTableModel.describe?.({ op: 'count' }, 3, false), '{op: "count"} → 3')
    assert.equal(kvModel.describe?.(get, { value: 1, version: 2 }, false), 'get k → 1 (version 2)')
    assert.equal(kvModel.describe?.(get, undefined, false), 'get k → no value')
    assert.equal(kvModel.describe?.(cas(undefined, 1), undefined, true), 'compareAndSet k no value to 1 → ?')
    assert.equal(kvModel.describeState?.({ value: 1, version: 2 }), '1 (version 2)')
  })
})
