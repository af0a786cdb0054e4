/**
 * The proof of the queue on worker threads: producers and consumers at full speed, while nodes crash, are cut off, are stopped and
 * come back; then everything is taken, and held against the books.
 *
 *     producers ─ sendMany, again with the same ids where nobody knows ─► queue ─► consumers ─ ack, nack, or forget ─► books
 *     faults: one after the other, until all is sent and taken
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from '@troupe/cluster'
import { RaftError, seededRandom } from '@troupe/core'
import { type Delivery, Queue, QueueError } from '@troupe/queue'
import { ProofBooks, type ProofFindings } from './proof-books.ts'

export interface ProofSettings {
  readonly messages: number
  readonly seed: number
  /** Time between faults; 0 for none. */
  readonly faultEveryMs: number
  readonly directory: string
  readonly signal: AbortSignal
  /** Of the wait for the last messages, once all are sent; and for the next send that is acknowledged, before. */
  readonly drainMs: number
  readonly onProgress: (sent: number, acked: number) => void
}

export interface QueueProof {
  readonly sent: number
  readonly acked: number
  readonly duplicateSends: number
  readonly findings: ProofFindings
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>
  /** Whether all that was sent was taken in time, and the machine agrees. */
  readonly isDrained: boolean
  /** Whether all replicas are the same in the end; undefined where they were not seen at the same entry. */
  readonly areEqual: boolean | undefined
  readonly seconds: number
}

const PRODUCERS = 4
const CONSUMERS = 4
const BATCH = 100
const LEASE_MS = 3000
const KEY_EVERY = 4
const KEYS = 16
/** Of a thousand deliveries: so many are nacked, so many forgotten until their lease ends. */
const NACKED = 5
const FORGOTTEN = 1
const POLL_MS = 50
const RETRY_MS = 20
/** Nothing is proven by a machine that is too busy to start a thread. */
const START_TIMEOUT_MS = 120_000

export async function proveQueue(settings: ProofSettings): Promise<QueueProof> {
  const cluster = await Cluster.start({
    ...{ directory: settings.directory, machine: 'queue', faults: true, seed: settings.seed },
    startTimeoutMs: START_TIMEOUT_MS,
  })
  try {
    return await proveQueueOf(cluster, settings)
  } finally {
    await cluster.stop()
  }
}

/** The same on a cluster that is there, and stays. @param onOpen is called once the queue is there */
export async function proveQueueOf(
  cluster: Cluster,
  settings: Omit<ProofSettings, 'directory'>,
  onOpen: () => Promise<void> = async () => {},
): Promise<QueueProof> {
  const queue = await Queue.open<number>('prove', {
    ...{ cluster, attempts: 255, maxLosses: 255, backoff: 'fixed', backoffMs: 5 },
  })
  try {
    await onOpen()
    return await new Proof(cluster, queue, settings).run()
  } finally {
    await queue.close()
  }
}

const CONVERGE_MS = 60_000

class Proof {
  readonly #cluster: Cluster
  readonly #queue: Queue<number>
  readonly #settings: Omit<ProofSettings, 'directory'>
  readonly #books: ProofBooks
  readonly #random: ReturnType<typeof seededRandom>
  readonly #faults: Record<string, number> = {}
  readonly #over = new AbortController()
  readonly #ending: AbortSignal
  #duplicateSends = 0
  /** When a send was last acknowledged. */
  #sentMs = performance.now()

  constructor(cluster: Cluster, queue: Queue<number>, settings: Omit<ProofSettings, 'directory'>) {
    this.#cluster = cluster
    this.#queue = queue
    this.#settings = settings
    this.#random = seededRandom(settings.seed)
    this.#ending = AbortSignal.any([this.#over.signal, settings.signal])
    const each = Math.ceil(settings.messages / PRODUCERS)
    this.#books = new ProofBooks({ producers: PRODUCERS, each, keyEvery: KEY_EVERY, keys: KEYS })
  }

