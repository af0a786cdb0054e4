import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kv } from '@troupe/machines'
import { codec } from '@troupe/wire'
import { Oracle } from './oracle.ts'

/** Runs each list of commands as one payload. */
function oracleOf(...payloads: (readonly unknown[])[]): Oracle {
  const oracle = new Oracle(codec)
  payloads.forEach((commands, at) => {
    assert.equal(oracle.ran(at + 1, at, codec.encode(commands)), undefined)
  })
  return oracle
}

describe('the oracle', () => {
  test('knows values, versions and compare-and-sets', () => {
    const oracle = oracleOf(
      [kv.set('a', 'x'), kv.compareAndSet('a', 'no', 'y')],
      [kv.compareAndSet('a', 'x', 'z')],
    )
    assert.equal(oracle.applied, 3)
    assert.equal(oracle.valueOf('a'), 'z')
    assert.equal(oracle.acknowledged('a', 'x', true, 0), undefined)
    assert.equal(oracle.acknowledged('a', 'y', false, 0), undefined)
    assert.match(oracle.acknowledged('a', 'y', true, 0) ?? '', /answered wrongly/)
    assert.equal(oracle.sawSomething({ value: 'x', version: 1 }), undefined)
    assert.match(oracle.sawSomething({ value: 'x', version: 2 }) ?? '', /version/)
    assert.match(oracle.sawSomething({ value: 'y', version: 1 }) ?? '', /phantom/)
  })

  test('complains of a stale read, a lost write, a write applied twice, and states that differ', () => {
    const oracle = oracleOf([kv.set('a', 'x')], [kv.set('a', 'z')])
    assert.equal(oracle.acknowledged('a', 'z', true, oracle.floorOf('a')), undefined)
    const floor = oracle.floorOf('a')
    assert.match(oracle.read('a', { value: 'x', version: 1 }, floor) ?? '', /stale read/)
    assert.match(oracle.read('a', undefined, floor) ?? '', /stale read/)
    assert.equal(oracle.read('a', { value: 'z', version: 2 }, floor), undefined)
    assert.equal(oracle.read('a', { value: 'x', version: 1 }, 0), undefined)
    assert.match(oracle.acknowledged('a', 'never', true, 0) ?? '', /never applied/)
    assert.match(oracle.ran(3, 3, codec.encode([kv.set('b', 'x')])) ?? '', /twice/)
    assert.match(oracle.ran(1, 77, codec.encode([kv.set('a', 'x')])) ?? '', /another state/)
    assert.match(oracle.ran(9, 9, codec.encode([])) ?? '', /never was/)
  })
})
