import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lanesPicture, ticksOf } from './lanes.ts'

const picture = {
  title: 't',
  axis: 'ms',
  from: 0,
  to: 100,
  lanes: [
    {
      label: '<n1>',
      segments: [
        { from: 0, to: 50, tone: 'series-0', weight: 'full', label: 'leader', title: '<leads>' },
        { from: 50, to: 51, tone: 'series-0', weight: 'open', label: 'a label without room', title: 'down' },
      ],
      marks: [{ at: 75, tone: 'bad', shape: 'cross', title: 'cut' }],
    },
  ],
} as const

test('a segment is as long as it lasts, and has its label where there is room', () => {
  const { text } = lanesPicture(picture)
  const [first, second] = [...text.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map(
    ([, x, width]) => ({ x: Number(x), width: Number(width) }),
  )
  assert.ok(first && second)
  assert.ok(Math.abs(second.x - first.x - first.width) < 0.1)
  assert.ok(Math.abs(first.width / second.width - 50) < 1)
  assert.match(text, />leader</)
  assert.doesNotMatch(text, /without room/)
  assert.match(text, /&lt;n1&gt;/)
  assert.match(text, /<title>&lt;leads&gt;<\/title>/)
})

test('rules whose labels would meet stand in rows, and are no more than there is room for', () => {
  const rules = [1, 2, 3, 4].map((at) => ({ at, label: `rule number ${at}`, tone: 'muted' as const }))
  const { text } = lanesPicture({ ...picture, rules })
  const rows = [...text.matchAll(/<text x="[\d.]+" y="([\d.]+)" class="">rule number/g)].map(([, y]) => y)
  assert.equal(new Set(rows).size, 3)
  assert.equal([...text.matchAll(/<line /g)].length, 4 + 1 + ticksOf(0, 100).length)
})

test('ticks are round and within their bounds', () => {
  assert.deepEqual(ticksOf(0, 1), [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
  assert.deepEqual(ticksOf(3, 27), [5, 10, 15, 20, 25])
  assert.deepEqual(ticksOf(4, 4), [4])
})
