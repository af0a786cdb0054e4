import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import type { TestActorData } from '../test/fixtures/test-actor.ts'
import { next, spawnTestActor } from '../test/support.ts'
import { hrtimeMs } from './clock.ts'
import { Supervisor } from './supervisor.ts'

let supervisor: Supervisor

beforeEach(() => {
  supervisor = new Supervisor({ random: () => 1 })
})
afterEach(() => supervisor.stopAll({ withinMs: 500 }))

const isUnavailable = (pattern: RegExp) => (error: unknown) =>
  RaftError.is(error, 'NODE_UNAVAILABLE') && error.data.node === 'actor-1' && pattern.test(error.message)
const behaves = (behave: TestActorData['behave']): TestActorData => ({ behave })

describe('starting an actor', { timeout: 90_000 }, () => {
  it('resolves with what the actor gave as ready, and tells it', async () => {
    const actor = spawnTestActor(supervisor)
    const started = next(supervisor, 'started')
    assert.deepEqual(await actor.start(), { id: 'actor-1', startCount: 1 })
    assert.deepEqual((await started).value, { id: 'actor-1', startCount: 1 })
    assert.equal(actor.state, 'running')
    assert.equal(await actor.api.echo('hello'), 'hello')
  })

  it('rejects with the RaftError that the start threw, without the stack of the worker', async () => {
    const actor = spawnTestActor(supervisor, behaves('refuse-to-start'), { restart: {} })
    const exit = next(supervisor, 'exit')
    await assert.rejects(actor.start(), (error) => {
      assert.ok(RaftError.is(error, 'INVALID_MACHINE'))
      assert.equal(error.message, 'the machine does not load')
      assert.deepEqual(error.data, { machine: './nowhere.ts', reason: 'no such module' })
      assert.doesNotMatch(String(error.stack), /test-actor/)
      return true
    })
    // A start by hand that fails is its caller's, whatever the restart policy.
    assert.equal(actor.state, 'down')
    const { expected, code, error } = await exit
    assert.deepEqual({ expected, code }, { expected: false, code: 1 })
    assert.ok(RaftError.is(error, 'INVALID_MACHINE'))
  })

  it('rejects with NODE_UNAVAILABLE and the stack as cause when it threw anything else', async () => {
    const actor = spawnTestActor(supervisor, behaves('throw-at-start'))
    await assert.rejects(actor.start(), (error) => {
      assert.ok(isUnavailable(/TypeError: a bug at the start/)(error))
      assert.match(String(((error as Error).cause as Error).stack), /test-actor/)
      return true
    })
  })

  it('rejects when the module does not load', async () => {
    const url = new URL('../test/fixtures/broken-module.ts', import.meta.url)
    const actor = spawnTestActor(supervisor, undefined, { url })
    await assert.rejects(actor.start(), isUnavailable(/does not load/))
  })

  it('rejects when the actor does not start in time, says what it was at, and ends it', async () => {
    for (const [behave, stage] of [
      ['never-start', 'it waits for nothing'],
      ['spin-at-start', 'its modules are loaded'],
    ] as const) {
      const id = `actor-${behave}`
      const timing = { startTimeoutMs: 100, terminateAfterMs: 100 }
      const gate = new SharedArrayBuffer(4)
      const actor = spawnTestActor(supervisor, { behave, gate }, { id, ...timing })
      const exit = next(supervisor, 'exit')
      const started = actor.start()
      // However long its modules take.
      Atomics.wait(new Int32Array(gate), 0, 0, 60_000)
      await assert.rejects(started, new RegExp(`did not start within 100 ms: ${stage}$`))
      assert.equal((await exit).expected, false)
      assert.equal(actor.state, 'down')
    }
  })

  it('says of one that its modules hold up that they are being loaded', async () => {
    const url = new URL('data:text/javascript,await new Promise(() => setInterval(() => {}, 1000))')
    const timing = { startTimeoutMs: 1_000, terminateAfterMs: 100 }
    const actor = spawnTestActor(supervisor, undefined, { url, ...timing })
    await assert.rejects(
      actor.start(),
      isUnavailable(/1000 ms: its (?:modules are being loaded|thread has not begun)$/),
    )
  })

  it('starts in time where this process stood still meanwhile, for longer than a start may take', async () => {
    const gate = new SharedArrayBuffer(4)
    const timing = { startTimeoutMs: 300 }
    const actor = spawnTestActor(supervisor, { behave: 'well', gate }, timing)
    const started = actor.start()
    const cell = new Int32Array(gate)
    Atomics.wait(cell, 0, 0, 60_000)
    Atomics.wait(cell, 0, 1, 2 * timing.startTimeoutMs)
    assert.deepEqual(await started, { id: 'actor-1', startCount: 1 })
  })

  it('refuses a second start, a second actor of that name, and actors after stopAll', async () => {
    const actor = spawnTestActor(supervisor)
    const started = actor.start()
    await assert.rejects(actor.start(), (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    await started
    await assert.rejects(actor.start(), (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    const isTaken = (error: unknown) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'id'
    assert.throws(() => spawnTestActor(supervisor, undefined, { id: 'actor-1' }), isTaken)
    await supervisor.stopAll()
    const isClosed = (error: unknown) => RaftError.is(error, 'SHUTTING_DOWN')
    assert.throws(() => spawnTestActor(supervisor), isClosed)
  })
})

describe('the end of an actor', { timeout: 90_000 }, () => {
  it('crashes from inside when told to, and tells when it died', async () => {
    const actor = spawnTestActor(supervisor)
    await actor.start()
    const beforeMs = hrtimeMs()
    const info = await actor.crash()
    assert.deepEqual([info.code, info.expected, info.terminated, info.error], [1, true, false, undefined])
    assert.ok(info.diedAtMs !== undefined && info.diedAtMs >= beforeMs && info.diedAtMs <= info.atMs)
    assert.equal(actor.state, 'down')
    await assert.rejects(actor.crash(), isUnavailable(/not running/))
    await assert.rejects(actor.api.echo(1), isUnavailable(/not running \(down\)/))
  })

  it('crashes all the same where its farewell fails', async () => {
    const actor = spawnTestActor(supervisor, behaves('throw-at-farewell'))
    await actor.start()
    const { code, terminated, diedAtMs } = await actor.crash()
    assert.deepEqual([code, terminated, typeof diedAtMs], [1, false, 'number'])
  })

  it('terminates a worker that is hung in JavaScript', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { terminateAfterMs: 100 })
    await actor.start()
    await actor.api.spin()
    const info = await actor.crash()
    assert.deepEqual([info.terminated, info.diedAtMs], [true, undefined])
  })

  it('stops gracefully with code 0, and crashes what does not stop in time', async () => {
    const graceful = spawnTestActor(supervisor)
    const hanging = spawnTestActor(supervisor, behaves('hang-at-stop'))
    const failing = spawnTestActor(supervisor, behaves('fail-at-stop'))
    await Promise.all([graceful.start(), hanging.start(), failing.start()])
    assert.equal((await graceful.stop())?.code, 0)
    assert.equal((await hanging.stop({ withinMs: 50 }))?.code, 1)
    assert.match(String((await failing.stop())?.error), /cannot stop/)
    for (const actor of [graceful, hanging, failing]) assert.equal(actor.state, 'stopped')
    assert.equal(await graceful.stop(), undefined)
  })

  it('lets an actor that is told to stop while it starts start first', async () => {
    const gate = new SharedArrayBuffer(4)
    const actor = spawnTestActor(supervisor, { behave: 'start-on-gate', gate })
    const started = actor.start()
    const stopped = actor.stop()
    open(gate)
    await started
    assert.equal((await stopped)?.code, 0)
    assert.equal(actor.state, 'stopped')
  })

  it('sees an uncaught throw at once, with the error, and rejects calls that wait', async () => {
    const actor = spawnTestActor(supervisor)
    await actor.start()
    const failed = next(supervisor, 'failed')
    const exit = next(supervisor, 'exit')
    const pending = assert.rejects(actor.api.unanswered(), isUnavailable(/RangeError: nobody catches this/))
    await lastCall(actor.api.throwLater())
    assert.match((await failed).error.message, /RangeError: nobody catches this/)
    const info = await exit
    assert.deepEqual([info.code, info.expected, info.diedAtMs === undefined], [1, false, false])
    await pending
  })

  it('goes down on a bug in a control method, not on a RaftError', async () => {
    const actor = spawnTestActor(supervisor)
    await actor.start()
    await assert.rejects(
      actor.api.refuse(),
      (error) => RaftError.is(error, 'BUSY') && error.data.retryAfterMs === 7,
    )
    assert.equal(await actor.api.echo(1), 1)
    const exit = next(supervisor, 'exit')
    await assert.rejects(actor.api.broken(), isUnavailable(/a bug in a control method/))
    assert.match(String((await exit).error), /a bug in a control method/)
  })

  it('tells of the end of a worker at its heap limit', async () => {
    const resourceLimits = { maxOldGenerationSizeMb: 16 }
    const actor = spawnTestActor(supervisor, behaves('well'), { resourceLimits })
    await actor.start()
    const exit = next(supervisor, 'exit')
    await assert.rejects(actor.api.exhaust(), isUnavailable(/ERR_WORKER_OUT_OF_MEMORY|memory/))
    assert.equal((await exit).code, 1)
  })
})

describe('restarting an actor', { timeout: 90_000 }, () => {
  const quick = { initialDelayMs: 20, factor: 2, maxDelayMs: 1_000, maxRestarts: 3, withinMs: 60_000 }

  it('starts it again after a crash: after the exit and the delay', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick })
    await actor.start()
    const restarting = next(supervisor, 'restarting')
    const started = next(supervisor, 'started')
    const info = await actor.crash()
    assert.equal(actor.state, 'backing-off')
    const { attempt, delayMs } = await restarting
    assert.deepEqual([attempt, delayMs], [1, 20])
    const { startCount, atMs } = await started
    assert.equal(startCount, 2)
    // Timers may fire up to 1 ms early.
    assert.ok(atMs - info.atMs >= 19)
    assert.deepEqual(await actor.api.echo('again'), 'again')
  })

  it('starts it again after an exit that nobody asked for, even with code 0', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick })
    await actor.start()
    const started = next(supervisor, 'started')
    await lastCall(actor.api.exitByItself())
    assert.equal((await started).startCount, 2)
  })

  it('quarantines it when it dies again and again, each time a little later', async () => {
    const delays: number[] = []
    supervisor.on('restarting', ({ delayMs }) => delays.push(delayMs))
    const actor = spawnTestActor(supervisor, behaves('die-after-start'), { restart: quick })
    const quarantined = next(supervisor, 'quarantined')
    await actor.start()
    const { failures, error } = await quarantined
    assert.deepEqual(delays, [20, 40, 80])
    assert.equal(failures, 4)
    assert.match(String(error), /again/)
    assert.equal(actor.state, 'quarantined')
    assert.equal(actor.startCount, 4)
  })

  it('counts a restart that cannot start as a failure', async () => {
    const later = (startCount: number) => behaves(startCount === 1 ? 'well' : 'refuse-to-start')
    const restart = { ...quick, maxRestarts: 1 }
    const actor = spawnTestActor(supervisor, later, { restart })
    const quarantined = next(supervisor, 'quarantined')
    await actor.start()
    await actor.crash()
    assert.ok(RaftError.is((await quarantined).error, 'INVALID_MACHINE'))
  })

  it('quarantines what cannot even be launched again', async () => {
    const later = (startCount: number) => {
      if (startCount > 1) throw new Error('no data for it')
      return behaves('well')
    }
    const actor = spawnTestActor(supervisor, later, { restart: quick })
    const quarantined = next(supervisor, 'quarantined')
    await actor.start()
    await actor.crash()
    assert.match(String((await quarantined).error), /no data for it/)
  })

  it('leaves it down after a crash without restart, until it is started by hand', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick })
    await actor.start()
    await actor.crash({ restart: false })
    assert.equal(actor.state, 'down')
    await actor.start()
    assert.equal(actor.startCount, 2)
  })

  it('leaves it down whatever the policy says while its owner says so', async () => {
    let isKept = true
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick, mayRestart: () => !isKept })
    await actor.start()
    await actor.crash()
    assert.equal(actor.state, 'down')
    isKept = false
    await actor.start()
    const again = next(supervisor, 'started')
    await actor.crash()
    assert.equal((await again).startCount, 3)
  })

  it('starts by hand only after the exit of the worker before', async () => {
    const actor = spawnTestActor(supervisor)
    await actor.start()
    const events: string[] = []
    supervisor.on('exit', ({ startCount }) => events.push(`exit ${startCount}`))
    supervisor.on('started', ({ startCount }) => events.push(`started ${startCount}`))
    const crashed = actor.crash()
    await actor.start()
    await crashed
    assert.deepEqual(events, ['exit 1', 'started 2'])
  })

  it('starts at once when a listener of its exit starts it, and only once', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick })
    await actor.start()
    const restarted = Promise.withResolvers<unknown>()
    supervisor.once('exit', () => restarted.resolve(actor.start()))
    await actor.crash()
    await restarted.promise
    assert.deepEqual([actor.state, actor.startCount], ['running', 2])
  })

  it('does not come back from a stop, not even while it backs off', async () => {
    const actor = spawnTestActor(supervisor, behaves('well'), { restart: quick })
    await actor.start()
    await actor.crash()
    assert.equal(await actor.stop(), undefined)
    assert.equal(actor.state, 'stopped')
    // A timer that outlives the delay of the restart: it would have come first.
    await new Promise((resolve) => setTimeout(resolve, 2 * quick.initialDelayMs))
    assert.equal(actor.state, 'stopped')
    assert.equal(actor.startCount, 1)
  })
})

/** A call that ends its actor: the answer may be lost on the way. */
async function lastCall(call: Promise<void>): Promise<void> {
  await call.catch(() => {})
}

function open(gate: SharedArrayBuffer): void {
  const cell = new Int32Array(gate)
  Atomics.store(cell, 0, 1)
  Atomics.notify(cell, 0)
}
