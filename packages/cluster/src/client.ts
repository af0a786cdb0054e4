/**
 * A client: promises, timers and ports around the pure protocol of `ClientCore`. Works in any thread.
 *
 *     propose() ─► core ─(setImmediate: one frame for all calls of a turn)─► leader's port
 *     port ─► outcomes ─► promises
 */
import type { MessagePort } from 'node:worker_threads'
import { hrtimeMs } from '@troupe/actor'
import { type Durability, invalidOption, type NodeId, RaftError, seededRandom } from '@troupe/core'
import {
  type Call,
  ClientCore,
  type ClientMetrics,
  type Consistency,
  consistencies,
} from '@troupe/machines/host'
import { codec } from '@troupe/wire'
import { type DialSettings, NodeDialer } from './client-dialer.ts'
import { PortLinks } from './client-feed.ts'
import type { ClientLink, ClientLinks } from './client-links.ts'
import { drawNumber } from './identities.ts'
import { type ClientSettings, positive, resolveClientSettings } from './options.ts'
import { ClientStageTracer, type ClientTrace } from './stage-trace.ts'
import { WakeTimer } from './wake-timer.ts'

const GROUP = 0

/** Options of one call. */
export interface CallOptions {
  /** Deadline in ms. A command that was sent by then is INDETERMINATE, else TIMEOUT. @default the client's */
  readonly timeoutMs?: number
  /** Gives the call up: ABORTED where nothing was sent, else INDETERMINATE. */
  readonly signal?: AbortSignal
}

export interface QueryOptions extends CallOptions {
  /**
   * - `linearizable`: sees every command acknowledged before the call; the leader confirms itself by heartbeats.
   * - `lease`: the same without that round, from the leader's lease (`raft.leaseReads`); right while clocks drift
   *   apart by less than `raft.maxClockDrift`. Without a lease it is served as `linearizable`.
   * - `follower`: linearizable too, but served by the asked replica, which asks the leader for an index to wait for.
   * - `stale`: whatever one replica has applied.
   * @default 'linearizable'
   */
  readonly consistency?: Consistency
  /** For `follower` and `stale`: the replica to ask. @default any */
  readonly node?: NodeId
}

/** Options of a client over TCP. */
export interface TcpClientSettings extends ClientSettings, DialSettings {}

/** An answer, and how it came about: never weaker than what was asked for. */
export interface Served<Answer> {
  readonly answer: Answer
  readonly served: Consistency
}

/**
 * Proposes commands and asks queries. Calls are pipelined; commands of one client are applied in the order they were
 * proposed, each at most once, through leader changes and crashes.
 */
export class Client {
  readonly #core: ClientCore
  readonly #timeoutMs: number
  readonly #source: ClientLinks
  /** Those that were ever connected, too. */
  readonly #nodes: Set<NodeId>
  readonly #links = new Map<NodeId, ClientLink>()
  readonly #timer = new WakeTimer(() => this.#tick())
  readonly #flush = () => this.#runFlush()
  #tracer: ClientStageTracer | undefined
  #scheduled = false
  #nowMs = 0
  #closed = false

  private constructor(source: ClientLinks, settings: ClientSettings) {
    const { client, timeoutMs } = resolveClientSettings(GROUP, settings)
    this.#nodes = new Set(source.nodes)
    this.#timeoutMs = timeoutMs
    this.#core = new ClientCore(client, codec, seededRandom(drawNumber()))
    this.#source = source
    source.start({
      opened: (node, link) => this.#opened(node, link),
      frame: (node, link, frame) => this.#frame(node, link, frame),
      writable: () => this.#scheduleFlush(),
      closed: (node, link) => this.#disconnected(node, link),
      ended: () => void this.close(),
    })
  }

  /**
   * Makes a client of a port from `cluster.clientPort()`, in whichever thread that was posted to; or one over TCP, of the
   * addresses (`host:port`) of one node or more, from which it learns where the others are.
   * @throws RaftError INVALID_OPTIONS; over TCP: NODE_UNAVAILABLE where no node is reached in time, or each of them refuses
   */
  static async connect(port: MessagePort, settings?: ClientSettings): Promise<Client>
  static async connect(seeds: readonly string[], settings?: TcpClientSettings): Promise<Client>
  static async connect(
    from: MessagePort | readonly string[],
    settings: TcpClientSettings = {},
  ): Promise<Client> {
    if (!Array.isArray(from)) return new Client(new PortLinks(from as MessagePort), settings)
    const { tls: _tls, token: _token, cluster: _cluster, connectTimeoutMs: _timeout, ...rest } = settings
    const { discovers: _discovers, ...own } = rest
    resolveClientSettings(GROUP, own)
    const dialer = new NodeDialer('client', from, settings)
    const client = new Client(dialer, own)
    try {
      await dialer.connected()
    } catch (error) {
      await client.close()
      throw error
    }
    return client
  }

