import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CheckReport, ShownOperation } from '@troupe/check'
import { historyPage } from './history-page.ts'
import { type LaneBar, lanesSvg } from './lanes.ts'

const bar = (lane: string, from: number, to: number | null, place?: number): LaneBar => ({
  lane,
  from,
  to,
  text: `${lane} ${from}`,
  title: `bar${place}`,
  tone: 'done',
  place,
})

const numbers = (svg: string, pattern: RegExp): number[][] =>
  Array.from(svg.matchAll(pattern), ([, ...groups]) => groups.map(Number))

describe('lanes', () => {
  const bars = [
    bar('a', 0, 3, 1),
    bar('b', 1, 2, 3),
    bar('a', 4, 5, 4),
    bar('c', 1, null, 2),
    bar('b', 6, 7, 5),
  ]
  const svg = lanesSvg({ bars, bands: [{ from: 2, to: 4, text: '<split>' }], label: 'x', endAt: 7 })

  it('have a path that goes through each bar within its time, and never back', () => {
    const [, points = ''] = /<polyline points="([^"]*)"/.exec(svg) ?? []
    const xs = points.split(' ').map((point) => Number(point.split(',')[0]))
    assert.equal(xs.length, bars.length)
    assert.deepEqual(
      xs,
      xs.toSorted((left, right) => left - right),
    )
    for (const [index, x] of xs.entries()) {
      const rect = new RegExp(
        `<title>bar${index + 1}</title><rect x="([\\d.]+)" y="[\\d.]+" width="([\\d.]+)"`,
      )
      const [, left = '', width = ''] = rect.exec(svg) ?? []
      assert.ok(
        x >= Number(left) && x <= Number(left) + Number(width),
        `point ${index + 1} is within its bar`,
      )
    }
  })

  it('put bars of a lane that overlap below each other', () => {
    const overlapping = lanesSvg({
      bars: [bar('a', 0, 3), bar('a', 1, 2), bar('a', 4, 5)],
      bands: [],
      label: 'x',
    })
    const rows = numbers(overlapping, /<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="24"/g).flat()
    assert.deepEqual(rows, [32, 66, 32])
  })

  it('escape what comes from outside', () => {
    assert.ok(svg.includes('&lt;split&gt;') && !svg.includes('<split>'))
  })
})

describe('the page of a history', () => {
  const operation = (text: string): ShownOperation => ({
    process: 1,
    text,
    outcome: 'ok',
    callAt: 0,
    returnAt: 1,
    callMs: 0.25,
    returnMs: 1,
    line: 1,
    place: undefined,
    role: 'blocked',
  })
  const report: CheckReport = {
    model: 'register',
    verdict: 'fail',
    operationCount: 1,
    partitionCount: 1,
    stepCount: 3,
    reason: undefined,
    undecided: [],
    figures: {},
    failure: {
      partition: 'k',
      reason: 'no order explains: <b>',
      isShortest: true,
      prefixLength: 1,
      operations: [operation('<script>alert(1)</script>')],
      omittedCount: 0,
      states: ['"&"'],
    },
  }

  it('loads nothing, and shows nothing as markup that came from outside', () => {
    const page = historyPage({ name: '<i>', report, faults: [], command: 'troupe check' })
    assert.doesNotMatch(page, /<script>alert|<b>|<i>|(?:src|href)=|url\(|@import/)
    assert.match(page, /prefers-color-scheme: dark/)
    assert.match(page, /0\.3 ms/)
  })

  it('is there for a history that passes, too', () => {
    const page = historyPage({
      name: 'h',
      report: { ...report, verdict: 'pass', failure: undefined },
      faults: [],
      command: 'troupe check',
    })
    assert.match(page, /Everything in it is what register allows\./)
    assert.doesNotMatch(page, /<svg/)
  })
})
