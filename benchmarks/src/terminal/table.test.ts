import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, formatMs, formatNumber } from './format.ts'
import { styleFor } from './style.ts'
import { type Column, renderTable } from './table.ts'

interface Row {
  readonly name: string
  readonly count: number
}

const columns: readonly Column<Row>[] = [
  { title: 'name', value: ({ name }) => name, align: 'left' },
  { title: 'count', value: ({ count }) => formatNumber(count) },
]

test('a table lines up: text to the left, numbers to the right', () => {
  const rows = [
    { name: 'a', count: 7 },
    { name: 'longer', count: 1_234_567 },
  ]
  assert.deepEqual(renderTable(columns, rows), [
    'name        count',
    '──────  ─────────',
    'a               7',
    'longer  1,234,567',
  ])
})

test('a table without rows has its titles', () => {
  assert.deepEqual(renderTable(columns, []), ['name  count', '────  ─────'])
})

test('numbers have thousands separators', () => {
  assert.deepEqual(
    [0, 999, 1000, 1_234_567.5, -1234].map((value) => formatNumber(value)),
    ['0', '999', '1,000', '1,234,568', '-1,234'],
  )
  assert.equal(formatNumber(1234.5678, 2), '1,234.57')
})

test('milliseconds have the digits that they deserve', () => {
  assert.deepEqual([0.4534, 12.345, 1234.5, null].map(formatMs), ['0.453', '12.3', '1,235', '–'])
})

test('time left is in seconds, then in minutes', () => {
  assert.deepEqual([-5, 41_600, 65_000].map(formatDuration), ['0 s', '42 s', '1 min 05 s'])
})

test('colours are for terminals, and for nobody with NO_COLOR', () => {
  const write = (): void => {}
  const terminal = { write, isTTY: true }
  assert.equal(styleFor(terminal, {}).good('x'), '\u001b[32mx\u001b[39m')
  assert.equal(styleFor(terminal, { NO_COLOR: '1' }).good('x'), 'x')
  assert.equal(styleFor({ write }, {}).good('x'), 'x')
})
