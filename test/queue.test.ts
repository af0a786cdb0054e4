/** The replicated queue on worker threads: the whole way from `send` to `ack`, through crashes and restarts. */
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { Queue, QueueError } from '@troupe/queue'
import { until, withDirectory } from './support.ts'

const WAIT = { timeout: 240_000 }

describe('a queue on three threads', WAIT, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await Cluster.start({ machine: 'queue' })
  })
  after(() => cluster.stop())

  it('delivers what was sent, in order, and nothing after its ack', async () => {
    await using queue = await Queue.open<number>('plain', { cluster })
    const receipts = await queue.sendMany(Array.from({ length: 100 }, (_, data) => ({ data })))
    assert.equal(new Set(receipts.map(({ position }) => position)).size, 100)
    const seen: number[] = []
    for await (const delivery of queue.consume({ prefetch: 16 })) {
      seen.push(delivery.data)
      await delivery.ack()
      if (seen.length === 100) break
    }
    assert.deepEqual(seen, [...Array(100).keys()])
    const stats = await queue.stats()
    assert.deepEqual([stats.messages, stats.groups[0]?.acked], [0, 100])
  })

  it('acks before it leaves, although nobody waits for it', async () => {
    await using queue = await Queue.open<number>('hasty', { cluster })
    await queue.sendMany(Array.from({ length: 10 }, (_, data) => ({ data })))
    const acks: Promise<void>[] = []
    for await (const delivery of queue.consume()) {
      acks.push(delivery.ack())
      if (acks.length === 10) break
    }
    await Promise.all(acks)
    assert.equal((await queue.stats()).messages, 0)
  })

  it('wakes a consumer that waits', async () => {
    await using queue = await Queue.open<string>('wake', { cluster })
    const consumer = queue.consume()
    const next = consumer.next()
    await queue.send('a')
    const { value } = await next
    assert.equal(value?.data, 'a')
    await value?.ack()
  })

  it('delivers delayed messages though nobody sends anything', async () => {
    await using queue = await Queue.open<string>('delayed', { cluster })
    await queue.sendMany([{ data: 'late', delayMs: 300 }, { data: 'now' }])
    const seen: string[] = []
    for await (const delivery of queue.consume()) {
      seen.push(delivery.data)
      await delivery.ack()
      if (seen.length === 2) break
    }
    assert.deepEqual(seen, ['now', 'late'])
  })

  it('tells results, retries what throws, and keeps what is dead until it is redriven', async () => {
    await using queue = await Queue.open<string>('work', { cluster, attempts: 2, backoffMs: 1 })
    let isBroken = true
    const worker = queue.process(
      ({ data }) => {
        if (data === 'bad' && isBroken) throw new Error('no such mailbox')
        return `done ${data}`
      },
      { concurrency: 4 },
    )
    const [good, bad] = await Promise.all([queue.send('good'), queue.send('bad', { id: 'b' })])
    assert.equal(await good.result(), 'done good')
    await assert.rejects(bad.result(), /no such mailbox/)
    const [dead] = await queue.peek('dead')
    assert.deepEqual([dead?.data, dead?.failures, dead?.reason], ['bad', 2, 'no such mailbox'])
    isBroken = false
    assert.equal(await queue.redrive(), 1)
    assert.equal(await bad.result(), 'done bad')
    await worker.close()
    await worker.done
  })

  it('takes an id once, and refuses by code', async () => {
    await using queue = await Queue.open<string>('once', { cluster, maxMessages: 2 })
    const first = await queue.send('a', { id: 'x' })
    const second = await queue.send('b', { id: 'x' })
    assert.deepEqual([second.position, second.duplicate], [first.position, true])
    await assert.rejects(
      queue.sendMany([{ data: 'c' }, { data: 'd' }]),
      (error) => error instanceof QueueError && error.code === 'QUEUE_FULL',
    )
    await assert.rejects(
      queue.send('e', { delayMs: -1 }),
      (error) => error instanceof QueueError && error.code === 'BAD_COMMAND',
    )
    const { value } = await queue.consume().next()
    await value?.ack()
    await assert.rejects(
      value?.ack() as Promise<void>,
      (error) => error instanceof QueueError && error.code === 'ALREADY_SETTLED',
    )
  })

  it('gives back at once what a consumer that leaves has not settled', async () => {
    await using queue = await Queue.open<number>('leave', { cluster })
    await queue.sendMany([{ data: 1 }, { data: 2 }])
    const first = queue.consume()
    assert.equal((await first.next()).value?.data, 1)
    await first.return()
    const second = queue.consume()
    const { value } = await second.next()
    assert.deepEqual([value?.data, value?.deliveries], [1, 2])
    await second.return()
  })
})

