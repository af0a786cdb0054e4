/** The queue machine does what a naive one does, whatever comes in whatever order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NaiveQueues } from '../../test/naive-queue.ts'
import { codec, context, drained, recut, runs, stateOf } from '../../test/support.ts'
import type { BatchResults } from '../machine.ts'
import { type DeliveryBatch, deliveriesIn } from './delivery-batch.ts'
import { type FaultyHandle, type Handle, queueCommands, queueQueries } from './queue-commands.ts'
import { QueueMachine } from './queue-machine.ts'

const ID_WINDOW_MS = 50
const SETTINGS = { attempts: 3, backoffMs: 4, maxBackoffMs: 10, maxLosses: 3, maxMessages: 24 }
const QUEUES = {
  one: { groups: [''] },
  two: { groups: ['a', 'b'] },
  slow: { groups: [''], rateMax: 2, ratePerMs: 8 },
} as const
const LANES: readonly (readonly [queue: string, group: string])[] = [
  ['one', ''],
  ['two', 'a'],
  ['two', 'b'],
  ['slow', ''],
]
/** Small segments, so that survivors are copied. */
const OPTIONS = { idWindowMs: ID_WINDOW_MS, segmentBytes: 1024, maxMessageBytes: 512 }

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined })
const small = fc.integer({ min: 0, max: 30 })
const options = fc
  .record({
    id: optional(fc.constantFrom('i', 'j', 'k')),
    key: optional(fc.constantFrom('x', 'y')),
    delayMs: optional(small),
    priority: optional(fc.constantFrom(0, 5, 9)),
    ttlMs: optional(fc.integer({ min: 1, max: 60 })),
    attempts: optional(fc.constantFrom(1, 2)),
    backoff: optional(fc.constant(['fixed', 3, 3] as const)),
  })
  .map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined)))
const lane = fc.constantFrom(...LANES)
const pick = fc.nat()
const picks = fc.array(fc.nat(), { maxLength: 4 })
const waiting = fc.constantFrom('ready', 'delayed', 'dead' as const)
const limit = fc.constantFrom(1, 3)

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('send'),
      queue: fc.constantFrom('one', 'two', 'slow', 'none'),
      all: fc.array(fc.tuple(options, fc.nat({ max: 300 })), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('subscribe'), lane, prefetch: fc.nat({ max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('ack'), pick, picks, hasResults: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('ackHeld'),
      pick,
      from: fc.nat({ max: 2 }),
      count: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('nack'), pick, picks, delayMs: fc.option(small) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('term'), pick, picks }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('extend'), pick, picks }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('prefetch'), pick, prefetch: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('leave'), pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('pause'), lane, isPaused: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('purge'), lane, waiting, limit }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('redrive'), lane, limit }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('cancel'), lane, id: fc.constantFrom('i', 'j') }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('tick') }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('closed') }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
const steps = fc.array(fc.tuple(step, fc.constantFrom(0, 0, 1, 5, 20), fc.constantFrom(1, 2)), {
  minLength: 1,
  maxLength: 60,
})

type Told = readonly [payload: Uint8Array | undefined, timeMs: number, session: number]

/** The real one and the naive one, side by side. */
class Pair {
  machine = new QueueMachine(context(OPTIONS))
  readonly naive = new NaiveQueues(ID_WINDOW_MS)
  /** All handles that were ever given out, with the lane that they are of, and to whom. */
  readonly handles: { readonly handle: Handle; readonly lane: number; readonly consumer: number }[] = []
  /** What the machine was told; without a payload: that a connection has closed. */
  readonly told: Told[] = []
  #timeMs = 0
  #session = 0
  #lastConsumer = 0

  constructor() {
    for (const [name, settings] of Object.entries(QUEUES)) {
      this.apply(queueCommands.create(name, { ...SETTINGS, ...settings }))
      this.naive.create(name, { ...SETTINGS, ...settings })
    }
  }

