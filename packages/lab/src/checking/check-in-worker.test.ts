import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { History, type RegisterInput, type RegisterOutput } from '@troupe/check'
import { RaftError } from '@troupe/core'
import { checkInWorker } from './check-in-worker.ts'

type RegisterHistory = History<RegisterInput<number>, RegisterOutput<number>>

/** Writes at once, and a read of what nobody wrote: only trying all orders shows it. */
function hard(writes: number): RegisterHistory {
  const history: RegisterHistory = new History()
  const pending = Array.from({ length: writes }, (_, value) => history.invoke(value, { op: 'write', value }))
  for (const write of pending) write.ok(undefined)
  history.invoke(0, { op: 'read' }).ok(-1)
  return history
}

describe('a check in a worker', () => {
  it('gives the report of the model', async () => {
    const history: RegisterHistory = new History()
    history.invoke(0, { op: 'write', value: 1 }).ok(undefined)
    const good = await checkInWorker(history.operations(), 'register')
    assert.equal(good.verdict, 'pass')
    history.invoke(1, { op: 'read' }).ok(2)
    const bad = await checkInWorker(history.operations(), 'register')
    assert.equal(bad.verdict, 'fail')
    assert.equal(bad.failure?.reason, 'no order explains: read → 2')
    assert.deepEqual(
      bad.failure?.operations.map(({ text, place, role }) => [text, place, role]),
      [
        ['write 1', 1, undefined],
        ['read → 2', undefined, 'blocked'],
      ],
    )
  })

  it('is stopped at the end of its budget, and says so', async () => {
    const report = await checkInWorker(hard(30).operations(), 'register', {
      budgetMs: 300,
      maxStepsPerPartition: Number.MAX_SAFE_INTEGER,
    })
    assert.equal(report.verdict, 'unknown')
    assert.equal(report.reason, 'out of its budget of 0.3 s')
  })

  it('gives up for want of steps', async () => {
    const report = await checkInWorker(hard(30).operations(), 'register', { maxStepsPerPartition: 1000 })
    assert.equal(report.verdict, 'unknown')
    assert.equal(report.reason, '1 of 1 ran out of steps')
    assert.deepEqual(report.undecided, ['register'])
  })

  it('ends when it is told to', async () => {
    const controller = new AbortController()
    const check = checkInWorker(hard(30).operations(), 'register', {
      maxStepsPerPartition: Number.MAX_SAFE_INTEGER,
      signal: controller.signal,
      onStage: () => controller.abort(new Error('enough')),
    })
    await assert.rejects(check, /enough/)
  })

  it('refuses a model that there is not', async () => {
    await assert.rejects(checkInWorker([], 'no-such'), (error) => RaftError.is(error, 'INVALID_OPTIONS'))
  })
})
