/** Load on a whole queue, for the tools that measure what it leaves behind. */
import { RaftError } from '@troupe/core'
import { type Queue, QueueError } from '@troupe/queue'

const BATCH = 100
const OUTSTANDING = 20
const PREFETCH = 1000
/** The last acks are on their way by then. */
const DRAIN_MS = 60_000

const isOver = (error: unknown): boolean => error instanceof QueueError && error.code === 'LEASE_ENDED'

/** A machine that is busy with something else may answer late: then nobody knows what came of it. */
const isUnknown = (error: unknown): boolean =>
  RaftError.is(error, 'INDETERMINATE') || RaftError.is(error, 'TIMEOUT')

/** Asks until it is known what came of it. What is sent may be there twice then. */
export async function certainly<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isUnknown(error)) throw error
    }
  }
}

const batchOf = (count: number, bytes: number): { data: Uint8Array }[] =>
  Array.from({ length: count }, () => ({ data: new Uint8Array(bytes).fill(7) }))

/** Sends `messages`, in hundreds, twenty of them at a time. */
export async function fill(queue: Queue<Uint8Array>, messages: number, bytes: number): Promise<void> {
  let left = messages
  const send = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(BATCH, left)
      left -= count
      await certainly(() => queue.sendMany(batchOf(count, bytes)))
    }
  }
  await Promise.all(Array.from({ length: OUTSTANDING }, send))
}

/** Takes and acks `messages`; all others too until `signal` is aborted. Resolves with how many. */
export async function take(
  queue: Queue<Uint8Array>,
  messages: number,
  signal?: AbortSignal,
): Promise<number> {
  let taken = 0
  const options = { max: BATCH, prefetch: PREFETCH, ...(signal === undefined ? {} : { signal }) }
  for await (const deliveries of queue.consumeBatches(options)) {
    const acks = await Promise.allSettled(deliveries.map((delivery) => delivery.ack()))
    for (const ack of acks) {
      if (ack.status === 'fulfilled') taken++
      // It comes again, unless it is acked: after its lease. Or this consumer has left, and given back what it held.
      else if (!isUnknown(ack.reason) && !isOver(ack.reason)) throw ack.reason
    }
    if (taken >= messages) break
  }
  return taken
}

/** Waits for depth 0; then lets the queue do what an idle one does: signs of life, now and then. */
export async function drained(queue: Queue<Uint8Array>, signs = 10): Promise<void> {
  const endMs = performance.now() + DRAIN_MS
  for (;;) {
    const { messages } = await certainly(() => queue.stats())
    if (messages === 0) break
    if (performance.now() > endMs) throw new Error(`${messages} messages are not acked after ${DRAIN_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  for (let each = 0; each < signs; each++) await queue.stats()
}
