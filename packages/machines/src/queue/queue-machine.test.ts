import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LEASE_MS, QueueSubject } from '../../test/queue-subject.ts'
import { codec, context } from '../../test/support.ts'
import { NOT_YET } from '../machine.ts'
import { type DeliveryBatch, deliveriesIn } from './delivery-batch.ts'
import {
  queueQueries as ask,
  type Handle,
  type LaneEvents,
  type QueueMessage,
  type QueueStats,
  queueCommands as q,
} from './queue-commands.ts'
import { QueueMachine } from './queue-machine.ts'
import { MAX_DUE_AT_ONCE } from './upkeep.ts'

describe('a queue that is made again', () => {
  it('keeps the settings that are not given, and its messages', () => {
    const subject = new QueueSubject({ attempts: 1, groups: ['', 'audit'] })
    subject.send('a')
    subject.run(q.create('jobs', { maxMessages: 3 }))
    assert.deepEqual(
      subject.stats.groups.map(({ group, ready }) => [group, ready]),
      [
        ['', 1],
        ['audit', 1],
      ],
    )
    assert.equal(subject.refusal(q.send('jobs', [q.message('b')])), 'QUEUE_FULL')
    const consumer = subject.subscribe()
    subject.run(q.nack(consumer, [subject.handle(consumer)], 0, 'no'))
    assert.equal(subject.stats.dead, 1, 'it has one attempt still')
  })
})

describe('a rate', () => {
  it('bounds what is delivered in a window, whoever consumes, and goes on by itself', () => {
    const subject = new QueueSubject({ rateMax: 2, ratePerMs: 50 })
    for (const data of ['a', 'b', 'c', 'd', 'e']) subject.send(data)
    const consumers = [subject.subscribe(), subject.subscribe()]
    const all = (): unknown[] => consumers.flatMap((consumer) => subject.dataOf(consumer)).sort()
    assert.deepEqual(all(), ['a', 'b'])
    assert.equal(subject.machine.dueMs, 50)
    subject.after(49)
    assert.deepEqual(all(), ['a', 'b'])
    subject.after(1)
    assert.deepEqual(all(), ['a', 'b', 'c', 'd'])
    subject.run(q.create('jobs', { rateMax: 0 }))
    assert.deepEqual(all(), ['a', 'b', 'c', 'd', 'e'])
  })
})

describe('events', () => {
  const eventsOf = (subject: QueueSubject, after: number | null): LaneEvents =>
    subject.machine.query(ask.awaitEvents('jobs', '', after, 10)) as LaneEvents

  it('are told to those who watch, in order, and those that are not known any more are counted', () => {
    const subject = new QueueSubject({ attempts: 2 })
    for (const id of ['a', 'b', 'c']) subject.send(id, { id })
    const consumer = subject.subscribe()
    const [a, b, c] = subject.held(consumer).map(({ handle }) => handle) as [Handle, Handle, Handle]
    subject.run(q.ack(consumer, [a]))
    assert.deepEqual(eventsOf(subject, null), { first: 2, events: [] }, 'from now on')
    assert.equal(eventsOf(subject, 1), NOT_YET)
    subject.run(q.watch('jobs', '', 1000))
    subject.run(q.ack(consumer, [b], [{ sum: 3 }]))
    subject.run(q.nack(consumer, [c], 0, 'once'))
    subject.run(q.nack(consumer, [subject.handle(consumer)], 0, 'twice'))
    const events = [
      ['completed', 2, 'b', 1, { sum: 3 }],
      ['failed', 3, 'c', 1, 'once'],
      ['failed', 3, 'c', 2, 'twice'],
      ['dead', 3, 'c', 2, 'twice'],
    ]
    assert.deepEqual(eventsOf(subject, 1), { first: 2, events })
    assert.deepEqual(eventsOf(subject, 3), { first: 4, events: events.slice(2) })
    assert.deepEqual(eventsOf(subject, 0), { first: 2, events }, 'the first was before anybody watched')
    const loaded = new QueueSubject()
    loaded.machine.load(subject.machine.save())
    assert.deepEqual(eventsOf(loaded, 3), { first: 6, events: [] }, 'all were missed')
    assert.equal(eventsOf(loaded, 5), NOT_YET)
  })

  it('are written down no longer than somebody watches', () => {
    const subject = new QueueSubject()
    subject.run(q.watch('jobs', '', 10))
    subject.send('a')
    const consumer = subject.subscribe()
    subject.after(10)
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.deepEqual(eventsOf(subject, 0), { first: 2, events: [] })
  })
})

