/**
 * Open loop: commands start when a schedule says so, however slow the answers are, and latency counts from that
 * instant. A stall of the cluster is thus felt by all commands that should have started meanwhile ("coordinated
 * omission" is what a closed loop does to such figures). None is left out: what the client has no room for waits, and
 * its waiting counts. Beside it stands the service time, from the instant at which a call really began.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { LatencySummary } from '../latency.ts'
import type { Workload } from '../workload.ts'
import type { AckTimes } from './ack-times.ts'
import type { Proposer } from './closed-loop.ts'
import { classifyFailure } from './failure.ts'
import { LapHistogram } from './lap-histogram.ts'
import type { Ledger } from './ledger.ts'
import { type ReadResult, type ReadSpec, Reads } from './reads.ts'

const TICK_MS = 1
const NS_PER_MS = 1e6
const MS_PER_S = 1000
/** Of so many reads one is asked how it was served. */
const SERVED_EVERY = 64

/** What the loop takes its time from. */
export interface LoopClock {
  /** In milliseconds. */
  now(): number
  /** Calls `then` when so much time has passed. Returns how to call it off. */
  after(ms: number, then: () => void): () => void
}

const threadClock: LoopClock = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms)
    return () => clearTimeout(timer)
  },
}

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

export interface OpenLoopSpec {
  /** Commands (and reads) a second. */
  readonly ratePerSecond: number
  /** Commands of one call: 1 is `propose`, more are `proposeMany`. @default 1 */
  readonly batch?: number
  /** Calls that should start before this much of the run is over are not measured. @default 0 */
  readonly warmupMs?: number
  /** Nor are those that should start when this much more is over. @default until it is stopped */
  readonly measuredMs?: number
  /** Without it all calls write. */
  readonly reads?: ReadSpec
}

export interface OpenLoopResult {
  /** Commands and reads that were begun; each is acknowledged, unknown, or was given up at the end. */
  readonly started: number
  /** Commands acknowledged and reads answered, of those that are measured. */
  readonly completed: number
  /** From the first intended start that is measured to the end of what is. */
  readonly elapsedMs: number
  /** From the intended start of each call, in nanoseconds. */
  readonly latency: RecordableHistogram
  /** From the instant at which each call began, in nanoseconds. */
  readonly serviceLatency: RecordableHistogram
  readonly reads?: ReadResult
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
  readonly #serviceLatency = createHistogram()
  readonly #reads: Reads | undefined
  readonly #batch: number
  /** Calls with an earlier intended start are not measured. */
  readonly #measuredFromMs: number
  readonly #measuredUntilMs: number
  readonly #clock: LoopClock
  readonly #schedule: Schedule
  #sequence: number
  /** Calls begun, of either kind. */
  #calls = 0
  #nextRead = 0
  #started = 0
  #completed = 0
  #readsMeasured = 0
  #outstandingCalls = 0
  #onIdle: (() => void) | undefined
  #callOff: () => void = () => {}
  #isRunning = true
  #fatal: unknown

  /** @param firstSequence where to go on counting commands */
  constructor(
    proposer: BoundedProposer,
    workload: Workload,
    ledger: Ledger,
    ackTimes: AckTimes,
    { ratePerSecond, batch = 1, warmupMs = 0, measuredMs = Number.POSITIVE_INFINITY, reads }: OpenLoopSpec,
    firstSequence: number,
    clock: LoopClock = threadClock,
  ) {
    this.#proposer = proposer
    this.#workload = workload
    this.#ledger = ledger
    this.#ackTimes = ackTimes
    this.#sequence = firstSequence
    this.#batch = batch
    this.#reads = reads && new Reads(reads, proposer, workload, ledger)
    this.#clock = clock
    const startMs = clock.now()
    this.#measuredFromMs = startMs + warmupMs
    this.#measuredUntilMs = this.#measuredFromMs + measuredMs
    this.#schedule = new Schedule(ratePerSecond, startMs)
    this.#tick()
  }

  get nextSequence(): number {
    return this.#sequence
  }

  /** Reads answered so far. */
  get readsAnswered(): number {
    return this.#reads?.answered ?? 0
  }

  /** Latency since the last lap. */
  lap(): LatencySummary {
    return this.#latency.lap()
  }

