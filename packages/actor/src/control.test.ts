import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { RaftError } from '@troupe/core'
import { type ControlOptions, controlProxy, exposeControl } from './control.ts'

class Base {
  async inherited(): Promise<string> {
    return 'from the base'
  }
}

class Api extends Base {
  readonly #factor = 2
  readonly noMethod = 1

  async twice(value: number): Promise<number> {
    return value * this.#factor
  }

  async refuse(): Promise<void> {
    throw new RaftError('STALE_SESSION', 'gone', { session: 7 })
  }

  async broken(): Promise<void> {
    throw new TypeError('a bug')
  }

  async unanswered(): Promise<void> {
    await new Promise(() => {})
  }

  async uncloneable(): Promise<unknown> {
    return () => {}
  }
}

function controlled(options: Partial<ControlOptions> = {}) {
  const { port1, port2 } = new MessageChannel()
  const faults: unknown[] = []
  const exited = Promise.withResolvers<RaftError | undefined>()
  exposeControl(port1, new Api(), (error) => faults.push(error))
  const full = { actorId: 'n1', timeoutMs: 5_000, exited: exited.promise, ...options }
  const control = controlProxy<Api>(port2, full)
  return { ...control, faults, exited, [Symbol.dispose]: () => control.close() }
}

const isUnavailable = (pattern: RegExp) => (error: unknown) =>
  RaftError.is(error, 'NODE_UNAVAILABLE') && error.data.node === 'n1' && pattern.test(error.message)

describe('control', { timeout: 90_000 }, () => {
  it('calls methods, own and inherited, with `this`', async () => {
    using control = controlled()
    assert.equal(await control.api.twice(21), 42)
    assert.equal(await control.api.inherited(), 'from the base')
  })

  it('is no promise itself', async () => {
    using control = controlled()
    assert.equal(await Promise.resolve(control.api), control.api)
  })

  it('carries a RaftError with code and data', async () => {
    using control = controlled()
    await assert.rejects(control.api.refuse(), (error) => {
      return RaftError.is(error, 'STALE_SESSION') && error.data.session === 7 && error.message === 'gone'
    })
    assert.deepEqual(control.faults, [])
  })

  it('reports a bug to both sides', async () => {
    using control = controlled()
    await assert.rejects(control.api.broken(), isUnavailable(/broken\(\) broke: TypeError: a bug/))
    assert.equal(control.faults.length, 1)
  })

  it('refuses what is no method, and what the prototype of all objects has', async () => {
    using control = controlled()
    for (const name of ['absent', 'noMethod', 'constructor', 'hasOwnProperty', '__proto__']) {
      const refused = control.invoke(name, [])
      await assert.rejects(refused, (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    }
  })

  it('rejects arguments and answers that cannot be cloned', async () => {
    using control = controlled()
    const wrong = control.invoke('twice', [() => {}])
    await assert.rejects(wrong, (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    await assert.rejects(control.api.uncloneable(), isUnavailable(/Unserializable/))
  })

  it('bounds the time of a call', async () => {
    using control = controlled({ timeoutMs: 20 })
    await assert.rejects(control.api.unanswered(), isUnavailable(/no answer to unanswered\(\) within 20 ms/))
  })

  it('bounds the number of calls without an answer', async () => {
    using control = controlled({ timeoutMs: 20, maxPendingCalls: 2 })
    const late = [control.api.unanswered(), control.api.unanswered()]
    await assert.rejects(control.api.twice(1), isUnavailable(/2 calls unanswered/))
    for (const call of late) await assert.rejects(call, isUnavailable(/within 20 ms/))
    await assert.rejects(control.api.twice(1), isUnavailable(/2 calls unanswered/))
  })

  it('rejects pending and later calls when the worker is gone', async () => {
    using control = controlled()
    const pending = control.api.unanswered()
    control.exited.resolve(new RaftError('PROTOCOL', 'why it died', { reason: 'x' }))
    await assert.rejects(pending, isUnavailable(/why it died/))
    await assert.rejects(control.api.twice(1), isUnavailable(/why it died/))
  })

  it('rejects pending and later calls when it is closed', async () => {
    const control = controlled()
    const pending = control.api.unanswered()
    control.close()
    control.close()
    await assert.rejects(pending, (error) => RaftError.is(error, 'SHUTTING_DOWN'))
    await assert.rejects(control.api.twice(1), (error) => RaftError.is(error, 'SHUTTING_DOWN'))
  })
})
