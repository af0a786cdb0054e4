import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { codec, context, drained, garbage, recut, runs, stateOf } from '../test/support.ts'
import { type KvCommand, type KvValue, kv, kvMachine } from './kv.ts'
import { type BatchResults, createMachine, type StateMachine } from './machine.ts'

const meta = { index: 1, timeMs: 1 }
const make = (): StateMachine => createMachine(kvMachine, context())

/** What `apply` makes of a command: its result, or why it was refused. */
function applied(machine: StateMachine, command: unknown): unknown {
  try {
    return machine.apply(command, meta)
  } catch (error) {
    assert.ok(RaftError.is(error, 'REJECTED'), String(error))
    return `refused: ${error.data.reason}`
  }
}

/** The same of a payload. */
function appliedPayload(machine: StateMachine, commands: readonly unknown[]): unknown[] {
  return unfold(machine.applyPayload?.(codec.encode(commands), commands.length, meta), commands.length)
}

function unfold(batch: BatchResults | undefined, count: number): unknown[] {
  const results = (batch?.results ?? []) as readonly unknown[]
  const errors = new Map(batch?.errors)
  return Array.from({ length: count }, (_, offset) => {
    const reason = errors.get(offset)
    return reason === undefined ? results[offset] : `refused: ${reason}`
  })
}

/** The machine in ten lines. */
class Model {
  readonly cells = new Map<string, { value: string; version: number }>()

  apply(command: KvCommand): unknown {
    const [op, key] = command
    const cell = this.cells.get(key)
    if (op === 2) return this.cells.delete(key)
    if (op === 3 && cell?.value !== (command[2] === undefined ? undefined : encoded(command[2]))) return false
    this.cells.set(key, { value: encoded(command.at(-1)), version: (cell?.version ?? 0) + 1 })
    return op === 3 ? true : undefined
  }
}

const encoded = (value: unknown): string => Buffer.from(codec.encode(value)).toString('hex')

const key = fc.constantFrom('', 'a', 'b', 'ab', 'ü€', 'k'.repeat(40), 'k'.repeat(300))
const value: fc.Arbitrary<KvValue> = fc.oneof(
  fc.constantFrom(null, true, false, 0, 1, -1, 1.5, 2 ** 40, '', 'x'),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.uint8Array({ maxLength: 60 }),
  fc.integer({ min: 0, max: 10_000 }).map((length) => 'v'.repeat(length)),
)
const command: fc.Arbitrary<KvCommand> = fc.oneof(
  fc.tuple(key, value).map(([k, v]) => kv.set(k, v)),
  key.map((k) => kv.delete(k)),
  fc.tuple(key, fc.option(value, { nil: undefined }), value).map(([k, e, v]) => kv.compareAndSet(k, e, v)),
)
const commands = fc.array(command, { maxLength: 40 })

