import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvOf } from './csv.ts'
import { markdownPage } from './markdown.ts'

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
  const text = markdownPage((output) => {
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
  })
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
    ].join('\n'),
  )
})
