/**
 * The smallest schedules by which each bug on purpose was found: they find it still, and nothing in the code as it is. Each bug
 * needs a thread with sources of its own: of full size all of them, else every fourth.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseSchedule } from '@troupe/sim'
import { mutants } from '@troupe/sim/mutants'
import { inThread } from './pool.ts'
import { replay } from './worker.ts'

const folder = new URL('../../../sim/schedules/', import.meta.url)
const { signal } = new AbortController()
const isFull = process.env.TROUPE_FULL === '1'

describe('schedules', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))

  test('there is one for every mutant', () => {
    assert.deepEqual(
      files.map((name) => name.replace('.json', '')).sort(),
      mutants.map(({ name }) => name).sort(),
    )
  })

  for (const [at, file] of files.entries()) {
    const schedule = readFileSync(new URL(file, folder), 'utf8')
    const { mutant } = parseSchedule(schedule)
    const task = { schedule, timeline: false }

    if (isFull || at % 4 === 0) {
      test(`${file} fails with its mutant as it says`, async () => {
        const { failsAsSaid, run } = await inThread('replay', task, signal, mutant as string)
        assert.equal(failsAsSaid, true, run.failure?.message ?? 'it does not fail')
      })
    }

    test(`${file} does not fail without`, () => {
      const { run } = replay(task)
      assert.equal(run.failure?.message, undefined)
    })
  }
})

describe('schedules of what was mended since', () => {
  const mended = new URL('mended/', folder)
  for (const file of readdirSync(mended)) {
    test(`${file} does not fail any more`, () => {
      const { run } = replay({ schedule: readFileSync(new URL(file, mended), 'utf8'), timeline: false })
      assert.equal(run.failure?.message, undefined)
    })
  }
})
