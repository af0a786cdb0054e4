/**
 * `troupe run … --prove`: shows of each scenario that it can fail. With a bug on purpose that its `proof` names it has to, and
 * with the options under `broken` it must not pass. A test that nothing breaks is worth nothing. In the simulator, and on
 * real nodes what does not run there.
 */
import type { CommandContext, OutputStream } from '@troupe/benchmarks'
import { invalidOption, invariant } from '@troupe/core'
import {
  type Case,
  type CaseRun,
  type Engine,
  type Judgement,
  judge,
  type Loaded,
  onEngine,
  ScenarioError,
  withOptions,
} from '@troupe/lab'
import { aligned, exitCodes, writeJson } from '../output.ts'
import { checkMutant } from '../sim/output.ts'
import { type EngineValues, enginesOf } from './engines.ts'
import { inOrder, keepProofs, type Proof, rowOf, tableOf } from './proofs-file.ts'

export interface ProveValues extends Omit<EngineValues, 'mutant' | 'record'> {
  readonly table: string | undefined
  readonly json: string | undefined
}

/** How much is run. A bug may be seldom met, and where time is real each run takes its time. */
interface Effort {
  /** Seeds that are run before anybody looks. */
  readonly wave: number
  /** So many times the seeds of the file. */
  readonly patience: number
}

const inSim: Effort = { wave: 10, patience: 2 }
const onRealNodes: Effort = { wave: 1, patience: 6 }

export async function prove(
  loaded: readonly Loaded[],
  values: ProveValues,
  out: OutputStream,
  context: CommandContext,
): Promise<number> {
  const effort = values.engine === 'sim' ? inSim : onRealNodes
  const items = loaded
    .map(({ item }) => item)
    .filter(({ scenario }) => isProvenOn(values.engine, scenario.engine))
    .map((item) => ({ ...item, scenario: onEngine(item.scenario, values.engine) }))
    .filter(({ scenario }) => scenario.proof !== undefined)
  for (const slip of slipsOf(items)) checkMutant(slip, 'proof.slips')
  if (items.length === 0)
    throw invalidOption('--prove', 'nothing', `scenarios of ${values.engine} with a proof`)
  const proofs: Proof[] = []
  const note = (proof: Proof): void => {
    proofs.push(proof)
    out.write(`${proof.isProven ? 'broken ' : 'SURVIVED'} ${rowOf(proof).join('; ')}\n`)
  }
  for (const slip of [...slipsOf(items), undefined]) {
    const [engine] = enginesOf({ ...values, mutant: slip })
    invariant(engine !== undefined, 'an engine of a plug-in has no proofs')
    try {
      checkAble(items, engine)
      for (const item of items) {
        if (context.signal.aborted) return exitCodes.interrupted
        const { slips = [], broken } = item.scenario.proof ?? {}
        if (slip === undefined && broken !== undefined)
          note(await byOptions(item, engine, effort, context.signal))
        if (slip !== undefined && slips.includes(slip))
          note(await bySlip(item, slip, engine, effort, context.signal))
      }
    } finally {
      await engine.close()
    }
  }
  return conclude(proofs, values.table, values.json, out, context)
}

/** The simulator proves all that it can run: there it takes the least time. Elsewhere the rest is proven. */
function isProvenOn(name: string, engines: readonly string[] = ['sim']): boolean {
  return engines.includes(name) && (name === 'sim' || !engines.includes('sim'))
}

/** @throws ScenarioError for what the engine cannot do, before anything is run */
function checkAble(items: readonly Case[], engine: Engine): void {
  const problems = items.flatMap((item) => engine.unable(item).map((problem) => item.place(problem)))
  if (problems.length > 0) throw new ScenarioError(problems)
}

const slipsOf = (items: readonly Case[]): readonly string[] => [
  ...new Set(items.flatMap(({ scenario }) => scenario.proof?.slips ?? [])),
]

