/** What messages, deliveries, groups and events of a queue promise, through its public calls, on three threads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, it, mock } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { type Delivery, Queue, QueueError, type QueueEvent, type Subscription } from '@troupe/queue'
import { fixture, until, withDirectory } from './support.ts'

const isRefused = (code: string) => (error: unknown) => error instanceof QueueError && error.code === code
const HOUR_MS = 3_600_000
/** A machine that is too busy to start threads shows nothing. */
const START_TIMEOUT_MS = 240_000

/** What a consumer is given next. */
async function nextOf<T>(consuming: Subscription<T>): Promise<Delivery<T>> {
  const { value } = await consuming.next()
  assert.ok(value, 'the consumer is at its end')
  return value
}

/** All that settles a delivery, or says something of it. */
const settlings: Readonly<Record<string, (delivery: Delivery<string>) => Promise<void>>> = {
  ack: (delivery) => delivery.ack(),
  nack: (delivery) => delivery.nack(),
  term: (delivery) => delivery.term('no'),
  extend: (delivery) => delivery.extend(1000),
  progress: (delivery) => delivery.progress(1),
}

describe('deliveries of a queue on three threads', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ machine: 'queue', startTimeoutMs: START_TIMEOUT_MS })
  })
  after(() => cluster.stop())

  it('have the id, key and headers of their message', async () => {
    await using queue = await Queue.open<string>('parts', { cluster })
    const headers = { trace: '7f', tries: 2 }
    await queue.sendMany([{ data: 'a', id: 'i', key: 'k', headers }, { data: 'b' }])
    const consuming = queue.consume()
    const [full, plain] = [await nextOf(consuming), await nextOf(consuming)]
    assert.deepEqual([full.id, full.key, full.headers], ['i', 'k', headers])
    assert.deepEqual([plain.id, plain.key, plain.headers], [undefined, undefined, {}])
  })

  it('come by priority, the most urgent first', async () => {
    await using queue = await Queue.open<string>('urgent', { cluster })
    await queue.sendMany([
      { data: 'last', priority: 9 },
      { data: 'usual' },
      { data: 'first', priority: 0 },
      { data: 'usual too', priority: 5 },
    ])
    const consuming = queue.consume()
    for (const data of ['first', 'usual', 'usual too', 'last'])
      assert.equal((await nextOf(consuming)).data, data)
  })

  it('of one key come one at a time, of others meanwhile', async () => {
    await using queue = await Queue.open<string>('keys', { cluster })
    await queue.sendMany([
      { data: 'a1', key: 'a' },
      { data: 'a2', key: 'a' },
      { data: 'b1', key: 'b' },
    ])
    const consuming = queue.consume()
    const first = await nextOf(consuming)
    assert.deepEqual([first.data, (await nextOf(consuming)).data], ['a1', 'b1'])
    assert.equal((await queue.stats()).groups[0]?.lined, 1)
    await first.ack()
    assert.equal((await nextOf(consuming)).data, 'a2')
  })

  it('do not come after the message’s time to live', async () => {
    await using queue = await Queue.open<string>('short', { cluster })
    await queue.sendMany([
      { data: 'gone', ttlMs: 1 },
      { data: 'there', ttlMs: HOUR_MS },
    ])
    await until('it has expired', async () => (await queue.stats()).groups[0]?.expired === 1)
    const delivery = await nextOf(queue.consume())
    assert.equal(delivery.data, 'there')
    await delivery.ack()
    assert.equal((await queue.stats()).messages, 0)
  })

  it('come again after a nack: when it says, when the message says, when the queue says', async () => {
    await using queue = await Queue.open<string>('again', { cluster, backoff: 'fixed', backoffMs: HOUR_MS })
    await queue.sendMany([
      { data: 'by nack' },
      { data: 'by message', backoff: ['fixed', 0, 0] },
      { data: 'by queue' },
    ])
    const consuming = queue.consume()
    const [one, two, three] = [await nextOf(consuming), await nextOf(consuming), await nextOf(consuming)]
    await one.nack({ delayMs: 0 })
    await two.nack()
    for (const data of ['by nack', 'by message']) {
      const { deliveries, data: found } = await nextOf(consuming)
      assert.deepEqual([found, deliveries], [data, 2])
    }
    await three.nack()
    const [group] = (await queue.stats()).groups
    assert.deepEqual([group?.delayed, group?.active, group?.failed, group?.redelivered], [1, 2, 3, 2])
  })

  it('make a message dead by term, or by its own number of attempts, with the reason', async () => {
    await using queue = await Queue.open<string>('dead', { cluster })
    await queue.sendMany([{ data: 'term' }, { data: 'nack', attempts: 1 }])
    const consuming = queue.consume()
    await (await nextOf(consuming)).term('nobody of that name')
    await (await nextOf(consuming)).nack({ reason: 'once is enough' })
    const dead = await queue.peek('dead')
    assert.deepEqual(
      dead.map(({ data, failures, reason }) => [data, failures, reason]),
      [
        ['term', 0, 'nobody of that name'],
        ['nack', 1, 'once is enough'],
      ],
    )
    assert.equal(await queue.purge('dead'), 2)
  })

  it('are refused by type once they are settled', async () => {
    await using queue = await Queue.open<string>('settled', { cluster })
    await queue.send('a')
    const delivery = await nextOf(queue.consume())
    await delivery.ack()
    for (const [word, settle] of Object.entries(settlings))
      await assert.rejects(settle(delivery), isRefused('ALREADY_SETTLED'), word)
  })

  it('are refused by type once their lease ran out, and nothing is lost', async () => {
    await using queue = await Queue.open<string>('leases', { cluster, maxLosses: 255 })
    await queue.sendMany([{ data: 'short' }, { data: 'long' }])
    const consuming = queue.consume({ leaseMs: HOUR_MS })
    const [short, long] = [await nextOf(consuming), await nextOf(consuming)]
    await short.extend(1)
    await long.extend(HOUR_MS)
    await until('the lease has ended', async () => (await queue.stats()).groups[0]?.lost === 1)
    for (const [word, settle] of Object.entries(settlings))
      await assert.rejects(settle(short), isRefused('LEASE_ENDED'), word)
    const again = await nextOf(consuming)
    assert.deepEqual([again.data, again.deliveries], ['short', 2])
    await Promise.all([again.ack(), long.ack()])
    const stats = await queue.stats()
    assert.deepEqual([stats.messages, stats.groups[0]?.acked, stats.groups[0]?.lost], [0, 2, 1])
  })

  it('stop while the queue is paused', async () => {
    await using queue = await Queue.open<string>('paused', { cluster })
    await queue.pause()
    const consuming = queue.consume()
    const next = nextOf(consuming)
    await queue.send('a')
    await until('there is a consumer', async () => (await queue.stats()).groups[0]?.consumers === 1)
    const { isPaused, groups } = await queue.stats()
    assert.deepEqual([isPaused, groups[0]?.ready, groups[0]?.delivered], [true, 1, 0])
    await queue.resume()
    assert.equal((await next).data, 'a')
    assert.equal((await queue.stats()).isPaused, false)
  })

  it('are given back by a signal', async () => {
    await using queue = await Queue.open<number>('signal', { cluster })
    await queue.sendMany([{ data: 1 }, { data: 2 }])
    const leaving = new AbortController()
    const seen: number[] = []
    for await (const { data } of queue.consume({ signal: leaving.signal })) {
      seen.push(data)
      if (seen.length === 2) leaving.abort()
    }
    assert.deepEqual(seen, [1, 2])
    await until('both are ready', async () => (await queue.stats()).groups[0]?.ready === 2)
    assert.equal((await queue.stats()).groups[0]?.consumers, 0)
    assert.equal((await queue.consume({ signal: AbortSignal.abort() }).next()).done, true)
  })

  it('keep to the rate of the queue, all consumers together', async () => {
    await using queue = await Queue.open<number>('bounded', { cluster, rateMax: 2, ratePerMs: HOUR_MS })
    await queue.sendMany([1, 2, 3].map((data) => ({ data })))
    const [one, other] = [queue.consume({ prefetch: 1 }), queue.consume({ prefetch: 10 })]
    await Promise.all([nextOf(one), nextOf(other)])
    const third = Promise.race([one.next(), other.next()])
    const { groups } = await queue.stats()
    assert.deepEqual([groups[0]?.active, groups[0]?.ready], [2, 1])
    await using faster = await Queue.open<number>('bounded', { cluster, rateMax: 0 })
    assert.equal((await third).value?.data, 3)
    assert.equal((await faster.stats()).groups[0]?.active, 3)
  })

  it('by cron come at their time, each under the name of its schedule', async () => {
    await using queue = await Queue.open<string>('cron', { cluster })
    // An occurrence is 50 ms away by the clock of this process.
    const now = Date.parse('2024-02-29T12:29:59.950Z')
    mock.timers.enable({ apis: ['Date'], now })
    try {
      queue.repeat('noon', (time) => time.toISOString(), { cron: '30 12 29 2 *' })
      const delivery = await nextOf(queue.consume())
      assert.deepEqual(
        [delivery.data, delivery.id],
        ['2024-02-29T12:30:00.000Z', 'noon@2024-02-29T12:30:00.000Z'],
      )
    } finally {
      mock.timers.reset()
    }
  })

  it('go to each named group, which has its own dead letters', async () => {
    await using queue = await Queue.open<string>('groups', { cluster, groups: ['mail', 'audit'] })
    await queue.sendMany([{ data: 'a' }, { data: 'b' }])
    const [mail, audit] = [queue.consume({ group: 'mail' }), queue.consume({ group: 'audit' })]
    for (const data of ['a', 'b']) {
      const delivery = await nextOf(mail)
      assert.equal(delivery.data, data)
      await delivery.ack()
    }
    await (await nextOf(audit)).term('unreadable')
    await audit.return()
    const stats = await queue.stats()
    assert.deepEqual(
      stats.groups.map(({ group, acked, ready, dead }) => [group, acked, ready, dead]),
      [
        ['mail', 2, 0, 0],
        ['audit', 0, 1, 1],
      ],
    )
    assert.deepEqual([(await queue.peek('dead', 9, 'audit'))[0]?.data, await queue.redrive('mail')], ['a', 0])
    assert.equal(await queue.redrive('audit'), 1)
    assert.equal(await queue.purge('ready', 'audit'), 2)
    assert.equal((await queue.stats()).messages, 0, 'both groups are done with both')
    for (const group of ['', 'post'])
      await assert.rejects(nextOf(queue.consume({ group })), isRefused('UNKNOWN_GROUP'))
    await assert.rejects(queue.peek('ready', 1, 'post'), isRefused('UNKNOWN_GROUP'))
  })

  it('are told of by events of their group, and by how many were missed', async () => {
    await using queue = await Queue.open<number>('events', { cluster, groups: ['one', 'other'], attempts: 1 })
    const events = queue.events({ group: 'one' })
    const first = events.next()
    // From when on somebody watches, the replicas know: until then nothing is told.
    const consuming = queue.consume({ group: 'one', prefetch: 4096 })
    await until('somebody watches', async () => {
      await queue.send(0)
      await (await nextOf(consuming)).ack('did')
      return (await Promise.race([first, Promise.resolve(undefined)])) !== undefined
    })
    const { value } = (await first) as { value: QueueEvent }
    assert.ok(value.kind === 'completed')
    assert.deepEqual([value.group, value.deliveries, value.result], ['one', 1, 'did'])
    await queue.send(1, { id: 'bad' })
    await (await nextOf(consuming)).nack({ reason: 'no' })
    const told: unknown[] = []
    for await (const event of events) {
      if (event.kind === 'missed' || event.kind === 'completed') continue
      told.push([event.kind, event.id, event.reason])
      if (event.kind === 'dead') break
    }
    assert.deepEqual(told, [
      ['failed', 'bad', 'no'],
      ['dead', 'bad', 'no'],
    ])
    await assert.rejects(queue.events({ group: 'none' }).next(), isRefused('UNKNOWN_GROUP'))
  })
})
