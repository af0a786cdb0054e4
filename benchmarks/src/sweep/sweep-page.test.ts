import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import type { ExplorerData } from './explorer-data.ts'
import { pointOf } from './sweep.fixture.ts'
import { renderSweep } from './sweep-page.ts'

const points = [1, 64].flatMap((maxInflightMessages) =>
  [0, 5].map((delayMs) => pointOf({ maxInflightMessages, delayMs }, 1000 * maxInflightMessages, 12.3, 3)),
)
const page = renderSweep(points, undefined, { command: 'troupe bench sweep </script>' })

test('the page has every point with its limit, and the axes that vary', () => {
  const json = /<script type="application\/json">(.*?)<\/script>/s.exec(page)?.[1]
  const data = JSON.parse(json ?? '') as ExplorerData
  assert.deepEqual(
    data.axes.map(({ name }) => name),
    ['maxInflightMessages', 'delayMs'],
  )
  assert.equal(data.points.length, 4)
  assert.ok(data.points.every(({ limit }) => limit.kind in data.limitNames && limit.why !== ''))
  assert.deepEqual(data.points.map(({ opsPerSecond }) => opsPerSecond).sort(), [1000, 1000, 64_000, 64_000])
})

test('winners, limits and depth stand in it without any script', () => {
  assert.match(page, /p99 ≤ 20 ms.*64,000/s)
  assert.match(page, /class="limit [a-z-]+"/)
  assert.match(page, /× 64.*throughput rises|throughput rises .* × 64/s)
  assert.match(page, /network delay 5 ms/)
})

test('it loads nothing, and its scripts can be parsed', () => {
  const withoutComments = page.replaceAll(/<!--.*?-->/gs, '').replaceAll(/\/\*!.*?\*\//gs, '')
  assert.equal(withoutComments.match(/https?:|@import|url\(|<link|<(?:script|img)\b[^>]*\ssrc=/g), null)
  for (const [, text] of page.matchAll(/<script>(.*?)<\/script>/gs)) runInNewContext(`() => {${text}}`)
})

test('without points it says so', () => {
  assert.match(renderSweep([], undefined, { command: '' }), /Nothing has been measured yet/)
})

test('a sweep that is not finished says so', () => {
  const progress = { points: 9, measured: 4, unchecked: 0, repeatsMissing: 0 }
  const command = 'troupe bench sweep'
  assert.match(renderSweep(points, undefined, { command, progress }), /Not finished: 4 of 9 points/)
  const all = { ...progress, measured: 9 }
  assert.doesNotMatch(renderSweep(points, undefined, { command, progress: all }), /Not finished/)
})
