/**
 * Fields that nobody would read, although each of them fits: of engines that the file does not name, and of a workload that it does
 * not have. A file that says more than what is run is wrong before it is run.
 */
import type { FigureName } from '../figures.ts'
import type { Path, Report } from '../schema/schema.ts'
import { assertionsOf } from './assertions-of.ts'
import { isReal } from './knobs.ts'
import type { Scenario, WorkloadSpec } from './scenario.ts'
import type { StepFields } from './steps.ts'
import { walk } from './walk.ts'

/** Reports what only other engines than those of the file would read. */
export function checkEngines(scenario: Scenario, report: Report): void {
  const { engine: engines = ['sim'], seeds, sim, overrides = {}, proof, setup = [], phases } = scenario
  const nobody = (path: Path, value: unknown, expected: string): void => report({ path, value, expected })
  const isNamed = (engine: string): boolean => engines.includes(engine)
  const isInSim = !engines.every(isReal)
  const isInSimAlone = engines.every((engine) => engine === 'sim')
  if (!isInSim) {
    const runs = 'seeds under overrides: on real nodes a case is one run, or what these say'
    if (seeds !== undefined) nobody(['seeds'], seeds, runs)
    if (sim !== undefined) nobody(['sim'], sim, 'engine: sim with it')
    const broken = proof?.broken?.sim
    if (broken !== undefined) nobody(['proof', 'broken', 'sim'], broken, 'engine: sim with it')
  }
  for (const [engine, own] of Object.entries(overrides)) {
    if (!isNamed(engine)) nobody(['overrides', engine], own, `engine: ${engine} with it`)
  }
  for (const [at, spec] of (scenario.assert ?? []).entries()) {
    for (const [index, name] of ('only' in spec ? spec.only.engines : []).entries()) {
      const path = ['assert', at, 'only', 'engines', index]
      if (!isNamed(name)) nobody(path, name, `one of the file's engines: ${engines.join(', ')}`)
    }
  }
  for (const { spec, path, engines: only = engines } of assertionsOf(scenario)) {
    if (!('linearizable' in spec) || typeof spec.linearizable !== 'object') continue
    const { budget } = spec.linearizable
    const expected = 'steps: in sim the search has no time of its own'
    if (budget !== undefined && only.every((engine) => engine === 'sim'))
      nobody([...path, 'linearizable', 'budget'], budget, expected)
  }
  if (!isInSimAlone) return
  for (const { fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    const { mayBeRefused } = (typeof fields === 'object' ? fields : {}) as { readonly mayBeRefused?: boolean }
    if (mayBeRefused === true)
      nobody([...path, 'mayBeRefused'], true, 'engine: threads or tcp with it: in sim it is only counted')
  }
}

/** Figures that clients of a queue have, and nobody else. */
const ofQueues: readonly FigureName[] = ['openSends', 'deliveries', 'redeliveries', 'acks']
/** And what is counted of a kv alone. */
const ofKv: readonly FigureName[] = ['acknowledgedLost', 'openWrites', 'staleReads']

/** Reports what clients of this workload have no use for: of the options in effect, which `at` puts at their place. */
export function checkWorkload(scenario: Scenario, at: (path: Path) => Path, report: Report): void {
  const { workload = {}, cluster = {}, setup = [], phases } = scenario
  const { kind = 'kv' } = workload
  const isQueue = kind === 'queue'
  const other = isQueue ? 'kv' : 'queue'
  const say = (path: Path, value: unknown, why = ''): void => {
    report({ path: at(path), value, expected: `workload.kind: ${other} with it${why}` })
  }
  if (!isQueue && workload.queue !== undefined) say(['workload', 'queue'], workload.queue)
  if (isQueue) {
    const drawn = ': what clients of a queue do is drawn of all that they can'
    for (const field of ['mix', 'consistencies'] as const satisfies readonly (keyof WorkloadSpec)[])
      if (workload[field] !== undefined) say(['workload', field], workload[field], drawn)
    if (cluster.stateOnDisk === true)
      say(['cluster', 'stateOnDisk'], true, ': the machine of a queue keeps its state in memory')
    checkChecks(scenario, say)
  }
  const unmeasured = isQueue ? ofKv : ofQueues
  for (const { name, path } of figuresIn(scenario)) if (unmeasured.includes(name)) say(path, name)
  for (const { kind: step, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    const wanted = step === 'abandon' ? 'queue' : step === 'write' || step === 'read' ? 'kv' : kind
    if (wanted !== kind) say(path, step)
  }
}

/** A queue is checked in every run, by its books, and emptied in the end. */
function checkChecks(scenario: Scenario, say: (path: Path, value: unknown, why: string) => void): void {
  for (const { spec, path } of assertionsOf(scenario)) {
    if ('linearizable' in spec && spec.linearizable !== false)
      say([...path, 'linearizable'], spec.linearizable, ': the books of a queue are checked in each run')
    if (!('liveness' in spec)) continue
    for (const field of ['freshWrites', 'freshReads'] as const) {
      const value = spec.liveness[field]
      const why = ': a queue is sent to once by each client, and emptied'
      if (value !== undefined) say([...path, 'liveness', field], value, why)
    }
  }
}

export interface FoundFigure {
  readonly name: FigureName
  readonly path: Path
  /** Undefined: on all engines. */
  readonly engines: readonly string[] | undefined
}

/** Figures that are asserted, or looked at on the way, with their places. */
export function* figuresIn(scenario: Scenario): Iterable<FoundFigure> {
  const { setup = [], phases } = scenario
  for (const { spec, path, engines } of assertionsOf(scenario)) {
    for (const kind of ['figures', 'atLeast'] as const) {
      const named = (spec as Readonly<Record<string, object | undefined>>)[kind] ?? {}
      for (const name of Object.keys(named) as FigureName[])
        yield { name, path: [...path, kind, name], engines }
    }
  }
  for (const { kind, fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    const { figure: name } = fields as StepFields['statusCheck']
    if (kind === 'statusCheck') yield { name, path: [...path, 'figure'], engines: undefined }
  }
}
