/** The queue's clients where they are not beside the replicas: in other threads, and over TCP. What dies gives back at once. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { type MessagePort, Worker } from 'node:worker_threads'
import { Cluster, NodeProcess } from '@troupe/cluster'
import { Queue, QueueError } from '@troupe/queue'
import { freePorts, withProcesses } from './node-processes.ts'
import { assertEqualReplicas, failure, fixture, until, withDirectory } from './support.ts'

const consumer = new URL(fixture('queue-consumer.ts')).pathname
const three = ['n1', 'n2', 'n3']
const isRefused = (code: string) => (error: unknown) => error instanceof QueueError && error.code === code

describe('a client that ends', { timeout: 300_000 }, () => {
  it('in a thread that is terminated gives its messages back, long before their leases end', async () => {
    const cluster = await Cluster.start({ machine: 'queue' })
    try {
      await using queue = await Queue.open<string>('held', { cluster })
      await queue.sendMany([{ data: 'a' }, { data: 'b' }])
      const thread = new Worker(consumer)
      const port = cluster.clientPort() as MessagePort
      thread.postMessage(port, [port])
      for (const data of ['a', 'b']) assert.deepEqual(await once(thread, 'message'), [data])
      assert.equal((await queue.stats()).groups[0]?.active, 2)
      await thread.terminate()
      const seen: unknown[] = []
      for await (const delivery of queue.consume()) {
        seen.push([delivery.data, delivery.deliveries])
        await delivery.ack()
        if (seen.length === 2) break
      }
      assert.deepEqual(seen, [
        ['a', 2],
        ['b', 2],
      ])
      const stats = await queue.stats()
      assert.deepEqual([stats.groups[0]?.lost, stats.groups[0]?.consumers], [2, 0])
      await assertEqualReplicas(cluster)
    } finally {
      await cluster.stop()
    }
  })

  it(
    'in a process that is killed does, too, over TCP; a queue is the same there',
    withProcesses(
      three,
      async (processes) => {
        await processes.startAll()
        const seeds = Object.values(processes.peers)
        await assert.rejects(Queue.connect(seeds, 'held', { create: false }), isRefused('UNKNOWN_QUEUE'))
        await using queue = await Queue.connect<string>(seeds, 'held', { attempts: 1 })
        const receipts = await queue.sendMany([{ data: 'a' }, { data: 'b', id: 'b' }])
        assert.deepEqual(
          receipts.map(({ durability }) => durability),
          ['flush-before-ack', 'flush-before-ack'],
          'as the nodes have told',
        )
        const child = fork(consumer, ['held', ...seeds])
        const exited = once(child, 'exit')
        try {
          for (const data of ['a', 'b']) assert.deepEqual((await once(child, 'message'))[0], data)
        } finally {
          child.kill('SIGKILL')
          await exited
        }
        const worker = queue.process(({ data }) => `did ${data}`)
        assert.deepEqual(await Promise.all(receipts.map((receipt) => receipt.result())), ['did a', 'did b'])
        await worker.close()
        assert.equal((await queue.stats()).groups[0]?.lost, 2)
      },
      () => ({ machine: 'queue' }),
    ),
  )
})

/** Passes bytes on to a port, until it cuts the connections. */
class Passage {
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => {
    const onward = connect(this.#port, '127.0.0.1')
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }
}

describe('a connection that breaks', { timeout: 300_000 }, () => {
  it('although its client lives gives back what it held: it is told so, and goes on', () =>
    withDirectory(async (directory) => {
      const [port] = (await freePorts(1)) as [number]
      const passage = new Passage(port)
      const address = await passage.open()
      const listen = `127.0.0.1:${port}`
      let node: NodeProcess | undefined
      try {
        const own = { id: 'n1', cluster: 'test', directory, peers: { n1: address } }
        node = await NodeProcess.start({ ...own, listen, advertise: address, machine: 'queue' })
        await using queue = await Queue.connect<number>([address], 'jobs')
        await queue.sendMany([{ data: 1 }, { data: 2 }])
        const consuming = queue.consume({ prefetch: 2, leaseMs: 3_600_000 })
        const { value: held } = await consuming.next()
        passage.cut()
        await until('it was given back', async () => (await queue.stats()).groups[0]?.lost === 2)
        await assert.rejects(held?.ack() as Promise<void>, isRefused('LEASE_ENDED'))
        const seen: number[] = []
        for await (const delivery of consuming) {
          // What it had buffered from before is refused as well.
          if (!(await delivery.ack().then(() => true, isRefused('LEASE_ENDED')))) continue
          if (delivery.deliveries === 2) seen.push(delivery.data)
          if (seen.length === 2) break
        }
        assert.deepEqual(seen, [1, 2])
        assert.equal((await queue.stats()).messages, 0)
      } finally {
        await node?.stop()
        await passage.close()
      }
    }))

  it(
    'and comes again: deliveries of before are refused by type, the consumer goes on, nothing is lost',
    withProcesses(
      ['n1'],
      async (processes) => {
        await processes.startAll()
        await using queue = await Queue.connect<number>(Object.values(processes.peers), 'jobs')
        await queue.sendMany([{ data: 1 }, { data: 2 }])
        const consuming = queue.consume({ prefetch: 2, leaseMs: 3_600_000 })
        const { value: first } = await consuming.next()
        assert.equal(first?.data, 1)
        // Its only node: a restart closes every connection, and the log remembers the consumer.
        await processes.nodes.get('n1')?.end('SIGKILL')
        await processes.launch('n1').started()
        await first?.ack()
        const { value: second } = await consuming.next()
        assert.equal(second?.data, 2)
        await second?.ack()
        await assert.rejects(second?.ack() as Promise<void>, isRefused('ALREADY_SETTLED'))
        await until('nothing is left', async () => (await queue.stats()).messages === 0)
      },
      () => ({ machine: 'queue' }),
    ),
  )
})

describe('a directory', () => {
  it('is opened once: the second is told so, and the first goes on', () =>
    withDirectory(async (directory) => {
      await using queue = await Queue.open<string>('jobs', { directory })
      const { message } = await failure('INVALID_DIRECTORY', Queue.open('jobs', { directory }))
      assert.match(message, /in use by another node in this process/)
      await queue.send('a')
      assert.equal((await queue.stats()).messages, 1)
    }))
})
