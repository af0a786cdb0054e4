import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { parseExposition } from './exposition.fixture.ts'
import { exposition, joinedFamilies, type MetricFamily } from './exposition.ts'
import { Histogram } from './histogram.ts'

test('each value is counted in the bucket that it fits in, and in the sum', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true })), (values) => {
      const bounds = [0.5, 1, 4, 10]
      const histogram = new Histogram(bounds)
      for (const value of values) histogram.observe(value)
      const { counts, sum } = histogram.reading()
      const limits = [Number.NEGATIVE_INFINITY, ...bounds, Number.POSITIVE_INFINITY]
      const expected = limits.slice(1).map((upper, at) => {
        return values.filter((value) => value > (limits[at] as number) && value <= upper).length
      })
      assert.deepEqual(counts, expected)
      assert.ok(Math.abs(sum - values.reduce((total, value) => total + value, 0)) < 1e-6)
    }),
  )
})

describe('the text', () => {
  const one = (name: string, labels: Record<string, string>, value: number): MetricFamily => ({
    ...{ name, help: `what ${name} is`, type: 'gauge' },
    samples: [{ labels, value }],
  })

  it('has help, type and samples; buckets add up', () => {
    const histogram = new Histogram([1, 2])
    for (const value of [0.5, 1.5, 1.7, 9]) histogram.observe(value)
    const reading = histogram.reading()
    const text = exposition([
      one('depth', {}, 3),
      { name: 'trip', help: 'trips', type: 'histogram', samples: [{ labels: { To: 'n2' }, reading }] },
    ])
    const families = parseExposition(text)
    assert.deepEqual(families.get('troupe_depth')?.samples, [{ name: 'troupe_depth', labels: {}, value: 3 }])
    assert.deepEqual(
      families.get('troupe_trip')?.samples.map(({ value }) => value),
      [1, 3, 4, 12.7, 4],
    )
  })

  it('bears any name in a label, and joins the families of several nodes', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (node, peer) => {
        const other = `${node}'`
        const families = joinedFamilies(
          new Map([
            [node, [one('a', { To: peer }, 1), one('b', {}, 2)]],
            [other, [one('a', { To: peer }, 3)]],
          ]),
        )
        const parsed = parseExposition(exposition(families))
        assert.deepEqual(
          parsed.get('troupe_a')?.samples.map(({ labels, value }) => [labels, value]),
          [
            [{ node, To: peer }, 1],
            [{ node: other, To: peer }, 3],
          ],
        )
        assert.deepEqual(parsed.get('troupe_b')?.samples.length, 1)
      }),
    )
  })
})

test('the reader of these tests refuses what is not in the format', () => {
  const sound = '# HELP a b\n# TYPE a gauge\na 1\n'
  parseExposition(sound)
  const histogram = '# HELP h b\n# TYPE h histogram\n'
  const broken = [
    sound.trimEnd(),
    sound.replace('# HELP a b\n', ''),
    sound.replace('gauge', 'number'),
    `${sound}${sound}`,
    `${sound}a 1\n`,
    `${sound}b 1\n`,
    `${sound}a{b=c} 1\n`,
    `${sound}a{b="c} 1\n`,
    `${sound}a one\n`,
    `${sound}\n`,
    `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`,
  ]
  for (const text of broken) assert.throws(() => parseExposition(text), { code: 'ERR_ASSERTION' })
})
