/** What happened when while a load ran: throughput and latency of each interval, and the events between them. */
import { hrtimeMs } from '@troupe/actor'
import type { ClusterEvents, ClusterStatus } from '@troupe/cluster'
import type { ObservedCluster } from '../engine/tested-cluster.ts'
import type { LatencySummary } from '../latency.ts'
import { rounded } from '../terminal/format.ts'

export interface TimelinePoint {
  /** End of the interval, from the start of the timeline. */
  readonly atSeconds: number
  readonly opsPerSecond: number
  /** Null where nothing was answered. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
}

export type TimelineEventKind = 'election' | 'exit' | 'restart' | 'snapshot' | 'fault' | 'heal'

export interface TimelineEvent {
  readonly atSeconds: number
  readonly kind: TimelineEventKind
  /** For people: `n2 leads term 4`. */
  readonly text: string
}

export interface Timeline {
  readonly intervalSeconds: number
  readonly points: readonly TimelinePoint[]
  readonly events: readonly TimelineEvent[]
}

/** Elections won, of which counters of nodes that died since know nothing. */
export const electionsIn = ({ events }: Timeline): number =>
  events.filter(({ kind }) => kind === 'election').length

/** What is asked of a load, each interval. */
export interface TimedLoad {
  lap(): Promise<LatencySummary>
  totals(): Promise<{ readonly acknowledged: number; readonly reads: number }>
}

export type WatchedCluster = Pick<ObservedCluster, 'on' | 'off' | 'status'>

const MS_PER_S = 1000
const SHORTEST_INTERVAL_MS = 100
const POINTS_OF_A_SHORT_RUN = 40

/** A second for long runs, less for those of which a second is a large part. */
export function intervalMsFor(durationMs: number): number {
  return Math.min(MS_PER_S, Math.max(SHORTEST_INTERVAL_MS, Math.round(durationMs / POINTS_OF_A_SHORT_RUN)))
}

/** Records from its making until `stop`. */
export class TimelineRecorder {
  readonly #cluster: WatchedCluster
  readonly #load: TimedLoad
  readonly #intervalMs: number
  readonly #startMs = hrtimeMs()
  readonly #points: TimelinePoint[] = []
  readonly #events: TimelineEvent[] = []
  readonly #snapshots = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #last: { readonly atMs: number; readonly operations: number } | undefined
  #statusMs = Number.NEGATIVE_INFINITY
  #sampling: Promise<void> | undefined
  #looking: Promise<void> | undefined
  readonly #onLeader = ({ id, term, atMs }: ClusterEvents['leader'][0]): void =>
    this.mark('election', `${id} leads term ${term}`, atMs)
  readonly #onExit = ({ id }: ClusterEvents['exit'][0]): void => this.mark('exit', `${id} is gone`)
  readonly #onRestarting = ({ id }: ClusterEvents['restarting'][0]): void =>
    this.mark('restart', `${id} is started again`)

  constructor(cluster: WatchedCluster, load: TimedLoad, intervalMs: number) {
    this.#cluster = cluster
    this.#load = load
    this.#intervalMs = intervalMs
    cluster.on('leader', this.#onLeader)
    cluster.on('exit', this.#onExit)
    cluster.on('restarting', this.#onRestarting)
    this.#timer = setInterval(() => this.#sampleOnce(), intervalMs)
    this.#sampleOnce()
  }

  /** Notes an event. @param atMs by the process's clock. @default now */
  mark(kind: TimelineEventKind, text: string, atMs = hrtimeMs()): void {
    this.#events.push({ atSeconds: this.#secondsAt(atMs), kind, text })
  }

  /** The throughput of the latest interval; undefined before there is one. */
  get latest(): TimelinePoint | undefined {
    return this.#points.at(-1)
  }

  /** Ends the recording. Idempotent. */
  async stop(): Promise<Timeline> {
    clearInterval(this.#timer)
    this.#cluster.off('leader', this.#onLeader)
    this.#cluster.off('exit', this.#onExit)
    this.#cluster.off('restarting', this.#onRestarting)
    await Promise.all([this.#sampling, this.#looking])
    const events = this.#events.toSorted((left, right) => left.atSeconds - right.atSeconds)
    return { intervalSeconds: this.#intervalMs / MS_PER_S, points: this.#points, events }
  }

  /** One after the other: a cluster that answers late makes an interval longer. */
  #sampleOnce(): void {
    this.#sampling ??= this.#sample()
      // A load that has ended, or a cluster: whoever runs them tells.
      .catch(() => {})
      .finally(() => {
        this.#sampling = undefined
      })
  }

  async #sample(): Promise<void> {
    const [{ p50, p99, max }, { acknowledged, reads }] = await Promise.all([
      this.#load.lap(),
      this.#load.totals(),
    ])
    const atMs = hrtimeMs()
    const operations = acknowledged + reads
    if (this.#last !== undefined) {
      const perMs = (operations - this.#last.operations) / Math.max(1, atMs - this.#last.atMs)
      const opsPerSecond = Math.round(perMs * MS_PER_S)
      const atSeconds = this.#secondsAt(atMs)
      this.#points.push({ atSeconds, opsPerSecond, p50Ms: p50, p99Ms: p99, maxMs: max })
    }
    this.#last = { atMs, operations }
    if (atMs - this.#statusMs < MS_PER_S) return
    this.#statusMs = atMs
    this.#lookForSnapshots()
  }

  /** Beside the samples: a node that has just died lets its status wait, when each interval counts most. */
  #lookForSnapshots(): void {
    this.#looking ??= this.#cluster
      .status()
      .then((status) => this.#findSnapshots(status))
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined
      })
  }

  #findSnapshots({ nodes }: ClusterStatus): void {
    for (const node of nodes) {
      if (!node.running) continue
      const before = this.#snapshots.get(node.id)
      this.#snapshots.set(node.id, node.snapshot)
      if (before !== undefined && node.snapshot > before)
        this.mark('snapshot', `${node.id} has a snapshot up to entry ${node.snapshot}`)
    }
  }

  #secondsAt(atMs: number): number {
    return rounded(Math.max(0, atMs - this.#startMs) / MS_PER_S)
  }
}