  get #total(): number {
    return this.#books.shape.each * PRODUCERS
  }

  get #isOver(): boolean {
    return this.#ending.aborted
  }

  async run(): Promise<QueueProof> {
    const beganMs = performance.now()
    const consumers = Array.from({ length: CONSUMERS }, () => this.#consume())
    const faults = this.#injectFaults()
    // What they fail with is thrown where they are waited for.
    for (const each of [...consumers, faults]) each.catch(() => {})
    const watch = setInterval(() => this.#endWhereStalled(), POLL_MS)
    await Promise.all(Array.from({ length: PRODUCERS }, (_, producer) => this.#produce(producer)))
    clearInterval(watch)
    const isDrained = await this.#drain()
    this.#over.abort()
    await faults
    await Promise.all(consumers)
    if (isDrained) this.#books.drained()
    return {
      sent: this.#books.sent,
      acked: this.#books.acked,
      duplicateSends: this.#duplicateSends,
      findings: this.#books.findings,
      faults: this.#faults,
      isDrained,
      areEqual: await this.#areEqual(isDrained),
      seconds: (performance.now() - beganMs) / 1000,
    }
  }

  // ---- producers

  /** A cluster that never takes anything again is waited for no longer: nothing is shown then. */
  #endWhereStalled(): void {
    if (performance.now() - this.#sentMs > this.#settings.drainMs) this.#over.abort()
  }

  async #produce(producer: number): Promise<void> {
    const { each } = this.#books.shape
    for (let nth = 0; nth < each && !this.#isOver; nth += BATCH) {
      const count = Math.min(BATCH, each - nth)
      const messages = Array.from({ length: count }, (_, at) => this.#message(producer, nth + at))
      await this.#send(messages)
      this.#settings.onProgress(this.#books.sent, this.#books.acked)
    }
  }

  #message(producer: number, nth: number) {
    const data = producer * this.#books.shape.each + nth
    const key = this.#books.keyOf(producer, nth)
    return { data, id: `${data}`, ...(key === undefined ? {} : { key }) }
  }

  /** Until it is acknowledged: by the same ids, so that it is enqueued once. */
  async #send(messages: readonly { readonly data: number }[]): Promise<void> {
    for (let tries = 0; !this.#isOver; tries++) {
      try {
        const receipts = await this.#queue.sendMany(messages, { signal: this.#ending })
        this.#sentMs = performance.now()
        for (const [at, { position, duplicate }] of receipts.entries()) {
          this.#books.acknowledged((messages[at] as { readonly data: number }).data, position)
          if (duplicate) this.#duplicateSends++
          // Nobody has sent it before.
          if (duplicate && tries === 0) this.#books.findings.enqueuedTwice++
        }
        return
      } catch (error) {
        if (!(error instanceof RaftError)) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  // ---- consumers

  async #consume(): Promise<void> {
    const subscription = this.#queue.consume({ prefetch: 512, leaseMs: LEASE_MS, signal: this.#ending })
    const settled = new Set<Promise<void>>()
    for await (const delivery of subscription) {
      const settling = this.#settle(delivery)
      settled.add(settling)
      void settling.finally(() => settled.delete(settling))
    }
    await Promise.all(settled)
  }

  async #settle(delivery: Delivery<number>): Promise<void> {
    const { data, position, deliveries } = delivery
    this.#books.delivered(data, position)
    const chance = this.#random.next() * 1000
    try {
      // Once: it has to be done some day.
      if (deliveries === 1 && chance < FORGOTTEN) return
      if (deliveries === 1 && chance < FORGOTTEN + NACKED) return await delivery.nack({ reason: 'chance' })
      this.#books.acking(data)
      await delivery.ack()
      this.#books.ackAccepted(data)
    } catch (error) {
      // Whether an ack without an answer took place shows: the message comes again, or it does not.
      if (error instanceof QueueError) this.#books.refused()
      else if (!(error instanceof RaftError)) throw error
    }
  }

  /** Whether nothing is left, says the machine, and it has taken and seen acked as many as were sent. */
  async #drain(): Promise<boolean> {
    const deadlineMs = performance.now() + this.#settings.drainMs
    while (performance.now() < deadlineMs && !this.#isOver) {
      const stats = await this.#queue.stats().catch(() => undefined)
      this.#settings.onProgress(this.#books.sent, this.#books.acked)
      if (stats?.messages === 0) {
        const { findings } = this.#books
        findings.enqueuedTwice += Math.max(0, stats.sent - this.#total)
        // Gone, and not by an ack.
        findings.lost += Math.max(0, stats.sent - (stats.groups[0]?.acked ?? 0))
        return this.#books.sent === this.#total
      }
      await sleep(POLL_MS)
    }
    return false
  }

  // ---- faults

  async #injectFaults(): Promise<void> {
    const { faultEveryMs } = this.#settings
    if (faultEveryMs === 0) return
    const kinds = ['crash', 'partition', 'pause', 'restart'] as const
    for (let count = 0; !this.#isOver; count++) {
      await this.#pause(faultEveryMs * (0.5 + this.#random.next()))
      if (this.#isOver) break
      const kind = kinds[count % kinds.length] as (typeof kinds)[number]
      const what = (await this.#tried(() => this.#inject(kind, faultEveryMs))) ? kind : 'not in effect'
      this.#faults[what] = (this.#faults[what] ?? 0) + 1
      await this.#mend()
    }
    await this.#mend()
  }

  /** Whether it was done: a node that is down or too busy to answer cannot be told anything. */
  async #tried(run: () => Promise<unknown>): Promise<boolean> {
    try {
      await run()
      return true
    } catch (error) {
      if (error instanceof RaftError) return false
      throw error
    }
  }

  /** All nodes are up, and nothing is wrong with them. */
  async #mend(): Promise<void> {
    while (!(await this.#tried(() => this.#cluster.heal()))) await sleep(RETRY_MS)
    for (const id of this.#cluster.ids) await this.#tried(() => this.#cluster.restart(id))
  }

  async #inject(kind: 'crash' | 'partition' | 'pause' | 'restart', everyMs: number): Promise<void> {
    const cluster = this.#cluster
    const { leader = cluster.ids[0] as string } = cluster
    const lastsMs = Math.min(1500, everyMs)
    switch (kind) {
      case 'crash':
        return this.#down(leader, lastsMs)
      case 'restart':
        return this.#down(this.#follower(leader), lastsMs)
      case 'partition':
        await cluster.inject({ kind, split: 'primaries' })
        break
      case 'pause':
        await cluster.inject({ kind, nodes: [leader] })
    }
    await this.#pause(lastsMs)
    await cluster.heal()
  }

  async #down(id: string, lastsMs: number): Promise<void> {
    await this.#cluster.crash(id)
    await this.#pause(lastsMs)
    await this.#cluster.restart(id)
  }

  #follower(leader: string): string {
    const others = this.#cluster.ids.filter((id) => id !== leader)
    return others[Math.floor(this.#random.next() * others.length)] as string
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {})
  }

  async #areEqual(isDrained: boolean): Promise<boolean | undefined> {
    if (this.#settings.signal.aborted) return undefined
    const boundMs = isDrained ? CONVERGE_MS : Math.min(CONVERGE_MS, this.#settings.drainMs)
    if (!(await this.#tried(() => this.#cluster.converged({ timeoutMs: boundMs })))) return undefined
    const deadlineMs = performance.now() + boundMs
    for (;;) {
      const digests = [...(await this.#cluster.digests()).values()]
      // Leases that end enter the log meanwhile: only states of the same entry can be compared.
      if (new Set(digests.map(({ applied }) => applied)).size === 1)
        return new Set(digests.map(({ sha256 }) => sha256)).size === 1
      if (performance.now() > deadlineMs) return undefined
      await sleep(POLL_MS)
    }
  }
}
