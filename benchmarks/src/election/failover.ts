/**
 * Throughput around the loss of a leader, as the mean over the trials of a cell. A sampler reads, every few milliseconds, how
 * many commands have been acknowledged; each trial is moved so that its loss stands at 0, and cut into bins.
 */
import { hrtimeMs } from '@troupe/actor'

const SAMPLE_MS = 5
const BIN_MS = 10
/** Beyond this nothing is drawn: a node that is slow to come back is in the table. */
const MAX_AFTER_MS = 3000

export interface FlowSample {
  /** By the clock of all threads. */
  readonly atMs: number
  readonly acknowledged: number
}

export interface Failover {
  readonly binMs: number
  /** Where the first bin begins, from the loss on; below 0. */
  readonly fromMs: number
  /** Mean of the trials, a bin each. */
  readonly commandsPerSecond: readonly number[]
}

/** Reads how far a load is, from its making until `stop`. */
export class FlowSampler {
  readonly #samples: FlowSample[] = []
  readonly #timer: NodeJS.Timeout
  #isAsking = false

  constructor(load: { totals(): Promise<{ readonly acknowledged: number }> }) {
    this.#timer = setInterval(() => {
      if (this.#isAsking) return
      this.#isAsking = true
      load
        .totals()
        .then(({ acknowledged }) => this.#samples.push({ atMs: hrtimeMs(), acknowledged }))
        // A load that has ended: whoever runs it tells.
        .catch(() => {})
        .finally(() => {
          this.#isAsking = false
        })
    }, SAMPLE_MS)
  }

  stop(): readonly FlowSample[] {
    clearInterval(this.#timer)
    return this.#samples
  }
}

export class FailoverCurve {
  /** Of each bin the commands per second of every trial that reaches it; bin 0 begins with the loss. */
  readonly #bins = new Map<number, number[]>()
  #trials = 0

  /** Adds a trial. @param samples in the order of their instants */
  add(samples: readonly FlowSample[], lostAtMs: number): void {
    const first = samples[0]
    const last = samples.at(-1)
    if (first === undefined || last === undefined) return
    this.#trials++
    const from = Math.ceil((first.atMs - lostAtMs) / BIN_MS)
    const to = Math.floor(Math.min(MAX_AFTER_MS, last.atMs - lostAtMs) / BIN_MS)
    const counts = countsAt(
      samples,
      Array.from({ length: Math.max(0, to - from + 1) }, (_, bin) => lostAtMs + (from + bin) * BIN_MS),
    )
    for (let bin = 0; bin + 1 < counts.length; bin++) {
      const commands = (counts[bin + 1] as number) - (counts[bin] as number)
      const rates = this.#bins.get(from + bin) ?? []
      rates.push((commands / BIN_MS) * 1000)
      this.#bins.set(from + bin, rates)
    }
  }

  /** Bins that at least half of the trials reach; undefined where there are none. */
  get mean(): Failover | undefined {
    const covered = [...this.#bins.keys()]
      .filter((bin) => (this.#bins.get(bin)?.length ?? 0) * 2 >= this.#trials)
      .sort((left, right) => left - right)
    const from = covered[0]
    if (from === undefined) return undefined
    const commandsPerSecond = covered.map((bin) => {
      const rates = this.#bins.get(bin) as number[]
      return Math.round(rates.reduce((sum, rate) => sum + rate, 0) / rates.length)
    })
    return { binMs: BIN_MS, fromMs: from * BIN_MS, commandsPerSecond }
  }
}

/** How many commands were acknowledged at rising instants within the samples: between two of them evenly. */
function countsAt(samples: readonly FlowSample[], instants: readonly number[]): number[] {
  let index = 0
  return instants.map((atMs) => {
    while (index + 2 < samples.length && (samples[index + 1] as FlowSample).atMs < atMs) index++
    const before = samples[index] as FlowSample
    const after = samples[index + 1] ?? before
    const span = after.atMs - before.atMs
    const share = span <= 0 ? 0 : Math.min(1, Math.max(0, (atMs - before.atMs) / span))
    return before.acknowledged + share * (after.acknowledged - before.acknowledged)
  })
}
