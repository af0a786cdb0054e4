/**
 * One run of a case on a real cluster.
 *
 *     open ─► clients, workload ─► director: setup, phases ─► heal ─► find together again ─► close ─► decide the history
 *       └ mirror: invariants after every turn of every node, from its first one on
 */
import { defaultSessionLimits } from '@troupe/machines'
import { Director } from '../directing/director.ts'
import { EventRecorder } from '../directing/event-recorder.ts'
import { FigureWatch } from '../directing/figure-watch.ts'
import { setupOf } from '../directing/setup.ts'
import type { CaseRun, RunFailure, RunNow } from '../engine.ts'
import { EventLog } from '../events/event-log.ts'
import type { RunIdentity } from '../events/run-event.ts'
import { figureNames } from '../figures.ts'
import { boundsOf, type CheckBounds } from '../scenario/bounds.ts'
import { knobsOf } from '../scenario/knobs.ts'
import { nodeNames } from '../scenario/names.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { lengthOf } from '../scenario/timing.ts'
import { walk } from '../scenario/walk.ts'
import type { ChunkOrder } from './chunk-order.ts'
import { computerMs } from './computer-clock.ts'
import { decideHistory } from './decide-history.ts'
import { findTogether } from './liveness.ts'
import { Mirror } from './mirror.ts'
import type { OpenOptions, RealCluster } from './real-cluster.ts'
import { RealWorld } from './real-world.ts'
import type { Chunk } from './records.ts'

export interface PlayOptions {
  readonly scenario: Scenario
  readonly seed: number
  /** Of the run, for names of files. */
  readonly label: string
  readonly open: (options: OpenOptions) => Promise<RealCluster>
  readonly order: (take: (node: string, chunk: Chunk) => void, late: (node: string) => void) => ChunkOrder
  readonly timeline: boolean
  /** Told now and then how far it is. */
  readonly onNow?: ((now: RunNow) => void) | undefined
  /** Where its event log is written, and whose run it says it is. */
  readonly eventLog?: { readonly file: string; readonly identity: Omit<RunIdentity, 'version'> } | undefined
  readonly signal: AbortSignal
}

/** Beyond what the steps may take: for a cluster that hangs. */
const SPARE_MS = 120_000
const MAX_LINES = 20_000
const NOW_MS = 500

/** Undefined where it was interrupted: such a run shows nothing and is not told. */
export async function playRun(options: PlayOptions): Promise<CaseRun | undefined> {
  const run = new RealRun(options)
  try {
    return await run.play()
  } finally {
    await run.close()
  }
}

/** Heaps that are to be filled are small ones: large ones take seconds, and the memory of the computer. */
const FILLED_HEAP_MB = 96

function heapMbFor({ setup = [], phases }: Scenario): number | undefined {
  const steps = [...walk(setup, ['setup']), ...walk(phases, ['phases'])]
  return steps.some(({ kind }) => kind === 'heap' || kind === 'outOfMemory') ? FILLED_HEAP_MB : undefined
}

class RealRun {
  readonly #options: PlayOptions
  readonly #originMs = computerMs()
  readonly #lines: string[] = []
  readonly #figures = new FigureWatch()
  readonly #director: Director
  readonly #mirror: Mirror
  readonly #order: ChunkOrder
  readonly #over = Promise.withResolvers<void>()
  readonly #ended = new AbortController()
  readonly #recorder: EventRecorder | undefined
  readonly #log: EventLog | undefined
  #cluster: RealCluster | undefined
  #world: RealWorld | undefined
  #failure: RunFailure | undefined
  #trouble: string | undefined

