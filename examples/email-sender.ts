/** An e-mail sender with retries and dead letters: `node examples/email-sender.ts` */
import { Queue } from '@troupe/queue'

interface Email {
  readonly to: string
  readonly subject: string
}

/** A mail server that is busy at first, and knows no Carol. */
const tries = new Map<string, number>()
function deliver({ to }: Email): void {
  const count = (tries.get(to) ?? 0) + 1
  tries.set(to, count)
  if (to === 'carol@example.org') throw new Error('550 no such mailbox')
  if (count < 3) throw new Error('421 try again later')
}

await using queue = await Queue.open<Email>('emails', { attempts: 4, backoff: 'exponential', backoffMs: 5 })
await using _worker = queue.process(
  ({ data }) => {
    deliver(data)
    return `sent to ${data.to}`
  },
  { concurrency: 8 },
)

// Sent twice, as after a click too many: the id makes it one.
const welcome = { id: 'welcome-17' }
const first = await queue.send({ to: 'ada@example.org', subject: 'Welcome' }, welcome)
const second = await queue.send({ to: 'ada@example.org', subject: 'Welcome' }, welcome)
console.log('a duplicate:', second.duplicate)
console.log(await first.result(), `after ${tries.get('ada@example.org')} tries`)

const lost = await queue.send({ to: 'carol@example.org', subject: 'Welcome' })
await lost.result().catch((error: Error) => console.log('dead:', error.message))
const [letter] = await queue.peek('dead')
console.log(`${letter?.data.to}, ${letter?.failures} failures: ${letter?.reason}`)
