/** A cluster that replicates a machine of one's own, given by its URL: `node examples/own-machine.ts` */
import { Cluster, RaftError } from '@troupe/cluster'
import type { BankCommand } from './bank-machine.ts'

await using cluster = await Cluster.start({ machine: new URL('bank-machine.ts', import.meta.url) })
await using client = await cluster.client()
const propose = (command: BankCommand): Promise<number> => client.propose<number>(command)

await propose({ kind: 'deposit', to: 'ada', amount: 100 })
console.log('ada has', await propose({ kind: 'transfer', from: 'ada', to: 'bob', amount: 30 }))
try {
  await propose({ kind: 'transfer', from: 'bob', to: 'ada', amount: 50 })
} catch (error) {
  if (!RaftError.is(error, 'REJECTED')) throw error
  console.log('refused:', error.data.reason)
}
console.log('bob has', await client.query<number>('bob'))
