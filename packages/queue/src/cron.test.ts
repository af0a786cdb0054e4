import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { Cron } from './cron.ts'

/** The next `count` times after `from`, as they are in UTC. */
function next(expression: string, from: string, count = 1, timeZone = 'UTC'): string[] {
  const cron = new Cron(expression, timeZone)
  const times: string[] = []
  let timeMs = Date.parse(from)
  for (let each = 0; each < count; each++) {
    timeMs = cron.after(timeMs)
    times.push(new Date(timeMs).toISOString().slice(0, 16))
  }
  return times
}

describe('cron', () => {
  it('counts in lists, ranges and steps', () => {
    assert.deepEqual(next('*/20 9-10 * * *', '2026-01-05T09:39:59Z', 5), [
      '2026-01-05T09:40',
      '2026-01-05T10:00',
      '2026-01-05T10:20',
      '2026-01-05T10:40',
      '2026-01-06T09:00',
    ])
    assert.deepEqual(next('5,35 0 * * *', '2026-01-05T00:05:00Z', 2), [
      '2026-01-05T00:35',
      '2026-01-06T00:05',
    ])
    assert.deepEqual(next('50/4 0 1 1 *', '2026-01-01T00:00:00Z', 3), [
      '2026-01-01T00:50',
      '2026-01-01T00:54',
      '2026-01-01T00:58',
    ])
  })

  it('knows months and days by name, and takes one of two restricted kinds of days', () => {
    assert.deepEqual(next('0 0 * feb mon-tue', '2026-01-01T00:00:00Z', 2), [
      '2026-02-02T00:00',
      '2026-02-03T00:00',
    ])
    assert.deepEqual(next('0 12 13 * 5', '2026-02-08T00:00:00Z', 2), ['2026-02-13T12:00', '2026-02-20T12:00'])
    assert.deepEqual(next('0 12 13 * 7', '2026-03-08T13:00:00Z', 2), ['2026-03-13T12:00', '2026-03-15T12:00'])
    assert.deepEqual(next('0 0 29 2 *', '2026-03-01T00:00:00Z'), ['2028-02-29T00:00'])
  })

  it('goes by the clocks of the time zone: once where they show a time twice, later where they jump over it', () => {
    const daily = next('30 2 * * *', '2026-03-28T00:00:00Z', 3, 'Europe/Berlin')
    assert.deepEqual(daily, ['2026-03-28T01:30', '2026-03-29T01:30', '2026-03-30T00:30'])
    const autumn = next('30 2 * * *', '2026-10-24T00:00:00Z', 3, 'Europe/Berlin')
    assert.deepEqual(autumn, ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'])
    const hourly = next('15 * * * *', '2026-10-24T23:30:00Z', 3, 'Europe/Berlin')
    assert.deepEqual(
      hourly,
      ['2026-10-25T00:15', '2026-10-25T01:15', '2026-10-25T02:15'],
      'no hour is left out',
    )
    assert.deepEqual(next('0 0 * * *', '2026-06-01T00:00:00Z', 1, 'America/New_York'), ['2026-06-01T04:00'])
    assert.deepEqual(next('0 9 * * *', '2026-06-01T00:00:00Z', 1, 'Asia/Kolkata'), ['2026-06-01T03:30'])
  })

  it('says what it does not understand', () => {
    const wrong = [
      '* * * *',
      '60 * * * *',
      '* 5-2 * * *',
      '*/0 * * * *',
      '1-2-3 * * * *',
      '* * * foo *',
      '0 0 31 2 *',
      '-1 * * * *',
      '1/2/3 * * * *',
    ]
    for (const expression of wrong)
      assert.throws(
        () => new Cron(expression),
        (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'cron',
        expression,
      )
    assert.throws(() => new Cron('* * * * *', 'Mars/Base'), /timeZone is "?Mars\/Base/)
  })
})
