/**
 * Open loop: commands start when a schedule says so, however slow the answers are, and latency counts from that
 * instant. A stall of the cluster is thus felt by all commands that should have started meanwhile ("coordinated
 * omission" is what a closed loop does to such figures). None is left out: what the client has no room for waits, and
 * its waiting counts.
 */
import type { RecordableHistogram } from 'node:perf_hooks'
import type { LatencySummary } from '../latency.ts'
import type { Workload } from '../workload.ts'
import type { AckTimes } from './ack-times.ts'
import type { Proposer } from './closed-loop.ts'
import { classifyFailure, delay } from './failure.ts'
import { LapHistogram } from './lap-histogram.ts'
import type { Ledger } from './ledger.ts'

const TICK_MS = 1
const NS_PER_MS = 1e6
const MS_PER_S = 1000

/** When which command should start. */
export class Schedule {
  readonly #startMs: number
  readonly #perMs: number

  constructor(ratePerSecond: number, startMs: number) {
    this.#perMs = ratePerSecond / MS_PER_S
    this.#startMs = startMs
  }

  /** How many commands should have started by `nowMs`. */
  due(nowMs: number): number {
    return nowMs < this.#startMs ? 0 : Math.floor((nowMs - this.#startMs) * this.#perMs) + 1
  }

  /** When the command with this number should start, counted from 0. */
  startOf(number: number): number {
    return this.#startMs + number / this.#perMs
  }
}

export interface OpenLoopResult {
  /** Commands that were proposed; each is acknowledged, unknown, or was given up at the end. */
  readonly started: number
  readonly elapsedMs: number
  /** From the intended start of each command, in nanoseconds. */
  readonly latency: RecordableHistogram
}

/** What an open loop needs of a client. */
export interface BoundedProposer extends Proposer {
  /** How many commands may be outstanding. */
  readonly room: () => number
}

export class OpenLoop {
  readonly #proposer: BoundedProposer
  readonly #workload: Workload
  readonly #ledger: Ledger
  readonly #ackTimes: AckTimes
  readonly #latency = new LapHistogram()
  readonly #firstSequence: number
  readonly #startMs = performance.now()
  readonly #schedule: Schedule
  readonly #outstanding = new Set<Promise<void>>()
  #started = 0
  #timer: NodeJS.Timeout | undefined
  #isRunning = true
  #fatal: unknown

  constructor(
    proposer: BoundedProposer,
    workload: Workload,
    ledger: Ledger,
    ackTimes: AckTimes,
    ratePerSecond: number,
    firstSequence: number,
  ) {
    this.#proposer = proposer
    this.#workload = workload
    this.#ledger = ledger
    this.#ackTimes = ackTimes
    this.#firstSequence = firstSequence
    this.#schedule = new Schedule(ratePerSecond, this.#startMs)
    this.#tick()
  }

  get nextSequence(): number {
    return this.#firstSequence + this.#started
  }

  /** Latency since the last lap. */
  lap(): LatencySummary {
    return this.#latency.lap()
  }

  /** Starts no more commands and waits for those outstanding. */
  async stop(): Promise<OpenLoopResult> {
    this.halt()
    const elapsedMs = performance.now() - this.#startMs
    await Promise.all(this.#outstanding)
    if (this.#fatal !== undefined) throw this.#fatal
    return { started: this.#started, elapsedMs, latency: this.#latency.total() }
  }

  /** Starts no more commands. */
  halt(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
  }

  #tick(): void {
    const due = this.#schedule.due(performance.now())
    let room = this.#proposer.room()
    for (; this.#started < due && room > 0; room--) this.#start(this.#started++)
    if (this.#isRunning) this.#timer = setTimeout(() => this.#tick(), TICK_MS)
  }

  /** `stop` tells it; a generator that does not understand its answers proves nothing. */
  #giveUp(error: unknown): void {
    this.#fatal ??= error
    this.halt()
  }

  #start(number: number): void {
    const done = this.#commit(this.#firstSequence + number, this.#schedule.startOf(number))
    this.#outstanding.add(done)
    void done.finally(() => this.#outstanding.delete(done))
  }

  async #commit(sequence: number, intendedMs: number): Promise<void> {
    const command = this.#workload.commandAt(sequence)
    for (;;) {
      try {
        const result = await this.#proposer.propose(command)
        const nowMs = performance.now()
        this.#ledger.acknowledge(sequence, result)
        this.#ackTimes.record(nowMs)
        this.#latency.record(Math.max(1, Math.round((nowMs - intendedMs) * NS_PER_MS)))
        return
      } catch (error) {
        const failure = classifyFailure(error)
        if (failure.kind === 'unknown') return this.#ledger.lose(sequence, 1)
        if (!this.#isRunning) return
        if (failure.kind === 'fatal') return this.#giveUp(error)
        await delay(failure.afterMs)
      }
    }
  }
}
