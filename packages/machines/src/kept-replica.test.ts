/** A replica on the disk is after any restart what it was: sessions, results, order of use, machine. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, context, drained, Ear, entryOf, frameBytes, frameOf, runs, stateOf } from '../test/support.ts'
import type { CommandFrame } from './command-frame.ts'
import { kv, kvMachine } from './kv.ts'
import { createMachine } from './machine.ts'
import { MemoryStateStorage } from './memory-state-storage.ts'
import { ReplicatedMachine } from './replicated-machine.ts'

const limits = { maxSessions: 4, maxUnconfirmedCommands: 1000, sessionTtlMs: 300 }

const opening = (nonce: number): CommandFrame => ({
  session: 0,
  first: nonce,
  count: 1,
  confirmed: 0,
  payload: new Uint8Array(0),
})

function replicaOn(storage: MemoryStateStorage): ReplicatedMachine {
  const machine = createMachine(kvMachine, { ...context({ storage: 'disk' }), storage: storage.machine })
  return new ReplicatedMachine(machine, codec, limits, storage)
}

/** As after a crash: all that was committed, and nothing else. */
const restarted = (storage: MemoryStateStorage): MemoryStateStorage => new MemoryStateStorage(storage.current)

type CommandName = 'set' | 'delete' | 'swap' | 'nonsense'
const names = (name: fc.Arbitrary<CommandName>): fc.Arbitrary<CommandName[]> =>
  fc.array(name, { minLength: 1, maxLength: 4 })

