/**
 * One life of an actor: one worker, from spawn to exit.
 *
 *     spawn ──► starting ──► ready ──► (crash | stop | fault) ──► exit
 *                  └── failed: its error is in the obituary ──────►┘
 *
 * How far a start has come stands in shared memory: a worker that hangs in it is asked nothing any more.
 */
import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  type Transferable,
  Worker,
} from 'node:worker_threads'
import type { RaftError } from '@troupe/core'
import { settlesWithin } from './bounded.ts'
import { hrtimeMs } from './clock.ts'
import { type ControlProxy, controlProxy } from './control.ts'
import { Obituary, textOf, unavailable } from './obituary.ts'
import type { ActorBirth, HostCommand, ReadyReport } from './protocol.ts'

/**
 * A process that was stopped, or whose machine slept, finds its timers due before it hears what its workers have done. So the
 * bound of a start passes in parts, one after the other: a standstill, however long, costs one of them.
 */
const START_TIMEOUT_PARTS = 10

/** How a worker ended. Instants are of `hrtimeMs`, one clock for all threads. */
export interface ExitInfo {
  readonly id: string
  /** Which life of the actor ended: 1 for its first. */
  readonly startCount: number
  /** The worker's exit code: 0 after a graceful stop, else 1. */
  readonly code: number
  /** Whether `crash` or `stop` asked for it. */
  readonly expected: boolean
  /** When the supervisor saw the exit: nothing of the worker runs or writes any more. */
  readonly atMs: number
  /** When the worker ended itself, written by itself; undefined when it had no chance to. */
  readonly diedAtMs: number | undefined
  /** What it died of, if of an error. */
  readonly error: RaftError | undefined
  /** It did not end itself within `terminateAfterMs` and was terminated from outside. */
  readonly terminated: boolean
}

/** What a life is made from. */
export interface LifePlan {
  readonly id: string
  readonly startCount: number
  readonly url: URL
  readonly data: unknown
  readonly transferList: readonly Transferable[]
  readonly resourceLimits: ResourceLimits | undefined
  readonly startTimeoutMs: number
  readonly controlTimeoutMs: number
  readonly terminateAfterMs: number
}

/** One worker. `onReady` and `onExit` are called once at most, at once, in the event that tells of it. */
export class WorkerLife<Api> {
  /** What the actor gave as `ready`; rejects with the RaftError that stopped it from starting. */
  readonly ready: Promise<unknown>
  /** Never rejects. */
  readonly exited: Promise<ExitInfo>
  readonly control: ControlProxy<Api>
  /** Whether the actor ever was ready. */
  wasReady = false
  /** Whether it was told to end, by whomever: its exit will come. */
  ending = false
  readonly #plan: LifePlan
  readonly #worker: Worker
  readonly #obituary = new Obituary()
  #startTimer: NodeJS.Timeout | undefined
  readonly #readied = Promise.withResolvers<unknown>()
  readonly #ended = Promise.withResolvers<ExitInfo>()
  readonly #onReady: (value: unknown) => void
  readonly #onExit: (info: ExitInfo) => void
  #error: RaftError | undefined
  #expected = false
  #isGone = false
  #isOnline = false
  #killing = false
  #terminated = false

  /** Throws what `new Worker` throws: a url that is none, data that cannot be cloned. */
  constructor(plan: LifePlan, onReady: (value: unknown) => void, onExit: (info: ExitInfo) => void) {
    this.#plan = plan
    this.#onReady = onReady
    this.#onExit = onExit
    this.ready = this.#readied.promise
    this.exited = this.#ended.promise
    // Whoever does not wait for it learns of a failed start from the exit.
    this.ready.catch(() => {})
    const { port1, port2 } = new MessageChannel()
    this.#worker = this.#spawn(port2)
    const { id: actorId, controlTimeoutMs: timeoutMs } = plan
    const exited = this.exited.then(({ error }) => error)
    this.control = controlProxy<Api>(port1, { actorId, timeoutMs, exited })
    this.#awaitStart(START_TIMEOUT_PARTS)
  }

