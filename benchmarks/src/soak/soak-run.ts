/**
 * A soak, in the process that has the cluster to itself:
 *
 *     start ─► load and faults ─► load ends ─► verify ─► stop in good order ─► what is still open?
 *       ▲                                                                            │
 *       └────────────────────────────────────────────────────────────────────────────┘
 *
 * A last start is for a look at what is on the disk. Whatever goes wrong rejects `run`, with everything closed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExitInfo } from '@troupe/actor'
import { Cluster } from '@troupe/cluster'
import { LoadGenerator } from '../load/load-generator.ts'
import { verify } from '../verify.ts'
import { FaultSequence } from './fault-sequence.ts'
import { NodeFaults } from './node-faults.ts'
import { SoakBooks } from './soak-books.ts'
import type { SoakNews, SoakPlan } from './soak-protocol.ts'
import { SoakSampler } from './soak-sampler.ts'

/** Threads that have ended give back what they had a moment later. */
const SETTLE_MS = 200

export class SoakRun {
  readonly #plan: SoakPlan
  readonly #tell: (news: SoakNews) => void
  readonly #signal: AbortSignal
  readonly #books: SoakBooks
  readonly #faults: FaultSequence
  readonly #sampler: SoakSampler
  readonly #startMs = performance.now()
  #isStopping = false

  /** @param signal ends it early, in good order: `run` rejects */
  constructor(plan: SoakPlan, tell: (news: SoakNews) => void, signal: AbortSignal) {
    this.#plan = plan
    this.#tell = tell
    this.#signal = signal
    this.#books = new SoakBooks(plan.workload)
    this.#faults = new FaultSequence(plan.seed, plan.pauses)
    this.#sampler = new SoakSampler(plan.cluster.directory, plan.sampleMs, (sample) =>
      tell({ kind: 'sample', sample }),
    )
  }

  async run(): Promise<void> {
    const { epochs } = this.#plan
    try {
      for (let epoch = 0; epoch <= epochs; epoch++) {
        this.#signal.throwIfAborted()
        this.#sampler.epoch = epoch
        await this.#epoch(epoch, epoch === epochs)
      }
    } finally {
      this.#sampler.stop()
    }
  }

  async #epoch(epoch: number, isLast: boolean): Promise<void> {
    this.#note('the cluster starts')
    this.#isStopping = false
    const cluster = await Cluster.start(this.#plan.cluster)
    cluster.on('exit', (info) => this.#onExit(info))
    try {
      this.#sampler.watched = { cluster, load: undefined }
      if (isLast) await this.#verify(cluster)
      else await this.#underLoad(cluster, this.#endOf(epoch))
    } finally {
      this.#note('the cluster stops')
      this.#sampler.watched = undefined
      this.#isStopping = true
      await cluster.stop()
    }
    await sleep(SETTLE_MS)
    this.#tell({ kind: 'rest', rest: this.#sampler.rest() })
  }

  async #underLoad(cluster: Cluster, endMs: number): Promise<void> {
    const { workload, client } = this.#plan
    const load = new LoadGenerator(cluster, workload, client)
    try {
      this.#note('load, crashes, snapshots')
      const stopLoad = await this.#startLoad(load, endMs)
      this.#sampler.watched = { cluster, load }
      await this.#crashNodes(cluster, endMs)
      await stopLoad()
      await this.#books.add(load)
      this.#sampler.ended(await this.#books.totals())
      this.#sampler.watched = { cluster, load: undefined }
      await this.#verify(cluster)
      this.#books.release()
    } finally {
      await load.close()
    }
  }

  /** On a slow machine a start may take longer than it was to stay: half of the time is for load all the same. */
  #endOf(epoch: number): number {
    const { epochMs } = this.#plan
    return Math.max((epoch + 1) * epochMs, this.#elapsedMs + epochMs / 2)
  }

  /** Resolves with what ends it. */
  async #startLoad(load: LoadGenerator, endMs: number): Promise<() => Promise<unknown>> {
    const { load: spec } = this.#plan
    if (spec.kind === 'open') {
      await load.startOpenLoop(spec.commandsPerSecond)
      return () => load.stopOpenLoop()
    }
    const durationMs = Math.max(1, endMs - this.#elapsedMs)
    const running = load.closedLoop({ window: spec.window, batch: 1, warmupMs: 0, durationMs })
    running.catch(() => {})
    return () => running
  }

  async #crashNodes(cluster: Cluster, endMs: number): Promise<void> {
    const faults = new NodeFaults(cluster, this.#signal)
    for (;;) {
      const fault = this.#faults.next()
      const leftMs = endMs - this.#elapsedMs
      await this.#sleep(Math.max(0, Math.min(fault.afterMs, leftMs)))
      if (fault.afterMs >= leftMs) return
      const report = await faults.run(fault)
      this.#tell({ kind: 'fault', fault: { atSeconds: this.#sampler.atSeconds, ...report } })
    }
  }

  async #verify(cluster: Cluster): Promise<void> {
    this.#note('checking that nothing was lost')
    const verification = await verify(cluster, this.#books)
    const { epoch, atSeconds } = this.#sampler
    this.#tell({ kind: 'verification', verification: { epoch, atSeconds, ...verification } })
  }

  /** A node that is told to crash ends with 1, one that is told to stop with 0. */
  #onExit({ id, code, expected, terminated, error }: ExitInfo): void {
    const isFine = expected && !terminated && (code === 0 || !this.#isStopping)
    if (isFine) return
    const how = terminated ? 'had to be terminated' : `ended with ${code}`
    const why = error === undefined ? '' : `: ${error.message}`
    const when = this.#isStopping ? ' while the cluster was stopped' : ''
    this.#tell({ kind: 'death', text: `${id} ${how}${when}${why}` })
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startMs
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal })
  }

  #note(text: string): void {
    this.#tell({ kind: 'note', text })
  }
}
