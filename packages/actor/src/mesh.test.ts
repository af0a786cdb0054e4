import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { spawnTestActor, type TestActor, until } from '../test/support.ts'
import { hrtimeMs } from './clock.ts'
import { Link } from './link.ts'
import { attach, connect } from './mesh.ts'
import { Supervisor } from './supervisor.ts'

const window = { maxUnreadMessages: 16, maxUnreadBytes: 4096 }
let supervisor: Supervisor

beforeEach(() => {
  supervisor = new Supervisor()
})
afterEach(() => supervisor.stopAll({ withinMs: 500 }))

async function running(): Promise<TestActor> {
  const actor = spawnTestActor(supervisor)
  await actor.start()
  return actor
}

function open(gate: SharedArrayBuffer): void {
  const cell = new Int32Array(gate)
  Atomics.store(cell, 0, 1)
  Atomics.notify(cell, 0)
}

/** Waits until an actor has noted this about its peers. */
async function noted(actor: TestActor, note: string): Promise<void> {
  await until(async () => (await actor.api.peers()).includes(note))
}

describe('the mesh', { timeout: 90_000 }, () => {
  it('connects two actors directly', async () => {
    const [a, b] = [await running(), await running()]
    assert.equal(connect(a, b, 'peers'), true)
    await noted(a, 'actor-2:peers')
    await noted(b, 'actor-1:peers')
    assert.equal(await a.api.sendTo('actor-2', 'hello'), true)
    await noted(b, 'actor-1 says hello')
  })

  it('tells an actor at once that its peer died, and connects the next life of it', async () => {
    const [a, b] = [await running(), await running()]
    connect(a, b)
    await noted(b, 'actor-1:undefined')
    await a.crash()
    await noted(b, 'actor-1 closed')
    await a.start()
    assert.equal(connect(a, b, 'second'), true)
    await noted(b, 'actor-1:second')
    await noted(a, 'actor-2:second')
  })

  it('tells it while the dying thread is still there, where that says farewell', async () => {
    const gate = new SharedArrayBuffer(4)
    const dying = spawnTestActor(supervisor, { behave: 'linger-at-farewell', gate })
    await dying.start()
    const other = await running()
    connect(dying, other)
    await noted(other, 'actor-1:undefined')
    const exit = dying.crash()
    await noted(other, 'actor-1 closed')
    assert.equal(dying.state, 'running', 'its exit is not told yet')
    open(gate)
    const { code, terminated } = await exit
    assert.deepEqual({ code, terminated }, { code: 1, terminated: false })
  })

  it('hands over ports that came before the start, but not those closed meanwhile', async () => {
    const gate = new SharedArrayBuffer(4)
    const actor = spawnTestActor(supervisor, { behave: 'start-on-gate', gate })
    const started = actor.start()
    attach(actor, 'gone').close()
    const port = attach(actor, 'client', 'early')
    open(gate)
    await started
    await noted(actor, 'client:early')
    port.close()
    await noted(actor, 'client closed')
  })

  it('attaches a client, who sees the death of the actor', async () => {
    const actor = await running()
    const echoed = Promise.withResolvers<Uint8Array>()
    const closed = Promise.withResolvers<number>()
    const link = new Link(attach(actor, 'client'), window, {
      onFrame: (frame) => echoed.resolve(frame),
      onClose: () => closed.resolve(hrtimeMs()),
    })
    link.send(Uint8Array.of(1, 2, 3), true)
    assert.deepEqual(await echoed.promise, Uint8Array.of(1, 2, 3))
    const { diedAtMs } = await actor.crash()
    assert.ok((await closed.promise) >= Number(diedAtMs))
    assert.equal(link.send(Uint8Array.of(1), true), false)
  })

  it('closes a port that was on its way to an actor when it died', async () => {
    const actor = await running()
    const crashed = actor.crash()
    const port = attach(actor, 'late')
    port.on('message', () => {})
    await once(port, 'close')
    await crashed
  })

  it('says so when an actor has no worker', async () => {
    const [a, b] = [await running(), spawnTestActor(supervisor)]
    assert.throws(
      () => attach(b, 'client'),
      (error) => RaftError.is(error, 'NODE_UNAVAILABLE'),
    )
    assert.equal(connect(b, a), false)
    assert.equal(connect(a, b), false)
    await noted(a, 'actor-2 closed')
  })
})
