/** The kv on the disk does what the one in memory does. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { codec, context, drained, recut, runs, stateOf } from '../test/support.ts'
import { kv, kvMachine } from './kv.ts'
import { createMachine, type StateMachine, storagePlaceOf } from './machine.ts'
import { MemoryStateStorage } from './memory-state-storage.ts'

const meta = { index: 1, timeMs: 1 }
const inMemory = (): StateMachine => createMachine(kvMachine, context())

class OnDisk {
  readonly storage = new MemoryStateStorage()
  readonly machine = createMachine(kvMachine, {
    ...context({ storage: 'disk' }),
    storage: this.storage.machine,
  })

  apply(...commands: unknown[]): unknown {
    let result: unknown
    this.storage.batch(() => {
      result = this.machine.applyPayload?.(codec.encode(commands), commands.length, meta)
    })
    return result
  }
}

const key = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom('', 'a', 'b', 'ab', 'a\u{10000}', 'a\ufffd', 'a\ue000b', 'k'.repeat(300)),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
)
const value = fc.oneof(
  fc.constantFrom(null, true, 0, 1, 2 ** 40, '', 'x'),
  fc.uint8Array({ maxLength: 60 }),
  fc.integer({ min: 0, max: 9000 }).map((length) => 'v'.repeat(length)),
)
const command = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, value).map(([k, v]): unknown => kv.set(k, v)) },
  { weight: 2, arbitrary: key.map((k): unknown => kv.delete(k)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(key, fc.option(value, { nil: undefined }), value)
      .map((each): unknown => kv.compareAndSet(...each)),
  },
  { weight: 1, arbitrary: fc.constantFrom<unknown>([1, 7, 'v'], [9, 'k'], [1, 'k', [1]], null) },
)
const query = fc.oneof(
  key.map((k): unknown => kv.get(k)),
  fc.tuple(key, key, fc.integer({ min: 1, max: 5 })).map((each): unknown => kv.list(...each)),
  fc.array(key, { maxLength: 4 }).map((keys): unknown => kv.versions(keys)),
  fc.constant<unknown>(kv.count()),
)

describe('a kv on the disk', () => {
  it('gives the results and answers of one in memory', () => {
    const payloads = fc.array(fc.array(command, { minLength: 1, maxLength: 10 }), { maxLength: 8 })
    fc.assert(
      fc.property(payloads, fc.array(query, { maxLength: 20 }), (all, queries) => {
        const memory = inMemory()
        const disk = new OnDisk()
        for (const commands of all) {
          const payload = codec.encode(commands)
          assert.deepEqual(disk.apply(...commands), memory.applyPayload?.(payload, commands.length, meta))
        }
        for (const each of queries) assert.deepEqual(disk.machine.query(each), memory.query(each))
        assert.deepEqual(disk.machine.query(kv.list()), memory.query(kv.list()))
      }),
      runs(300),
    )
  })

  it('counts versions beyond what one byte holds', () => {
    const disk = new OnDisk()
    for (let count = 0; count < 20_000; count += 200)
      disk.apply(...Array.from({ length: 200 }, () => kv.set('k', count)))
    assert.deepEqual(disk.machine.query(kv.versions(['k'])), [20_000])
    assert.deepEqual(disk.machine.query(kv.get('k')), { key: 'k', value: 19_800, version: 20_000 })
  })

  it('refuses keys that are too long, and finds none', () => {
    const disk = new OnDisk()
    const long = 'k'.repeat(1025)
    for (const each of [kv.set(long, 1), kv.delete(long), kv.compareAndSet(long, undefined, 1)]) {
      assert.deepEqual(disk.apply(each), {
        errors: [[0, 'a key of a kv on the disk has at most 1024 bytes']],
      })
    }
    assert.equal(disk.apply(kv.set(long.slice(1), 1)), undefined)
    assert.equal(disk.machine.query(kv.get(long)), undefined)
    assert.deepEqual(disk.machine.query(kv.list(long)), [])
  })

  it('saves what was there when the save began, while commands go on, and loads it beside the present state', () => {
    const list = fc.array(command, { minLength: 1, maxLength: 30 })
    const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(list, list, sizes, (before, during, cuts) => {
        const [from, to] = [new OnDisk(), new OnDisk()]
        from.apply(...before)
        to.apply(...during)
        const [state, other] = [stateOf(from.machine), stateOf(to.machine)]
        const save = from.machine.beginSave?.() as Iterator<Uint8Array>
        const first = save.next()
        from.apply(...during)
        const chunks = [...(first.done === true ? [] : [first.value]), ...drained(save)]
        const draft = to.storage.beginDraft()
        const loader = to.machine.beginLoad?.(draft.machine)
        for (const chunk of recut(chunks, cuts)) draft.batch(() => loader?.chunk(chunk))
        assert.equal(stateOf(to.machine), other)
        draft.batch(() => loader?.end())
        draft.adopt()
        assert.equal(stateOf(to.machine), state)
      }),
      runs(100),
    )
  })

  it('equal states give equal bytes, however they came to be', () => {
    const [one, two] = [new OnDisk(), new OnDisk()]
    one.apply(kv.set('a', 1), kv.set('b', 2))
    two.apply(kv.set('b', 2), kv.set('a', 1))
    assert.equal(stateOf(one.machine), stateOf(two.machine))
  })

  it('loads what one in memory has saved, and the other way round', () => {
    const [memory, disk] = [inMemory(), new OnDisk()]
    for (const name of ['b', 'a', 'a', 'c']) memory.apply(kv.set(name, name), meta)
    disk.storage.batch(() => disk.machine.load(memory.save()))
    assert.deepEqual(disk.machine.query(kv.list()), memory.query(kv.list()))
    const back = inMemory()
    back.load(disk.machine.save())
    assert.deepEqual(back.query(kv.list()), memory.query(kv.list()))
  })

  it('begins more than one save, one after the other, and ends those that are given up', () => {
    const disk = new OnDisk()
    disk.apply(...Array.from({ length: 1000 }, (_, at) => kv.set(`k${at}`, 'v'.repeat(200))))
    const state = stateOf(disk.machine)
    const abandoned = disk.machine.beginSave?.() as Iterator<Uint8Array>
    abandoned.next()
    abandoned.next()
    abandoned.return?.()
    assert.equal(abandoned.next().done, true)
    const save = disk.machine.beginSave?.() as Iterator<Uint8Array>
    disk.apply(kv.delete('k1'))
    const loaded = new OnDisk()
    loaded.storage.batch(() => loaded.machine.load(drained(save)))
    assert.equal(stateOf(loaded.machine), state)
  })
})

describe('where a machine keeps its state', () => {
  const create = kvMachine.create
  it('is what its definition says, or the option', () => {
    assert.equal(storagePlaceOf({ name: 'm', create }, { storage: 'disk' }), 'memory')
    assert.equal(storagePlaceOf({ name: 'm', storage: 'disk', create }, {}), 'disk')
    assert.equal(storagePlaceOf(kvMachine, {}), 'memory')
    assert.equal(storagePlaceOf(kvMachine, { storage: 'disk' }), 'disk')
    assert.throws(
      () => storagePlaceOf(kvMachine, { storage: 'tape' }),
      (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'machineOptions.storage',
    )
  })

  it('on the disk needs a machine that saves and loads over many turns', () => {
    const { apply, query, save, load } = inMemory()
    const definition = { name: 'm', storage: 'disk' as const, create: () => ({ apply, query, save, load }) }
    const storage = new MemoryStateStorage().machine
    assert.throws(
      () => createMachine(definition, { ...context(), storage }),
      (error) => RaftError.is(error, 'INVALID_MACHINE') && /beginSave/.test(error.data.reason),
    )
  })
})
