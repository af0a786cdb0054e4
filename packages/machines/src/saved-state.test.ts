import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { FakeNode } from '../test/fake-node.ts'
import {
  codec,
  context,
  drained,
  Ear,
  entryOf,
  frameBytes,
  frameOf,
  recut,
  runs,
  stateOf,
} from '../test/support.ts'
import { sizedFrame } from './chunk-frames.ts'
import type { CommandFrame } from './command-frame.ts'
import { kv, kvMachine } from './kv.ts'
import { createMachine, type StateMachine } from './machine.ts'
import { ReplyKind } from './protocol.ts'
import { ReplicatedMachine } from './replicated-machine.ts'

const limits = { maxSessions: 4, maxUnconfirmedCommands: 1000, sessionTtlMs: 300 }
const opening = (nonce: number): CommandFrame => ({
  session: 0,
  first: nonce,
  count: 1,
  confirmed: 0,
  payload: new Uint8Array(0),
})

/** A machine with nothing but what is mandatory. */
class Plain implements StateMachine {
  commands: unknown[] = []
  apply(command: unknown): unknown {
    return this.commands.push(command)
  }
  query(): unknown {
    return this.commands
  }
  save(): Iterable<Uint8Array> {
    return [codec.encode(this.commands)]
  }
  load(chunks: Iterable<Uint8Array>): void {
    this.commands = codec.decode(Buffer.concat([...chunks])) as unknown[]
  }
}

/** What may be applied: a new session, or a frame of one at about its end. */
const step = fc.oneof(
  { weight: 1, arbitrary: fc.constant('open' as const) },
  {
    weight: 6,
    arbitrary: fc.record({
      session: fc.integer({ min: 1, max: 6 }),
      back: fc.integer({ min: -1, max: 3 }),
      count: fc.integer({ min: 1, max: 4 }),
      unconfirmed: fc.nat(8),
    }),
  },
)

class Replica {
  readonly replica: ReplicatedMachine
  constructor(machine: StateMachine) {
    this.replica = new ReplicatedMachine(machine, codec, limits)
  }
  /** Applies a step as the next entry; returns all that was told. */
  apply(each: typeof step extends fc.Arbitrary<infer Step> ? Step : never, last: Map<number, number>): Ear {
    const ear = new Ear()
    const index = this.replica.appliedIndex + 1
    let frame = opening(index)
    if (each !== 'open') {
      const first = Math.max(1, (last.get(each.session) ?? 0) + 1 - each.back)
      const commands = Array.from({ length: each.count }, (_, offset) => kv.set(`k${offset}`, first))
      frame = frameOf(each.session, first, commands, Math.max(0, first - 1 - each.unconfirmed))
    }
    this.replica.apply(entryOf(index, [frameBytes([frame])]), ear)
    for (const [session, outcome] of ear.outcomes) {
      const end = outcome.first + outcome.count - 1
      last.set(session, Math.max(last.get(session) ?? 0, end))
    }
    return ear
  }
}

