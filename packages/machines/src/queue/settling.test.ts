import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QueueSubject } from '../../test/queue-subject.ts'
import { queueQueries as ask, type Handle, HandleFault, Op, queueCommands as q } from './queue-commands.ts'

describe('settling', () => {
  it('tells of handles that it does not know', () => {
    const subject = new QueueSubject()
    const [consumer, other] = [subject.subscribe(1), subject.subscribe(1)]
    subject.send('a')
    const handle = subject.handle(consumer)
    const faults = (command: unknown): unknown => subject.run(command)
    assert.deepEqual(faults(q.nack(other, [handle], null, 'x')), [[0, HandleFault.notHeld]], "another's")
    assert.equal(faults(q.ack(consumer, [handle])), undefined)
    assert.deepEqual(faults(q.ack(consumer, [handle])), [[0, HandleFault.gone]], 'twice')
    assert.deepEqual(faults(q.ack(consumer, [[0, 0, 0]])), [[0, HandleFault.gone]])
    assert.deepEqual(faults(q.ack(consumer, [[2 ** 40, 1, 1]])), [[0, HandleFault.gone]])
    assert.equal(subject.refusal(q.ack(77, [handle])), 'UNKNOWN_CONSUMER')
    assert.equal(subject.refusal([7, consumer, [1, 2]]), 'BAD_COMMAND')
    assert.equal(subject.refusal(q.nack(consumer, [handle], -1, 'x')), 'BAD_COMMAND')
  })

  it('does what it can of a batch', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe()
    for (const data of ['a', 'b', 'c']) subject.send(data)
    const handles = subject.held(consumer).map(({ handle }) => handle)
    subject.run(q.ack(consumer, [handles[1] as Handle]))
    assert.deepEqual(subject.run(q.ack(consumer, handles)), [[1, HandleFault.gone]])
    assert.equal(subject.stats.acked, 3)
  })

  it('delivers again when the lease ends, and then knows the old handle no more', () => {
    const subject = new QueueSubject()
    const [first, second] = [subject.subscribe(1, 50), subject.subscribe(1, 5000)]
    subject.send('a')
    const old = subject.handle(first)
    subject.run(q.prefetch(second, 0))
    subject.nowMs += 30
    subject.run(q.extend(first, [], 50))
    subject.nowMs += 20
    // The first lives still, and is the only one with room.
    subject.run(q.tick())
    assert.deepEqual(
      subject.held(first).map(({ deliveries }) => deliveries),
      [2],
    )
    assert.deepEqual(subject.run(q.ack(first, [old])), [[0, HandleFault.notHeld]])
    assert.equal(subject.stats.lost, 1)
  })

  it('keeps a lease that is extended', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(1, 50)
    subject.send('a')
    subject.nowMs += 40
    assert.equal(subject.run(q.extend(consumer, [subject.handle(consumer)], 500)), undefined)
    subject.after(400)
    assert.deepEqual(
      subject.held(consumer).map(({ deliveries }) => deliveries),
      [1],
    )
  })

  it('retries with a backoff, then it is dead with the reason, and lives again by a redrive', () => {
    const subject = new QueueSubject({ attempts: 3, backoff: 'exponential', backoffMs: 10, maxBackoffMs: 15 })
    const consumer = subject.subscribe(1, 1000)
    subject.send('a', { id: 'x', key: 'k' })
    const fail = (): unknown =>
      subject.run(q.nack(consumer, [subject.handle(consumer)], null, 'mailbox is full'))
    fail()
    assert.equal(subject.machine.dueMs, 10)
    subject.after(10)
    fail()
    assert.equal(subject.machine.dueMs, 25, 'twice as long, but at most 15')
    subject.after(15)
    fail()
    assert.deepEqual(
      subject.peek('dead').map(({ reason, failures }) => [reason, failures]),
      [['mailbox is full', 3]],
    )
    assert.deepEqual(subject.machine.query(ask.results([1])), [['dead', 'mailbox is full']])
    assert.equal(subject.find('x')?.groups[0]?.state, 'dead')
    subject.send('b', { key: 'k' })
    assert.deepEqual(subject.dataOf(consumer), ['b'])
    assert.equal(subject.run(q.redrive('jobs', '', 10)), 1)
    assert.deepEqual(subject.dataOf(consumer), ['b'], 'behind the others of its key')
    subject.run(q.ack(consumer, [subject.handle(consumer)]))
    assert.deepEqual(subject.dataOf(consumer), ['a'])
    assert.deepEqual(subject.machine.query(ask.results([1])), [undefined])
  })

  it('takes attempts and backoff of the message before those of the queue', () => {
    const subject = new QueueSubject({ attempts: 9, backoffMs: 1 })
    const consumer = subject.subscribe(1, 1000)
    subject.send('a', { attempts: 2, backoff: ['fixed', 7, 7], headers: { from: 'x' } })
    subject.run(q.nack(consumer, [subject.handle(consumer)], null, 'x'))
    assert.equal(subject.machine.dueMs, 7)
    subject.after(7)
    subject.run(q.nack(consumer, [subject.handle(consumer)], null, 'x'))
    assert.equal(subject.stats.dead, 1)
  })

  it('acks runs of deliveries, and tells what of them it does not hold', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(10)
    for (const data of ['a', 'b', 'c', 'd', 'e', 'f']) subject.send(data)
    const handles = subject.held(consumer).map(({ handle }) => handle)
    subject.run(q.ack(consumer, [handles[2] as Handle]))
    assert.deepEqual(subject.run(q.ackRuns(consumer, handles.slice(1, 5))), [1], 'one in the middle is gone')
    assert.deepEqual(subject.dataOf(consumer), ['a', 'f'])
    assert.deepEqual(
      subject.run(q.ackRuns(consumer, handles.slice(4))),
      [0, 1],
      'nothing leads to the others',
    )
    assert.equal(subject.run(q.ackRuns(consumer, [handles[5] as Handle, handles[0] as Handle])), undefined)
    assert.deepEqual(subject.dataOf(consumer), [])
    assert.equal(subject.stats.messages, 0)
    for (const runs of ['no', [1, 1], [1, 1, 0], [1, 1, 10_001], [0.5, 1, 1]])
      assert.equal(subject.refusal([Op.ackRuns, consumer, runs]), 'BAD_COMMAND')
    for (const results of ['no', [], [1, 2]])
      assert.equal(subject.refusal([Op.ackRuns, consumer, [1, 1, 1], results]), 'BAD_COMMAND')
    assert.equal(subject.refusal(q.ackRuns(99, [])), 'UNKNOWN_CONSUMER')
  })

  it('keeps the results of runs, each at its message', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(10)
    const positions = ['a', 'b', 'c', 'd', 'e', 'f'].map((data) => subject.send(data))
    const handles = subject.held(consumer).map(({ handle }) => handle)
    const acked = (from: number, to: number, results?: readonly unknown[] | null): unknown =>
      subject.run(q.ackRuns(consumer, handles.slice(from, to), results))
    subject.run(q.ack(consumer, [handles[1] as Handle]))
    assert.deepEqual(acked(0, 3, ['did a', 'did b', 'did c']), [1])
    assert.equal(acked(3, 5, null), undefined)
    assert.equal(acked(5, 6), undefined)
    const results = ['did a', undefined, 'did c', null, null, undefined]
    assert.deepEqual(
      subject.machine.query(ask.results(positions)),
      results.map((result) => (result === undefined ? undefined : ['completed', result])),
    )
  })

  it('gives back all that a consumer held when it is gone, in order', () => {
    const subject = new QueueSubject()
    const consumer = subject.subscribe(3)
    for (const data of ['a', 'b', 'c', 'd']) subject.send(data)
    assert.equal(subject.run(q.leave(consumer)), true)
    assert.equal(subject.run(q.leave(consumer)), false)
    assert.deepEqual(subject.dataOf(subject.subscribe()), ['a', 'b', 'c', 'd'])
    assert.throws(() => subject.held(consumer), /UNKNOWN_CONSUMER/)
  })

  it('takes a consumer for gone that gives no sign of life', () => {
    const subject = new QueueSubject()
    const [silent, living] = [subject.subscribe(1, 50), subject.subscribe(0, 500)]
    subject.send('a')
    assert.deepEqual(subject.dataOf(silent), ['a'])
    subject.after(50)
    assert.throws(() => subject.held(silent), /UNKNOWN_CONSUMER/)
    subject.run(q.prefetch(living, 1))
    assert.deepEqual(subject.dataOf(living), ['a'])
  })

  it('buries what loses its consumers again and again', () => {
    const subject = new QueueSubject({ maxLosses: 2 })
    for (const _ of [1, 2]) {
      const consumer = subject.subscribe(1)
      if (subject.stats.messages === 0) subject.send('a')
      subject.run(q.leave(consumer))
    }
    assert.deepEqual(
      subject.peek('dead').map(({ reason }) => reason),
      ['its consumers were lost'],
    )
  })

  it('keeps results and progress for those who wait', () => {
    const subject = new QueueSubject({}, { resultMs: 100 })
    const consumer = subject.subscribe()
    subject.send('a', { id: 'x' })
    subject.run(q.progress(consumer, subject.handle(consumer), { percent: 40 }))
    assert.deepEqual(subject.find('x')?.progress, { percent: 40 })
    subject.run(q.ack(consumer, [subject.handle(consumer)], [{ sent: true }]))
    assert.deepEqual(subject.machine.query(ask.results([1, 2])), [['completed', { sent: true }], undefined])
    subject.after(100)
    assert.deepEqual(subject.machine.query(ask.results([1])), [undefined])
  })

  it('writes the reason of a death before its message counts as dead: the consumer of a living one is no address', () => {
    const SEGMENT_BYTES = 1024
    const subject = new QueueSubject({ attempts: 1 }, { segmentBytes: SEGMENT_BYTES, maxMessageBytes: 512 })
    const { machine } = subject
    const keep = (): unknown => subject.send('a', { delayMs: 1_000_000 })
    // It keeps the first segment, from the first unit on; what is sent next lies behind it.
    keep()
    const address = 1 + machine.usage.aliveBytes / 16
    const consumers = Array.from({ length: address }, () => subject.subscribe(1, 1_000_000))
    for (const consumer of consumers.slice(0, -1)) subject.run(q.leave(consumer))
    assert.equal(consumers.at(-1), address)
    const ack = (consumer: number): unknown => subject.run(q.ack(consumer, [subject.handle(consumer)]))
    subject.send('b')
    ack(address)
    subject.send('c')
    const dying = subject.handle(address)
    assert.equal(dying[0], 2, 'the slot of what lay there')
    const other = subject.subscribe(1, 1_000_000)
    const churn = (untilBytes: number): void => {
      while (machine.usage.keptBytes < untilBytes) {
        subject.send('d')
        ack(other)
      }
    }
    // The others have more survivors, so that the first is copied first, by the seal that the reason needs.
    for (const segment of [1, 2]) {
      churn(segment * SEGMENT_BYTES + 100)
      keep()
      keep()
    }
    churn(3 * SEGMENT_BYTES - 100)
    subject.run(q.term(address, [dying], 'x'.repeat(300)))
    subject.run(q.leave(address))
    for (const list of ['dead', 'delayed'] as const) subject.run(q.purge('jobs', '', list, 100))
    for (let count = 0; count < 100; count++) {
      subject.send('d')
      ack(other)
    }
    assert.deepEqual([machine.usage.slots, machine.usage.aliveBytes], [0, 0])
    assert.ok(
      machine.usage.keptBytes <= SEGMENT_BYTES,
      `${machine.usage.keptBytes} bytes are kept for nobody`,
    )
  })
})
