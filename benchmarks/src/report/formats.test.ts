import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Environment } from '../environment.ts'
import { csvOf } from './csv.ts'
import type { FullDocument } from './document.ts'
import { factsOf } from './facts.ts'
import { htmlPage } from './html.ts'
import { markdownPage } from './markdown.ts'
import type { Output } from './output.ts'

const environment: Environment = {
  date: '2026-01-31T12:00:00.000Z',
  nodeVersion: 'v26',
  platform: 'linux',
  cpuModel: 'x',
  cpuCount: 2,
  memoryBytes: 3 * 2 ** 30,
  fileSystem: { type: 'ext4', durable: true },
  durability: 'flush-before-ack',
  uvThreadpoolSize: 16,
  gitCommit: 'abc',
}

test('CSV has a column for each field of any row, nested ones by their path', () => {
  const rows = [
    { window: 1, latencyMs: { p50: 0.5, p99: null }, timeline: { points: [1, 2, 3] } },
    { window: 64, note: 'a "wide", one', actors: [{ actor: 'n1' }] },
  ]
  assert.equal(
    csvOf(rows),
    [
      'window,latencyMs.p50,latencyMs.p99,note,actors',
      '1,0.5,,,',
      '64,,,"a ""wide"", one","[{""actor"":""n1""}]"',
      '',
    ].join('\r\n'),
  )
})

test('Markdown has what is printed: headings, tables, lines', () => {
  const print = (output: Output): void => {
    output.title('Throughput')
    output.line()
    output.line(output.style.good('0 lost, p50|p99'))
    output.table<{ readonly name: string; readonly count: number }>(
      [
        { title: 'name', value: ({ name }) => name, align: 'left' },
        { title: 'count', value: ({ count }) => String(count) },
      ],
      [{ name: 'a', count: 7 }],
    )
  }
  const text = markdownPage({ print }, { environment, command: 'pnpm troupe bench throughput --window 7' })
  assert.equal(
    text,
    [
      '## Throughput',
      '',
      '0 lost, p50\\|p99',
      '',
      '| name | count |',
      '| --- | ---: |',
      '| a | 7 |',
      '',
      '2026-01-31 12:00 UTC · 2 × x · Node v26 · ext4 · flush-before-ack · commit abc',
      '',
      '    pnpm troupe bench throughput --window 7',
      '',
    ].join('\n'),
  )
})

test('conditions are told in words, and what was not given is left out', () => {
  const configuration = { keys: 100_000, outstandingCalls: [1, 64], rig: true, seed: 1234, lingerMs: null }
  const facts = Object.fromEntries(factsOf({ configuration, environment }))
  assert.equal(facts['date'], '2026-01-31 12:00:00 UTC')
  assert.equal(facts['file system'], 'ext4')
  assert.equal(facts['memory bytes'], '3.0 GiB')
  assert.deepEqual([facts['keys'], facts['outstanding calls']], ['100,000', '1, 64'])
  assert.deepEqual([facts['rig'], facts['seed'], facts['linger ms']], ['yes', '1234', undefined])
})

test('a page says what its verdict means, and ends with what made it, when, where and of what', () => {
  const document: FullDocument = {
    ...{ schema: 1, benchmark: 'rig', headline: null, verdict: 'pass', command: "troupe 'a & b'" },
    ...{ configuration: {}, environment, runs: [] },
  }
  const bars = [{ label: 'one', value: 1, text: '1 op/s' }]
  const page = htmlPage(
    {
      print: (output) => output.line('said'),
      says: (verdict) => `it is a ${verdict}`,
      pictures: () => [
        { kind: 'bars', title: 'Bars', bars },
        { kind: 'amounts', title: 'Amounts', left: 'MiB', atSeconds: [1, 2], series: [] },
        { kind: 'failover', title: 'Failover', atMs: [0], commandsPerSecond: [1], markers: [], spans: [] },
      ],
    },
    document,
  )
  assert.match(page, /troupe bench rig: it is a pass\./)
  assert.match(page, /<p>said<\/p>/)
  for (const title of ['Bars', 'Amounts', 'Failover']) assert.ok(page.includes(`<strong>${title}</strong>`))
  const footer = /<footer>.*<\/footer>/s.exec(page)?.[0] ?? ''
  assert.match(footer, /<code>troupe &#39;a &amp; b&#39;<\/code>/)
  assert.match(footer, /2026-01-31 12:00 UTC · 2 × x · Node v26 · ext4 · flush-before-ack · commit abc/)
})