  /** @internal A client over links of the caller's: the fault laboratory puts its faults between. */
  static over(links: ClientLinks, settings: ClientSettings = {}): Client {
    return new Client(links, settings)
  }

  /** The leader, as far as this client knows. */
  get leader(): NodeId | undefined {
    return this.#core.leader
  }

  /**
   * How nodes write before they acknowledge, as they have told; where they differ, the weakest of it. Undefined where they are of a
   * release that does not tell.
   */
  get durability(): Durability | undefined {
    return this.#source.durability
  }

  /** Commands without an answer. */
  get outstandingCommands(): number {
    return this.#core.outstandingCommands
  }

  get metrics(): Readonly<ClientMetrics> {
    return this.#core.metrics
  }

  /** Messages and answers are written down from now on, for measuring. Calls with a deadline of their own blur it. */
  startTrace(): void {
    this.#tracer = new ClientStageTracer(this.#timeoutMs)
    this.#core.tracer = this.#tracer
  }

  /** Ends the trace and hands it out; undefined where none was begun. */
  takeTrace(): ClientTrace | undefined {
    const trace = this.#tracer?.trace()
    this.#tracer = undefined
    this.#core.tracer = undefined
    return trace
  }

  /**
   * Replicates one command and resolves with its result when a quorum has flushed it and the leader has applied it.
   * The command is encoded at the end of the turn: do not change it before.
   * @throws RaftError BUSY, INVALID_COMMAND, REJECTED (by the machine), TIMEOUT, ABORTED, INDETERMINATE,
   *   SHUTTING_DOWN
   */
  propose<Result = unknown>(command: unknown, options?: CallOptions): Promise<Result> {
    if (options !== undefined || this.#closed) {
      return this.#call<Result>(command, undefined, options, (call) => this.#core.propose(call))
    }
    // The way of nearly all calls: nothing but the promise and the call itself is allocated.
    return new Promise<Result>((resolve, reject) => {
      const deadlineMs = this.#turnMs() + this.#timeoutMs
      this.#core.propose(new SingleCall(command, deadlineMs, resolve as Call['resolve'], reject))
      this.#scheduleFlush()
      if (this.#core.hasFullFrame) this.#flushFullFrame()
    })
  }

  /**
   * Replicates many commands as one proposal: in order, in one entry. Resolves with one result for each; one that the
   * machine refused has its RaftError (REJECTED) in its place.
   * @throws as `propose`, and INVALID_COMMAND for more than `maxBatchCommands`
   */
  proposeMany<Result = unknown>(commands: readonly unknown[], options?: CallOptions): Promise<Result[]> {
    // A copy: an array that its owner empties or fills before the end of the turn would not fit its count any more.
    const copy = Array.isArray(commands) ? commands.slice() : undefined
    return this.#call<Result[]>(undefined, copy, options, (call) => {
      // What else has a length (a string!) would be encoded, sent, and break off the connection.
      if (copy === undefined) throw noCommands(commands)
      this.#core.propose(call)
    })
  }

  /**
   * Asks the state machine.
   * @throws RaftError REJECTED (by the machine), BUSY, TIMEOUT, ABORTED, SHUTTING_DOWN
   */
  query<Answer = unknown>(query: unknown, options?: QueryOptions): Promise<Answer> {
    const isPlain = options?.timeoutMs === undefined && options?.signal === undefined
    if (!isPlain || this.#closed) return this.#query<Answer>(query, options, undefined)
    // As in `propose`.
    return new Promise<Answer>((resolve, reject) => {
      const deadlineMs = this.#turnMs() + this.#timeoutMs
      this.#ask(options, new SingleCall(query, deadlineMs, resolve as Call['resolve'], reject))
      this.#scheduleFlush()
    })
  }

  /**
   * Asks the state machine, and tells how the answer came about: `lease` falls back to `linearizable` where the leader
   * holds none.
   * @throws as `query`
   */
  async ask<Answer = unknown>(query: unknown, options?: QueryOptions): Promise<Served<Answer>> {
    let served: Consistency = options?.consistency ?? 'linearizable'
    const answer = await this.#query<Answer>(query, options, (how) => {
      served = how
    })
    return { answer, served }
  }

  #query<Answer>(
    query: unknown,
    options: QueryOptions | undefined,
    onServed: ((served: Consistency) => void) | undefined,
  ): Promise<Answer> {
    return this.#call<Answer>(query, undefined, options, (call) => {
      if (onServed !== undefined) {
        const { resolve } = call
        call.resolve = (answer) => {
          onServed(call.served ?? options?.consistency ?? 'linearizable')
          resolve(answer)
        }
      }
      this.#ask(options, call)
    })
  }

  #ask(options: QueryOptions | undefined, call: Call): void {
    const consistency = options?.consistency ?? 'linearizable'
    const node = options?.node
    if (!consistencies.includes(consistency)) {
      throw invalidOption('consistency', consistency, consistencies.join(' or '))
    }
    if (node !== undefined && !this.#nodes.has(node)) {
      throw invalidOption('node', node, `one of ${[...this.#nodes].join(', ')}`)
    }
    this.#core.query(consistency, node, call, this.#turnMs())
  }

  #call<Value>(
    command: unknown,
    commands: readonly unknown[] | undefined,
    options: CallOptions | undefined,
    take: (call: Call) => void,
  ): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      if (this.#closed) throw new RaftError('SHUTTING_DOWN', 'the client is closed', { what: 'client' })
      const timeoutMs =
        options?.timeoutMs === undefined ? this.#timeoutMs : positive('timeoutMs', options.timeoutMs)
      const deadlineMs = hrtimeMs() + timeoutMs
      const call: Call = {
        command,
        commands,
        deadlineMs,
        resolve: resolve as Call['resolve'],
        reject,
        settled: false,
      }
      const signal = options?.signal
      if (signal !== undefined && !(signal instanceof AbortSignal)) {
        throw invalidOption('signal', signal, 'an AbortSignal')
      }
      if (signal?.aborted) throw aborted(signal)
      take(call)
      if (signal !== undefined) this.#followSignal(signal, call)
      this.#scheduleFlush()
    })
  }

  #followSignal(signal: AbortSignal, call: Call): void {
    const abort = (): void => this.#core.abandon(call, aborted(signal).message)
    const { resolve, reject } = call
    signal.addEventListener('abort', abort, { once: true })
    call.resolve = (value) => {
      signal.removeEventListener('abort', abort)
      resolve(value)
    }
    call.reject = (error) => {
      signal.removeEventListener('abort', abort)
      reject(error)
    }
  }

  // ---- connections

  #opened(node: NodeId, link: ClientLink): void {
    if (this.#closed) return link.close()
    this.#nodes.add(node)
    this.#links.get(node)?.close()
    this.#links.set(node, link)
    this.#core.opened(node, link)
    this.#scheduleFlush()
  }

  /** The end of a link that another one has replaced is no news. */
  #disconnected(node: NodeId, link: ClientLink): void {
    if (this.#links.get(node) !== link) return
    this.#links.delete(node)
    this.#core.closed(node)
    this.#scheduleFlush()
  }

  #frame(node: NodeId, link: ClientLink, frame: Uint8Array): void {
    const fault = this.#core.frame(node, frame)
    // Not what a node of ours sends: nothing more is taken from it.
    if (fault !== undefined) link.close()
    this.#scheduleFlush()
  }

  // ---- turns

  /** The time at which this turn began to be busy: read once a turn. */
  #turnMs(): number {
    if (!this.#scheduled) this.#nowMs = hrtimeMs()
    return this.#nowMs
  }

  /** Everything that the calls of one turn of the event loop ask for leaves in one frame. */
  #scheduleFlush(): void {
    if (this.#scheduled) return
    this.#nowMs = this.#turnMs()
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  /** What follows was not proposed before the turn began, but after this. */
  #flushFullFrame(): void {
    this.#nowMs = hrtimeMs()
    this.#core.flush(this.#nowMs)
  }

  #runFlush(): void {
    this.#scheduled = false
    if (this.#closed) return
    const nowMs = hrtimeMs()
    this.#core.flush(nowMs)
    this.#timer.arm(this.#core.deadlineMs, nowMs)
  }

  #tick(): void {
    if (this.#closed) return
    const nowMs = hrtimeMs()
    this.#core.tick(nowMs)
    this.#timer.arm(this.#core.deadlineMs, nowMs)
  }

  /** Closes the connections. What is outstanding is rejected: INDETERMINATE where it was sent. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer.clear()
    this.#core.close()
    this.#source.close()
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function aborted(signal: AbortSignal): RaftError<'ABORTED'> {
  const { reason } = signal
  const text = reason instanceof Error ? reason.message : String(reason)
  return new RaftError('ABORTED', text, { reason: text }, { cause: reason })
}

function noCommands(commands: unknown): RaftError<'INVALID_COMMAND'> {
  const { message, data } = invalidOption('commands', commands, 'an array of commands')
  return new RaftError('INVALID_COMMAND', message, data)
}

/**
 * A call of one command or query. Not a literal: of those V8 comes to make old objects where many of them live through a
 * collection, and a dead old one keeps its promise and the answer through those that follow.
 */
class SingleCall implements Call {
  readonly command: unknown
  readonly commands: undefined
  readonly deadlineMs: number
  readonly resolve: Call['resolve']
  readonly reject: Call['reject']
  settled = false

  constructor(command: unknown, deadlineMs: number, resolve: Call['resolve'], reject: Call['reject']) {
    this.command = command
    this.commands = undefined
    this.deadlineMs = deadlineMs
    this.resolve = resolve
    this.reject = reject
  }
}