describe('a queue whose nodes go down', WAIT, () => {
  it('loses nothing, and delivers nothing again that was acked, while leaders crash', async () => {
    await using queue = await Queue.open<number>('crash', { clusterOptions: { nodes: 3 } })
    const cluster = queue.cluster as Cluster
    const acked = new Map<number, number>()
    const unexpected: number[] = []
    const worker = queue.process(
      async (delivery) => {
        if (acked.has(delivery.data)) unexpected.push(delivery.data)
        await delivery.ack()
        acked.set(delivery.data, (acked.get(delivery.data) ?? 0) + 1)
      },
      { concurrency: 8, leaseMs: 2000 },
    )
    for (let round = 0; round < 3; round++) {
      const sends = Array.from({ length: 100 }, (_, at) =>
        queue.send(round * 100 + at, { id: `m${round * 100 + at}` }),
      )
      const leader = cluster.leader as string
      if (round < 2) await cluster.crash(leader)
      await Promise.all(sends)
      if (round < 2) await cluster.restart(leader)
    }
    await until('everything is acked', async () => (await queue.stats()).messages === 0)
    assert.equal(acked.size, 300)
    assert.deepEqual(unexpected, [])
    await worker.close()
    await cluster.converged()
    const digests = new Set([...(await cluster.digests()).values()].map(({ sha256 }) => sha256))
    assert.equal(digests.size, 1, 'all replicas are the same')
  })

  it('goes on after a stop from what it has left there, as it does from the log', () =>
    withDirectory(async (folder) => {
      const directory = join(folder, 'data')
      const options = { machineOptions: { segmentBytes: 4096, maxMessageBytes: 1024 } }
      const clusterOptions = { ...options, raft: { snapshotEntries: 0, snapshotBytes: 0 } }
      const left = (id: string): boolean => existsSync(join(directory, id, 'segments', '0', 'rest'))
      let ids: readonly string[]
      {
        await using queue = await Queue.open<string>('rest', { directory, clusterOptions })
        ids = (queue.cluster as Cluster).ids
        await queue.sendMany(Array.from({ length: 100 }, (_, at) => ({ data: `${at}`.repeat(100) })))
        const consumer = queue.consume({ prefetch: 1 })
        for (let count = 0; count < 30; count++) await (await consumer.next()).value?.ack()
        assert.ok(!ids.some(left))
      }
      assert.ok(ids.every(left))
      // This one has only its log.
      rmSync(join(directory, ids[0] as string, 'segments'), { recursive: true })
      await using queue = await Queue.open<string>('rest', { directory, clusterOptions })
      assert.ok(!ids.some(left))
      const cluster = queue.cluster as Cluster
      const { nodes } = await cluster.status()
      const applied = nodes.map((node) => (node.running ? node.metrics.commandsApplied : undefined))
      assert.ok((applied[0] as number) >= 31, `${applied}`)
      assert.ok((applied[1] as number) < 31 && (applied[2] as number) < 31, `${applied}`)
      const seen: string[] = []
      for await (const delivery of queue.consume()) {
        seen.push(delivery.data)
        await delivery.ack()
        if (seen.length === 70) break
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 70 }, (_, at) => `${at + 30}`.repeat(100)),
      )
      await cluster.converged()
      const digests = new Set([...(await cluster.digests()).values()].map(({ sha256 }) => sha256))
      assert.equal(digests.size, 1, 'all replicas are the same')
    }))

  it('has everything again after a stop, delivery state included, from snapshots', () =>
    withDirectory(async (folder) => {
      const directory = join(folder, 'data')
      const clusterOptions = { raft: { snapshotEntries: 5, keepEntries: 0 } }
      let ids: readonly string[]
      {
        await using queue = await Queue.open<number>('keep', { directory, clusterOptions })
        await queue.sendMany(Array.from({ length: 50 }, (_, data) => ({ data, key: `k${data % 5}` })))
        const consumer = queue.consume({ prefetch: 1 })
        for (let count = 0; count < 10; count++) await (await consumer.next()).value?.ack()
        ids = (queue.cluster as Cluster).ids
      }
      // As after a death of the process: a stop leaves the whole state.
      for (const id of ids) rmSync(join(directory, id, 'segments'), { recursive: true })
      await using queue = await Queue.open<number>('keep', { directory, clusterOptions })
      const { groups } = await queue.stats()
      assert.deepEqual([groups[0]?.acked, (groups[0]?.ready ?? 0) + (groups[0]?.lined ?? 0)], [10, 40])
      const seen: number[] = []
      for await (const delivery of queue.consume()) {
        seen.push(delivery.data)
        await delivery.ack()
        if (seen.length === 40) break
      }
      for (const key of [0, 1, 2, 3, 4]) {
        const ofKey = seen.filter((data) => data % 5 === key)
        assert.deepEqual(
          ofKey,
          ofKey.toSorted((left, right) => left - right),
          'in the order of its key',
        )
      }
    }))
})
