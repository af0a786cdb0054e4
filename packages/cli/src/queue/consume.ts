/** `troupe queue consume`: takes messages out of a queue, or shows them to whoever asks. */
import { queueQueries } from '@troupe/machines'
import { type Delivery, Subscription } from '@troupe/queue'
import { counted, textStream } from '../output.ts'
import { queueCommand } from './command.ts'

const options = {
  count: { kind: 'integer', min: 1, default: 1, help: 'how many messages at most' },
  wait: { kind: 'integer', min: 0, unit: 'ms', default: 1000, help: 'ends when none has come for so long' },
  keep: { kind: 'flag', help: 'give them back instead of acking them: that counts as a delivery' },
  group: {
    kind: 'text',
    placeholder: 'NAME',
    otherwise: 'that of consumers which name none',
    help: 'the group',
  },
  lease: { kind: 'integer', min: 1, unit: 'ms', default: 30_000, help: 'how long a message is held' },
} as const

/** Of the machine. */
const MAX_PREFETCH = 4096

interface Consumed {
  readonly position: number
  readonly id: string | undefined
  readonly key: string | undefined
  readonly deliveries: number
  /** Where there are any. */
  readonly headers: Readonly<Record<string, unknown>> | undefined
  readonly data: unknown
}

export const consumeCommand = queueCommand({
  word: 'consume',
  summary: 'takes messages, one line of JSON for each, and acks them',
  options,
  async run(queue, { count, wait, keep, group = '', lease, json }, context) {
    // Asked first: here it is known what there is instead of a queue or group that is not there.
    await queue.query(queueQueries.peek(queue.name, group, 'ready', 1))
    const prefetch = Math.min(count, MAX_PREFETCH)
    const { signal } = context
    const subscription = new Subscription(queue.client, queue.name, {
      ...{ group, prefetch, leaseMs: lease, signal },
    })
    const idle = setTimeout(() => void subscription.stop(), wait)
    const out = textStream(json, context)
    const consumed: Consumed[] = []
    let held: Delivery<unknown>[] = []
    const settle = async (): Promise<void> => {
      const settled = held
      held = []
      if (!keep) await Promise.all(settled.map((delivery) => delivery.ack()))
    }
    for await (const delivery of untilStopped(subscription)) {
      const shown = shownOf(delivery)
      consumed.push(shown)
      held.push(delivery)
      out.write(`${JSON.stringify(shown)}\n`)
      idle.refresh()
      // An ack makes room for another message, which would have been delivered for nothing.
      if (consumed.length === count) await subscription.stop()
      else if (held.length === prefetch) await settle()
    }
    clearTimeout(idle)
    await settle()
    await subscription.return()
    const what = keep ? 'given back' : 'acked'
    return { document: { consumed }, text: `${counted(consumed.length)} ${what}\n` }
  },
})

/** Its end leaves what is held as it is. */
async function* untilStopped<T>(subscription: Subscription<T>): AsyncIterable<Delivery<T>> {
  for (;;) {
    const { done, value } = await subscription.next()
    if (done === true) return
    yield value
  }
}

function shownOf({ position, id, key, deliveries, headers, data }: Delivery<unknown>): Consumed {
  const shown = Object.keys(headers).length === 0 ? undefined : headers
  return { position, id, key, deliveries, headers: shown, data }
}
