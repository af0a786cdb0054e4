/**
 * Closed loop: a fixed number of callers, each of which awaits its command before it makes the next. Every caller
 * is an async function that awaits `propose` (or `proposeMany`, or `query`), as a user's would be.
 *
 * Latency is measured on at most 64 callers, evenly spread over all of them: a clock read per command would cost a
 * noticeable part of the throughput. Callers are served in turn, so those are as good as any.
 */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { LatencySummary } from '../latency.ts'
import type { Workload } from '../workload.ts'
import { classifyFailure } from './failure.ts'
import { LapHistogram } from './lap-histogram.ts'
import type { Ledger } from './ledger.ts'
import { type Asker, type ReadResult, type ReadSpec, Reads } from './reads.ts'

const MAX_SAMPLED_SLOTS = 64
const NS_PER_MS = 1e6

/** What takes commands and queries: a client, or something that measures the generator itself. */
export interface Proposer extends Asker {
  propose(command: unknown): Promise<unknown>
  proposeMany(commands: readonly unknown[]): Promise<unknown[]>
}

export interface ClosedLoopSpec {
  /** Callers; commands outstanding are `window` × `batch`. */
  readonly window: number
  /** Commands of one call: 1 is `propose`, more are `proposeMany`. */
  readonly batch: number
  /** Load that is not measured, before. */
  readonly warmupMs: number
  readonly durationMs: number
  /** Load that is not measured, afterwards. @default 0 */
  readonly cooldownMs?: number
  /** Without it all calls write. */
  readonly reads?: ReadSpec
}

export interface ClosedLoopResult {
  /** Commands acknowledged and reads answered while it was measured. */
  readonly commands: number
  readonly elapsedMs: number
  /** Of one call each, in nanoseconds. */
  readonly latency: RecordableHistogram
  /** Of the calls that wrote, where others read. */
  readonly writeLatency?: RecordableHistogram
  readonly reads?: ReadResult
}

export class ClosedLoop {
  readonly #proposer: Proposer
  readonly #workload: Workload
  readonly #ledger: Ledger
  #next: number
  #isRunning = false
  #isMeasuring = false
  #batch = 1
  #latency = new LapHistogram()
  #writeLatency = createHistogram()
  #reads: Reads | undefined
  /** Calls begun, of either kind. */
  #calls = 0
  #nextRead = 0
  #wake: () => void = () => {}

  /** @param firstSequence where to go on counting commands */
  constructor(proposer: Proposer, workload: Workload, ledger: Ledger, firstSequence = 0) {
    this.#proposer = proposer
    this.#workload = workload
    this.#ledger = ledger
    this.#next = firstSequence
  }

  /** Sequence number of the next command. */
  get nextSequence(): number {
    return this.#next
  }

  /** Reads answered so far. */
  get readsAnswered(): number {
    return this.#reads?.answered ?? 0
  }

