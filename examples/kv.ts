/** Three replicas of a key-value map in worker threads, one write, one read: `node examples/kv.ts` */
import { Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'

await using cluster = await Cluster.start({ nodes: 3, machine: 'kv' })
await using client = await cluster.client()

await client.propose(kv.set('greeting', 'hello'))
await cluster.crash(cluster.leader ?? 'n1') // another node takes over in tens of milliseconds
const { value } = await client.query<{ value: string }>(kv.get('greeting'))
console.log(value)
