import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AckTimes } from './ack-times.ts'

test('finds the first acknowledgement after an election that the old leader did not give', async () => {
  let leader = 'n1'
  const times = new AckTimes(() => leader)
  times.record(10)
  times.record(20)
  leader = 'n2'
  times.record(30)
  times.record(40)
  assert.equal(await times.first(15, 'n1'), 30)
  assert.equal(await times.first(35, 'n1'), 40)
  assert.equal(await times.first(15, undefined), 20)
})

test('an answer of the old leader that was under way does not count', async () => {
  let leader = 'n1'
  const times = new AckTimes(() => leader)
  const first = times.first(100, 'n1')
  times.record(101)
  leader = 'n2'
  times.record(102)
  assert.equal(await first, 102)
})

test('waits for what has not come yet', async () => {
  const times = new AckTimes(() => 'n1')
  times.record(1)
  const later = times.first(50, undefined)
  times.record(49)
  times.record(51)
  assert.equal(await later, 51)
})

test('forgets what is long past and keeps the rest', async () => {
  const times = new AckTimes(() => 'n1')
  for (let atMs = 0; atMs < 200_000; atMs++) times.record(atMs)
  assert.equal(await times.first(199_000, undefined), 199_000)
  assert.equal(await times.first(0, undefined), 200_000 - 65_536)
})
