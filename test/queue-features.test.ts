/** What producers, consumers and operators of a queue can ask for, on three threads. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { type CompletedEvent, type Delivery, type FailedEvent, Queue, QueueError } from '@troupe/queue'
import { fixture, until } from './support.ts'

const isRefused = (code: string) => (error: unknown) => error instanceof QueueError && error.code === code

describe('a queue on three threads', { timeout: 300_000 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ machine: 'queue' })
  })
  after(() => cluster.stop())

  it('tells by events what becomes of messages, wherever they are consumed', async () => {
    await using queue = await Queue.open<string>('events', { cluster, attempts: 2, backoffMs: 0 })
    await using elsewhere = await Queue.open<string>('events', { cluster })
    const told: unknown[] = []
    const tell = (event: CompletedEvent | FailedEvent): void => {
      told.push([event.kind, event.id, event.deliveries, 'result' in event ? event.result : event.reason])
    }
    queue.on('completed', tell).on('failed', tell).on('dead', tell)
    // From when on somebody watches, the replicas know.
    const worker = elsewhere.process(({ data }) => {
      if (data === 'bad') throw new Error('no')
      return `did ${data}`
    })
    let sent = 0
    await until('events are told', async () => {
      await queue.send('good', { id: `good ${sent++}` })
      return told.length > 0
    })
    told.length = 0
    await queue.send('bad', { id: 'bad' })
    await until('it is dead', () => told.some((event) => (event as unknown[])[0] === 'dead'))
    assert.deepEqual(
      told.filter((event) => (event as unknown[])[1] === 'bad'),
      [
        ['failed', 'bad', 1, 'no'],
        ['failed', 'bad', 2, 'no'],
        ['dead', 'bad', 2, 'no'],
      ],
    )
    await worker.close()
  })

  it('says what a message is doing, how far it is, and cancels one that nobody holds', async () => {
    await using queue = await Queue.open<string>('get', { cluster })
    await queue.send('a', { id: 'a' })
    await queue.send('b', { id: 'b', delayMs: 3_600_000 })
    const { value: delivery } = await queue.consume({ prefetch: 1 }).next()
    await delivery?.progress({ percent: 40 })
    const found = await queue.get('a')
    assert.deepEqual([found?.groups[0]?.state, found?.progress], ['active', { percent: 40 }])
    assert.deepEqual(
      [await queue.cancel('a'), await queue.cancel('b'), await queue.cancel('c')],
      [false, true, false],
    )
    assert.deepEqual((await queue.get('b'))?.groups, [], 'its id is remembered')
    await delivery?.ack('done')
    assert.equal(await queue.result((await queue.send('again', { id: 'a' })).position), 'done')
  })

  it('waits for room where it is told to, until the signal says otherwise', async () => {
    await using queue = await Queue.open<number>('full', { cluster, maxMessages: 1 })
    const receipt = await queue.send(1)
    assert.equal(receipt.durability, 'flush-before-ack')
    await assert.rejects(queue.send(2), isRefused('QUEUE_FULL'))
    const waiting = queue.send(2, { whenFull: 'wait' })
    const given = new AbortController()
    const up = queue.send(3, { whenFull: 'wait', signal: given.signal })
    given.abort()
    await assert.rejects(
      up,
      (error) => RaftError.is(error, 'ABORTED') || RaftError.is(error, 'INDETERMINATE'),
    )
    const never = queue.sendMany([{ data: 4 }, { data: 5 }], { whenFull: 'wait' })
    await assert.rejects(never, isRefused('QUEUE_FULL'), 'there would never be room')
    const consuming = queue.consume()
    await (await consuming.next()).value?.ack()
    await waiting
    assert.equal((await consuming.next()).value?.data, 2)
  })

  it('gives batches that are full, or have waited long enough', async () => {
    await using queue = await Queue.open<number>('batches', { cluster })
    await queue.sendMany([1, 2, 3, 4, 5].map((data) => ({ data })))
    const sizes: number[] = []
    let settled = 0
    for await (const batch of queue.consumeBatches({ max: 2, lingerMs: 5 })) {
      sizes.push(batch.length)
      await Promise.all(batch.map((delivery: Delivery<number>) => delivery.ack()))
      settled += batch.length
      if (settled === 5) break
    }
    assert.ok(sizes.every((size) => size <= 2))
    const waiting = queue.consumeBatches({ max: 10, lingerMs: 600_000 })
    const next = waiting.next()
    await queue.sendMany(Array.from({ length: 10 }, (_, data) => ({ data })))
    assert.equal((await next).value?.length, 10)
    await waiting.return(undefined)
  })

  it('sends at a time of day, and again and again, each occurrence once', async () => {
    await using queue = await Queue.open<string>('times', { cluster })
    await queue.send('past', { at: new Date(0) })
    assert.equal((await queue.stats()).groups[0]?.ready, 1)
    await queue.send('later', { at: Date.now() + 3_600_000 })
    assert.equal((await queue.stats()).groups[0]?.delayed, 1)
    assert.throws(() => queue.repeat('none', 'x', {}), /either everyMs or cron/)
    await queue.purge('ready')
    await using other = await Queue.open<string>('times', { cluster })
    const times: string[] = []
    const worker = queue.process(({ data }) => void times.push(data))
    for (const each of [queue, other]) each.repeat('beat', (time) => time.toISOString(), { everyMs: 50 })
    await until('it came again and again', () => times.length >= 5)
    await worker.close()
    assert.equal(new Set(times).size, times.length)
    const gaps = times.slice(1).map((time, at) => Date.parse(time) - Date.parse(times[at] as string))
    assert.ok(gaps.every((gap) => gap % 50 === 0 && gap > 0))
    assert.ok((await queue.stats()).duplicates > 0, 'both have sent it')
  })

  it('lets a schema look at what is sent, and refuses what has no encoding', async () => {
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: unknown) =>
          typeof value === 'string'
            ? { value: value.trim() }
            : { issues: [{ message: 'not a string', path: ['data', { key: 0 }] }] },
      },
    } as const
    await using queue = await Queue.open<string>('schema', { cluster, schema })
    await queue.send('  a ')
    assert.equal((await queue.peek())[0]?.data, 'a')
    await assert.rejects(queue.send(1 as never), /data\.0: not a string/)
    await using plain = await Queue.open<unknown>('schema', { cluster })
    const circle: { self?: unknown } = {}
    circle.self = circle
    const huge = 'x'.repeat(300 << 10)
    for (const data of [circle, Symbol('s'), () => 1, 2n ** 70n])
      await assert.rejects(plain.send(data), isRefused('INVALID_DATA'))
    await assert.rejects(plain.send(huge), isRefused('BAD_COMMAND'))
    await assert.rejects(plain.send('x', { ttlMs: -1 }), isRefused('BAD_COMMAND'))
    await assert.rejects(plain.send('x', { at: 0, delayMs: 1 }), /at is/)
    await plain.send('goes on')
    assert.equal((await plain.stats()).messages, 2, 'nothing else was sent, nothing was lost')
  })

  it('retries as the handler says, and begins no more than its rate', async () => {
    await using queue = await Queue.open<number>('rates', { cluster, attempts: 3 })
    const asked: unknown[] = []
    const worker = queue.process(
      ({ data, deliveries }) => {
        if (deliveries < 3) throw new Error(`try ${deliveries}`)
        return data
      },
      {
        backoff: (deliveries, error) => {
          asked.push([deliveries, (error as Error).message])
          return 0
        },
      },
    )
    assert.equal(await (await queue.send(7)).result(), 7)
    assert.deepEqual(asked, [
      [1, 'try 1'],
      [2, 'try 2'],
    ])
    await worker.close()
    await queue.sendMany([1, 2, 3].map((data) => ({ data })))
    const slow = queue.consume({ rate: { max: 2, perMs: 3_600_000 } })
    for (const data of [1, 2]) assert.equal((await slow.next()).value?.data, data)
    const third = slow.next()
    assert.equal((await queue.stats()).groups[0]?.active, 2, 'it takes no more than it may begin')
    await slow.return()
    assert.equal((await third).done, true)
  })

  it('grows with the depth and shrinks again', async () => {
    await using queue = await Queue.open<number>('scaled', { cluster })
    await queue.sendMany(Array.from({ length: 40 }, (_, data) => ({ data })))
    const gate = Promise.withResolvers<void>()
    const worker = queue.process(() => gate.promise, {
      concurrency: { min: 1, max: 4, targetDepth: 5, intervalMs: 5 },
    })
    await until('there are as many as there may be', () => worker.running === 4)
    gate.resolve()
    await until('there is one again', () => worker.concurrency === 1)
    await until('all are done', async () => (await queue.stats()).messages === 0)
    await worker.close()
    assert.throws(() => queue.process(() => {}, { concurrency: { min: 3, max: 2 } }), /concurrency is/)
  })

  it('runs a handler in threads of its own', async () => {
    await using queue = await Queue.open<number>('isolated', { cluster, backoffMs: 0 })
    const module = new URL(fixture('heavy-handler.ts'))
    assert.throws(() => queue.process(module), /handler is/)
    const worker = queue.process(module, { isolate: true, concurrency: 2 })
    const receipts = await queue.sendMany([1, -2, 3].map((data) => ({ data })))
    const results = (await Promise.all(receipts.map((receipt) => receipt.result()))) as { threadId: number }[]
    assert.deepEqual(
      results.map((result) => ({ ...result, threadId: result.threadId > 0 })),
      [1, -2, 3].map((data) => ({ data, isFinite: true, threadId: true })),
    )
    await worker.close()
  })

  it('reports depth, age and rates, as an object and as text', async () => {
    await using queue = await Queue.open<string>('re"port', { cluster })
    assert.equal((await queue.stats()).sentRate, undefined)
    await queue.send('a')
    let report = await queue.stats()
    await until('time has passed', async () => {
      report = await queue.stats()
      return (report.groups[0]?.oldestAgeMs ?? 0) > 0
    })
    assert.equal(report.groups[0]?.ready, 1)
    assert.ok(report.sentRate !== undefined && report.groups[0]?.rates?.acked === 0)
    const text = await queue.metricsText()
    assert.match(text, /^# TYPE messaging_client_sent_messages_total counter$/m)
    assert.match(
      text,
      /^messaging_client_sent_messages_total\{messaging_system="troupe",messaging_destination_name="re\\"port"\} 1$/m,
    )
    assert.match(text, /^messaging_queue_depth_messages\{.*state="ready"\} 1$/m)
  })

  it('closes with what it began: events, repeats, consumers', async () => {
    const queue = await Queue.open<string>('closing', { cluster })
    const waiting = queue.events()[Symbol.asyncIterator]().next()
    const repeat = queue.repeat('far', 'x', { cron: '0 0 1 1 *' })
    const stopping = new AbortController()
    const worker = queue.process(async (_, signal) => once(signal, 'abort'), { signal: stopping.signal })
    await queue.send('a')
    await until('it runs', () => worker.running === 1)
    stopping.abort()
    await queue.close()
    await repeat.done
    assert.equal((await waiting).done, true)
  })
})
