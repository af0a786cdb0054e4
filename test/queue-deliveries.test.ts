/** What messages, deliveries, groups and events of a queue promise, through its public calls, on three threads. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { after, before, describe, it, mock } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
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

describe('a queue on three threads', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ machine: 'queue', startTimeoutMs: START_TIMEOUT_MS })
  })
  after(() => cluster.stop())

  it('delivers with the id, key and headers of their message', async () => {
    await using queue = await Queue.open<string>('parts', { cluster })
    const headers = { trace: '7f', tries: 2 }
    await queue.sendMany([{ data: 'a', id: 'i', key: 'k', headers }, { data: 'b' }])
    const consuming = queue.consume()
    const [full, plain] = [await nextOf(consuming), await nextOf(consuming)]
    assert.deepEqual([full.id, full.key, full.headers], ['i', 'k', headers])
    assert.deepEqual([plain.id, plain.key, plain.headers], [undefined, undefined, {}])
  })

  it('delivers by priority, the most urgent first', async () => {
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

  it('delivers messages of one key one at a time, of others meanwhile', async () => {
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

  it('does not deliver after the time to live of a message', async () => {
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

  it('delivers again after a nack: when it says, when the message says, when the queue says', async () => {
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

  it('has dead letters by term, or by a message’s own number of attempts, with the reason', async () => {
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

  it('refuses by type what is said of a delivery that is settled', async () => {
    await using queue = await Queue.open<string>('settled', { cluster })
    await queue.send('a')
    const delivery = await nextOf(queue.consume())
    await delivery.ack()
    for (const [word, settle] of Object.entries(settlings))
      await assert.rejects(settle(delivery), isRefused('ALREADY_SETTLED'), word)
  })

  it('refuses by type what is said once the lease ran out, and loses nothing', async () => {
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

  it('delivers nothing while it is paused', async () => {
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

  it('takes back what a consumer holds that leaves by a signal', async () => {
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

  it('keeps to its rate, all consumers together', async () => {
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

  it('delivers by cron, under the name of the schedule', async () => {
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

  it('delivers to each named group, which has its own dead letters', async () => {
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

  it('tells of a group by its events, and of all groups by `queue.on`', async () => {
    await using queue = await Queue.open<number>('events', { cluster, groups: ['one', 'other'], attempts: 1 })
    const completed = new Set<string>()
    queue.on('completed', ({ group }) => completed.add(group))
    const events = queue.events({ group: 'one' })
    const first = events.next()
    // From when on somebody watches, the replicas know: until then nothing is told.
    const consuming = queue.consume({ group: 'one', prefetch: 4096 })
    const elsewhere = queue.consume({ group: 'other' })
    await until('all is told', async () => {
      await queue.send(0)
      await (await nextOf(consuming)).ack('did')
      await (await nextOf(elsewhere)).ack('did')
      return completed.size === 2 && (await Promise.race([first, Promise.resolve(undefined)])) !== undefined
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

  it('tells a slow reader how many events it missed', async () => {
    await using queue = await Queue.open<number>('slow', { cluster, groups: ['g'] })
    const events = queue.events({ group: 'g' })
    const first = events.next()
    const consuming = queue.consume({ group: 'g', prefetch: 4096 })
    await until('it is told', async () => {
      await queue.send(0)
      await (await nextOf(consuming)).ack()
      return (await Promise.race([first, Promise.resolve(undefined)])) !== undefined
    })
    // More than replicas keep.
    const batch = Array.from({ length: 1000 }, (_, data) => ({ data }))
    for (let round = 0; round < 9; round++) {
      await queue.sendMany(batch)
      await Promise.all(await Promise.all(batch.map(async () => (await nextOf(consuming)).ack())))
    }
    let missed = 0
    for await (const event of events) {
      if (event.kind !== 'missed') continue
      missed = event.count
      break
    }
    assert.ok(missed > 0 && missed < 9000, `${missed} were missed`)
  })

  it('runs handlers in as many threads as its depth asks for, and stops them by a signal', async () => {
    await using queue = await Queue.open<boolean>('stopped', { cluster, backoffMs: 0, attempts: 255 })
    // The first is done at once, the others never.
    await queue.sendMany(Array.from({ length: 20 }, (_, at) => ({ data: at > 0 })))
    const stopping = new AbortController()
    const worker = queue.process(new URL(fixture('idle-handler.ts')), {
      ...{ isolate: true, signal: stopping.signal },
      concurrency: { min: 1, max: 2, targetDepth: 1, intervalMs: 5 },
    })
    try {
      await until('there are as many as there may be', () => worker.running === 2)
      await until('one is done', async () => (await queue.stats()).groups[0]?.acked === 1)
    } finally {
      stopping.abort()
    }
    await worker.done
    await until('the others are ready', async () => (await queue.stats()).groups[0]?.ready === 19)
    assert.throws(() => queue.process('no url' as never, { isolate: true }), /handler is .*URL of a module/)
  })

  it('gives any operation up by a signal, and nothing was done', async () => {
    await using queue = await Queue.open<string>('given', { cluster })
    await queue.send('a', { id: 'a' })
    const options = { signal: AbortSignal.abort() }
    const operations: Readonly<Record<string, () => Promise<unknown>>> = {
      get: () => queue.get('a', options),
      cancel: () => queue.cancel('a', options),
      stats: () => queue.stats(options),
      metricsText: () => queue.metricsText(options),
      pause: () => queue.pause(options),
      resume: () => queue.resume(options),
      purge: () => queue.purge('ready', '', options),
      redrive: () => queue.redrive('', options),
      peek: () => queue.peek('ready', 1, '', options),
      open: () => Queue.open('given', { cluster, maxMessages: 1, ...options }),
      connect: () => Queue.connect(['127.0.0.1:1'], 'given', options),
    }
    for (const [word, operation] of Object.entries(operations))
      await assert.rejects(operation(), (error) => RaftError.is(error, 'ABORTED'), word)
    const { isPaused, messages } = await queue.stats()
    assert.deepEqual([isPaused, messages], [false, 1])
  })

  it('purges and redrives what is there, those behind others of their key too', async () => {
    await using queue = await Queue.open<number>('rounds', { cluster, attempts: 1 })
    await queue.sendMany(Array.from({ length: 1500 }, (_, data) => ({ data, key: 'k' })))
    const worker = queue.process(() => {
      throw new Error('never')
    })
    await until('some are dead', async () => ((await queue.stats()).groups[0]?.dead ?? 0) > 2)
    await worker.close()
    const { dead = 0 } = (await queue.stats()).groups[0] ?? {}
    assert.equal(await queue.redrive(), dead)
    const [group] = (await queue.stats()).groups
    const removed = [await queue.purge('dead'), await queue.purge('ready')]
    assert.deepEqual(
      removed,
      [group?.dead, 1500 - (group?.dead ?? 0)],
      'those behind others of their key too',
    )
    assert.equal((await queue.stats()).messages, 0)
  })

  it('says what to do about what is refused', async () => {
    await using queue = await Queue.open<unknown>('words', { cluster, maxMessages: 2 })
    const huge = 'x'.repeat(300 << 10)
    const consuming = queue.consume()
    await queue.send('a')
    const delivery = await nextOf(consuming)
    for (const [refused, words] of [
      [
        () => queue.send('x', { delayMs: -1 }),
        /delayMs: an integer that is not negative: .*mend it and call again$/,
      ],
      [() => queue.send(huge), /bytes, of at most 262144: .*keep what is large elsewhere/],
      [
        () => queue.sendMany([{ data: 'b' }, { data: 'c' }]),
        /words has 1 messages of at most 2: consume, purge, raise its bounds, or send with whenFull: 'wait'$/,
      ],
      [() => Queue.open('words', { cluster, groups: ['g'] }), /has messages or consumers: consume or purge/],
      [() => queue.peek('ready', 1, 'g'), /there is no group 'g' of words: name it in the setting `groups`/],
    ] as const)
      await assert.rejects(refused(), { name: 'QueueError', message: words })
    await delivery.ack()
    await assert.rejects(delivery.ack(), { message: /nothing is left to do for it$/ })
  })
})

describe('a directory', () => {
  it('that one process has open is refused to another, by name, and nothing is lost', () =>
    withDirectory(async (directory) => {
      const clusterOptions = { nodes: 1, startTimeoutMs: START_TIMEOUT_MS }
      await using queue = await Queue.open<string>('jobs', { directory, clusterOptions })
      await queue.send('a')
      const opener = spawn(process.execPath, [new URL(fixture('queue-opener.ts')).pathname, directory])
      opener.stderr.pipe(process.stderr)
      assert.match(
        await text(opener.stdout),
        new RegExp(`^INVALID_DIRECTORY: .*in use by process ${process.pid}`),
      )
      assert.equal((await nextOf(queue.consume())).data, 'a')
    }))
})