describe('the kv machine', () => {
  it('does what a Map does, command by command', () => {
    fc.assert(
      fc.property(commands, (list) => {
        const machine = make()
        const model = new Model()
        for (const each of list) assert.equal(applied(machine, each), model.apply(each))
        assert.equal(machine.query(kv.count()), model.cells.size)
        for (const [name, cell] of model.cells) {
          const entry = machine.query(kv.get(name)) as { key: string; value: KvValue; version: number }
          assert.deepEqual([entry.key, encoded(entry.value), entry.version], [name, cell.value, cell.version])
        }
        const names = [...model.cells.keys(), 'nobody']
        const versions = names.map((name) => model.cells.get(name)?.version ?? 0)
        assert.deepEqual(machine.query(kv.versions(names)), versions)
      }),
      runs(200),
    )
  })

  it('comes to the same results and the same bytes however commands are batched', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (list, sizes) => {
        const [single, batched] = [make(), make()]
        const results: unknown[] = []
        for (let start = 0, turn = 0; start < list.length; turn++) {
          const end = start + (sizes[turn % sizes.length] as number)
          results.push(...appliedPayload(batched, list.slice(start, end)))
          start = end
        }
        assert.deepEqual(
          results,
          list.map((each) => applied(single, each)),
        )
        assert.equal(stateOf(batched), stateOf(single))
      }),
      runs(100),
    )
  })

  it('comes back from its saved bytes, however they are cut, and goes on as before', () => {
    fc.assert(
      fc.property(commands, commands, fc.integer({ min: 1, max: 5000 }), (before, after, chunkBytes) => {
        const original = make()
        for (const each of before) original.apply(each, meta)
        const saved = Buffer.concat([...original.save()])
        const state = stateOf(original)
        const chunks: Uint8Array[] = []
        for (let at = 0; at < saved.length; at += chunkBytes)
          chunks.push(Buffer.from(saved.subarray(at, at + chunkBytes)))
        const loaded = make()
        loaded.apply(kv.set('to be forgotten', 1), meta)
        loaded.load(chunks)
        // The chunks are the caller's again.
        for (const chunk of chunks) chunk.fill(0)
        assert.equal(stateOf(loaded), state)
        for (const each of after) assert.equal(applied(loaded, each), applied(original, each))
        assert.equal(stateOf(loaded), stateOf(original))
      }),
      runs(80),
    )
  })

  it('saves its state while commands go on, and loads it while the old one is read', () => {
    fc.assert(
      fc.property(
        commands,
        commands,
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }),
        (before, during, sizes) => {
          const [machine, plain] = [make(), make()]
          const big = Array.from({ length: 40 }, (_, index) => kv.set(`big ${index}`, 'v'.repeat(4000)))
          for (const each of [...big, ...before]) for (const one of [machine, plain]) applied(one, each)
          const state = stateOf(machine)
          const save = machine.beginSave?.() as Iterator<Uint8Array>
          const chunks: Uint8Array[] = []
          // Pulled while commands come, the rest at the end.
          for (const [index, each] of [...during, kv.delete('big 39'), kv.set('big 38', 'x')].entries()) {
            const next = index % 9 === 3 ? save.next() : undefined
            if (next?.done === false) chunks.push(Uint8Array.from(next.value))
            assert.equal(applied(machine, each), applied(plain, each))
            if (index % 10 === 0) assert.equal(stateOf(machine), stateOf(plain))
          }
          chunks.push(...drained(save))
          assert.equal(stateOf(machine), stateOf(plain))

          const loaded = make()
          applied(loaded, kv.set('to be forgotten', 1))
          const loader = loaded.beginLoad?.()
          for (const chunk of recut(chunks, sizes)) {
            loader?.chunk(chunk)
            chunk.fill(0xee)
            assert.equal(loaded.query(kv.count()), 1)
          }
          loader?.end()
          assert.equal(stateOf(loaded), state)
          // And goes on as a replica that had that state all along.
          const other = make()
          for (const each of [...big, ...before]) applied(other, each)
          for (const each of during) assert.equal(applied(loaded, each), applied(other, each))
          assert.equal(stateOf(loaded), stateOf(other))
        },
      ),
      runs(60),
    )
  })

  it('gives up a save, before its first chunk as well, and begins another', () => {
    const machine = make()
    for (let index = 0; index < 100; index++) machine.apply(kv.set(`k${index}`, 'v'.repeat(3000)), meta)
    const state = stateOf(machine)
    const abandoned = [0, 1, 3].map((pulls) => {
      const save = machine.beginSave?.() as Iterator<Uint8Array>
      for (let count = 0; count < pulls; count++) save.next()
      for (let index = 0; index < 100; index += 3) machine.apply(kv.set(`k${index}`, 'v'.repeat(3000)), meta)
      save.return?.()
      return save
    })
    assert.notEqual(stateOf(machine), state)
    const before = stateOf(machine)
    const save = machine.beginSave?.() as Iterator<Uint8Array>
    // What is over stays over, and does not end another one.
    for (const each of abandoned) assert.equal(each.next().done && each.return?.().done, true)
    machine.apply(kv.delete('k50'), meta)
    const loaded = make()
    loaded.load(drained(save))
    assert.equal(stateOf(loaded), before)
  })

  it('saves and loads nothing', () => {
    const [machine, loaded] = [make(), make()]
    loaded.apply(kv.set('k', 1), meta)
    loaded.load(drained(machine.beginSave?.() as Iterator<Uint8Array>))
    assert.equal(stateOf(loaded), stateOf(machine))
    assert.equal(loaded.query(kv.count()), 0)
  })

  it('saves and loads more than one chunk, and values of several MB', () => {
    const machine = make()
    for (let index = 0; index < 300; index++) machine.apply(kv.set(`k${index}`, 'v'.repeat(3000)), meta)
    machine.apply(kv.set('huge', new Uint8Array(5 << 20).fill(7)), meta)
    const chunks = [...machine.save()]
    assert.ok(chunks.length > 2)
    const loaded = make()
    loaded.load(chunks)
    assert.equal(stateOf(loaded), stateOf(machine))
    const { value: huge } = loaded.query(kv.get('huge')) as { value: Uint8Array }
    assert.equal(huge.byteLength, 5 << 20)
  })

  it('keeps no memory of the payload: what is overwritten later does not matter', () => {
    const machine = make()
    const payload = codec.encode([kv.set('k', 'value'), kv.set('big', 'x'.repeat(9000))])
    machine.applyPayload?.(payload, 2, meta)
    const state = stateOf(machine)
    payload.fill(0xff)
    assert.equal(stateOf(machine), state)
  })

  it('compares values of every type by what they are', () => {
    const machine = make()
    const values: KvValue[] = [null, false, true, 0, 1, '', '1', new Uint8Array(0), Uint8Array.of(1)]
    for (const now of values) {
      machine.apply(kv.set('k', now), meta)
      for (const other of values) {
        const isSame = encoded(other) === encoded(now)
        assert.equal(
          applied(machine, kv.compareAndSet('k', other, now)),
          isSame,
          `${String(now)} ${String(other)}`,
        )
      }
      assert.equal(applied(machine, kv.compareAndSet('k', undefined, 1)), false)
    }
    for (const other of values) assert.equal(applied(machine, kv.compareAndSet('missing', other, 1)), false)
    assert.equal(applied(machine, kv.compareAndSet('missing', undefined, 1)), true)
  })

  it('starts the version of a key again when it was deleted', () => {
    const machine = make()
    for (let times = 0; times < 3; times++) machine.apply(kv.set('k', times), meta)
    assert.deepEqual(machine.query(kv.versions(['k'])), [3])
    machine.apply(kv.delete('k'), meta)
    assert.deepEqual(machine.query(kv.versions(['k'])), [0])
    machine.apply(kv.compareAndSet('k', undefined, 1), meta)
    assert.deepEqual(machine.query(kv.versions(['k'])), [1])
  })

  it('refuses commands that make no sense alone, and does the others', () => {
    const nonsense = [
      null,
      'set',
      7,
      [],
      [1],
      [1, 'k'],
      [1, 'k', 'v', 'more'],
      [1, 7, 'v'],
      [1, 'k', [1]],
      [1, 'k', { a: 1 }],
      [1, 'k', undefined],
      [2],
      [2, null],
      [3, 'k', 1],
      [3, 'k', 1, []],
      [9, 'k', 'v'],
      [300, 'k', 'v'],
      ['1', 'k', 'v'],
      { 0: 1 },
    ]
    const machine = make()
    machine.apply(kv.set('k', 'untouched'), meta)
    const state = stateOf(machine)
    for (const each of nonsense) assert.match(String(applied(machine, each)), /^refused: /)
    const results = appliedPayload(machine, nonsense)
    for (const result of results) assert.match(String(result), /^refused: /)
    assert.equal(stateOf(machine), state)
    const mixed = appliedPayload(machine, [nonsense[5], kv.set('x', 1), nonsense[7], kv.delete('k')])
    assert.deepEqual(
      mixed.map((result) => (typeof result === 'string' ? 'refused' : result)),
      ['refused', undefined, 'refused', true],
    )
  })

  it('never throws anything but a refusal on damaged payloads, and does the same everywhere', () => {
    const start = [kv.set('k', 1), kv.set('other', 'v')]
    fc.assert(
      fc.property(garbage(60), fc.integer({ min: 1, max: 30 }), commands, (noise, count, list) => {
        const sound = codec.encode(list)
        const damaged = Buffer.from(sound)
        for (const [index, byte] of noise.entries()) {
          if (damaged.length > 0) damaged[(byte * 31 + index * 7) % damaged.length] = byte
        }
        const [one, two] = [make(), make()]
        for (const machine of [one, two]) for (const each of start) machine.apply(each, meta)
        for (const payload of [noise, damaged, sound.subarray(0, sound.length >> 1)]) {
          const outcomes = [one, two].map((machine) => {
            try {
              return unfold(machine.applyPayload?.(Buffer.from(payload), count, meta), count)
            } catch (error) {
              assert.ok(RaftError.is(error, 'REJECTED'), String(error))
              return error.data.reason
            }
          })
          assert.deepEqual(outcomes[0], outcomes[1])
        }
        assert.equal(stateOf(one), stateOf(two))
        const loaded = make()
        loaded.load(one.save())
        assert.equal(stateOf(loaded), stateOf(one))
      }),
      runs(150),
    )
  })

  it('lists keys in order, by prefix, page after page', () => {
    const machine = make()
    for (const name of ['b2', 'a', 'b10', 'b1', 'c', 'b']) machine.apply(kv.set(name, name), meta)
    const names = (query: unknown) => (machine.query(query) as { key: string }[]).map((entry) => entry.key)
    assert.deepEqual(names(kv.list()), ['a', 'b', 'b1', 'b10', 'b2', 'c'])
    assert.deepEqual(names(kv.list('b')), ['b', 'b1', 'b10', 'b2'])
    assert.deepEqual(names(kv.list('b', 'b1', 2)), ['b10', 'b2'])
    assert.deepEqual(names(kv.list('x')), [])
  })

  it('lists and gets keys that are hard to decode: a byte order mark, half a surrogate pair', () => {
    const machine = make()
    for (const name of ['\ufeffk', 'k', '\ud800', `${'x'.repeat(80)}\ud800`])
      machine.apply(kv.set(name, name), meta)
    const entries = machine.query(kv.list()) as ({ key: string; version: number } | undefined)[]
    assert.equal(entries.length, 4)
    for (const entry of entries) assert.equal(entry?.version, 1)
    assert.ok(entries.some((entry) => entry?.key === '\ufeffk'))
    for (const name of ['\ufeffk', 'k', '\ud800']) {
      assert.equal((machine.query(kv.get(name)) as { key: string }).key, name)
    }
  })

  it('refuses queries that make no sense', () => {
    const machine = make()
    for (const query of [
      null,
      'get',
      7,
      [],
      ['put', 'k'],
      ['versions', 'k'],
      ['list', '', '', 0],
      ['list', '', '', 'x'],
    ]) {
      assert.throws(
        () => machine.query(query),
        (error) => RaftError.is(error, 'REJECTED'),
      )
    }
  })
})