/** What comes as an entry: a new session, a frame of one at about its end, or a pause in log time. */
const step = fc.oneof(
  { weight: 1, arbitrary: fc.constant('open' as const) },
  {
    weight: 8,
    arbitrary: fc.record({
      session: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 6 })),
      back: fc.integer({ min: -1, max: 4 }),
      commands: fc.oneof(
        names(fc.constant<CommandName>('set')),
        names(fc.constantFrom<CommandName>('set', 'delete', 'swap', 'nonsense')),
      ),
      unconfirmed: fc.nat(8),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never

const commandOf = (name: string, first: number): unknown => {
  switch (name) {
    case 'set':
      return kv.set(`k${first % 3}`, first)
    case 'delete':
      return kv.delete(`k${first % 3}`)
    case 'swap':
      return kv.compareAndSet(`k${first % 3}`, first - 1, first)
    default:
      return ['nonsense']
  }
}

/** Makes the frames of steps: it has to know the last command of each session. */
class Client {
  readonly #last = new Map<number, number>()

  frame(each: Step, index: number): CommandFrame {
    if (each === 'open') return opening(index)
    const first = Math.max(1, (this.#last.get(each.session) ?? 0) + 1 - each.back)
    const commands = each.commands.map((name, offset) => commandOf(name, first + offset))
    this.#last.set(each.session, first + commands.length - 1)
    return frameOf(each.session, first, commands, Math.max(0, first - 1 - each.unconfirmed))
  }

  hear(ear: Ear): void {
    for (const [session, { first, count }] of ear.outcomes)
      this.#last.set(session, Math.max(this.#last.get(session) ?? 0, first + count - 1))
    for (const [session, expected] of ear.gaps) this.#last.set(session, expected - 1)
  }
}

function apply(replica: ReplicatedMachine, client: Client, steps: readonly Step[]): Ear {
  const ear = new Ear()
  const from = replica.appliedIndex + 1
  // All that the client sends is made before anything is answered, as in one turn.
  const entries = steps.map((each, at) => entryOf(from + at, [frameBytes([client.frame(each, from + at)])]))
  replica.applyAll(entries, ear)
  client.hear(ear)
  return ear
}

describe('a replica on the disk', () => {
  it('is after a restart what it was, and says what one does that was never restarted', () => {
    const turns = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 25 })
    fc.assert(
      fc.property(turns, (all) => {
        let storage = new MemoryStateStorage()
        const steady = replicaOn(new MemoryStateStorage())
        const clients = [new Client(), new Client()] as const
        for (const steps of all) {
          const replica = replicaOn(storage)
          const said = apply(replica, clients[0], steps)
          assert.deepEqual(said, apply(steady, clients[1], steps))
          const state = stateOf(replica)
          assert.equal(state, stateOf(steady))
          storage = restarted(storage)
          assert.equal(stateOf(replicaOn(storage)), state)
          assert.deepEqual(replicaOn(storage).kept, replica.kept)
        }
      }),
      runs(150),
    )
  })

  it('answers a command that comes again after the restart, and does not apply it again', () => {
    const storage = new MemoryStateStorage()
    const client = new Client()
    const before = replicaOn(storage)
    apply(before, client, ['open'])
    const frame = frameOf(1, 1, [kv.set('k', 1), kv.delete('none')])
    before.applyAll([entryOf(2, [frameBytes([frame])])], new Ear())
    const after = replicaOn(restarted(storage))
    const ear = new Ear()
    after.applyAll([entryOf(3, [frameBytes([frame])])], ear)
    assert.deepEqual(ear.outcomes, [
      [1, { first: 1, count: 2, results: [undefined, false], errors: undefined }],
    ])
    assert.deepEqual([after.commandsApplied, after.machine.query(kv.versions(['k']))], [0, [1]])
  })

  it('keeps no row of what was confirmed in two steps of one turn', () => {
    const storage = new MemoryStateStorage()
    const replica = replicaOn(storage)
    const two = [kv.delete('none'), kv.delete('none')]
    apply(replica, new Client(), ['open'])
    const entry = (index: number, first: number, confirmed: number) =>
      entryOf(index, [frameBytes([frameOf(1, first, two, confirmed)])])
    for (const [at, first] of [1, 3, 5].entries()) replica.applyAll([entry(at + 2, first, 0)], new Ear())
    // The first outcome is cut, then goes, and the second one is cut.
    replica.applyAll([entry(5, 7, 1), entry(6, 9, 3)], new Ear())
    assert.equal(stateOf(replicaOn(restarted(storage))), stateOf(replica))
    assert.equal(storage.replica.count, 2 + 4)
  })

  it('has applied all entries of a turn or none', () => {
    const storage = new MemoryStateStorage()
    const replica = replicaOn(storage)
    apply(replica, new Client(), ['open'])
    const state = stateOf(replica)
    const ear = new Ear()
    ear.outcome = () => {
      throw new Error('the node dies')
    }
    const frame = frameBytes([frameOf(1, 1, [kv.set('k', 1)])])
    assert.throws(() => replica.applyAll([entryOf(2, [frame])], ear), /dies/)
    const after = replicaOn(restarted(storage))
    assert.equal(stateOf(after), state)
    assert.deepEqual(after.kept, { index: 1, term: 1, timeMs: 10 })
  })

  it('writes what a frame has changed, however many results a session keeps', () => {
    const storage = new MemoryStateStorage()
    const replica = replicaOn(storage)
    apply(replica, new Client(), ['open'])
    let puts = 0
    const { put } = storage.replica
    storage.replica.put = (key, value) => {
      puts++
      put.call(storage.replica, key, value)
    }
    for (let index = 2; index < 200; index++) {
      puts = 0
      const frame = frameOf(1, index - 1, [kv.delete('none')])
      replica.applyAll([entryOf(index, [frameBytes([frame])])], new Ear())
      // The header, the session, the outcome.
      assert.equal(puts, 3)
    }
  })

  it('loads a snapshot beside its state: until the end it stays what it was, also where it is given up', () => {
    const [from, to] = [new MemoryStateStorage(), new MemoryStateStorage()]
    const [source, target] = [replicaOn(from), replicaOn(to)]
    const swap: Step = {
      session: 1,
      back: 0,
      commands: ['set', 'swap', 'delete', 'nonsense'],
      unconfirmed: 8,
    }
    apply(source, new Client(), ['open', 'open', swap, 'open'])
    apply(target, new Client(), ['open', swap])
    const before = stateOf(target)
    const chunks = drained(source.beginSave()).map((chunk) => Uint8Array.from(chunk))
    const given = target.beginLoad(1)
    given.chunk(chunks[0] as Uint8Array)
    assert.equal(stateOf(target), before)
    assert.equal(stateOf(replicaOn(restarted(to))), before)
    const loader = target.beginLoad(1)
    for (const chunk of chunks) loader.chunk(chunk)
    assert.equal(stateOf(replicaOn(restarted(to))), before)
    loader.end()
    assert.equal(stateOf(target), stateOf(source))
    assert.equal(stateOf(replicaOn(restarted(to))), stateOf(source))
    assert.deepEqual(target.kept, source.kept)
  })

  it('is empty once it is discarded', () => {
    const storage = new MemoryStateStorage()
    const replica = replicaOn(storage)
    apply(replica, new Client(), ['open'])
    replica.discard()
    for (const each of [replica, replicaOn(restarted(storage))]) {
      assert.equal(stateOf(each), stateOf(replicaOn(new MemoryStateStorage())))
      assert.deepEqual(each.kept, { index: 0, term: 0, timeMs: 0 })
    }
  })
})
