import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Progress } from './progress.ts'

function world(isTTY: boolean) {
  const written: string[] = []
  const clock = { nowMs: 0 }
  const stream = { write: (text: string) => written.push(text), isTTY, columns: 100 }
  const progress = new Progress(stream, 10_000, () => clock.nowMs)
  return { written, clock, progress }
}

test('tells the share that is done and the time left over all phases', () => {
  const { clock, progress } = world(false)
  progress.begin('first', 4000)
  clock.nowMs = 1000
  assert.deepEqual(progress.state(), { done: 0.1, leftMs: 9000 })
  clock.nowMs = 4000
  progress.begin('second', 6000)
  assert.deepEqual(progress.state(), { done: 0.4, leftMs: 6000 })
})

test('goes by steps where there are any', () => {
  const { clock, progress } = world(false)
  progress.begin('trials', 10_000)
  clock.nowMs = 2000
  progress.step(1, 10)
  assert.deepEqual(progress.state(), { done: 0.1, leftMs: 18_000 })
})

test('never promises more than everything', () => {
  const { clock, progress } = world(false)
  progress.begin('late', 10_000)
  clock.nowMs = 30_000
  assert.deepEqual(progress.state(), { done: 1, leftMs: 0 })
})

test('draws a bar on a terminal and clears it at the end', () => {
  const { written, clock, progress } = world(true)
  progress.begin('64 outstanding', 10_000)
  progress.note('1,234 op/s')
  clock.nowMs = 5000
  progress.draw()
  progress.end()
  const bar = '█'.repeat(12) + '░'.repeat(12)
  assert.equal(written.at(-2), `\r\u001b[2K${bar}  50 %  5 s left  64 outstanding  1,234 op/s`)
  assert.equal(written.at(-1), '\r\u001b[2K')
})

test('elsewhere it writes a line for each phase and nothing more', () => {
  const { written, progress } = world(false)
  progress.begin('first', 5000)
  progress.note('unseen')
  progress.begin('second', 5000)
  progress.end()
  assert.deepEqual(written, ['first …\n', 'second …\n'])
})
