import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, runs } from '../test/support.ts'
import {
  type CommandError,
  type Outcome,
  type PackedOutcome,
  packOutcome,
  resultAt,
  sliceOutcome,
  unpackOutcome,
} from './outcome.ts'

const outcome: fc.Arbitrary<Outcome> = fc
  .record({
    first: fc.integer({ min: 1, max: 1000 }),
    count: fc.integer({ min: 1, max: 20 }),
    from: fc.nat(),
  })
  .chain(({ first, count, from }) =>
    fc.record({
      first: fc.constant(first),
      count: fc.constant(count),
      results: fc.oneof(
        fc.constant(undefined),
        fc.constant({ from }),
        fc.array(fc.oneof(fc.constant(undefined), fc.string(), fc.boolean()), {
          minLength: count,
          maxLength: count,
        }),
      ),
      errors: fc.option(
        fc
          .subarray([...Array(count).keys()], { minLength: 1 })
          .map((offsets) => offsets.map((offset): CommandError => [offset, `reason ${offset}`])),
        { nil: undefined },
      ),
    }),
  )

/** What became of one command, by its sequence number. */
const at = (whole: Outcome, sequence: number): unknown => {
  const reason = new Map(whole.errors).get(sequence - whole.first)
  return reason ?? resultAt(whole, sequence - whole.first)
}

describe('an outcome', () => {
  it('says of each command of a slice what it says of it as a whole', () => {
    fc.assert(
      fc.property(outcome, fc.nat(), fc.nat(), (whole, a, b) => {
        const first = whole.first + (a % whole.count)
        const count = 1 + (b % (whole.first + whole.count - first))
        const slice = sliceOutcome(whole, first, count)
        assert.deepEqual([slice.first, slice.count], [first, count])
        for (let sequence = first; sequence < first + count; sequence++) {
          const [own, known] = [at(slice, sequence), at(whole, sequence)]
          if (whole.errors?.some(([offset]) => offset === sequence - whole.first)) {
            assert.ok(slice.errors?.some(([offset]) => offset === sequence - first))
          } else assert.deepEqual(own, known)
        }
        assert.notEqual(slice.errors?.length, 0)
        for (const [offset] of slice.errors ?? []) assert.ok(offset >= 0 && offset < count)
      }),
      runs(500),
    )
  })

  it('is the same after the wire', () => {
    fc.assert(
      fc.property(outcome, (whole) => {
        const packed = codec.decode(codec.encode(packOutcome(whole))) as PackedOutcome
        assert.deepEqual(unpackOutcome(packed), { ...whole })
      }),
      runs(200),
    )
  })
})
