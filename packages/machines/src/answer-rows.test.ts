/** Answers as a table are those that `query` gives. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, context, garbage, msgpackValue, runs } from '../test/support.ts'
import { answersOfRows } from './answer-rows.ts'
import { answersOf } from './answers.ts'
import { ByteWriter } from './byte-writer.ts'
import { type KvEntry, type KvValue, kv, kvMachine } from './kv.ts'
import { createMachine, reject, type StateMachine } from './machine.ts'
import { MemoryStateStorage } from './memory-state-storage.ts'
import { decodeReplies, encodeReplies, type NodeReply, ReplyKind } from './protocol.ts'

const meta = { index: 1, timeMs: 1 }
const makers: [name: string, make: () => { machine: StateMachine; batch: (apply: () => void) => void }][] = [
  ['memory', () => ({ machine: createMachine(kvMachine, context()), batch: (apply) => apply() })],
  [
    'disk',
    () => {
      const storage = new MemoryStateStorage()
      const parts = { ...context({ storage: 'disk' }), storage: storage.machine }
      return { machine: createMachine(kvMachine, parts), batch: (apply) => storage.batch(apply) }
    },
  ],
]

const key = fc.constantFrom('', 'a', 'b', 'ü€', 'k'.repeat(31), 'k'.repeat(32), 'k'.repeat(300), '\u{10000}')
const value: fc.Arbitrary<KvValue> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 40, '', 'x'),
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 0, max: 9000 }).map((length) => 'v'.repeat(length)),
)
const sets = fc.array(
  fc.tuple(key, value).map(([k, v]) => kv.set(k, v)),
  { maxLength: 30 },
)

/** What a client gets of one batch. */
function received(machine: StateMachine, queries: readonly unknown[]): NodeReply | undefined {
  const asked = {
    id: 1,
    consistency: 'stale',
    count: queries.length,
    queries: codec.encode(queries),
  } as const
  const frame = decodeReplies(encodeReplies(0, [answersOf(machine, codec, asked)], codec), codec)
  assert.ok(typeof frame !== 'string', String(frame))
  return frame.replies[0]
}

describe('answers as a table', () => {
  for (const [name, make] of makers) {
    it(`are those of each query by itself, of a kv in ${name}`, () => {
      const gets = fc.array(
        key.map((k) => kv.get(k)),
        { minLength: 1, maxLength: 30 },
      )
      fc.assert(
        fc.property(sets, gets, (commands, queries) => {
          const { machine, batch } = make()
          if (commands.length > 0)
            batch(() => machine.applyPayload?.(codec.encode(commands), commands.length, meta))
          const rows = machine.queryPayload?.(codec.encode(queries), queries.length)
          assert.ok(rows !== undefined)
          const answers = queries.map((query) => machine.query(query))
          // By their encodings: bytes may be views of one kind or another.
          assert.deepEqual(codec.encode(answersOfRows(rows, codec)), codec.encode(answers))
          const reply = [ReplyKind.answers, 1, 'stale', answers, null]
          assert.deepEqual(codec.encode(received(machine, queries)), codec.encode(reply))
        }),
        runs(200),
      )
    })
  }

  it('are not changed by what comes after', () => {
    const { machine } = (makers[0] as (typeof makers)[0])[1]()
    machine.apply(kv.set('k', 'before'), meta)
    const payload = codec.encode([kv.get('k')])
    const rows = machine.queryPayload?.(payload, 1)
    machine.apply(kv.set('k', 'later!'), meta)
    machine.queryPayload?.(payload, 1)
    const [entry] = answersOfRows(rows as NonNullable<typeof rows>, codec) as KvEntry[]
    assert.deepEqual(entry, { key: 'k', value: 'before', version: 1 })
  })

  it('are none where one of the queries is no get, or has a flaw', () => {
    const { machine } = (makers[0] as (typeof makers)[0])[1]()
    const get = kv.get('a')
    const flaws: unknown[] = [kv.count(), kv.list(), ['get'], ['get', 'a', 1], ['get', 7], ['git', 'a'], null]
    for (const flaw of flaws) {
      assert.equal(machine.queryPayload?.(codec.encode([get, flaw]), 2), undefined)
    }
    assert.equal(machine.queryPayload?.(codec.encode([get]), 2), undefined)
    assert.equal(machine.queryPayload?.(codec.encode([get, get]), 1), undefined)
    const reply = received(machine, [get, kv.count(), ['put', 'k'], ['get', 7]])
    const errors = [[2, 'unknown kv query']]
    assert.deepEqual(reply, [ReplyKind.answers, 1, 'stale', [undefined, 0, undefined, undefined], errors])
  })

  it('never come of garbage, nor does an error', () => {
    const { machine } = (makers[0] as (typeof makers)[0])[1]()
    machine.apply(kv.set('a', 'v'), meta)
    const sound = codec.encode([kv.get('a'), kv.get('b')])
    fc.assert(
      fc.property(
        fc.nat(sound.byteLength),
        garbage(20),
        fc.integer({ min: 1, max: 3 }),
        (cut, noise, count) => {
          const queries = Buffer.concat([sound.subarray(0, cut), noise])
          const [, , , answers] = answersOf(machine, codec, { id: 1, consistency: 'stale', count, queries })
          assert.ok(answers !== undefined)
          machine.queryPayload?.(sound.subarray(0, cut), 2)
        },
      ),
      runs(500),
    )
  })

  it('of a machine that throws are refused, all of them', () => {
    const machine: StateMachine = {
      apply: () => undefined,
      query: () => 'not asked',
      queryPayload: () => {
        throw reject('not today')
      },
      save: () => [],
      load: () => {},
    }
    const errors = [
      [0, 'not today'],
      [1, 'not today'],
    ]
    assert.deepEqual(received(machine, ['a', 'b']), [
      ReplyKind.answers,
      1,
      'stale',
      [undefined, undefined],
      errors,
    ])
  })

  it('are not taken from a node where they make no sense', () => {
    const rows = (list: unknown): Uint8Array => codec.encode(list)
    const bad: unknown[] = [
      [['a'], rows([[1, 2]])],
      [['a'], rows('x')],
      [['a'], Uint8Array.of(0xc1)],
      [['__proto__'], rows([[{}]])],
      [[1], rows([[1]])],
      ['a', rows([])],
      [['a'], []],
    ]
    for (const [fields, table] of bad as [unknown, unknown][]) {
      const frame = codec.encode([0, [[ReplyKind.rows, 1, 'stale', fields, table]]])
      assert.equal(decodeReplies(frame, codec), 'a reply that is none')
    }
    fc.assert(
      fc.property(fc.array(fc.string()), msgpackValue, (fields, table) => {
        answersOfRows({ fields, rows: rows(table) }, codec)
      }),
      runs(200),
    )
  })
})

describe('a byte writer', () => {
  it('writes msgpack that grows', () => {
    const counts = [0, 127, 128, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 50]
    const writer = new ByteWriter(0)
    writer.array(2)
    writer.array(counts.length)
    for (const count of counts) writer.count(count)
    const many = Array.from({ length: 70_000 }, (_, at) => at % 100)
    writer.array(many.length)
    for (const each of many) writer.count(each)
    assert.deepEqual(codec.decode(writer.written), [counts, many])
  })
})
