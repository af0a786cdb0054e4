/** A ledger whose entries are booked in order for each account, and for many accounts at once: `node examples/ledger.ts` */
import { Queue } from '@troupe/queue'

interface Entry {
  readonly account: string
  readonly number: number
  readonly amount: number
}

const accounts = ['ada', 'bob', 'eve']
const balances = new Map<string, { last: number; amount: number }>()
let atOnce = 0
let mostAtOnce = 0

await using queue = await Queue.open<Entry>('ledger')
await using _worker = queue.process(
  async ({ data: { account, number, amount } }) => {
    mostAtOnce = Math.max(mostAtOnce, ++atOnce)
    await new Promise(setImmediate)
    const balance = balances.get(account) ?? { last: 0, amount: 0 }
    if (number !== balance.last + 1) throw new Error(`${account}: entry ${number} came after ${balance.last}`)
    balances.set(account, { last: number, amount: balance.amount + amount })
    atOnce--
  },
  { concurrency: 16 },
)

// The key keeps the entries of an account in their order, one at a time; other accounts go on beside it.
const entries = Array.from({ length: 60 }, (_, at) => {
  const account = accounts[at % accounts.length] as string
  const number = Math.floor(at / accounts.length) + 1
  return { data: { account, number, amount: number }, key: account, id: `${account}-${number}` }
})
const receipts = await queue.sendMany(entries)
await Promise.all(receipts.map((receipt) => receipt.result()))
for (const account of accounts) console.log(account, balances.get(account)?.amount)
console.log('at once:', mostAtOnce > 1 && mostAtOnce <= accounts.length ? 'one for each account' : mostAtOnce)
console.log('dead:', (await queue.peek('dead')).length)
