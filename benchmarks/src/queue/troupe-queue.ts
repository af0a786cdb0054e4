/**
 * The measurements of our own queue. Producers and consumers live in the thread of the benchmark, as BullMQ's do beside it; the
 * replicas in threads of their own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@troupe/cluster'
import type { Outgoing, Queue, Subscription } from '@troupe/queue'
import { summarize } from '../latency.ts'
import { type Goal, type QueueRow, rateRow } from './queue-rows.ts'

export const BATCH = 100
export const SIZE_BYTES = 256
export const PRODUCERS = 4
export const CONSUMERS = 4
/** Batches of one producer that wait for their acknowledgement. */
const BATCHES_EACH = 4
const SINGLES = 1024
/** Messages that were sent and are not acked yet, at most: the queue does not grow while both ends run. */
const MAX_DEPTH = 20_000
const PREFETCH = 1024
const MS_PER_S = 1000
const POLL_MS = 1

const FLUSHED = '3 replicas in worker threads, a quorum has flushed it'

const PADDING = 'x'.repeat(SIZE_BYTES)

/**
 * A message of that many bytes: the text is what a user sends. Not by `padEnd`: that makes a tree of strings, and whoever encodes it, we
 * or our peer, puts it together first, for more than the encoding costs.
 */
export function body(at: number): string {
  const head = `${at}:`
  return head + PADDING.slice(head.length)
}

const batchOf = (from: number): Outgoing<string>[] =>
  Array.from({ length: BATCH }, (_, at) => ({ data: body(from + at) }))

/** Where queues are, and what one more is called. */
export class QueuePlace {
  readonly open: (name: string) => Promise<Queue<string>>
  /** Of which nodes may be crashed; undefined for a cluster elsewhere. */
  readonly cluster: Cluster | undefined
  #count = 0

  constructor(open: (name: string) => Promise<Queue<string>>, cluster?: Cluster) {
    this.open = open
    this.cluster = cluster
  }

  /** Queues that are the same, each with a client of its own. */
  async several(count: number): Promise<Queue<string>[]> {
    const name = `bench-${process.pid}-${++this.#count}`
    return Promise.all(Array.from({ length: count }, () => this.open(name)))
  }
}

async function using<Value>(
  place: QueuePlace,
  count: number,
  run: (queues: readonly Queue<string>[]) => Promise<Value>,
): Promise<Value> {
  const queues = await place.several(count)
  try {
    return await run(queues)
  } finally {
    const [first] = queues
    await first?.purge()
    await Promise.all(queues.map((queue) => queue.close()))
  }
}

/** Runs `step` again and again until the time is over. */
async function untilOver(endMs: number, step: () => Promise<void>): Promise<void> {
  while (performance.now() < endMs) await step()
}

export function measureSendMany(place: QueuePlace, seconds: number, round: number): Promise<QueueRow> {
  return using(place, PRODUCERS, async (queues) => {
    let sent = 0
    const beganMs = performance.now()
    const endMs = beganMs + seconds * MS_PER_S
    const producers = queues.flatMap((queue) =>
      Array.from({ length: BATCHES_EACH }, () =>
        untilOver(endMs, async () => {
          await queue.sendMany(batchOf(sent))
          sent += BATCH
        }),
      ),
    )
    await Promise.all(producers)
    const goals: Goal[] = [
      { what: 'messagesPerSecond', bound: 250_000 },
      { what: 'timesPeer', bound: 4 },
    ]
    const conditions = `${PRODUCERS} producers, ${BATCHES_EACH} calls of ${BATCH} × ${SIZE_BYTES} B each; ${FLUSHED}`
    const about = { what: 'sendMany', contestant: 'troupe', conditions, round, goals } as const
    return rateRow(about, sent, (performance.now() - beganMs) / MS_PER_S)
  })
}

export function measureSingles(place: QueuePlace, seconds: number, round: number): Promise<QueueRow> {
  return using(place, 1, async ([queue]) => {
    let sent = 0
    const beganMs = performance.now()
    const endMs = beganMs + seconds * MS_PER_S
    const callers = Array.from({ length: SINGLES }, () =>
      untilOver(endMs, async () => {
        await queue?.send(body(sent))
        sent++
      }),
    )
    await Promise.all(callers)
    const goals: Goal[] = [{ what: 'messagesPerSecond', bound: 100_000 }]
    const conditions = `one producer, ${SINGLES} sends of ${SIZE_BYTES} B outstanding; ${FLUSHED}`
    const about = { what: 'single sends', contestant: 'troupe', conditions, round, goals } as const
    return rateRow(about, sent, (performance.now() - beganMs) / MS_PER_S)
  })
}

/** Acks all that comes; `onAcked` when that is acknowledged. */
async function ackAll(subscription: Subscription<string>, onAcked: () => void): Promise<void> {
  for await (const delivery of subscription) void delivery.ack().then(onAcked, () => {})
}

