import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import fc from 'fast-check'

import { fromJson, sameValue, showValue, toJson } from './values.ts'

const scalar = fc.oneof(
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 5 }),
)
const key = fc.oneof(
  fc.string(),
  fc.constantFrom('$bytes', '$$bytes', '$', '$undefined', '__proto__', 'constructor'),
)
const { plain } = fc.letrec((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('plain'), { maxLength: 4 }),
    fc.dictionary(key, tie('plain'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))

describe('plain values', () => {
  it('survive JSON', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const again = fromJson(JSON.parse(JSON.stringify(toJson(value))))
        assert.deepStrictEqual(again, value)
        assert.ok(sameValue(again, value))
      }),
    )
  })

  it('are the same exactly when their JSON is, but for the sign of zero and the order of keys', () => {
    const close = fc.oneof(fc.constantFrom<unknown>(0, 1, '0', null, undefined, false), fc.array(scalar))
    fc.assert(
      fc.property(close, close, (left, right) => {
        fc.pre(!JSON.stringify([toJson(left), toJson(right)]).includes('-0'))
        const isSame = JSON.stringify(toJson(left)) === JSON.stringify(toJson(right))
        assert.equal(sameValue(left, right), isSame)
      }),
    )
    assert.ok(sameValue(0, -0))
    assert.ok(sameValue({ a: 1, b: [2] }, { b: [2], a: 1 }))
    assert.ok(!sameValue({ a: undefined }, { b: undefined }))
    assert.ok(!sameValue([1], { 0: 1 }))
    assert.ok(!sameValue([1], Uint8Array.of(1)))
    assert.ok(!sameValue(Uint8Array.of(1), [1]))
    assert.ok(!sameValue({}, []))
  })

  it('are refused when they are not plain', () => {
    assert.throws(() => toJson(() => 1), TypeError)
    assert.throws(() => toJson({ at: new Map() }), /class Map/)
    assert.throws(() => fromJson({ $moon: 1 }), /\$moon/)
  })

  it('are shown in one line', () => {
    assert.equal(showValue({ a: [1, 'x', null], b: Uint8Array.of(1, 255) }), '{a: [1, "x", null], b: 0x01ff}')
    assert.equal(showValue(new Map([['k', undefined]])), '{k: undefined}')
    assert.equal(showValue('x'.repeat(100)).length, 60)
  })
})
