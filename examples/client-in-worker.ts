/** A client in a worker thread of its own, with direct ports to the nodes: `node examples/client-in-worker.ts` */
import { once } from 'node:events'
import { isMainThread, type MessagePort, Worker, workerData } from 'node:worker_threads'
import { Client, Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'

async function main(): Promise<void> {
  await using cluster = await Cluster.start()
  const port = cluster.clientPort()
  const worker = new Worker(new URL(import.meta.url), { workerData: port, transferList: [port] })
  await once(worker, 'exit')
  await using client = await cluster.client()
  console.log('keys:', await client.query(kv.count()))
}

async function inWorker(port: MessagePort): Promise<void> {
  await using client = await Client.connect(port)
  const writes = Array.from({ length: 1000 }, (_, index) => client.propose(kv.set(`key ${index}`, index)))
  await Promise.all(writes)
  console.log('acknowledged:', writes.length)
}

await (isMainThread ? main() : inWorker(workerData as MessagePort))
