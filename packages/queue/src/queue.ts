/**
 * The replicated queue: what producers and consumers call.
 *
 *     Queue.open ─► Cluster (three replicas in worker threads, machine 'queue') ─► Client ─► commands, queries
 *     send ─► receipt          consume, process ─► Subscription ─► deliveries ─► ack, nack
 */
import { type Client, Cluster, type ClusterOptions } from '@troupe/cluster'
import {
  type FoundMessage,
  type KeptResult,
  type MessageOptions,
  type PeekedMessage,
  type QueueMessage,
  type QueueSettings,
  type QueueStats,
  queueCommands,
  queueQueries,
  type Waiting,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import { queueError } from './queue-errors.ts'
import { type ConsumeOptions, Subscription } from './subscription.ts'
import { type Handler, Worker } from './worker.ts'

export interface QueueOptions extends Partial<QueueSettings> {
  /** Where the replicas keep their data. @default a temporary directory, removed at the end */
  readonly directory?: string
  /** A cluster of the machine `queue` that is running; it is left running. @default one of its own */
  readonly cluster?: Cluster
  /** Of the cluster of its own. */
  readonly clusterOptions?: Omit<ClusterOptions, 'directory' | 'machine'>
}

/** A message with its options, for `sendMany`. */
export interface Outgoing<T> extends MessageOptions {
  readonly data: T
}

export interface ProcessOptions extends Omit<ConsumeOptions, 'signal'> {
  /** Handlers that run at the same time. @default 1 */
  readonly concurrency?: number
}

/** A message that a quorum has. */
export interface Receipt {
  readonly position: number
  /** Whether an earlier one of the same id stands for it: then this is its position. */
  readonly duplicate: boolean
  /**
   * What its handler returned. Waits.
   * @throws Error with the reason of its death
   */
  result(): Promise<unknown>
}

/** A message that is shown to an operator. */
export interface PeekedEntry<T> extends Omit<PeekedMessage, 'message'> {
  readonly data: T
}

const MOST_AT_ONCE = 1000
const DEFAULT_LEASE_MS = 30_000

export class Queue<T = unknown> {
  readonly name: string
  readonly #client: Client
  readonly #cluster: Cluster | undefined
  readonly #subscriptions = new Set<Subscription<T>>()
  readonly #workers = new Set<Worker<T>>()
  #closing: Promise<void> | undefined

  private constructor(name: string, client: Client, cluster: Cluster | undefined) {
    this.name = name
    this.#client = client
    this.#cluster = cluster
  }

  /**
   * Opens a queue, and makes it where it is not there; its settings are those given here.
   * @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY; QueueError BAD_COMMAND, QUEUE_IN_USE
   */
  static async open<T = unknown>(name: string, options: QueueOptions = {}): Promise<Queue<T>> {
    const { directory, cluster, clusterOptions, ...settings } = options
    const own =
      cluster === undefined
        ? await Cluster.start({
            ...clusterOptions,
            ...(directory === undefined ? {} : { directory }),
            machine: 'queue',
          })
        : undefined
    const client = await (cluster ?? (own as Cluster)).client()
    const queue = new Queue<T>(name, client, own)
    try {
      await queue.#propose(queueCommands.create(name, settings))
    } catch (error) {
      await queue.close()
      throw error
    }
    return queue
  }

  /** Other clients, nodes to crash: the cluster of its own. */
  get cluster(): Cluster | undefined {
    return this.#cluster
  }

  // ---- producers

  /** Resolves when a quorum has flushed it. @throws QueueError QUEUE_FULL, BAD_COMMAND; RaftError as `Client.propose` */
  async send(data: T, options: MessageOptions = {}): Promise<Receipt> {
    const [receipt] = await this.#send([queueCommands.message(data, options)])
    return receipt as Receipt
  }

  /** All of them or none, in one proposal. @throws as `send` */
  sendMany(messages: readonly Outgoing<T>[]): Promise<Receipt[]> {
    if (messages.length === 0) return Promise.resolve([])
    return this.#send(messages.map(({ data, ...options }) => queueCommands.message(data, options)))
  }

  async #send(messages: readonly QueueMessage[]): Promise<Receipt[]> {
    const positions = await this.#propose<number | number[]>(queueCommands.send(this.name, messages))
    return messages.map((_, at) => {
      const position = typeof positions === 'number' ? positions + at : (positions[at] as number)
      return this.#receipt(Math.abs(position), position < 0)
    })
  }

  #receipt(position: number, duplicate: boolean): Receipt {
    return { position, duplicate, result: () => this.#result(position) }
  }

  async #result(position: number): Promise<unknown> {
    for (;;) {
      const query = queueQueries.awaitResult(position)
      const found = await this.#query<KeptResult | undefined>(query, 'stale')
      if (found?.[0] === 'completed') return found[1]
      if (found !== undefined) throw new Error(found[1] as string)
    }
  }

  // ---- consumers

  /** Deliveries, one after the other; each has to be settled. Leaving the loop gives the others back. */
  consume(options: ConsumeOptions = {}): Subscription<T> {
    const subscription = new Subscription<T>(this.#client, this.name, options)
    this.#subscriptions.add(subscription)
    return subscription
  }

  /** Calls a handler for each message: acks what it does, nacks what it throws at. */
  process(handler: Handler<T>, options: ProcessOptions = {}): Worker<T> {
    const { concurrency = 1, leaseMs = DEFAULT_LEASE_MS } = options
    const subscription = this.consume({ prefetch: concurrency * 2, ...options })
    const worker = new Worker<T>(subscription, handler, concurrency, leaseMs)
    this.#workers.add(worker)
    return worker
  }

  // ---- operators

  stats(): Promise<QueueStats> {
    return this.#query(queueQueries.stats(this.name))
  }

  /** A message of this id that is remembered. */
  get(id: string): Promise<FoundMessage | undefined> {
    return this.#query(queueQueries.get(this.name, id))
  }

  /** Removes a message that nobody holds. Resolves with whether there was one. */
  cancel(id: string): Promise<boolean> {
    return this.#propose(queueCommands.cancel(this.name, id))
  }

  /** Nothing more is delivered. */
  async pause(): Promise<void> {
    await this.#propose(queueCommands.pause(this.name))
  }

  async resume(): Promise<void> {
    await this.#propose(queueCommands.resume(this.name))
  }

  /** Removes what waits. Resolves with how many those were. */
  purge(waiting: Waiting = 'ready', group = ''): Promise<number> {
    return this.#repeat(() => queueCommands.purge(this.name, group, waiting, MOST_AT_ONCE))
  }

  /** Makes dead messages ready again. Resolves with how many those were. */
  redrive(group = ''): Promise<number> {
    return this.#repeat(() => queueCommands.redrive(this.name, group, MOST_AT_ONCE))
  }

  async peek(waiting: Waiting = 'ready', limit = 10, group = ''): Promise<PeekedEntry<T>[]> {
    const found = await this.#query<PeekedMessage[]>(queueQueries.peek(this.name, group, waiting, limit))
    return found.map(({ message, ...rest }) => ({
      ...rest,
      data: (codec.decode(message) as QueueMessage)[0] as T,
    }))
  }

  /** As a turn does a bounded number of them. */
  async #repeat(command: () => unknown): Promise<number> {
    let sum = 0
    for (;;) {
      const count = await this.#propose<number>(command())
      sum += count
      if (count < MOST_AT_ONCE) return sum
    }
  }

  #propose<Result>(command: unknown): Promise<Result> {
    return this.#client.propose<Result>(command).catch((error: unknown) => {
      throw queueError(error)
    })
  }

  #query<Answer>(query: unknown, consistency: 'linearizable' | 'stale' = 'linearizable'): Promise<Answer> {
    return this.#client.query<Answer>(query, { consistency }).catch((error: unknown) => {
      throw queueError(error)
    })
  }

  /** Drains workers, leaves what is consumed, stops a cluster of its own. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close()))
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.return()))
    await this.#client.close()
    await this.#cluster?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