  async run(spec: ClosedLoopSpec): Promise<ClosedLoopResult> {
    const { window, batch, reads } = spec
    this.#isRunning = true
    this.#batch = batch
    this.#latency = new LapHistogram()
    this.#writeLatency = createHistogram()
    this.#reads = reads && new Reads(reads, this.#proposer, this.#workload, this.#ledger)
    const every = Math.max(1, Math.floor(window / MAX_SAMPLED_SLOTS))
    const slots = Array.from({ length: window }, (_, slot) => this.#slot(slot % every === 0))
    const ended = Promise.all(slots)
    const result = await Promise.race([this.#measure(spec), ended])
    await ended
    if (!('commands' in result)) throw new Error('the load ended before it was told to')
    return result
  }

  /** Latency since the last lap, measured or not. */
  lap(): LatencySummary {
    return this.#latency.lap()
  }

  /** Ends the run before its time. */
  stop(): void {
    this.#isRunning = false
    this.#wake()
  }

  async #measure({ warmupMs, durationMs, cooldownMs = 0 }: ClosedLoopSpec): Promise<ClosedLoopResult> {
    await this.#sleep(warmupMs)
    this.#isMeasuring = true
    const startMs = performance.now()
    const writesBefore = this.#ledger.acknowledged
    const readsBefore = this.#reads?.answered ?? 0
    await this.#sleep(durationMs)
    const writes = this.#ledger.acknowledged - writesBefore
    const reads = (this.#reads?.answered ?? 0) - readsBefore
    const elapsedMs = performance.now() - startMs
    this.#isMeasuring = false
    await this.#sleep(cooldownMs)
    this.#isRunning = false
    const result = { commands: writes + reads, elapsedMs, latency: this.#latency.total() }
    if (this.#reads === undefined) return result
    return { ...result, writeLatency: this.#writeLatency, reads: this.#reads.result(reads) }
  }

  #sleep(ms: number): Promise<void> {
    if (!this.#isRunning || ms <= 0) return Promise.resolve()
    return new Promise((resume) => {
      const timer = setTimeout(resume, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resume()
      }
    })
  }

  async #slot(isSampled: boolean): Promise<void> {
    const batch = this.#batch
    const reads = this.#reads
    while (this.#isRunning) {
      if (reads?.has(this.#calls++)) {
        const sequence = this.#nextRead++
        if (isSampled) {
          await this.#read(reads, sequence)
          continue
        }
        const floor = this.#ledger.floorOf(sequence)
        try {
          // Written out, as below.
          reads.take(floor, await this.#proposer.query(this.#workload.queryAt(sequence), reads.options))
        } catch (error) {
          await this.#readAgain(error, reads, sequence, false)
        }
        continue
      }
      const first = this.#next
      this.#next += batch
      const startMs = isSampled ? performance.now() : 0
      try {
        // Written out, where a function would do: another promise for each command would show in the figures.
        if (batch === 1) {
          this.#ledger.acknowledge(first, await this.#proposer.propose(this.#workload.commandAt(first)))
        } else {
          await this.#propose(first, batch)
        }
      } catch (error) {
        await this.#recover(error, first, batch)
      }
      if (isSampled) this.#record(startMs, this.#writeLatency)
    }
  }

  #record(startMs: number, ofKind: RecordableHistogram): void {
    const ns = Math.max(1, Math.round((performance.now() - startMs) * NS_PER_MS))
    if (!this.#isMeasuring) return this.#latency.recordAside(ns)
    this.#latency.record(ns)
    if (this.#reads !== undefined) ofKind.record(ns)
  }

  async #read(reads: Reads, sequence: number): Promise<void> {
    const startMs = performance.now()
    try {
      await reads.read(sequence, true)
    } catch (error) {
      await this.#readAgain(error, reads, sequence, true)
    }
    this.#record(startMs, reads.latency)
  }

  /** After a failure. */
  async #readAgain(failed: unknown, reads: Reads, sequence: number, isSampled: boolean): Promise<void> {
    for (let error = failed; this.#isRunning; ) {
      const failure = classifyFailure(error)
      if (failure.kind !== 'retry') {
        this.stop()
        throw error
      }
      await delay(failure.afterMs)
      if (!this.#isRunning) return
      try {
        return await reads.read(sequence, isSampled)
      } catch (again) {
        error = again
      }
    }
  }

  async #propose(first: number, batch: number): Promise<void> {
    const results = await this.#proposer.proposeMany(this.#workload.commandsAt(first, batch))
    this.#ledger.acknowledgeMany(first, results)
  }

  async #proposeAgain(first: number, batch: number): Promise<void> {
    const commands = this.#workload.commandsAt(first, batch)
    const results =
      batch === 1 ? [await this.#proposer.propose(commands[0])] : await this.#proposer.proposeMany(commands)
    this.#ledger.acknowledgeRetried(first, results)
  }

  /** After a failure: counts what cannot be told, and proposes again what has not happened. */
  async #recover(failed: unknown, first: number, batch: number): Promise<void> {
    for (let error = failed; ; ) {
      const failure = classifyFailure(error)
      if (failure.kind === 'unknown') return this.#ledger.lose(first, batch)
      if (failure.kind === 'fatal') {
        if (!this.#isRunning) return
        this.stop()
        throw error
      }
      await delay(failure.afterMs)
      if (!this.#isRunning) return
      try {
        return await this.#proposeAgain(first, batch)
      } catch (again) {
        error = again
      }
    }
  }
}