  /** False when the worker is gone: the message was not sent, and nothing was transferred. */
  post(command: HostCommand, transfer: readonly Transferable[] = []): boolean {
    if (this.#isGone) return false
    this.#worker.postMessage(command, transfer)
    return true
  }

  /** Ends it as a crash would: from inside, now, without closing anything. */
  crash(): Promise<ExitInfo> {
    this.#expected = true
    return this.#kill()
  }

  /** Lets it close what it has open; one that has not ended after `withinMs` is crashed. */
  async stop(withinMs: number): Promise<ExitInfo> {
    this.#expected = true
    this.ending = true
    this.post({ kind: 'stop' })
    if (await settlesWithin(this.exited, withinMs)) return this.exited
    return this.#kill()
  }

  #spawn(control: MessagePort): Worker {
    const { id, startCount, url, data, transferList, resourceLimits } = this.#plan
    const workerData: ActorBirth = {
      troupeActor: { id, startCount, cell: this.#obituary.cell, control, data },
    }
    const worker = new Worker(url, {
      name: id,
      workerData,
      transferList: [control, ...transferList],
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    })
    worker.once('online', () => {
      this.#isOnline = true
    })
    worker.on('message', (report: ReadyReport) => this.#onReport(report))
    worker.on('error', (error) => this.#onError(error))
    worker.on('exit', (code) => this.#onWorkerExit(code))
    return worker
  }

  /**
   * Not `terminate`: with LMDB open in the worker it can abort the whole process. That is left for a worker
   * which is hung in JavaScript and will never read the message.
   */
  async #kill(): Promise<ExitInfo> {
    if (this.#killing) return this.exited
    this.#killing = true
    this.ending = true
    this.post({ kind: 'crash' })
    if (!(await settlesWithin(this.exited, this.#plan.terminateAfterMs))) {
      this.#terminated = true
      void this.#worker.terminate()
    }
    return this.exited
  }

  #onReport(report: ReadyReport): void {
    if (report.kind !== 'ready' || this.wasReady) return
    this.wasReady = true
    clearTimeout(this.#startTimer)
    this.#readied.resolve(report.value)
    this.#onReady(report.value)
  }

  #awaitStart(partsLeft: number): void {
    if (partsLeft === 0) return this.#onStartTimeout()
    const partMs = this.#plan.startTimeoutMs / START_TIMEOUT_PARTS
    this.#startTimer = setTimeout(() => this.#awaitStart(partsLeft - 1), partMs)
  }

  #onStartTimeout(): void {
    const { id, startTimeoutMs } = this.#plan
    const before = this.#isOnline ? 'its modules are being loaded' : 'its thread has not begun'
    const stage = this.#obituary.stage ?? before
    this.#error = unavailable(id, `it did not start within ${startTimeoutMs} ms: ${stage}`)
    this.#readied.reject(this.#error)
    void this.#kill()
  }

  /**
   * Only what the host in the worker could not catch comes here: a module that does not load, the heap limit.
   */
  #onError(error: unknown): void {
    this.#error ??= unavailable(this.#plan.id, `its worker broke: ${textOf(error)}`, error)
  }

  #onWorkerExit(code: number): void {
    const { id, startCount } = this.#plan
    const atMs = hrtimeMs()
    this.#isGone = true
    clearTimeout(this.#startTimer)
    const error = this.#error ?? this.#obituary.error(id)
    const info: ExitInfo = {
      id,
      startCount,
      code,
      expected: this.#expected,
      atMs,
      diedAtMs: this.#obituary.diedAtMs,
      error,
      terminated: this.#terminated,
    }
    this.#readied.reject(error ?? unavailable(id, `its worker ended (code ${code}) before it was ready`))
    this.#ended.resolve(info)
    this.#onExit(info)
  }
}
