import { Worker } from 'node:worker_threads'
import type { CpuProfile } from '@troupe/actor'
import type { ClientSettings, ClientTrace } from '@troupe/cluster'
import { type NodeId, RaftError } from '@troupe/core'
import type { ClientSource } from '../engine/tested-cluster.ts'
import type { LatencySummary } from '../latency.ts'
import type { WorkloadSpec } from '../workload.ts'
import type { ClosedLoopResult, ClosedLoopSpec } from './closed-loop.ts'
import { type KeyCounts, keyCounts, keyCountsBuffer, type PositionFindings } from './ledger.ts'
import type { OpenLoopResult, OpenLoopSpec } from './open-loop.ts'
import type { ClientWay, LoadBirth, LoadCallName, LoadCalls, LoadMessage, LoadTotals } from './protocol.ts'

const wayTo = (source: ClientSource): ClientWay =>
  'clientPort' in source ? { port: source.clientPort() } : { seeds: source.seeds, dialing: source.dialing }

interface Pending {
  readonly resolve: (answer: never) => void
  readonly reject: (error: unknown) => void
}

/** A client under load in a thread of its own. The main thread stays out of the way, and keeps the books. */
export class LoadGenerator {
  readonly workload: WorkloadSpec
  /** Acknowledged and unknown writes of each key. Complete while no loop runs. */
  readonly counts: KeyCounts
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #ended: unknown
  #onTotals: ((totals: LoadTotals) => void) | undefined

  constructor(source: ClientSource, workload: WorkloadSpec, settings: ClientSettings = {}) {
    this.workload = workload
    const counts = keyCountsBuffer(workload.keys)
    this.counts = keyCounts(counts)
    const way = wayTo(source)
    const birth: LoadBirth = { way, settings, workload, counts }
    this.#worker = new Worker(new URL(import.meta.resolve('@troupe/benchmarks/load-worker')), {
      name: 'load',
      workerData: birth,
      transferList: 'port' in way ? [way.port] : [],
    })
    this.#worker.on('message', (message: LoadMessage) => this.#take(message))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#fail(new Error(`the load generator's thread ended with exit code ${code}`))
        resolve()
      })
    })
  }

  /** Told a few times a second how far the load is. One listener; undefined removes it. */
  set onTotals(listener: ((totals: LoadTotals) => void) | undefined) {
    this.#onTotals = listener
  }

  closedLoop(spec: ClosedLoopSpec): Promise<ClosedLoopResult> {
    return this.#call('closedLoop', spec)
  }

  /** Ends the closed loop that runs before its time; waits for its last answers. */
  async stopClosedLoop(): Promise<void> {
    await this.#call('stopClosedLoop', undefined)
  }

  /** Writes every key once, so that reads find something. */
  async fill(): Promise<void> {
    await this.#call('fill', undefined)
  }

  /** Starts commands at this rate until `stopOpenLoop`. */
  async startOpenLoop(ratePerSecond: number, more: Omit<OpenLoopSpec, 'ratePerSecond'> = {}): Promise<void> {
    await this.#call('startOpenLoop', { ratePerSecond, ...more })
  }

  stopOpenLoop(): Promise<OpenLoopResult> {
    return this.#call('stopOpenLoop', undefined)
  }

  /**
   * When (by the clock of all threads) the first acknowledgement at or after `afterMs` came that was not given by
   * `notLeader`. Waits for it. Only an open loop keeps these times.
   */
  firstAck(afterMs: number, notLeader?: NodeId): Promise<number> {
    return this.#call('firstAck', { afterMs, notLeader })
  }

  /** Latency of the loop that runs, since the last call. */
  lap(): Promise<LatencySummary> {
    return this.#call('lap', undefined)
  }

  totals(): Promise<LoadTotals> {
    return this.#call('totals', undefined)
  }

  /** The client writes its messages and answers down from now on. */
  async startTrace(): Promise<void> {
    await this.#call('startTrace', undefined)
  }

  /** Ends the client's trace and hands it out; undefined where none was begun. */
  takeTrace(): Promise<ClientTrace | undefined> {
    return this.#call('takeTrace', undefined)
  }

  /** The thread's stack is sampled from now on. */
  async startProfile(): Promise<void> {
    await this.#call('startProfile', undefined)
  }

  /** Ends the thread's profile and hands it out; undefined where none was begun. */
  takeProfile(): Promise<CpuProfile | undefined> {
    return this.#call('takeProfile', undefined)
  }

  /** What the acknowledged positions of a `log` say, given where the log ends. */
  positions(next: number): Promise<PositionFindings> {
    return this.#call('positions', { next })
  }

  /** Closes the client and ends the thread. A loop that runs ends. Idempotent. */
  async close(): Promise<void> {
    await this.#call('close', undefined).catch(() => {})
    await this.#exited
  }

  #call<Name extends LoadCallName>(
    name: Name,
    ask: LoadCalls[Name]['ask'],
  ): Promise<LoadCalls[Name]['answer']> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended
      this.#pending.set(id, { resolve, reject })
      this.#worker.postMessage({ id, name, ask })
    })
  }

  #take(message: LoadMessage): void {
    if (message.kind === 'totals') return this.#onTotals?.(message.totals)
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.kind === 'answer') return pending?.resolve(message.answer as never)
    const { error } = message
    pending?.reject(error === undefined ? new Error(message.message) : RaftError.fromWire(error))
  }

  #fail(error: unknown): void {
    this.#ended ??= error
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}
