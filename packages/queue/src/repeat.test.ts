import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { RaftError } from '@troupe/core'
import type { Outgoing } from './producer.ts'
import { QueueError } from './queue-errors.ts'
import { Repeat } from './repeat.ts'

/** Lets everything run that waits for nothing but promises. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function withClock(startMs: number, run: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: startMs })
  try {
    await run()
  } finally {
    mock.timers.reset()
  }
}

async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms)
  await settled()
}

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

describe('a repeat', () => {
  it('sends each occurrence a minute ahead, under an id of its name and time', () =>
    withClock(HOUR_MS / 2, async () => {
      const sent: Outgoing<string>[] = []
      const options = { cron: '0 * * * *', key: 'k' }
      const repeat = new Repeat(
        'report',
        (time) => time.toISOString(),
        options,
        async (message) => sent.push(message),
      )
      await settled()
      await pass(HOUR_MS / 2 - MINUTE_MS - 1)
      assert.equal(sent.length, 0)
      await pass(1)
      const time = '1970-01-01T01:00:00.000Z'
      assert.deepEqual(sent, [{ key: 'k', data: time, id: `report@${time}`, at: HOUR_MS }])
      await pass(HOUR_MS)
      assert.deepEqual(
        sent.map(({ at }) => at),
        [HOUR_MS, 2 * HOUR_MS],
      )
      await repeat.stop()
      await pass(HOUR_MS)
      assert.equal(sent.length, 2)
    }))

  it('sends again what failed in passing, the same id, and gives up at what will not pass', () =>
    withClock(0, async () => {
      const ids: (string | undefined)[] = []
      const failures = [
        new RaftError('INDETERMINATE', 'no answer', { reason: 'no answer' }),
        new QueueError('QUEUE_FULL', 'full'),
      ]
      const send = async ({ id }: Outgoing<string>): Promise<void> => {
        ids.push(id)
        const failure = failures.shift()
        if (failure !== undefined) throw failure
        if (ids.length === 4) throw new QueueError('INVALID_DATA', 'no')
      }
      const repeat = new Repeat('beat', 'x', { everyMs: MINUTE_MS }, send)
      await settled()
      for (let each = 0; each < 2; each++) await pass(1000)
      const first = 'beat@1970-01-01T00:01:00.000Z'
      assert.deepEqual(ids, [first, first, first])
      await pass(MINUTE_MS)
      await assert.rejects(repeat.done, /no/)
    }))

  it('leaves out what was missed, and ends in time', () =>
    withClock(0, async () => {
      const times: unknown[] = []
      let blocked = Promise.withResolvers<void>()
      const options = { everyMs: MINUTE_MS, until: 8 * MINUTE_MS }
      const repeat = new Repeat('beat', 'x', options, async ({ at }) => {
        times.push(Number(at) / MINUTE_MS)
        await blocked.promise
      })
      await settled()
      mock.timers.tick(5 * MINUTE_MS)
      blocked.resolve()
      blocked = Promise.withResolvers<void>()
      blocked.resolve()
      await settled()
      for (let each = 0; each < 8; each++) await pass(MINUTE_MS)
      assert.deepEqual(times, [1, 5, 6, 7])
      await repeat.done
    }))

  it('is refused with both kinds of times, or an interval that is none', () => {
    const make = (options: object): unknown => new Repeat('x', 'x', options, async () => {})
    assert.throws(() => make({ everyMs: 1, cron: '* * * * *' }), /either everyMs or cron/)
    assert.throws(() => make({ everyMs: 0.5 }), /everyMs is 0.5/)
  })
})