export function measureAllTheWay(place: QueuePlace, seconds: number, round: number): Promise<QueueRow> {
  return using(place, PRODUCERS + CONSUMERS, async (queues) => {
    let sent = 0
    let acked = 0
    const subscriptions = queues.slice(PRODUCERS).map((queue) => queue.consume({ prefetch: PREFETCH }))
    const consumers = subscriptions.map((subscription) => ackAll(subscription, () => acked++))
    const beganMs = performance.now()
    const endMs = beganMs + seconds * MS_PER_S
    const producers = queues.slice(0, PRODUCERS).map((queue) =>
      untilOver(endMs, async () => {
        if (sent - acked > MAX_DEPTH) return sleep(POLL_MS)
        sent += BATCH
        await queue.sendMany(batchOf(sent))
      }),
    )
    await Promise.all(producers)
    const tookMs = performance.now() - beganMs
    const done = acked
    await Promise.all(subscriptions.map((subscription) => subscription.return()))
    await Promise.all(consumers)
    const goals: Goal[] = [
      { what: 'messagesPerSecond', bound: 80_000 },
      { what: 'timesPeer', bound: 6 },
    ]
    const conditions = `${PRODUCERS} producers (calls of ${BATCH} × ${SIZE_BYTES} B), ${CONSUMERS} consumers (prefetch ${PREFETCH}); counted when the ack is acknowledged; ${FLUSHED}`
    const about = { what: 'all the way', contestant: 'troupe', conditions, round, goals } as const
    return rateRow(about, done, tookMs / MS_PER_S)
  })
}

/** Sends at a steady rate, however slow the answers are, and tells when each message came. */
async function steady(
  [producer, consumer]: readonly Queue<string>[],
  perSecond: number,
  seconds: number,
  onDelivery: (dueMs: number, nowMs: number) => void,
): Promise<number> {
  const subscription = (consumer as Queue<string>).consume({ prefetch: PREFETCH })
  const consuming = (async () => {
    for await (const delivery of subscription) {
      if (delivery.deliveries === 1) onDelivery(Number.parseFloat(delivery.data), performance.now())
      void delivery.ack().catch(() => {})
    }
  })()
  const beganMs = performance.now()
  const total = Math.round(perSecond * seconds)
  const sends: Promise<unknown>[] = []
  while (sends.length < total) {
    const dueCount = Math.min(total, Math.floor(((performance.now() - beganMs) / MS_PER_S) * perSecond) + 1)
    while (sends.length < dueCount) {
      const dueMs = beganMs + (sends.length * MS_PER_S) / perSecond
      const sent = (producer as Queue<string>).send(`${dueMs};`.padEnd(SIZE_BYTES, 'x'))
      sends.push(sent.catch(() => {}))
    }
    await sleep(POLL_MS)
  }
  await Promise.all(sends)
  await drained(consumer as Queue<string>)
  await subscription.return()
  await consuming
  return total
}

async function drained(queue: Queue<string>): Promise<void> {
  const endMs = performance.now() + 10 * MS_PER_S
  while ((await queue.stats()).messages > 0 && performance.now() < endMs) await sleep(10)
}

const LATENCY_RATE = 1000

export function measureLatency(place: QueuePlace, seconds: number, round: number): Promise<QueueRow> {
  return using(place, 2, async (queues) => {
    const delays: number[] = []
    const messages = await steady(queues, LATENCY_RATE, seconds, (dueMs, nowMs) => delays.push(nowMs - dueMs))
    // Compiled code and warm connections: the first tenth is not counted.
    const { p50, p99 } = summarize(delays.slice(delays.length / 10))
    return {
      ...{ what: 'latency', contestant: 'troupe', round, messages, seconds, messagesPerSecond: null },
      conditions: `${LATENCY_RATE} sends of ${SIZE_BYTES} B a second, open loop, one producer and one consumer; from the moment at which a message was to be sent to its delivery; ${FLUSHED}`,
      ...{ p50Ms: p50, p99Ms: p99, longestGapMs: null },
      goals: [
        { what: 'p50Ms', bound: 3 },
        { what: 'p99Ms', bound: 15 },
      ],
    }
  })
}

const CRASH_RATE = 2000
/** Of a crash: the time in which gaps are counted for its. */
const AROUND_MS = 1000

/** Crashes the leader in the middle of a steady load, and looks for the longest time without a delivery. */
export function measureCrash(
  place: QueuePlace,
  cluster: Cluster,
  seconds: number,
  round: number,
): Promise<QueueRow> {
  return using(place, 2, async (queues) => {
    const times: number[] = []
    let crashedMs = 0
    const crashing = sleep((seconds * MS_PER_S) / 3).then(async () => {
      const leader = cluster.leader as string
      crashedMs = performance.now()
      await cluster.crash(leader)
      await sleep(AROUND_MS)
      await cluster.restart(leader)
    })
    const messages = await steady(queues, CRASH_RATE, seconds, (_, nowMs) => times.push(nowMs))
    await crashing
    await cluster.converged()
    return {
      ...{ what: 'leader crash', contestant: 'troupe', round, messages, seconds, messagesPerSecond: null },
      conditions: `the leader's thread ends itself; ${CRASH_RATE} sends of ${SIZE_BYTES} B a second, open loop; longest time between two deliveries within ${AROUND_MS} ms of it; ${FLUSHED}`,
      ...{ p50Ms: null, p99Ms: null, longestGapMs: longestGap(times, crashedMs, crashedMs + AROUND_MS) },
      goals: [{ what: 'longestGapMs', bound: 100 }],
    }
  })
}

/** The longest time between two of them, of which one lies between the bounds. */
export function longestGap(times: readonly number[], fromMs: number, toMs: number): number {
  let longest = 0
  for (const [at, time] of times.entries()) {
    const before = times[at - 1]
    if (before === undefined || time < fromMs || before > toMs) continue
    longest = Math.max(longest, time - before)
  }
  return longest
}
