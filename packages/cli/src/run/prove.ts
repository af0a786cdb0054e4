/**
 * `troupe run … --prove`: shows of each scenario that it can fail. With a bug on purpose that its `proof` names it has to, and
 * with the options under `broken` it must not pass. A test that nothing breaks is worth nothing.
 */
import type { CommandContext, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import {
  type Case,
  type CaseRun,
  type Engine,
  judge,
  type Loaded,
  onEngine,
  SimEngine,
  withOptions,
} from '@troupe/lab'
import { aligned, exitCodes, writeJson } from '../output.ts'
import { checkMutant } from '../sim/output.ts'
import { inOrder, keepProofs, type Proof, rowOf, tableOf } from './proofs-file.ts'
import { mutantWorker } from './workers.ts'

/** Seeds that are run before anybody looks. */
const WAVE = 10
/** A bug may be seldom met: so many times the seeds of the file. */
const PATIENCE = 2

export async function prove(
  loaded: readonly Loaded[],
  { table, json }: { readonly table: string | undefined; readonly json: string | undefined },
  out: OutputStream,
  context: CommandContext,
): Promise<number> {
  const items = loaded
    .map(({ item }) => ({ ...item, scenario: onEngine(item.scenario, 'sim') }))
    .filter(({ scenario }) => scenario.proof !== undefined)
  for (const slip of slipsOf(items)) checkMutant(slip, 'proof.slips')
  if (items.length === 0) throw invalidOption('--prove', 'nothing', 'scenarios with a proof')
  const proofs: Proof[] = []
  const note = (proof: Proof): void => {
    proofs.push(proof)
    out.write(`${proof.isProven ? 'broken ' : 'SURVIVED'} ${rowOf(proof).join('; ')}\n`)
  }
  for (const slip of slipsOf(items)) {
    const engine = new SimEngine({ worker: mutantWorker, workerData: { mutant: slip } })
    try {
      for (const item of items) {
        if (item.scenario.proof?.slips?.includes(slip)) note(await bySlip(item, slip, engine, context.signal))
        if (context.signal.aborted) return exitCodes.interrupted
      }
    } finally {
      await engine.close()
    }
  }
  const engine = new SimEngine()
  try {
    for (const item of items) {
      if (item.scenario.proof?.broken !== undefined) note(await byOptions(item, engine, context.signal))
    }
  } finally {
    await engine.close()
  }
  return conclude(proofs, table, json, out, context)
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

async function bySlip(item: Case, slip: string, engine: Engine, signal: AbortSignal): Promise<Proof> {
  const { base, runs: count } = seedsOf(item, engine)
  const { file, name } = item
  const most = count * PATIENCE
  for (let done = 0; done < most && !signal.aborted; done += WAVE) {
    const seeds = Array.from({ length: WAVE }, (_, at) => base + done + at)
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
      runs: failed === undefined ? done + WAVE : failed.seed - base + 1,
    }
  }
  return { file, name, slip, isProven: false, how: 'survived', runs: most }
}

async function byOptions(item: Case, engine: Engine, signal: AbortSignal): Promise<Proof> {
  const { base, runs: count } = seedsOf(item, engine)
  const broken = { ...item, scenario: withOptions(item.scenario, item.scenario.proof?.broken ?? {}) }
  const runs = await runsOf(
    broken,
    Array.from({ length: count }, (_, at) => base + at),
    engine,
    signal,
  )
  const { verdict, asserted } = judge(broken, runs)
  const how = asserted.find((one) => one.verdict === verdict)?.text ?? ''
  const { file, name } = item
  return { file, name, slip: undefined, isProven: verdict !== 'pass', how: `${verdict}: ${how}`, runs: count }
}