describe('room', () => {
  it('is waited for', () => {
    const subject = new QueueSubject({ maxMessages: 2 })
    subject.send('a')
    const room = (count: number): unknown => subject.machine.query(ask.awaitRoom('jobs', count, 100))
    assert.deepEqual([room(1), room(2)], [true, NOT_YET])
    const consumer = subject.subscribe()
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.equal(room(2), true)
    assert.throws(() => room(3), /QUEUE_FULL jobs never/)
  })
})

describe('sending', () => {
  it('gives positions that follow each other: one number for a batch', () => {
    const subject = new QueueSubject()
    assert.equal(subject.run(q.send('jobs', [q.message('a'), q.message('b')])), 1)
    assert.equal(subject.send('c'), 3)
    const payload = codec.encode([q.send('jobs', [q.message(1)]), q.send('jobs', [q.message(2)])])
    assert.deepEqual(subject.machine.applyPayload(payload, 2, { index: 9, timeMs: 0 }), {
      results: { from: 4 },
    })
  })

  it('gives the results of many commands as they are', () => {
    const subject = new QueueSubject()
    const commands = [q.send('jobs', [q.message(1)]), q.send('none', [q.message(2)]), q.tick(), [99]]
    const { results, errors } =
      subject.machine.applyPayload(codec.encode(commands), 4, { index: 9, timeMs: 0 }) ?? {}
    assert.deepEqual(results, [1, undefined, undefined, undefined])
    assert.deepEqual(
      errors?.map(([offset, reason]) => [offset, reason.split(' ')[0]]),
      [
        [1, 'UNKNOWN_QUEUE'],
        [3, 'BAD_COMMAND'],
      ],
    )
  })

  it('takes a message of one id once within the window, and as long as it waits', () => {
    const subject = new QueueSubject({}, { idWindowMs: 50 })
    assert.equal(subject.send('a', { id: 'x' }), 1)
    assert.equal(subject.send('b', { id: 'x' }), -1)
    assert.deepEqual(
      subject.run(q.send('jobs', [q.message('c', { id: 'y' }), q.message('d', { id: 'y' }), q.message('e')])),
      [2, -2, 3],
    )
    subject.after(60)
    assert.equal(subject.send('f', { id: 'x' }), -1, 'it waits still')
    const consumer = subject.subscribe()
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.equal(subject.send('g', { id: 'x' }), 4, 'done, and the window is over')
    assert.equal(subject.stats.duplicates, 3)
  })

  it('remembers an id within the window though its message is done', () => {
    const subject = new QueueSubject({}, { idWindowMs: 50 })
    const consumer = subject.subscribe()
    subject.send('a', { id: 'x' })
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.equal(subject.send('b', { id: 'x' }), -1)
    assert.deepEqual(subject.find('x'), { position: 1, groups: [], progress: undefined })
    subject.after(50)
    assert.equal(subject.find('x'), undefined)
    assert.equal(subject.send('c', { id: 'x' }), 2)
  })

  it('refuses as a whole what has a flaw', () => {
    const subject = new QueueSubject({ maxMessages: 3 })
    const flawed: unknown[] = [
      q.message('a', { delayMs: -1 }),
      q.message('a', { delayMs: 1.5 }),
      q.message('a', { priority: 10 }),
      q.message('a', { ttlMs: 0 }),
      q.message('a', { attempts: 0 }),
      q.message('a', { id: '' }),
      q.message('a', { key: 'k'.repeat(1025) }),
      ['a', 7],
      q.message('a', { backoff: ['linear', 1, 1] as never }),
      q.message('a', { headers: 'h' as never }),
      [],
      'a',
      q.message('a'.repeat(300_000)),
    ]
    for (const message of flawed)
      assert.equal(
        subject.refusal(q.send('jobs', [q.message('fine'), message as QueueMessage])),
        'BAD_COMMAND',
        JSON.stringify(message).slice(0, 60),
      )
    assert.equal(subject.refusal(q.send('jobs', [])), 'BAD_COMMAND')
    assert.equal(subject.refusal([3, 'jobs', 'no array']), 'BAD_COMMAND')
    assert.equal(subject.refusal(q.send('none', [q.message('a')])), 'UNKNOWN_QUEUE')
    assert.equal(subject.refusal(q.send('jobs', new Array(4).fill(q.message('a')))), 'QUEUE_FULL')
    assert.equal(subject.stats.messages, 0)
  })

  it('is bounded in bytes, and takes more when some are done', () => {
    const subject = new QueueSubject({ maxBytes: 1000 })
    const consumer = subject.subscribe(1)
    subject.send('a'.repeat(600))
    assert.equal(subject.refusal(q.send('jobs', [q.message('b'.repeat(600))])), 'QUEUE_FULL')
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.equal(subject.send('b'.repeat(600)), 2)
  })

  it('survives bytes that make no sense', () => {
    const subject = new QueueSubject()
    for (const bytes of [
      [0x91, 0xc1],
      [0x91, 0x93, 3, 0xa4, 0x6a],
      [0x91, 0x93, 3, 0xa1, 0x6a, 0xdd, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const { errors } =
        subject.machine.applyPayload(Uint8Array.from(bytes), 1, { index: 1, timeMs: 0 }) ?? {}
      assert.equal(errors?.length, 1)
    }
    assert.throws(() => subject.machine.applyPayload(Uint8Array.of(0x90), 1, { index: 1, timeMs: 0 }))
  })
})

describe('delivering', () => {
  it('needs no command: what is ready goes to a consumer with room', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(2)
    for (const data of ['a', 'b', 'c']) subject.send(data)
    assert.deepEqual(subject.dataOf(consumer), ['a', 'b'])
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.deepEqual(subject.dataOf(consumer), ['b', 'c'])
    assert.deepEqual(
      deliveriesIn(subject.machine.query(ask.deliveries(consumer, 2, 10)) as DeliveryBatch, codec).map(
        ([, position]) => position,
      ),
      [3],
      'only what is new',
    )
    assert.equal(subject.machine.query(ask.awaitDeliveries(consumer, 3, 10)), NOT_YET)
    const answer = subject.machine.query(ask.awaitDeliveries(consumer, 2, 10)) as DeliveryBatch
    assert.equal(deliveriesIn(answer, codec).length, 1)
  })

  it('serves consumers in turn', () => {
    const subject = new QueueSubject()
    const [first, second] = [subject.subscribe(), subject.subscribe()]
    for (const data of [1, 2, 3, 4]) subject.send(data)
    assert.deepEqual(
      [subject.dataOf(first), subject.dataOf(second)],
      [
        [1, 3],
        [2, 4],
      ],
    )
  })

  it('serves the most urgent first, and those alike in their order', () => {
    const subject = new QueueSubject()
    for (const [data, priority] of [
      ['late', 9],
      ['b', 5],
      ['first', 0],
      ['c', 5],
    ] as const)
      subject.send(data, { priority })
    assert.deepEqual(subject.dataOf(subject.subscribe()), ['first', 'b', 'c', 'late'])
  })

  it('delivers messages of one key one at a time, in order, while others go on', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe()
    for (const [data, key] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
      ['a3', 'a'],
    ] as const)
      subject.send(data, { key })
    assert.deepEqual(subject.dataOf(consumer), ['a1', 'b1'])
    assert.equal(subject.stats.lined, 2)
    subject.run(q.nack(consumer, [subject.handle(consumer)], 10, 'later'))
    assert.deepEqual(subject.dataOf(consumer), ['b1'], 'the others wait for the retry')
    subject.after(10)
    assert.deepEqual(subject.dataOf(consumer), ['b1', 'a1'])
    subject.run(q.ack(consumer, [subject.handle(consumer, 1)]))
    assert.deepEqual(subject.dataOf(consumer), ['b1', 'a2'])
    subject.run(q.term(consumer, [subject.handle(consumer, 1)], 'no'))
    assert.deepEqual(subject.dataOf(consumer), ['b1', 'a3'], 'a dead one holds nobody up')
  })

  it('delivers a delayed message when its time has come, and says when that is', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(10, 1000)
    subject.send('a', { delayMs: 50 })
    assert.equal(subject.machine.dueMs, 50)
    subject.after(49)
    assert.deepEqual(subject.dataOf(consumer), [])
    subject.after(1)
    assert.deepEqual(subject.dataOf(consumer), ['a'])
  })

  it('drops what is not delivered in time', () => {
    const subject = new QueueSubject()
    subject.send('a', { ttlMs: 20 })
    subject.send('b', { ttlMs: 20, delayMs: 30 })
    subject.after(20)
    assert.deepEqual(subject.dataOf(subject.subscribe()), [])
    assert.equal(subject.stats.expired, 2)
    assert.deepEqual(subject.machine.usage.slots, 0)
  })

  it('gives each named group every message', () => {
    const subject = new QueueSubject({ groups: ['mail', 'audit'] })
    const [mail, audit] = [subject.subscribe(1, LEASE_MS, 'mail'), subject.subscribe(1, LEASE_MS, 'audit')]
    subject.send('a')
    assert.deepEqual([subject.dataOf(mail), subject.dataOf(audit)], [['a'], ['a']])
    subject.run(q.ack(mail, [subject.handle(mail)]))
    assert.deepEqual([subject.dataOf(mail), subject.dataOf(audit)], [[], ['a']])
    assert.equal(subject.machine.usage.aliveBytes > 0, true)
    subject.run(q.ack(audit, [subject.handle(audit)]))
    assert.deepEqual([subject.machine.usage.slots, subject.machine.usage.aliveBytes], [0, 0])
    assert.equal(subject.refusal(q.subscribe('jobs', 'none', 1, 1)), 'UNKNOWN_GROUP')
  })

  it('stands still while the queue is paused', () => {
    const subject = new QueueSubject()
    subject.run(q.pause('jobs'))
    const consumer = subject.subscribe()
    subject.send('a')
    assert.deepEqual(subject.dataOf(consumer), [])
    subject.run(q.resume('jobs'))
    assert.deepEqual(subject.dataOf(consumer), ['a'])
  })
})

