import assert from 'node:assert/strict'
import { createHistogram } from 'node:perf_hooks'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { rounded } from './format.ts'
import {
  failoverChart,
  html,
  percentileChart,
  percentilePoints,
  renderPage,
  scatterChart,
  section,
  table,
} from './index.ts'

const hostile = '</script><script>alert(1)</script><img src=x onerror=alert(1)>'

const page = renderPage({
  title: `Test ${hostile}`,
  lead: html`<b>${hostile}</b>`,
  content: [
    section(
      hostile,
      table(hostile, [{ title: hostile, value: (row: string) => row }], [hostile]),
      failoverChart({
        title: hostile,
        atMs: [-1, 0, 1],
        commandsPerSecond: [10, null, 20],
        markers: [{ at: 0, label: hostile, kind: 'fault' }],
      }),
      percentileChart({ title: 'p', series: [{ label: hostile, points: [{ percent: 50, ms: 1 }] }] }),
      scatterChart({
        title: 's',
        x: { label: 'x' },
        y: { label: 'y' },
        groups: [{ label: 'g', points: [{ x: 1, y: 2, title: hostile }] }],
      }),
    ),
  ],
})

test('a page loads nothing: no address in it but in comments, and a policy that forbids it', () => {
  const withoutComments = page.replaceAll(/<!--.*?-->/gs, '').replaceAll(/\/\*!.*?\*\//gs, '')
  const loads =
    /https?:|<(?:script|img|iframe|use|a)\b[^>]*\s(?:src|href)=|@import|url\(|<link|\bimport\b\s*[({'"]/g
  assert.deepEqual(withoutComments.match(loads), null)
  assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;;/)
})

test('text from outside is text wherever it goes', () => {
  assert.ok(!page.includes('<img'))
  assert.ok(!page.includes('<script>alert'))
})

test('every chart carries its data, and every script can be parsed', () => {
  const scripts = [...page.matchAll(/<script( type="application\/json")?>(.*?)<\/script>/gs)]
  const kinds = scripts
    .filter(([, type]) => type !== undefined)
    .map(([, , json = '']) => (JSON.parse(json) as { kind: string }).kind)
  assert.deepEqual(kinds, ['time', 'percentiles', 'scatter'])
  const code = scripts.filter(([, type]) => type === undefined).map(([, , text = '']) => text)
  assert.equal(code.length, 2)
  // Parsed, and not run: there is no document here.
  for (const text of code) runInNewContext(`() => {${text}}`)
})

test('percentiles are given as far as ten samples stand behind them', () => {
  const histogram = createHistogram()
  for (let ns = 1; ns <= 1000; ns++) histogram.record(ns * 1e6)
  const points = percentilePoints(histogram)
  assert.deepEqual(points.at(-1), { percent: 99, ms: rounded(histogram.percentile(99) / 1e6) })
  assert.ok(points.some(({ percent }) => percent === 50))
  assert.ok(points.every(({ ms }, index) => ms >= (points[index - 1]?.ms ?? 0)))
  assert.deepEqual(percentilePoints(createHistogram()), [])
})