  constructor(options: PlayOptions) {
    this.#options = options
    const { scenario } = options
    this.#director = new Director(scenario, this.#figures)
    this.#mirror = new Mirror({
      nodeIds: nodeNames(scenario.cluster),
      knobs: knobsOf(scenario.cluster),
      sessions: defaultSessionLimits,
      originMs: this.#originMs,
      nowMs: () => this.#nowMs,
      onFailure: (failure) => this.#fail(failure),
      onLine: (text) => this.#line(text),
    })
    this.#figures.attach(this.#mirror)
    this.#mirror.listen([this.#figures, this.#director.watcher])
    if (options.eventLog !== undefined) {
      this.#log = new EventLog(options.eventLog.file)
      this.#recorder = this.#record(this.#log, options.eventLog.identity)
    }
    const mirror = this.#mirror
    this.#order = options.order(
      (node, chunk) => mirror.take(node, chunk),
      (node) => mirror.late(node),
    )
  }

  #record(log: EventLog, identity: Omit<RunIdentity, 'version'>): EventRecorder {
    const recorder = new EventRecorder(log.write, () => this.#figures.phase)
    const mirror = this.#mirror
    recorder.attach(
      {
        get nowMs() {
          return mirror.nowMs
        },
        get members() {
          return mirror.members
        },
        nodes: mirror.nodes,
        situations: { situations: mirror.situations },
        messageIds: mirror.messageIds,
      },
      identity,
    )
    mirror.listen([recorder])
    return recorder
  }

  get #bounds(): CheckBounds {
    return boundsOf(this.#options.scenario)
  }

  get #nowMs(): number {
    return computerMs() - this.#originMs
  }

  #line(text: string): void {
    if (this.#lines.length < MAX_LINES) this.#lines.push(`${this.#nowMs.toFixed(1).padStart(9)}  ${text}`)
  }

  /** The first one counts. */
  #fail(failure: RunFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#line(`FAILED ${failure.invariant}: ${failure.message}`)
    this.#over.resolve()
    this.#ended.abort()
  }

  async play(): Promise<CaseRun | undefined> {
    const { signal, seed } = this.#options
    const interrupt = (): void => {
      this.#over.resolve()
      this.#ended.abort()
    }
    signal.addEventListener('abort', interrupt, { once: true })
    try {
      if (signal.aborted) return undefined
      const world = await this.#open()
      await this.#phases(world)
      const isSound = this.#director.aborted === undefined && this.#failure === undefined
      if (isSound && this.#trouble === undefined) await this.#end(world)
      if (signal.aborted) return undefined
      return await this.#conclude(seed)
    } catch (error) {
      // Of the nodes something is known all the same, but not what was to be shown.
      if (signal.aborted || this.#world === undefined) throw error
      this.#trouble = error instanceof Error ? error.message : String(error)
      return await this.#conclude(seed)
    } finally {
      signal.removeEventListener('abort', interrupt)
    }
  }

  /** Setup and phases, until the last one is over or the run is. */
  async #phases(world: RealWorld): Promise<void> {
    const { scenario } = this.#options
    const mostMs = lengthOf(setupOf(scenario)).mostMs + lengthOf(scenario.phases).mostMs
    const guard = setTimeout(() => {
      this.#trouble = `the phases did not end within ${mostMs + SPARE_MS} ms`
      this.#over.resolve()
    }, mostMs + SPARE_MS)
    const teller = setInterval(() => this.#tellNow(mostMs), NOW_MS)
    try {
      world.start()
      this.#director.direct(world, this.#mirror.situations)
      await this.#over.promise
    } finally {
      clearTimeout(guard)
      clearInterval(teller)
    }
  }

  #tellNow(mostMs: number): void {
    const figures = figureNames.flatMap((name) => {
      const value = this.#figures.now(name)
      return value === undefined ? [] : [[name, [value]]]
    })
    this.#options.onNow?.({
      seed: this.#options.seed,
      text: this.#lines.at(-1)?.trim() ?? '',
      share: mostMs > 0 ? Math.min(1, this.#nowMs / mostMs) : 0,
      figures: Object.fromEntries(figures),
    })
  }

  async #open(): Promise<RealWorld> {
    const { scenario, seed, label, open } = this.#options
    const mirror = this.#mirror
    const line = (text: string): void => this.#line(text)
    const cluster = await open({
      ...{ spec: scenario.cluster ?? {}, seed, label, heapMb: heapMbFor(scenario) },
      machine: scenario.workload?.kind ?? 'kv',
      onChunk: (node, chunk) => this.#order.push(node, chunk),
      onExit: (node, { atMs, why, drawn = 0 }) =>
        this.#order.ended(node, drawn, () => mirror.exited(node, atMs, why)),
      onGivenUp: (node) => {
        mirror.givenUp(node)
        this.#world?.stage.givenUp(node)
      },
      onLine: line,
    })
    this.#cluster = cluster
    const world = new RealWorld({
      ...{ scenario, seed, cluster, mirror, line },
      nowMs: () => this.#nowMs,
      complain: (message, invariant) => this.#fail({ invariant, message, atMs: this.#nowMs }),
      onHeal: () => this.#over.resolve(),
      onGivenUp: () => this.#over.resolve(),
    })
    this.#world = world
    return world
  }

  /** Heals, and has it find together again. */
  async #end(world: RealWorld): Promise<void> {
    const cluster = this.#cluster as RealCluster
    const mirror = this.#mirror
    const resting = world.rest()
    await world.stage.heal()
    mirror.healed()
    this.#line('---- healed')
    await resting
    const line = (text: string): void => this.#line(text)
    const failure = await findTogether({
      ...{ cluster, world, mirror, line, signal: this.#ended.signal },
      bounds: this.#bounds.liveness,
    })
    if (failure !== undefined) this.#fail(failure)
  }

  async #conclude(seed: number): Promise<CaseRun> {
    const { timeline, signal } = this.#options
    const mirror = this.#mirror
    this.#order.finish()
    mirror.isOver = true
    const history = this.#world?.clients.history.operations() ?? []
    const queue = this.#world?.queue
    await this.close()
    const isWorthwhile = this.#failure === undefined && this.#director.aborted === undefined
    const decided =
      queue?.decide() ??
      (isWorthwhile ? await decideHistory(history, signal, this.#bounds.linearizable) : undefined)
    if (decided?.verdict === 'fail') {
      const invariant = queue === undefined ? 'linearizability' : 'queue'
      this.#fail({ invariant, message: decided.message, atMs: this.#nowMs })
    }
    const ofQueue = queue !== undefined && decided?.verdict === 'unknown' ? decided.message : undefined
    const reason = this.#failure === undefined ? (this.#reason() ?? ofQueue) : undefined
    const counts = mirror.counts
    const verdict = this.#failure !== undefined ? 'fail' : reason !== undefined ? 'unknown' : 'pass'
    this.#recorder?.finish(verdict, this.#failure, reason)
    this.#log?.close()
    return {
      seed,
      verdict,
      ...(this.#log !== undefined && { eventLog: this.#log.file }),
      failure: this.#failure,
      reason,
      events: mirror.coverage.turns,
      elapsedMs: this.#nowMs,
      situations: counts,
      figures: this.#figures.finish(),
      applied: this.#director.applied,
      skipped: this.#director.skipped,
      isHistoryDecided: decided?.verdict === 'pass',
      traceHash: undefined,
      timeline: timeline || this.#failure !== undefined ? this.#lines : undefined,
    }
  }

  #reason(): string | undefined {
    const { blindness, coverage } = this.#mirror
    return (
      this.#trouble ??
      this.#director.aborted ??
      blindness ??
      this.#director.undone ??
      (coverage.commits === 0 ? 'nothing was committed' : undefined)
    )
  }

  async close(): Promise<void> {
    await this.#world?.close()
    this.#world = undefined
    await this.#cluster?.close()
    this.#cluster = undefined
    this.#order.finish()
  }
}