  apply(command: unknown): unknown {
    const outcome = this.#tell(codec.encode([command]))
    const error = outcome?.errors?.[0]?.[1]
    if (error !== undefined) return error.split(' ')[0]
    const results = outcome?.results
    return results !== undefined && 'from' in results ? results.from : results?.[0]
  }

  #tell(payload: Uint8Array | undefined): BatchResults | undefined {
    const told: Told = [payload, this.#timeMs, this.#session]
    this.told.push(told)
    return tell(this.machine, told, this.told.length)
  }

  run(each: Step, passedMs: number, session: number): void {
    this.#timeMs += passedMs
    this.#session = session
    this.naive.session = session
    this.naive.advance(this.#timeMs)
    if (each.op === 'closed') {
      this.#tell(undefined)
      this.naive.connectionClosed(session)
      return this.compare()
    }
    const [command, expected] = this.#both(each)
    assert.deepEqual(this.apply(command), expected)
    this.compare()
  }

  /** The command for the real one, and what the naive one says to it. */
  #both(each: Step): [command: unknown, expected: unknown] {
    const { naive } = this
    const attempt = (run: () => unknown): unknown => {
      try {
        return run()
      } catch (error) {
        return (error as Error).message
      }
    }
    switch (each.op) {
      case 'send': {
        const { queue, all } = each as Extract<Step, { all: unknown }>
        const messages = all.map(([one, bytes]) => queueCommands.message('d'.repeat(bytes), one))
        const expected = attempt(() =>
          naive.send(
            queue,
            all.map(([one]) => one),
          ),
        )
        return [queueCommands.send(queue, messages), expected]
      }
      case 'subscribe': {
        const { lane: of, prefetch } = each as Extract<Step, { prefetch: number; lane: unknown }>
        this.#lastConsumer++
        return [
          queueCommands.subscribe(of[0], of[1], prefetch, 25),
          attempt(() => naive.subscribe(of[0], of[1], prefetch, 25)),
        ]
      }
      case 'tick':
        return [queueCommands.tick(), undefined]
      case 'pause': {
        const { lane: of, isPaused } = each as Extract<Step, { isPaused: boolean }>
        naive.setPaused(of[0], isPaused)
        return [isPaused ? queueCommands.pause(of[0]) : queueCommands.resume(of[0]), undefined]
      }
      case 'purge': {
        const { lane: of, waiting: list, limit: most } = each as Extract<Step, { waiting: unknown }>
        return [queueCommands.purge(of[0], of[1], list, most), naive.purge(of[0], of[1], list, most)]
      }
      case 'redrive': {
        const { lane: of, limit: most } = each as Extract<Step, { limit: number }>
        return [queueCommands.redrive(of[0], of[1], most), naive.redrive(of[0], of[1], most)]
      }
      case 'cancel': {
        const { lane: of, id } = each as Extract<Step, { id: string }>
        return [queueCommands.cancel(of[0], id), naive.cancel(of[0], id)]
      }
      default:
        return this.#ofConsumer(each as Extract<Step, { pick: number }>, attempt)
    }
  }

