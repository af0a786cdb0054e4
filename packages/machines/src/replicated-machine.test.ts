import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntryKind, type SegmentSpace } from '@troupe/core'
import fc from 'fast-check'
import {
  codec,
  context,
  drained,
  Ear,
  entryOf,
  frameBytes,
  frameOf,
  garbage,
  recut,
  runs,
  stateOf,
} from '../test/support.ts'
import type { CommandFrame } from './command-frame.ts'
import { kv, kvMachine } from './kv.ts'
import { log, logMachine } from './log.ts'
import { createMachine, reject, type StateMachine } from './machine.ts'
import { type Outcome, resultAt } from './outcome.ts'
import { MemorySegments } from './queue/memory-segments.ts'
import { queueCommands } from './queue/queue-commands.ts'
import { queueMachine } from './queue/queue-machine.ts'
import { ReplicatedMachine, type RestingReplica } from './replicated-machine.ts'

/** A machine that applies command by command; strings tell it how to misbehave. */
class Picky implements StateMachine {
  readonly applied: unknown[] = []
  readonly kept: number[] = []

  apply(command: unknown): unknown {
    switch (command) {
      case 'reject':
        throw reject('not today')
      case 'crash':
        throw new TypeError(`at ${Math.random()}: words of the engine`)
      case 'throw a string':
        // biome-ignore lint/style/useThrowOnlyError: a user's machine may do it
        throw 'a string'
      case 'function':
        return () => 1
      case 'promise':
        return Promise.resolve(1)
      case 'symbol':
        return Symbol('s')
      case 'cycle': {
        const cycle: unknown[] = []
        cycle.push(cycle)
        return cycle
      }
      case 'mine':
        this.kept.push(this.kept.length)
        return this.kept
      case 'nothing':
        return undefined
      default:
        this.applied.push(command)
        return this.applied.length
    }
  }
  query(): unknown {
    return this.applied
  }
  *save(): Iterable<Uint8Array> {
    yield codec.encode(this.applied)
  }
  load(): void {}
}

const openSession: CommandFrame = {
  session: 0,
  first: 77,
  count: 1,
  confirmed: 0,
  payload: new Uint8Array(0),
}

/** A replica with session 1. */
function replicaOf(machine: StateMachine = new Picky()): ReplicatedMachine {
  const replica = new ReplicatedMachine(machine, codec)
  const ear = new Ear()
  replica.apply(entryOf(1, [frameBytes([openSession])]), ear)
  assert.deepEqual(ear.opened, [[77, 1]])
  return replica
}

/** Applies frames as the next entry; what the replica said. */
function apply(replica: ReplicatedMachine, ...frames: CommandFrame[]): Ear {
  const ear = new Ear()
  replica.apply(entryOf(replica.appliedIndex + 1, [frameBytes(frames)]), ear)
  return ear
}

/** What became of each command: its result, or `refused: why`. */
function told({ outcomes }: Ear): unknown[] {
  return outcomes.flatMap(([, outcome]) =>
    Array.from({ length: outcome.count }, (_, offset) => {
      const reason = new Map(outcome.errors).get(offset)
      return reason === undefined ? resultAt(outcome, offset) : `refused: ${reason}`
    }),
  )
}

const withPayload = (payload: Uint8Array, count: number, first = 1): CommandFrame => ({
  session: 1,
  first,
  count,
  confirmed: 0,
  payload,
})

