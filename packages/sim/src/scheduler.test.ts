import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Scheduler } from './scheduler.ts'

const numRuns = process.env.TROUPE_FULL ? 5000 : 300

describe('virtual time', () => {
  test('runs tasks by their time, and those of one time in the order of their being scheduled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
        const scheduler = new Scheduler()
        const ran: [time: number, place: number][] = []
        times.forEach((time, place) => {
          scheduler.at(time, { run: () => ran.push([scheduler.nowMs, place]) })
        })
        while (scheduler.step());
        const expected = times.map((time, place): [number, number] => [time, place])
        expected.sort((left, right) => left[0] - right[0] || left[1] - right[1])
        assert.deepEqual(ran, expected)
        assert.equal(scheduler.steps, times.length)
      }),
      { numRuns },
    )
  })

  test('what is scheduled while it runs comes in its order too, and never in the past', () => {
    const scheduler = new Scheduler()
    const ran: string[] = []
    const task = (name: string, then = (): void => {}): { run(): void } => ({
      run: () => {
        ran.push(`${name}@${scheduler.nowMs}`)
        then()
      },
    })
    scheduler.at(
      5,
      task('b', () => scheduler.at(1, task('late'))),
    )
    scheduler.after(
      2,
      task('a', () => scheduler.after(3, task('c'))),
    )
    assert.equal(scheduler.nextMs, 2)
    while (scheduler.step());
    assert.deepEqual(ran, ['a@2', 'b@5', 'c@5', 'late@5'])
    assert.equal(scheduler.step(), false)
    assert.equal(scheduler.nextMs, Number.POSITIVE_INFINITY)
  })
})