  /** Starts no more commands and waits for those outstanding. */
  async stop(): Promise<OpenLoopResult> {
    this.halt()
    const elapsedMs = Math.min(this.#clock.now(), this.#measuredUntilMs) - this.#measuredFromMs
    if (this.#outstandingCalls > 0) {
      await new Promise<void>((resume) => {
        this.#onIdle = resume
      })
    }
    if (this.#fatal !== undefined) throw this.#fatal
    const result = {
      started: this.#started,
      completed: this.#completed,
      elapsedMs,
      latency: this.#latency.total(),
      serviceLatency: this.#serviceLatency,
    }
    return this.#reads === undefined ? result : { ...result, reads: this.#reads.result(this.#readsMeasured) }
  }

  /** Starts no more commands. */
  halt(): void {
    this.#isRunning = false
    this.#callOff()
  }

  #tick(): void {
    const nowMs = this.#clock.now()
    const due = this.#schedule.due(nowMs)
    let room = this.#proposer.room()
    while (this.#started < due && room > 0) room -= this.#start(nowMs)
    if (this.#isRunning) this.#callOff = this.#clock.after(TICK_MS, () => this.#tick())
  }

  /** `stop` tells it; a generator that does not understand its answers proves nothing. */
  #giveUp(error: unknown): void {
    this.#fatal ??= error
    this.halt()
  }

  /** Begins the next call. Returns how many commands it is. */
  #start(nowMs: number): number {
    const intendedMs = this.#schedule.startOf(this.#started)
    this.#outstandingCalls++
    if (this.#reads?.has(this.#calls++)) {
      this.#started++
      void this.#read(this.#reads, this.#nextRead++, intendedMs, nowMs)
      return 1
    }
    const first = this.#sequence
    this.#sequence += this.#batch
    this.#started += this.#batch
    void this.#commit(first, intendedMs, nowMs)
    return this.#batch
  }

  #ended(): void {
    if (--this.#outstandingCalls === 0) this.#onIdle?.()
  }

  #isMeasured(intendedMs: number): boolean {
    return intendedMs >= this.#measuredFromMs && intendedMs < this.#measuredUntilMs
  }

  #record(intendedMs: number, beganMs: number, nowMs: number, commands: number): void {
    const latencyNs = Math.max(1, Math.round((nowMs - intendedMs) * NS_PER_MS))
    if (!this.#isMeasured(intendedMs)) return this.#latency.recordAside(latencyNs)
    if (this.#isRunning && nowMs <= this.#measuredUntilMs) this.#completed += commands
    this.#latency.record(latencyNs)
    this.#serviceLatency.record(Math.max(1, Math.round((nowMs - beganMs) * NS_PER_MS)))
  }

  async #commit(first: number, intendedMs: number, beganMs: number): Promise<void> {
    const batch = this.#batch
    for (let isRetried = false; ; isRetried = true) {
      try {
        // Written out, where a function would do: another promise for each command would show in the figures.
        const results =
          batch === 1
            ? [await this.#proposer.propose(this.#workload.commandAt(first))]
            : await this.#proposer.proposeMany(this.#workload.commandsAt(first, batch))
        const nowMs = this.#clock.now()
        if (isRetried) this.#ledger.acknowledgeRetried(first, results)
        else this.#ledger.acknowledgeMany(first, results)
        this.#ackTimes.record(nowMs)
        this.#record(intendedMs, beganMs, nowMs, results.length)
        break
      } catch (error) {
        if (!(await this.#mayRetry(error, first))) break
      }
    }
    this.#ended()
  }

  async #read(reads: Reads, sequence: number, intendedMs: number, beganMs: number): Promise<void> {
    for (;;) {
      try {
        await reads.read(sequence, sequence % SERVED_EVERY === 0)
        const nowMs = this.#clock.now()
        this.#record(intendedMs, beganMs, nowMs, 1)
        if (this.#isMeasured(intendedMs)) {
          this.#readsMeasured++
          reads.latency.record(Math.max(1, Math.round((nowMs - intendedMs) * NS_PER_MS)))
        }
        break
      } catch (error) {
        if (!(await this.#mayRetry(error))) break
      }
    }
    this.#ended()
  }

  /** After a failure: counts what cannot be told of commands from `first` on, and waits before they are proposed again. */
  async #mayRetry(error: unknown, first?: number): Promise<boolean> {
    const failure = classifyFailure(error)
    if (failure.kind === 'unknown' && first !== undefined) this.#ledger.lose(first, this.#batch)
    if (failure.kind === 'unknown' || !this.#isRunning) return false
    if (failure.kind === 'fatal') {
      this.#giveUp(error)
      return false
    }
    await new Promise<void>((resume) => this.#clock.after(failure.afterMs, resume))
    return true
  }
}
