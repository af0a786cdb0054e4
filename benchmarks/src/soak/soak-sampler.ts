/** Looks at the cluster, its load and this process, again and again. */
import { join } from 'node:path'
import type { Cluster, NodeReport } from '@troupe/cluster'
import type { LoadGenerator } from '../load/load-generator.ts'
import { rounded } from '../terminal/format.ts'
import { diskUsage } from './disk-usage.ts'
import { sampleProcess } from './process-sample.ts'
import type { NodeSample, RestSample, SoakSample } from './soak-sample.ts'

const MS_PER_S = 1000

/** What runs at the moment. */
export interface Watched {
  readonly cluster: Cluster
  /** While it is under load. */
  readonly load: LoadGenerator | undefined
}

interface Sums {
  readonly acknowledged: number
  readonly unknown: number
}

export class SoakSampler {
  /** Undefined while there is no cluster. */
  watched: Watched | undefined
  epoch = 0
  readonly #directory: string
  readonly #tell: (sample: SoakSample) => void
  readonly #startMs = performance.now()
  readonly #timer: NodeJS.Timeout
  #isBusy = false
  #nodeIds: readonly string[] = []
  /** What the loads came to that have ended. */
  #before: Sums = { acknowledged: 0, unknown: 0 }
  #last = { atMs: 0, acknowledged: 0 }

  constructor(directory: string, intervalMs: number, tell: (sample: SoakSample) => void) {
    this.#directory = directory
    this.#tell = tell
    this.#timer = setInterval(() => void this.#sample(), intervalMs)
  }

  get atSeconds(): number {
    return rounded((performance.now() - this.#startMs) / MS_PER_S, 1)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A load has ended: what it came to counts on. */
  ended(totals: Sums): void {
    this.#before = totals
  }

  /** With the cluster stopped. */
  rest(): RestSample {
    return { atSeconds: this.atSeconds, epoch: this.epoch, ...sampleProcess() }
  }

  async #sample(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    const { watched } = this
    // Of the same instant: a load that ends meanwhile would count twice.
    const before = this.#before
    try {
      const nodes = await this.#nodes(watched?.cluster)
      const speed = await this.#speed(before, watched?.load)
      // What was looked at may have ended meanwhile: then it says nothing about load.
      const isLoaded = watched?.load !== undefined && watched === this.watched
      const { heapUsed: heapUsedBytes, external: externalBytes } = process.memoryUsage()
      const { atSeconds, epoch } = this
      const own = { heapUsedBytes, externalBytes, ...sampleProcess() }
      this.#tell({ atSeconds, epoch, isLoaded, ...own, ...speed, nodes })
    } finally {
      this.#isBusy = false
    }
  }

  async #nodes(cluster: Cluster | undefined): Promise<NodeSample[]> {
    if (cluster !== undefined) this.#nodeIds = cluster.ids
    const reports = (await cluster?.status())?.nodes ?? []
    return this.#nodeIds.map((id) => {
      const report = reports.find((node) => node.id === id)
      return { id, ...diskUsage(join(this.#directory, id)), ...ownFigures(report) }
    })
  }

  async #speed(before: Sums, load: LoadGenerator | undefined) {
    const nothing = { acknowledged: 0, unknown: 0, p99: null }
    // A load that is closed meanwhile tells nothing; its sums come with `ended`.
    const current = load === undefined ? nothing : await figuresOf(load).catch(() => nothing)
    const atMs = performance.now()
    const acknowledged = Math.max(this.#last.acknowledged, before.acknowledged + current.acknowledged)
    const seconds = Math.max(1, atMs - this.#last.atMs) / MS_PER_S
    const commandsPerSecond = Math.round((acknowledged - this.#last.acknowledged) / seconds)
    this.#last = { atMs, acknowledged }
    return { acknowledged, unknown: before.unknown + current.unknown, commandsPerSecond, p99Ms: current.p99 }
  }
}

async function figuresOf(load: LoadGenerator) {
  const [{ acknowledged, unknown }, { p99 }] = await Promise.all([load.totals(), load.lap()])
  return { acknowledged, unknown, p99 }
}

type OwnFigures = Pick<NodeSample, 'base' | 'lastIndex' | 'retainedBytes' | 'heapUsedBytes' | 'externalBytes'>

function ownFigures(report: NodeReport | undefined): OwnFigures {
  if (report === undefined || !report.running) {
    return { base: null, lastIndex: null, retainedBytes: null, heapUsedBytes: null, externalBytes: null }
  }
  const { base, lastIndex, metrics } = report
  const { logBytes = null, heapUsedBytes, externalBytes } = metrics
  return { base, lastIndex, retainedBytes: logBytes, heapUsedBytes, externalBytes }
}
