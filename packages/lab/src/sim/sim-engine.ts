/** The engine `sim`: the whole stack in virtual time, seed by seed, over all cores. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseFailpoint } from '@troupe/faults'
import { invariantNames } from '@troupe/sim'
import { Piscina } from 'piscina'
import type { CaseRun, Engine, EngineTask } from '../engine.ts'
import { knobsOf, onEngine } from '../scenario/knobs.ts'
import { clientNames, nodeNames } from '../scenario/names.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { ClusterSpec, Scenario, SimSpec } from '../scenario/scenario.ts'
import type { StepFields } from '../scenario/steps.ts'
import { figuresIn } from '../scenario/unread.ts'
import { walk } from '../scenario/walk.ts'
import type { Problem, Report } from '../schema/schema.ts'
import type { SimSeeds } from './sim-worker.ts'

export interface SimEngineOptions {
  /** @default as many as there are cores */
  readonly threads?: number | undefined
  /** What the threads run: a file whose default export is that of `@troupe/lab/sim-worker`. @default that one */
  readonly worker?: string | undefined
  readonly workerData?: unknown
}

/** Seeds of one task: enough that the way there and back does not count. */
const BATCH = 5
const TIMELINE_LINES = 400

export class SimEngine implements Engine {
  readonly name = 'sim'
  readonly defaultSeeds = { base: 1, runs: 20 }
  readonly invariants = invariantNames
  readonly #options: SimEngineOptions
  #pool: Piscina | undefined

  constructor(options: SimEngineOptions = {}) {
    this.#options = options
  }

  unable(item: Case): readonly Problem[] {
    const scenario = onEngine(item.scenario, this.name)
    const problems: Problem[] = []
    const report: Report = (problem) => void problems.push(problem)
    const { cluster = {}, sim = {} } = scenario
    checkDurability(cluster, sim, report)
    checkClocks(scenario, report)
    refuseToxics(scenario, report)
    refuseWhatTakesTime(scenario, report)
    refuseHeapDeaths(scenario, report)
    return problems
  }

  async run({ item: { scenario }, seeds, timeline, onRun, signal }: EngineTask): Promise<void> {
    const size = timeline ? 1 : BATCH
    const batches = Array.from({ length: Math.ceil(seeds.length / size) }, (_, at) =>
      seeds.slice(at * size, (at + 1) * size),
    )
    await Promise.all(
      batches.map(async (batch) => {
        const task: SimSeeds = { scenario, seeds: batch, timelineLines: timeline ? TIMELINE_LINES : 0 }
        for (const run of await this.#runBatch(task, signal)) onRun(run)
      }),
    )
  }

  /** None where it was interrupted: what was found so far is told. */
  async #runBatch(task: SimSeeds, signal: AbortSignal): Promise<readonly CaseRun[]> {
    if (signal.aborted) return []
    try {
      return (await this.#workers.run(task, { signal })) as readonly CaseRun[]
    } catch (error) {
      if (signal.aborted) return []
      throw error
    }
  }

  async record({ file: path, name, scenario }: Case, seed: number, file: string): Promise<void> {
    const identity = {
      ...{ case: name, file: path, engine: this.name, seed },
      nodes: nodeNames(scenario.cluster),
      clients: clientNames(scenario.workload),
    }
    const task: SimSeeds = { scenario, seeds: [seed], timelineLines: 0, record: { file, identity } }
    await this.#workers.run(task)
  }

  get #workers(): Piscina {
    const {
      threads = Math.max(1, availableParallelism()),
      worker = '@troupe/lab/sim-worker',
      workerData,
    } = this.#options
    const filename = worker.startsWith('@') ? fileURLToPath(import.meta.resolve(worker)) : worker
    this.#pool ??= new Piscina({ filename, workerData, minThreads: threads, maxThreads: threads })
    return this.#pool
  }

  reproduce({ file, name }: Case, seed: number): string {
    return `pnpm troupe run ${file} --case '${name}' --from ${seed} --seeds 1 --timeline`
  }

  async close(): Promise<void> {
    await this.#pool?.destroy()
  }
}

/** What a crash takes of disks that are not flushed is more than any budget of faults. */
function checkDurability({ durability }: ClusterSpec, { exceedBudget }: SimSpec, report: Report): void {
  if (durability === undefined || durability === 'flush-before-ack') return
  if (durability === 'acked-before-flush' && exceedBudget === true) return
  const expected =
    'flush-before-ack, or acked-before-flush with sim.exceedBudget: in sim every log is on a disk'
  report({ path: ['cluster', 'durability'], value: durability, expected })
}

/** Frames have no streams. */
function refuseToxics({ setup = [], phases }: Scenario, report: Report): void {
  for (const { kind, fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    if (kind !== 'toxic') continue
    const { type } = fields as StepFields['toxic']
    report({ path, value: type, expected: 'link or network: toxics are for streams, which only tcp has' })
  }
}

/** Turns take no time inside, and nodes have no heap of their own. */
function refuseWhatTakesTime({ setup = [], phases }: Scenario, report: Report): void {
  for (const { kind, fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    if (kind === 'heap') report({ path, value: kind, expected: 'outOfMemory: no node has a heap of its own' })
    if (kind !== 'failpoint') continue
    const { term } = fields as StepFields['failpoint']
    const isSleeping = parseFailpoint('term', term).some(({ action }) => action.kind === 'sleep')
    const expected = 'panic, return, print or off: in sim a turn takes no time inside (stall, pause, disk)'
    if (isSleeping) report({ path: [...path, 'term'], value: term, expected })
  }
}

/** Nobody would ever have died so. */
function refuseHeapDeaths(scenario: Scenario, report: Report): void {
  const expected = 'crashes: only on real nodes, in sim no node has a heap of its own'
  for (const { name, path, engines = ['sim'] } of figuresIn(scenario)) {
    if (name === 'heapDeaths' && engines.includes('sim')) report({ path, value: name, expected })
  }
}

/** A lease is only as good as the bound on the clocks: who breaks it has to say so. */
function checkClocks({ cluster, sim, setup = [], phases }: Scenario, report: Report): void {
  const { leaseReads, maxClockDrift } = knobsOf(cluster)
  if (!leaseReads || sim?.exceedBudget === true) return
  for (const { kind, fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    if (kind !== 'clock') continue
    const { mode, rate = 1 } = fields as StepFields['clock']
    const expected = `with leaseReads sim.exceedBudget, or rates from 1 to below ${1 + maxClockDrift} (maxClockDrift)`
    if (mode !== 'rate' || rate < 1 || rate >= 1 + maxClockDrift) {
      report({ path, value: mode === 'rate' ? rate : mode, expected })
    }
  }
}