  #ofConsumer(
    each: Extract<Step, { pick: number }>,
    attempt: (run: () => unknown) => unknown,
  ): [command: unknown, expected: unknown] {
    const { naive } = this
    // Mostly one that is there.
    const alive = naive.consumers.map(({ id }) => id)
    const id = alive[each.pick % (alive.length + 1)] ?? this.#lastConsumer
    if (each.op === 'leave') return [queueCommands.leave(id), naive.leave(id)]
    if ('prefetch' in each)
      return [queueCommands.prefetch(id, each.prefetch), attempt(() => naive.prefetch(id, each.prefetch))]
    if ('from' in each) return this.#ackHeld(id, each.from, each.count, attempt)
    const { picks: chosen } = each as Extract<Step, { picks: number[] }>
    const found = this.handles.length === 0 ? [] : chosen.map((one) => this.#handle(one))
    const handles = found.map(({ handle }) => handle)
    const named = found.map(({ handle, lane: number }) => ({
      lane: number,
      position: handle[1],
      delivery: handle[2],
    }))
    switch (each.op) {
      case 'ack': {
        const { hasResults } = each as Extract<Step, { hasResults: boolean }>
        const results = hasResults ? handles.map((_, at) => at) : undefined
        // More of them would be one run, which is missed as a whole. A run names what its consumer was given, by number:
        // the same number of another consumer may name another message.
        if (found.length === 1 && found[0]?.consumer === id)
          return [
            queueCommands.ackRuns(id, handles, results),
            attempt(() => offsetsOf(naive.ack(id, named, results))),
          ]
        return [queueCommands.ack(id, handles, results), attempt(() => naive.ack(id, named, results))]
      }
      case 'nack': {
        const { delayMs } = each as Extract<Step, { delayMs: number | null }>
        return [
          queueCommands.nack(id, handles, delayMs, 'why'),
          attempt(() => naive.nack(id, named, delayMs, 'why')),
        ]
      }
      case 'term':
        return [queueCommands.term(id, handles, 'no'), attempt(() => naive.term(id, named, 'no'))]
      default:
        return [queueCommands.extend(id, handles, 40), attempt(() => naive.extend(id, named, 40))]
    }
  }

  /** A run of what it holds. */
  #ackHeld(
    id: number,
    from: number,
    count: number,
    attempt: (run: () => unknown) => unknown,
  ): [command: unknown, expected: unknown] {
    const consumer = this.naive.consumers.find((each) => each.id === id)
    const number = consumer?.lane.number ?? 0
    const handles: Handle[] = []
    for (const { position, delivery } of consumer?.held.slice(from, from + count) ?? []) {
      const known = this.handles.find(
        ({ handle, lane: of }) => of === number && handle[1] === position && handle[2] === delivery,
      )
      // What has just fallen due nobody has read yet.
      if (known === undefined) break
      handles.push(known.handle)
    }
    const named = handles.map(([, position, delivery]) => ({ lane: number, position, delivery }))
    // As a handler that returns nothing does it.
    const results = from % 2 === 0 ? null : undefined
    return [
      queueCommands.ackRuns(id, handles, results),
      attempt(() =>
        offsetsOf(this.naive.ack(id, named, results === null ? named.map(() => null) : undefined)),
      ),
    ]
  }

  /** Mostly a late one: those of old are gone. */
  #handle(chosen: number): (typeof this.handles)[number] {
    const { handles } = this
    const back = chosen % 2 === 0 ? chosen % Math.min(6, handles.length) : chosen % handles.length
    return handles[handles.length - 1 - back] as (typeof handles)[number]
  }

  /** Takes everything out, by the naive one's rules too. */
  drain(): void {
    const consumers = this.naive.consumers.map(({ id }) => id)
    for (const id of consumers) assert.equal(this.apply(queueCommands.leave(id)), this.naive.leave(id))
    // Those behind another of their key become ready when that one is removed.
    for (const [name, group] of LANES)
      for (const list of ['delayed', 'ready', 'dead'] as const) {
        const count = this.naive.purge(name, group, list, 100)
        assert.equal(this.apply(queueCommands.purge(name, group, list, 100)), count)
      }
    this.compare()
  }

  compare(): void {
    const { machine, naive } = this
    assert.equal(machine.dueMs <= naive.dueMs, true, 'no deadline is missed')
    for (const consumer of naive.consumers) {
      const query = queueQueries.deliveries(consumer.id, 0, 100)
      const held = deliveriesIn(machine.query(query) as DeliveryBatch | undefined, codec)
      assert.deepEqual(
        held.map(([, position, delivery, deliveries]) => [position, delivery, deliveries]),
        consumer.held.map(({ position, delivery, deliveries }) => [position, delivery, deliveries]),
      )
      for (const [slot, position, delivery] of held)
        this.#remember([slot, position, delivery], consumer.lane.number, consumer.id)
    }
    for (const [name, group] of LANES) this.#compareLane(name, group)
    const positions = Array.from({ length: naive.lastPosition }, (_, before) => before + 1)
    const outcomes = positions.map((position) => naive.outcomes.get(position))
    assert.deepEqual(machine.query(queueQueries.results(positions)), outcomes)
  }

  #remember(handle: Handle, lane: number, consumer: number): void {
    const isKnown = this.handles.some(
      ({ handle: [, position, delivery], ...of }) =>
        of.lane === lane && of.consumer === consumer && position === handle[1] && delivery === handle[2],
    )
    if (!isKnown) this.handles.push({ handle, lane, consumer })
  }

  #compareLane(name: string, group: string): void {
    const { machine, naive } = this
    const real = naive.lane(name, group)
    for (const list of ['ready', 'delayed', 'dead'] as const) {
      const peeked = machine.query(queueQueries.peek(name, group, list, 100)) as {
        position: number
        message: Uint8Array
        deliveries: number
        failures: number
        reason: string | undefined
      }[]
      assert.deepEqual(
        peeked.map((each) => [each.position, each.deliveries, each.failures, each.reason ?? '']),
        naive.peek(real, list).map((each) => [each.position, each.deliveries, each.failures, each.reason]),
        `${list} of ${name} ${group}`,
      )
      for (const { message } of peeked) assert.match(String((codec.decode(message) as unknown[])[0]), /^d*$/)
    }
  }
}

