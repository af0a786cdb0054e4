import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitedLogger } from './log-limiter.ts'

test('of lines that are alike one in an interval is written, and says how many were not', () => {
  const lines: unknown[] = []
  let nowMs = 0
  const log = limitedLogger(
    (level, event, detail) => lines.push([level, event, detail]),
    (_event, { code }) => String(code),
    1000,
    () => nowMs,
  )
  for (let count = 0; count < 5; count++) log('warn', 'refused', { code: 'a', count })
  log('warn', 'refused', { code: 'b' })
  nowMs = 1000
  log('warn', 'refused', { code: 'a', count: 9 })
  assert.deepEqual(lines, [
    ['warn', 'refused', { code: 'a', count: 0 }],
    ['warn', 'refused', { code: 'b' }],
    ['warn', 'refused', { code: 'a', count: 9, suppressed: 4 }],
  ])
})