describe('a saved replica', () => {
  const makers: [name: string, make: () => StateMachine][] = [
    ['kv', () => createMachine(kvMachine, context())],
    ['a machine with nothing but what is mandatory', () => new Plain()],
  ]
  for (const [name, make] of makers) {
    it(`comes back as it was when the save began, with its sessions: ${name}`, () => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 30 }),
          fc.array(step, { maxLength: 20 }),
          fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }),
          (before, during, sizes) => {
            const last = new Map<number, number>()
            const original = new Replica(make())
            for (const each of before) original.apply(each, last)
            const [state, lastThen] = [stateOf(original.replica), new Map(last)]
            const save = original.replica.beginSave()
            const chunks: Uint8Array[] = []
            const told: Ear[] = []
            for (const each of during) {
              told.push(original.apply(each, last))
              const next = save.next()
              if (next.done !== true) chunks.push(Uint8Array.from(next.value))
            }
            chunks.push(...drained(save))

            const loaded = new Replica(make())
            loaded.apply('open', new Map())
            const loader = loaded.replica.beginLoad(1)
            for (const chunk of recut(chunks, sizes)) {
              loader.chunk(chunk)
              chunk.fill(0xee)
            }
            assert.equal(loaded.replica.appliedIndex, 1)
            loader.end()
            assert.equal(stateOf(loaded.replica), state)
            // What follows it applies and answers like the one that was never saved.
            for (const [index, each] of during.entries())
              assert.deepEqual(loaded.apply(each, lastThen), told[index])
            assert.equal(stateOf(loaded.replica), stateOf(original.replica))
          },
        ),
        runs(100),
      )
    })
  }

  it('is given up before and after its first piece, and the machine hears of it', () => {
    for (const pulls of [0, 1, 2, 99]) {
      let returned = 0
      const machine = new Plain()
      const beginSave = (): Iterator<Uint8Array> => ({
        next: () => ({ done: returned > 0, value: new Uint8Array(1) }),
        return: () => {
          returned++
          return { done: true, value: undefined }
        },
      })
      const replica = new ReplicatedMachine(Object.assign(machine, { beginSave }), codec, limits)
      const save = replica.beginSave()
      for (let count = 0; count < pulls; count++) save.next()
      save.return?.()
      save.return?.()
      assert.equal(returned, 1)
      assert.equal(save.next().done, true)
    }
  })

  it('cuts large chunks of a machine', () => {
    const machine = new Plain()
    machine.apply('x'.repeat(3 << 20))
    const replica = new ReplicatedMachine(machine, codec, limits)
    const pieces = drained(replica.beginSave())
    assert.ok(pieces.length > 10)
    assert.ok(pieces.every(({ byteLength }) => byteLength <= (256 << 10) + 16))
  })

  it('does not load from what it is not, with one clear error', () => {
    const replica = new ReplicatedMachine(new Plain(), codec, limits)
    const pieces = drained(replica.beginSave())
    const header = (format: number): Uint8Array =>
      sizedFrame(Uint8Array.of(1), codec.encode([format, 7, 70, 0]))
    const wrong: Uint8Array[][] = [
      [],
      pieces.slice(1),
      [Buffer.concat(pieces).subarray(0, -1)],
      [header(99), ...pieces.slice(1)],
      [header(1), header(1)],
      [header(1), sizedFrame(Uint8Array.of(77))],
    ]
    for (const chunks of wrong) {
      assert.throws(
        () => {
          const loader = replica.beginLoad(1)
          for (const chunk of chunks) loader.chunk(chunk)
          loader.end()
        },
        (error) => RaftError.is(error, 'STORAGE_DAMAGED'),
      )
    }
    assert.equal(replica.appliedIndex, 0)
  })
})

describe('a gateway whose state is replaced', () => {
  /** Two nodes: commands are applied at the first, and the second gets its state. */
  const install = (from: FakeNode, to: FakeNode): void => {
    const loader = to.gateway.load({ index: 0, term: 1, timeMs: 0 })
    for (const chunk of drained(from.gateway.save())) loader.chunk(chunk)
    loader.end()
    to.turn()
  }

  it('answers reads that waited for what the snapshot covers', () => {
    const [from, to] = [new FakeNode(), new FakeNode()]
    const client = to.connect()
    to.query(client, 1, 'q', 'follower')
    to.turn()
    to.grant([{ id: to.raft.reads[0] as number, index: 3 }])
    for (let index = 0; index < 3; index++) from.applyEntry([])
    assert.deepEqual(client.replies(), [])
    install(from, to)
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 1, 'follower', [['q', 0]], null]])
    assert.equal(to.machine.appliedIndex, 3)
  })

  it('answers commands that the snapshot covers when they are asked for again', () => {
    const [from, to] = [new FakeNode(), new FakeNode()]
    const session = from.openSession(from.connect())
    const client = to.connect()
    to.send(client, [frameOf(session, 1, ['a'])])
    to.turn()
    to.raft.proposed.length = 0
    from.applyEntry([frameBytes([frameOf(session, 1, ['a'])])])
    install(from, to)
    assert.deepEqual(client.replies(), [])
    to.send(client, [frameOf(session, 1, ['a'])])
    to.turn()
    to.commit()
    assert.deepEqual(client.replies(), [[ReplyKind.outcomes, session, [[1, 1, ['a'], null]]]])
    assert.equal(to.machine.commandsApplied, 0)
  })

  it('proves nothing by a stale session: the command may have been applied within the snapshot', () => {
    const [from, to] = [new FakeNode(), new FakeNode()]
    const client = to.connect()
    to.send(client, [frameOf(77, 5, ['a'], 3)])
    to.turn()
    install(from, to)
    to.commit()
    assert.deepEqual(client.replies(), [[ReplyKind.stale, 77, 0]])
  })
})