describe('the apply loop', () => {
  it('applies the commands of a frame in order and tells each result', () => {
    const replica = replicaOf()
    assert.deepEqual(told(apply(replica, frameOf(1, 1, ['a', 'nothing', 'b']))), [1, undefined, 2])
    assert.equal(replica.commandsApplied, 3)
    const quiet = apply(replica, frameOf(1, 4, ['nothing', 'nothing']))
    assert.deepEqual(quiet.outcomes, [[1, { first: 4, count: 2, results: undefined, errors: undefined }]])
  })

  it('applies nothing twice: duplicates are answered, gaps and unknown sessions told', () => {
    const machine = new Picky()
    const replica = replicaOf(machine)
    apply(replica, frameOf(1, 1, ['a', 'b']))
    assert.deepEqual(told(apply(replica, frameOf(1, 1, ['a', 'b']))), [1, 2])
    assert.deepEqual(told(apply(replica, frameOf(1, 2, ['b', 'c']))), [2, 3])
    assert.deepEqual(apply(replica, frameOf(1, 5, ['x'])).gaps, [[1, 4]])
    assert.deepEqual(apply(replica, frameOf(9, 3, ['x'])).stales, [[9, 3]])
    assert.deepEqual(machine.applied, ['a', 'b', 'c'])
    assert.equal(replica.commandsApplied, 3)
  })

  it('gives every command of a frame that does not decode the same error, and goes on', () => {
    const payloads = [
      codec.encode('no array'),
      Uint8Array.of(0xdd, 255, 255, 255, 255, 1, 1, 1),
      new Uint8Array(9).fill(0xc1),
    ]
    for (const machine of [
      new Picky(),
      createMachine(kvMachine, context()),
      createMachine(logMachine, context()),
    ]) {
      const replica = replicaOf(machine)
      let first = 1
      for (const payload of payloads) {
        const ear = apply(replica, withPayload(payload, 3, first))
        const reasons = told(ear)
        assert.equal(reasons.length, 3)
        assert.match(String(reasons[0]), /^refused: /)
        assert.equal(new Set(reasons).size, 1)
        first += 3
      }
      const counted = told(apply(replica, { ...frameOf(1, first, ['a', 'b', 'c']), count: 2 }))
      assert.equal(counted.length, 2)
      for (const reason of counted)
        assert.match(String(reason), /^refused: the frame does not hold its commands/)
    }
  })

  it('takes only the name of what a machine throws, but the words of a refusal', () => {
    const results = told(apply(replicaOf(), frameOf(1, 1, ['reject', 'crash', 'throw a string', 'a'])))
    assert.deepEqual(results, [
      'refused: not today',
      'refused: the machine threw TypeError',
      'refused: the machine threw string',
      1,
    ])
  })

  it('refuses results that cannot be kept and sent', () => {
    const replica = replicaOf()
    const commands = ['function', 'promise', 'symbol', 'cycle']
    for (const result of told(apply(replica, frameOf(1, 1, commands))))
      assert.match(String(result), /^refused: /)
    stateOf(replica)
  })

  it('keeps a result as it was when the machine changes it later', () => {
    const replica = replicaOf()
    apply(replica, frameOf(1, 1, ['mine']))
    apply(replica, frameOf(1, 2, ['mine']))
    assert.deepEqual(told(apply(replica, frameOf(1, 1, ['mine']))), [[0]])
  })

  it('skips entries that hold no commands or no sense, alike on every replica', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(garbage(100), garbage(30)), { maxLength: 5 }), (noises) => {
        const replicas = [replicaOf(), replicaOf()]
        for (const replica of replicas) {
          for (const [offset, noise] of noises.entries()) {
            replica.apply(entryOf(offset + 2, [noise]), new Ear())
            const lying = frameBytes([withPayload(Buffer.concat([noise, new Uint8Array(9)]), 2)])
            replica.apply(entryOf(offset + 2, [lying]), new Ear())
          }
          replica.apply(entryOf(50, [], EntryKind.noop), new Ear())
          assert.equal(replica.appliedIndex, 50)
        }
        assert.equal(stateOf(replicas[0] as ReplicatedMachine), stateOf(replicas[1] as ReplicatedMachine))
      }),
      runs(100),
    )
  })

  it('says by payload what it says by command', () => {
    const command = fc.oneof(
      fc.tuple(fc.constantFrom('a', 'b'), fc.integer()).map(([key, value]) => kv.set(key, value)),
      fc.constantFrom('a', 'b').map((key) => kv.delete(key)),
      fc
        .tuple(fc.constantFrom('a', 'b'), fc.nat(2))
        .map(([key, value]) => kv.compareAndSet(key, value, value + 1)),
      fc.constantFrom('no command', [1, 2], null, [7, 'a', 1]),
    )
    fc.assert(
      fc.property(fc.array(fc.array(command, { minLength: 1, maxLength: 8 }), { maxLength: 8 }), (frames) => {
        const whole = createMachine(kvMachine, context())
        const single = createMachine(kvMachine, context())
        const byCommand: StateMachine = {
          apply: (each, meta) => single.apply(each, meta),
          query: (query) => single.query(query),
          save: () => single.save(),
          load: (chunks) => single.load(chunks),
        }
        const replicas = [replicaOf(whole), replicaOf(byCommand)]
        let first = 1
        for (const commands of frames) {
          const [left, right] = replicas.map((replica) => told(apply(replica, frameOf(1, first, commands))))
          assert.deepEqual(left, right)
          first += commands.length
        }
        assert.equal(stateOf(replicas[0] as ReplicatedMachine), stateOf(replicas[1] as ReplicatedMachine))
      }),
      runs(60),
    )
  })

  it('comes to the same state and the same first answers however frames are repeated and overlap', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(6), fc.nat(9)), {
          minLength: 1,
          maxLength: 25,
        }),
        (steps) => {
          const commands = Array.from({ length: 200 }, (_, index) =>
            index % 7 === 0 ? 'reject' : `c${index}`,
          )
          const machine = new Picky()
          const replica = replicaOf(machine)
          const first = new Map<number, unknown>()
          let last = 0
          for (const [count, back, unconfirmed] of steps) {
            const from = Math.max(1, last + 1 - back)
            const frame = frameOf(
              1,
              from,
              commands.slice(from - 1, from - 1 + count),
              Math.max(0, from - 1 - unconfirmed),
            )
            for (const [, outcome] of apply(replica, frame).outcomes) {
              for (let offset = 0; offset < outcome.count; offset++) {
                const known = first.get(outcome.first + offset)
                const now = told(only(outcome, offset))[0]
                if (known !== undefined) assert.deepEqual(now, known)
                first.set(outcome.first + offset, now)
              }
            }
            last = Math.max(last, from + count - 1)
          }
          assert.deepEqual(
            machine.applied,
            commands.slice(0, last).filter((each) => each !== 'reject'),
          )
          assert.deepEqual(
            [...first.keys()].sort((a, b) => a - b),
            [...Array(last).keys()].map((index) => index + 1),
          )
        },
      ),
      runs(100),
    )
  })

  it('has sessions in its state: what differs only in them differs', () => {
    const [one, two] = [replicaOf(), replicaOf()]
    assert.equal(stateOf(one), stateOf(two))
    apply(one, frameOf(1, 1, ['reject']))
    apply(two, frameOf(1, 2, ['reject']))
    assert.notEqual(stateOf(one), stateOf(two))
  })

  it('is resumed, sessions included, where its machine leaves its segments at a rest', () => {
    const queueOn = (segments: SegmentSpace): ReplicatedMachine => {
      const options = { segmentBytes: 1024, maxMessageBytes: 256 }
      return replicaOf(createMachine(queueMachine, { ...context(options), segments }))
    }
    const space = new MemorySegments()
    const replica = queueOn(space)
    const sends = Array.from({ length: 40 }, () =>
      queueCommands.send('q', [queueCommands.message('x'.repeat(99))]),
    )
    apply(replica, frameOf(1, 1, [queueCommands.create('q'), ...sends]))
    const { position, segments, pieces } = replica.rest() as RestingReplica
    const again = queueOn(segments)
    const loader = again.beginResume(position)
    for (const piece of recut(drained(pieces), [7, 5000, 1])) loader.chunk(piece)
    assert.equal(again.kept, undefined)
    loader.end()
    assert.deepEqual(again.kept, { ...position, isAtRest: true })
    assert.equal(stateOf(again), stateOf(replica))
    const repeated = frameOf(1, 1, [queueCommands.create('q'), ...sends])
    assert.deepEqual(told(apply(again, repeated)), told(apply(replica, repeated)))
    assert.equal(stateOf(again), stateOf(replica))
  })

  it('has nothing at rest where nothing was applied, or its machine has no such thing', () => {
    const options = { segmentBytes: 1024, maxMessageBytes: 256 }
    const queue = createMachine(queueMachine, { ...context(options), segments: new MemorySegments() })
    assert.equal(new ReplicatedMachine(queue, codec).rest(), undefined)
    const kept = replicaOf()
    apply(kept, frameOf(1, 1, ['a']))
    assert.equal(kept.rest(), undefined)
  })

  it('lets a log machine keep records that it never decodes', () => {
    const machine = createMachine(logMachine, context())
    const replica = replicaOf(machine)
    assert.deepEqual(told(apply(replica, frameOf(1, 1, ['a', 'b']))), [0, 1])
    assert.deepEqual(told(apply(replica, frameOf(1, 2, ['b', 'c', 'd']))), [1, 2, 3])
    assert.deepEqual(
      (machine.query(log.read(0)) as { record: unknown }[]).map(({ record }) => record),
      ['a', 'b', 'c', 'd'],
    )
  })

  it('does not mistake a command frame of another entry kind for commands', () => {
    const replica = replicaOf()
    replica.apply(entryOf(2, [frameBytes([frameOf(1, 1, ['a'])])], EntryKind.noop), new Ear())
    assert.equal(replica.commandsApplied, 0)
  })
})

/** One command of an outcome, as if it had been told alone. */
function only(outcome: Outcome, offset: number): Ear {
  const ear = new Ear()
  const errors = outcome.errors
    ?.filter(([at]) => at === offset)
    .map(([, reason]): [number, string] => [0, reason])
  ear.outcome(1, { first: 1, count: 1, results: [resultAt(outcome, offset)], errors })
  return ear
}