describe('operators', () => {
  it('purge a list by and by', () => {
    const subject = new QueueSubject()
    for (let count = 0; count < 5; count++) subject.send(count, count < 3 ? { key: 'k' } : {})
    assert.equal(subject.run(q.purge('jobs', '', 'ready', 2)), 2)
    assert.equal(subject.run(q.purge('jobs', '', 'ready', 9)), 3, 'with those behind one of their key')
    assert.deepEqual([subject.machine.usage.slots, subject.machine.usage.aliveBytes], [0, 0])
    assert.equal(subject.refusal(q.purge('jobs', '', 'all' as never, 9)), 'BAD_COMMAND')
  })

  it('cancel what nobody holds', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(1)
    subject.send('a', { id: 'x' })
    subject.send('b', { id: 'y', delayMs: 10 })
    assert.equal(subject.run(q.cancel('jobs', 'x')), false, 'it is held')
    assert.equal(subject.run(q.cancel('jobs', 'y')), true)
    assert.equal(subject.run(q.cancel('jobs', 'y')), false)
    assert.equal(subject.run(q.cancel('jobs', 'z')), false)
    assert.deepEqual(subject.dataOf(consumer), ['a'])
  })

  it('remove a queue, and a group, that is not used', () => {
    const subject = new QueueSubject({ groups: ['a', 'b'] })
    subject.send('x')
    assert.equal(subject.refusal(q.remove('jobs')), 'QUEUE_IN_USE')
    assert.equal(subject.refusal(q.create('jobs', { groups: ['a'] })), 'QUEUE_IN_USE')
    subject.run(q.purge('jobs', 'b', 'ready', 10))
    subject.run(q.create('jobs', { groups: ['a', 'c'] }))
    subject.send('y')
    assert.deepEqual(
      (subject.machine.query(ask.stats('jobs')) as QueueStats).groups.map(({ group, ready }) => [
        group,
        ready,
      ]),
      [
        ['a', 2],
        ['c', 1],
      ],
    )
    for (const group of ['a', 'c']) subject.run(q.purge('jobs', group, 'ready', 10))
    assert.equal(subject.run(q.remove('jobs')), true)
    assert.deepEqual(subject.machine.query(ask.queues()), [])
  })

  it('are refused what would make too many of anything', () => {
    const subject = new QueueSubject({}, { maxConsumers: 1, maxLanes: 2 })
    subject.subscribe()
    assert.equal(subject.refusal(q.subscribe('jobs', '', 1, 1)), 'TOO_MANY')
    subject.run(q.create('more'))
    assert.equal(subject.refusal(q.create('most')), 'TOO_MANY')
    assert.equal(subject.refusal(q.subscribe('jobs', '', 5000, 1)), 'BAD_COMMAND')
  })
})

describe('a turn', () => {
  it('keeps no more deadlines than it has time for: the rest fall due with the next', () => {
    const subject = new QueueSubject()
    const all = Array.from({ length: MAX_DUE_AT_ONCE + 10 }, () => q.message('a', { delayMs: 5 }))
    subject.run(q.send('jobs', all))
    subject.after(5)
    assert.deepEqual([subject.stats.ready, subject.stats.delayed], [MAX_DUE_AT_ONCE, 10])
    assert.ok(subject.machine.dueMs <= subject.nowMs)
    subject.after(0)
    assert.deepEqual([subject.stats.ready, subject.stats.delayed], [MAX_DUE_AT_ONCE + 10, 0])
  })
})

describe('options', () => {
  it('are checked', () => {
    for (const options of [
      { idWindowMs: -1 },
      { segmentBytes: 3000 },
      { segmentBytes: 2048, maxMessageBytes: 2000 },
      { maxLanes: 70_000 },
    ])
      assert.throws(() => new QueueMachine(context(options)), { code: 'INVALID_OPTIONS' })
  })
})