function conclude(
  proofs: Proof[],
  table: string | undefined,
  json: string | undefined,
  out: OutputStream,
  context: CommandContext,
): number {
  if (context.signal.aborted) return exitCodes.interrupted
  const sorted = inOrder(proofs)
  out.write(`\n${aligned(tableOf(sorted))}`)
  if (table !== undefined) keepProofs(table, sorted)
  writeJson(json, sorted, context)
  const survived = proofs.filter(({ isProven }) => !isProven).length
  out.write(`${proofs.length} proofs, ${survived} of which did not break their scenario\n`)
  return survived === 0 ? exitCodes.pass : exitCodes.fail
}

async function runsOf(
  item: Case,
  seeds: readonly number[],
  engine: Engine,
  signal: AbortSignal,
): Promise<CaseRun[]> {
  const runs: CaseRun[] = []
  await engine.run({ item, seeds, timeline: false, signal, onRun: (run) => void runs.push(run) })
  return runs.sort((left, right) => left.seed - right.seed)
}

const seedsOf = (
  { scenario: { seeds = {} } }: Case,
  { defaultSeeds }: Engine,
): { base: number; runs: number } => ({
  base: seeds.base ?? defaultSeeds.base,
  runs: seeds.runs ?? defaultSeeds.runs,
})

async function bySlip(
  item: Case,
  slip: string,
  engine: Engine,
  { wave, patience }: Effort,
  signal: AbortSignal,
): Promise<Proof> {
  const { base, runs: count } = seedsOf(item, engine)
  const { file, name } = item
  const most = count * patience
  for (let done = 0; done < most && !signal.aborted; done += wave) {
    const seeds = Array.from({ length: wave }, (_, at) => base + done + at)
    const runs = await runsOf(item, seeds, engine, signal)
    const { verdict, asserted } = judge(item, runs)
    if (verdict !== 'fail') continue
    const failed = runs.find((run) => run.verdict === 'fail')
    const how = failed?.failure?.invariant ?? asserted.find((one) => one.verdict === 'fail')?.text ?? 'fail'
    return {
      file,
      name,
      slip,
      isProven: true,
      how,
      runs: failed === undefined ? done + wave : failed.seed - base + 1,
    }
  }
  return { file, name, slip, isProven: false, how: 'survived', runs: most }
}

async function byOptions(item: Case, engine: Engine, effort: Effort, signal: AbortSignal): Promise<Proof> {
  const { base, runs: count } = seedsOf(item, engine)
  const broken = { ...item, scenario: withOptions(item.scenario, item.scenario.proof?.broken ?? {}) }
  // All seeds of the file are one look: what is out of reach is so in all of them.
  const most = effort.wave > 1 ? 1 : effort.patience
  let judged: Judgement | undefined
  let isProven = false
  let looks = 0
  while (looks < most && !signal.aborted && !isProven) {
    const from = base + looks++ * count
    const seeds = Array.from({ length: count }, (_, at) => from + at)
    const runs = await runsOf(broken, seeds, engine, signal)
    judged = judge(broken, runs)
    isProven = isBroken(judged, runs)
  }
  const { verdict = 'unknown', asserted = [] } = judged ?? {}
  const how = asserted.find((one) => one.verdict === verdict)?.text ?? ''
  const { file, name } = item
  return {
    ...{ file, name, slip: undefined, how: `${verdict}: ${how}` },
    ...{ isProven, runs: looks * count },
  }
}

/**
 * Whether options have broken a scenario: it fails, or shows nothing any more, be it that its trap is out of reach or that what it
 * expects to break holds. Runs that came to nothing by themselves say nothing of the options.
 */
export function isBroken({ verdict }: Judgement, runs: readonly Pick<CaseRun, 'verdict'>[]): boolean {
  return verdict === 'fail' || (verdict === 'unknown' && runs.every((run) => run.verdict !== 'unknown'))
}
