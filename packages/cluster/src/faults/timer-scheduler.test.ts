import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hrtimeMs } from '@troupe/actor'
import { TimerScheduler } from './timer-scheduler.ts'

const clock = { nowMs: hrtimeMs }

test('tasks run in the order of their times, those of the same time in the order they were given', async () => {
  const scheduler = new TimerScheduler(clock)
  const ran: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const startMs = clock.nowMs()
  const at = (name: string, afterMs: number): void => {
    scheduler.schedule(startMs + afterMs, () => {
      assert.ok(clock.nowMs() >= startMs + afterMs, `${name} ran before its time`)
      ran.push(name)
      if (ran.length === 5) resolve()
    })
  }
  at('last', 9.9)
  at('past', -5)
  at('first of two', 4.2)
  at('second of two', 4.2)
  at('between', 9.1)
  assert.deepEqual(ran, [], 'nothing runs from within `schedule`')
  await promise
  assert.deepEqual(ran, ['past', 'first of two', 'second of two', 'between', 'last'])
})

test('a task may give another one, and after `close` nothing runs', async () => {
  const scheduler = new TimerScheduler(clock)
  const ran: string[] = []
  await new Promise<void>((resolve) => {
    scheduler.schedule(clock.nowMs(), () => {
      ran.push('outer')
      scheduler.schedule(clock.nowMs(), () => {
        ran.push('inner')
        resolve()
      })
    })
  })
  scheduler.schedule(clock.nowMs(), () => ran.push('after close'))
  scheduler.close()
  // Another one's later task: by then it would have run.
  const other = new TimerScheduler(clock)
  await new Promise<void>((resolve) => other.schedule(clock.nowMs() + 2, resolve))
  other.close()
  assert.deepEqual(ran, ['outer', 'inner'])
})
