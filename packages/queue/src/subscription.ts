/**
 * One consumer of a queue: subscribes, asks for deliveries one answer after the other, gives signs of life, leaves.
 *
 *     subscribe ─► awaitDeliveries (stale, of the leader's replica) ─► buffer ─► next()
 *                        ▲       └─ lost answer, other leader: asked again from the last number
 *                        └─ consumer unknown (it was silent too long): subscribe again
 */
import type { Client } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import {
  type Delivery as Delivered,
  type DeliveryBatch,
  deliveriesIn,
  queueCommands,
  queueQueries,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import { Delivery } from './delivery.ts'
import { extendAll } from './leases.ts'
import { isPassing } from './queue-calls.ts'
import { QueueError, queueError } from './queue-errors.ts'
import { passed, RateGate, type RateLimit } from './rate-limit.ts'
import { Settlements } from './settlements.ts'

export interface ConsumeOptions {
  /** The group that it is of. @default '' */
  readonly group?: string
  /** Messages that it holds at most. @default 64 */
  readonly prefetch?: number
  /** How long it may keep a message without a sign of life. @default 30,000 */
  readonly leaseMs?: number
  /** Messages that it takes within each window, at most; `prefetch` is no more than that. @default no limit */
  readonly rate?: RateLimit
  /** Ends the iteration; what it holds is given back. */
  readonly signal?: AbortSignal
}

const DEFAULT_PREFETCH = 64
const DEFAULT_LEASE_MS = 30_000
/** Deliveries in one answer. */
const MOST_AT_ONCE = 1024
/** After an error that passes: no leader, a replica that is gone. */
const RETRY_MS = 5
/** How soon a new leader is asked instead of the old one. */
const FOLLOW_MS = 20

export class Subscription<T> implements AsyncIterableIterator<Delivery<T>, undefined> {
  readonly #client: Client
  readonly #queue: string
  readonly #group: string
  #prefetch: number
  readonly #leaseMs: number
  #consumer = 0
  #settlements: Settlements | undefined
  #last = 0
  #buffer: Delivery<T>[] = []
  readonly #waiting: {
    resolve: (next: IteratorResult<Delivery<T>, undefined>) => void
    reject: (error: unknown) => void
  }[] = []
  #failure: unknown
  #isOver = false
  /** By its rate: what it may not begin soon is better held by others. */
  readonly #mostHeld: number
  readonly #gate: RateGate | undefined
  /** Those who wait for the gate, one after the other. */
  #passing: Promise<unknown> = Promise.resolve()
  readonly #ending = new AbortController()
  /** Wakes {@link take}. */
  #arrived: (() => void) | undefined
  /** Gives the question up that waits. */
  #reading = new AbortController()
  /** The replica that was asked. */
  #asked: string | undefined
  readonly #watch: NodeJS.Timeout
  readonly #life: NodeJS.Timeout
  readonly #pump: Promise<void>
  #leaving: Promise<void> | undefined

  constructor(client: Client, queue: string, options: ConsumeOptions) {
    const { group = '', prefetch = DEFAULT_PREFETCH, leaseMs = DEFAULT_LEASE_MS, rate, signal } = options
    this.#gate = rate && new RateGate(rate)
    this.#mostHeld = rate?.max ?? Number.POSITIVE_INFINITY
    this.#client = client
    this.#queue = queue
    this.#group = group
    this.#prefetch = Math.min(prefetch, this.#mostHeld)
    this.#leaseMs = leaseMs
    this.#life = setInterval(() => this.#showLife(), Math.max(1, Math.floor(leaseMs / 3)))
    this.#watch = setInterval(() => this.#followLeader(), FOLLOW_MS)
    this.#pump = this.#run()
    const leave = (): void => void this.return()
    if (signal?.aborted === true) leave()
    else signal?.addEventListener('abort', leave, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Delivery<T>, undefined>> {
    if (this.#gate === undefined) return this.#next()
    const passed = this.#passing.then(() => this.#gate?.pass(this.#ending.signal))
    const next = passed.then(() => this.#next())
    // The place in the window is taken when there is a message.
    this.#passing = next.catch(() => {})
    return next
  }

  /**
   * Up to `max` deliveries at once: what is there, and what comes within `lingerMs` after the first. None where it is over.
   * @throws as `next`
   */
  async take(max: number, lingerMs = 0): Promise<Delivery<T>[]> {
    const first = await this.next()
    if (first.done === true) return []
    const batch = [first.value]
    const endMs = performance.now() + lingerMs
    while (batch.length < max && !this.#isOver) {
      const leftMs = endMs - performance.now()
      if (this.#buffer.length > 0) {
        const { value } = await this.next()
        if (value !== undefined) batch.push(value)
      } else if (leftMs > 0) await this.#arrival(leftMs)
      else break
    }
    return batch
  }

  #arrival(ms: number): Promise<void> {
    const arrived = new AbortController()
    this.#arrived = () => arrived.abort()
    return passed(ms, arrived.signal)
  }

  #next(): Promise<IteratorResult<Delivery<T>, undefined>> {
    const value = this.#buffer.shift()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Leaves: what it holds and did not settle is given back at once. Idempotent. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#leaving ??= this.#leave()
    await this.#leaving
    return { done: true, value: undefined }
  }

  async #leave(): Promise<void> {
    this.#end()
    this.#settlements?.flush()
    await this.#pump
    if (this.#consumer !== 0)
      // Otherwise it is gone when it gives no more signs of life.
      await this.#client.propose(queueCommands.leave(this.#consumer)).catch(() => {})
  }

  /** Takes nothing more; what it holds stays its own. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#wake()
    this.#reading.abort()
    await this.#client.propose(queueCommands.prefetch(this.#consumer, 0)).catch(() => {})
    this.#buffer = []
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
  }

  #end(failure?: unknown): void {
    this.#isOver = true
    this.#wake()
    this.#reading.abort()
    this.#failure ??= failure
    this.#buffer = []
    clearInterval(this.#life)
    clearInterval(this.#watch)
    for (const { resolve, reject } of this.#waiting.splice(0))
      if (failure === undefined) resolve({ done: true, value: undefined })
      else reject(failure)
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        if (this.#consumer === 0) await this.#subscribe()
        await this.#read()
      } catch (error) {
        if (!(await this.#goesOn(queueError(error)))) return
      }
    }
  }

  async #subscribe(): Promise<void> {
    const command = queueCommands.subscribe(this.#queue, this.#group, this.#prefetch, this.#leaseMs)
    this.#consumer = await this.#client.propose<number>(command)
    this.#settlements = new Settlements(this.#client, this.#consumer, () => this.#prefetch)
    this.#last = 0
  }

  async #read(): Promise<void> {
    const { leader } = this.#client
    this.#asked = leader
    const { signal } = this.#reading
    const options = {
      consistency: 'stale',
      signal,
      ...(leader === undefined ? {} : { node: leader }),
    } as const
    const query = queueQueries.awaitDeliveries(this.#consumer, this.#last, MOST_AT_ONCE)
    const found = await this.#client.query<DeliveryBatch | undefined>(query, options)
    for (const delivered of deliveriesIn(found, codec)) this.#take(delivered)
  }

  #take(delivered: Delivered): void {
    this.#last = delivered[2]
    if (this.#isOver) return
    const value = new Delivery<T>(this.#consumer, delivered, this.#settlements as Settlements)
    const next = this.#waiting.shift()
    if (next !== undefined) return next.resolve({ done: false, value })
    this.#buffer.push(value)
    this.#arrived?.()
  }

  /** Whoever waits for something sees that it is over. */
  #wake(): void {
    this.#ending.abort()
    this.#arrived?.()
  }

  /** Messages that it holds at most, from now on. */
  async setPrefetch(wanted: number): Promise<void> {
    const prefetch = Math.min(wanted, this.#mostHeld)
    if (prefetch === this.#prefetch) return
    this.#prefetch = prefetch
    // One that is gone, or not there yet, subscribes with it.
    if (this.#consumer !== 0 && !this.#isOver)
      await this.#client.propose(queueCommands.prefetch(this.#consumer, prefetch)).catch(() => {})
  }

  /** A question that waits at a node which leads no more, or is gone, would wait on. */
  #followLeader(): void {
    if (this.#isOver || this.#client.leader === this.#asked) return
    this.#reading.abort()
    this.#reading = new AbortController()
    // A leader knows by what came over it whose connection has closed.
    if (this.#client.leader !== undefined) this.#showLife()
  }

  /** Whether an error is one that passes. */
  async #goesOn(error: unknown): Promise<boolean> {
    if (this.#isOver) return false
    const isUnknown = error instanceof QueueError && error.code === 'UNKNOWN_CONSUMER'
    if (isUnknown) {
      // A replica may be behind: whether it is gone, the log says.
      if (!(await this.#isKnown())) {
        this.#consumer = 0
        this.#buffer = []
      }
      return true
    }
    // ABORTED: the question was given up, for another leader's sake.
    if (isPassing(error) || RaftError.is(error, 'ABORTED')) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      return true
    }
    this.#end(error)
    return false
  }

  async #isKnown(): Promise<boolean> {
    return this.#client.propose(queueCommands.extend(this.#consumer, [], this.#leaseMs)).then(
      () => true,
      (error: unknown) => !RaftError.is(error, 'REJECTED'),
    )
  }

  /** What nobody has taken yet keeps its lease as long as its consumer lives. */
  #showLife(): void {
    const settlements = this.#settlements
    if (this.#consumer === 0 || settlements === undefined) return
    const waiting = this.#buffer.slice()
    void extendAll(settlements, waiting, this.#leaseMs).then((lost) => {
      if (lost.length > 0) this.#buffer = this.#buffer.filter((each) => !lost.includes(each))
    })
  }
}
