import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailoverCurve, FlowSampler } from './failover.ts'

/** One command a millisecond from 0 on, none from `fromMs` to `toMs`; looked at every 7 ms. */
function flow(startMs: number, lengthMs: number, fromMs: number, toMs: number) {
  const count = (ms: number): number => (ms <= fromMs ? ms : ms <= toMs ? fromMs : ms - (toMs - fromMs))
  return Array.from({ length: Math.floor(lengthMs / 7) + 1 }, (_, index) => ({
    atMs: startMs + index * 7,
    acknowledged: count(index * 7),
  }))
}

test('the loss stands at 0, and nothing is acknowledged until another leads', () => {
  const curve = new FailoverCurve()
  curve.add(flow(5000, 210, 70, 140), 5070)
  const { binMs, fromMs, commandsPerSecond } = curve.mean ?? assert.fail('there is a curve')
  assert.equal(binMs, 10)
  assert.equal(fromMs, -70)
  const at = (ms: number): number | undefined => commandsPerSecond[(ms - fromMs) / binMs]
  assert.deepEqual([at(-70), at(-10), at(0), at(60), at(70), at(130)], [1000, 1000, 0, 0, 1000, 1000])
})

test('trials are put upon each other, and what less than half of them reach is left out', () => {
  const curve = new FailoverCurve()
  for (const startMs of [0, 1000, 7000]) curve.add(flow(startMs, 140, 70, 105), startMs + 70)
  curve.add(flow(9000, 700, 70, 105), 9070)
  const { fromMs, commandsPerSecond } = curve.mean ?? assert.fail('there is a curve')
  assert.equal(commandsPerSecond.length, 14)
  assert.equal(commandsPerSecond[(0 - fromMs) / 10], 0)
})

test('without a sample there is no curve', () => {
  const curve = new FailoverCurve()
  curve.add([], 5)
  assert.equal(curve.mean, undefined)
})

test('a sampler asks one question at a time, and none after it was stopped', async () => {
  let asked = 0
  const thrice = Promise.withResolvers<void>()
  const sampler = new FlowSampler({
    totals: () => {
      if (++asked === 3) thrice.resolve()
      return Promise.resolve({ acknowledged: asked })
    },
  })
  await thrice.promise
  const samples = sampler.stop()
  assert.ok(samples.length >= 2)
  assert.deepEqual(
    samples.slice(0, 2).map(({ acknowledged }) => acknowledged),
    [1, 2],
  )
})
