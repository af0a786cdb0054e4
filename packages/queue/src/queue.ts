/**
 * The replicated queue: what producers and consumers call.
 *
 *     Queue.open ─► Cluster (three replicas in worker threads, machine 'queue') ─┐
 *     Queue.connect ─► nodes in other processes, over TCP ──────────────────────┴─► Client ─► commands, queries
 *
 *     send ─► Producer ─► receipt          consume, process ─► Subscription ─► deliveries ─► ack, nack
 *     on, events ─► what becomes of messages, wherever their consumers are
 */
import { EventEmitter } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import type { Cluster } from '@troupe/cluster'
import { Client } from '@troupe/cluster/client'
import { invalidOption, RaftError } from '@troupe/core'
import {
  type FoundMessage,
  type PeekedMessage,
  type QueueMessage,
  type QueueSettings,
  type QueueStats,
  queueCommands,
  queueQueries,
  type Waiting,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import type { Delivery } from './delivery.ts'
import { isolatedHandler } from './isolated-handler.ts'
import { type Outgoing, Producer, type Receipt, type SendLimits, type SendOptions } from './producer.ts'
import { QueueCalls } from './queue-calls.ts'
import { eventsOf, type QueueEvent, type QueueEventMap } from './queue-events.ts'
import type {
  BatchOptions,
  ConnectOptions,
  OperationOptions,
  ProcessOptions,
  QueueOptions,
} from './queue-options.ts'
import { type GroupReport, metricsTextOf, type QueueReport, reportOf } from './queue-report.ts'
import { Repeat, type RepeatOptions } from './repeat.ts'
import { resolveScaling, scale } from './scaling.ts'
import type { StandardSchema } from './standard-schema.ts'
import { type ConsumeOptions, Subscription } from './subscription.ts'
import { type Handler, Worker } from './worker.ts'

/** A message that is shown to an operator. */
export interface PeekedEntry<T> extends Omit<PeekedMessage, 'message'> {
  readonly data: T
}

const DEFAULT_LEASE_MS = 30_000
const DEFAULT_BATCH = 100

/** One that is handled, and the next. */
const prefetchFor = (handlers: number): number => handlers * 2

/** Before anything is begun. */
function refuseAborted(signal: AbortSignal | undefined): void {
  const reason = 'given up by its signal before it was begun'
  if (signal?.aborted === true) throw new RaftError('ABORTED', reason, { reason })
}

/** What a queue stands on. */
interface Foundation<T> {
  readonly client: Client
  /** Its own: stopped with it. */
  readonly cluster?: Cluster | undefined
  readonly schema?: StandardSchema<T> | undefined
}

export class Queue<T = unknown> extends EventEmitter<QueueEventMap> {
  readonly name: string
  readonly #calls: QueueCalls
  readonly #producer: Producer<T>
  readonly #cluster: Cluster | undefined
  readonly #subscriptions = new Set<Subscription<T>>()
  readonly #workers = new Set<Worker<T>>()
  readonly #repeats = new Set<Repeat<T>>()
  readonly #ending = new AbortController()
  #watching: Promise<void> | undefined
  /** What the rates of the next report are told from. */
  #reported: QueueStats | undefined
  #closing: Promise<void> | undefined

  private constructor(name: string, { client, cluster, schema }: Foundation<T>) {
    super()
    this.name = name
    this.#calls = new QueueCalls(client)
    this.#producer = new Producer(this.#calls, name, { schema })
    this.#cluster = cluster
    this.on('newListener', (event) => {
      if (event === 'completed' || event === 'failed' || event === 'dead') this.#watching ??= this.#watch()
    })
  }

  /**
   * Opens a queue whose replicas run in this process, and makes it where it is not there.
   * @throws RaftError INVALID_OPTIONS; INVALID_DIRECTORY where another process has it open, too; QueueError BAD_COMMAND, QUEUE_IN_USE,
   *   UNKNOWN_QUEUE; RaftError ABORTED by the signal, TIMEOUT where its replicas do not answer within `clusterOptions.startTimeoutMs`
   */
  static async open<T = unknown>(name: string, options: QueueOptions<T> = {}): Promise<Queue<T>> {
    const { directory, cluster: given, clusterOptions, schema, create, signal, ...settings } = options
    refuseAborted(signal)
    const place = directory === undefined ? {} : { directory }
    // Whoever only connects to a cluster loads nothing that runs one.
    const { Cluster, DEFAULT_START_TIMEOUT_MS } = await import('@troupe/cluster')
    const cluster =
      given === undefined ? await Cluster.start({ ...clusterOptions, ...place, machine: 'queue' }) : undefined
    const client = await (given ?? (cluster as Cluster)).client()
    const queue = new Queue<T>(name, { client, cluster, schema })
    // Replicas that have just been started apply what is behind their snapshots before they answer anybody.
    const { startTimeoutMs = DEFAULT_START_TIMEOUT_MS } = clusterOptions ?? {}
    return queue.#begin(settings, create, {
      signal,
      ...(cluster !== undefined && { timeoutMs: startTimeoutMs }),
    })
  }

  /**
   * Opens a queue of a cluster of processes, by the addresses (`host:port`) of one node or more; or, in another thread, by a port of
   * `cluster.clientPort()`.
   * @throws RaftError INVALID_OPTIONS; NODE_UNAVAILABLE where no node is reached in time; QueueError as `open`
   */
  static async connect<T = unknown>(
    from: readonly string[] | MessagePort,
    name: string,
    options: ConnectOptions<T> = {},
  ): Promise<Queue<T>> {
    const { client: settings, schema, create, signal, ...queueSettings } = options
    refuseAborted(signal)
    const client = await Client.connect(from as readonly string[], settings)
    return new Queue<T>(name, { client, schema }).#begin(queueSettings, create, { signal })
  }

  async #begin(
    settings: Partial<QueueSettings>,
    create = true,
    { signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<this> {
    const options = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) }
    try {
      if (create) await this.#calls.propose(queueCommands.create(this.name, settings), options)
      else await this.#calls.query(queueQueries.stats(this.name), options)
      return this
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Other clients, nodes to crash: the cluster of its own. */
  get cluster(): Cluster | undefined {
    return this.#cluster
  }

  // ---- producers

  /**
   * Resolves when a quorum has flushed it.
   * @throws QueueError QUEUE_FULL, INVALID_DATA, BAD_COMMAND; RaftError as `Client.propose`
   */
  send(data: T, options: SendOptions = {}): Promise<Receipt> {
    return this.#producer.sendOne(data, options)
  }

  /** All of them or none, in one proposal. @throws as `send` */
  sendMany(messages: readonly Outgoing<T>[], limits: SendLimits = {}): Promise<Receipt[]> {
    return messages.length === 0 ? Promise.resolve([]) : this.#producer.sendAll(messages, limits)
  }

  /**
   * What the handler of the message at this position returned. Waits. Of a message in several groups it is the first outcome that is
   * there when it is asked for, and later the latest: those of `process`, of deaths, and of an ack with a result, but not of a plain `ack()`.
   * @throws as `receipt.result`
   */
  result(position: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<unknown> {
    return this.#producer.result(position, signal)
  }

  /**
   * Sends again and again, at an interval or by cron, from this process: run it in as many as you like, each occurrence is sent once.
   * @param name of the schedule: the same in all processes that run it
   * @param data or what makes it of the time of the occurrence
   * @throws RaftError INVALID_OPTIONS
   */
  repeat(name: string, data: T | ((time: Date) => T), options: RepeatOptions): Repeat<T> {
    const repeat = new Repeat<T>(name, data, options, (message) => this.sendMany([message]))
    this.#repeats.add(repeat)
    return repeat
  }

  // ---- consumers

  /** Deliveries, one after the other; each has to be settled. Leaving the loop gives the others back. */
  consume(options: ConsumeOptions = {}): Subscription<T> {
    const subscription = new Subscription<T>(this.#calls.client, this.name, options)
    this.#subscriptions.add(subscription)
    return subscription
  }

  /** The same in batches: what is there, and what comes within `lingerMs`; each delivery has to be settled. */
  async *consumeBatches(options: BatchOptions = {}): AsyncGenerator<Delivery<T>[], undefined, undefined> {
    const { max = DEFAULT_BATCH, lingerMs = 0, ...others } = options
    const subscription = this.consume({ prefetch: max * 2, ...others })
    try {
      for (;;) {
        const batch = await subscription.take(max, lingerMs)
        if (batch.length === 0) return undefined
        yield batch
      }
    } finally {
      await subscription.return()
      this.#subscriptions.delete(subscription)
    }
  }

  /**
   * Calls a handler for each message: acks what it does, nacks what it throws at.
   * @param handler with `isolate`: the URL of the module whose default export it is
   * @throws RaftError INVALID_OPTIONS
   */
  process(handler: Handler<T> | URL, options: ProcessOptions = {}): Worker<T> {
    const { concurrency = 1, leaseMs = DEFAULT_LEASE_MS, isolate = false, signal, ...others } = options
    const scaling = resolveScaling(concurrency)
    if (!isolate && typeof handler !== 'function')
      throw invalidOption('handler', handler, 'a function, or a URL with isolate: true')
    const isolated = isolate ? isolatedHandler<T>(handler as URL, scaling.max) : undefined
    const { backoff, ...consuming } = others
    const subscription = this.consume({ prefetch: prefetchFor(scaling.min), ...consuming, leaseMs })
    const ending = new AbortController()
    const worker = new Worker<T>(subscription, isolated?.handle ?? (handler as Handler<T>), {
      concurrency: scaling.min,
      leaseMs,
      backoff,
      onClosed: async () => {
        ending.abort()
        this.#workers.delete(worker)
        this.#subscriptions.delete(subscription)
        await isolated?.close()
      },
    })
    this.#workers.add(worker)
    const resize = (handlers: number): void => {
      worker.concurrency = handlers
      if (others.prefetch === undefined) void subscription.setPrefetch(prefetchFor(handlers))
    }
    if (scaling.max > scaling.min)
      void scale(resize, scaling, () => this.#groupReport(others.group ?? ''), ending.signal)
    const close = (): void => void worker.close(true)
    signal?.addEventListener('abort', close, { once: true, signal: ending.signal })
    if (signal?.aborted === true) close()
    return worker
  }

  // ---- what becomes of messages

  /**
   * Events of one group from now on. `queue.on` tells of all groups that are there when its first listener comes. At most once: see
   * `MissedEvent`.
   * @throws QueueError UNKNOWN_GROUP
   */
  events(
    options: { readonly group?: string; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<QueueEvent> {
    const { group = '', signal } = options
    const ending = signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal])
    return eventsOf(this.#calls, this.name, group, ending)
  }

  /** Of all groups that there are now. */
  async #watch(): Promise<void> {
    try {
      const { signal } = this.#ending
      const { groups } = await this.#calls.query<QueueStats>(queueQueries.stats(this.name), { signal })
      await Promise.all(groups.map(({ group }) => this.#tell(group)))
    } catch (error) {
      const isClosing = this.#ending.signal.aborted
      if (!isClosing && this.listenerCount('error') > 0) this.emit('error', error)
    }
  }

  async #tell(group: string): Promise<void> {
    for await (const event of this.events({ group })) this.emit(event.kind, event as never)
  }

  /**
   * A message of this id that is remembered: what it is doing in each group, and how far its handler says it is.
   * @throws as `Client.query`
   */
  get(id: string, options?: OperationOptions): Promise<FoundMessage | undefined> {
    return this.#calls.query(queueQueries.get(this.name, id), options)
  }

  /** Removes a message that nobody holds. Resolves with whether there was one. @throws as `Client.propose` */
  cancel(id: string, options?: OperationOptions): Promise<boolean> {
    return this.#calls.propose(queueCommands.cancel(this.name, id), options)
  }

  // ---- operators

  /** How much there is, how old, and how fast it goes: as of now, for which log time is let pass. */
  async stats(options?: OperationOptions): Promise<QueueReport> {
    const stats = await this.#stats(options)
    const report = reportOf(stats, this.#reported)
    this.#reported = stats
    return report
  }

  /** The same in Prometheus' text format, without rates. */
  async metricsText(options?: OperationOptions): Promise<string> {
    return metricsTextOf(this.name, reportOf(await this.#stats(options), undefined))
  }

  async #groupReport(group: string): Promise<GroupReport | undefined> {
    const { groups } = reportOf(await this.#stats(), undefined)
    return groups.find((each) => each.group === group)
  }

  async #stats(options?: OperationOptions): Promise<QueueStats> {
    await this.#calls.propose(queueCommands.tick(), options)
    return this.#calls.query(queueQueries.stats(this.name), options)
  }

  /** Nothing more is delivered. */
  async pause(options?: OperationOptions): Promise<void> {
    await this.#calls.propose(queueCommands.pause(this.name), options)
  }

  async resume(options?: OperationOptions): Promise<void> {
    await this.#calls.propose(queueCommands.resume(this.name), options)
  }

  /**
   * Removes what waits, as many as there are now. Resolves with how many those were.
   * @throws RaftError ABORTED by the signal: some may have been removed
   */
  purge(waiting: Waiting = 'ready', group = '', options?: OperationOptions): Promise<number> {
    return this.#calls.purge(this.name, waiting, group, options)
  }

  /** Makes dead messages ready again, as many as there are now. Resolves with how many those were. @throws as `purge` */
  redrive(group = '', options?: OperationOptions): Promise<number> {
    return this.#calls.redrive(this.name, group, options)
  }

  async peek(
    waiting: Waiting = 'ready',
    limit = 10,
    group = '',
    options?: OperationOptions,
  ): Promise<PeekedEntry<T>[]> {
    const query = queueQueries.peek(this.name, group, waiting, limit)
    const found = await this.#calls.query<PeekedMessage[]>(query, options)
    return found.map(({ message, ...rest }) => ({
      ...rest,
      data: (codec.decode(message) as QueueMessage)[0] as T,
    }))
  }

  /** Drains workers, leaves what is consumed, stops a cluster of its own. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#ending.abort()
    await Promise.all([...this.#repeats].map((repeat) => repeat.stop()))
    await Promise.all([...this.#workers].map((worker) => worker.close()))
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.return()))
    await this.#watching
    await this.#calls.client.close()
    await this.#cluster?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