describe('the queue machine', () => {
  it('does what a naive one does', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const pair = new Pair()
        for (const [each, passedMs, session] of all) pair.run(each, passedMs, session)
        pair.drain()
        assert.deepEqual([pair.machine.usage.slots, pair.machine.usage.aliveBytes], [0, 0])
      }),
      runs(400),
    )
  })

  it('is the same after a save and a load at any point, and has the same future', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(steps, fc.nat(), sizes, (all, at, cuts) => {
        const pair = new Pair()
        for (const [index, [each, passedMs, session]] of all.entries()) {
          if (index === at % all.length) {
            const before = stateOf(pair.machine)
            const chunks = recut([...pair.machine.save()], cuts)
            pair.machine = new QueueMachine(context(OPTIONS))
            pair.machine.load(chunks)
            assert.equal(stateOf(pair.machine), before)
          }
          pair.run(each, passedMs, session)
        }
        assert.equal(stateOf(pair.machine), stateOf(replayed(pair)))
      }),
      runs(300),
    )
  })

  it('saves the state as it was when the save began, while commands go on', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.boolean(), (all, at, isWhole) => {
        const pair = new Pair()
        let save: Iterator<Uint8Array> | undefined
        let before = ''
        const chunks: Uint8Array[] = []
        for (const [index, [each, passedMs, session]] of all.entries()) {
          if (index === at % all.length) {
            before = stateOf(pair.machine)
            save = pair.machine.beginSave()
          }
          const next = save?.next()
          if (next?.done === false) chunks.push(next.value)
          pair.run(each, passedMs, session)
        }
        if (isWhole) {
          chunks.push(...drained(save as Iterator<Uint8Array>))
          const loaded = new QueueMachine(context(OPTIONS))
          loaded.load(chunks)
          assert.equal(stateOf(loaded), before)
        } else save?.return?.()
        assert.equal(stateOf(pair.machine), stateOf(replayed(pair)), 'a save changes nothing')
      }),
      runs(300),
    )
  })
})

const offsetsOf = (faulty: unknown): number[] | undefined =>
  (faulty as readonly FaultyHandle[] | undefined)?.map(([offset]) => offset)

/** Another replica, that was given the same. */
function replayed({ told }: Pair): QueueMachine {
  const machine = new QueueMachine(context(OPTIONS))
  for (const [index, each] of told.entries()) tell(machine, each, index + 1)
  return machine
}

function tell(
  machine: QueueMachine,
  [payload, timeMs, session]: Told,
  index: number,
): BatchResults | undefined {
  const meta = { index, timeMs, session }
  if (payload !== undefined) return machine.applyPayload(payload, 1, meta)
  machine.connectionClosed(meta)
  return undefined
}
