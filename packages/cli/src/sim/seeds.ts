/** `troupe sim` alone: runs seeds, many at once or one to look at. */
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { invalidOption, overlayTopologies } from '@troupe/core'
import { interleavings, type RunResult, runSeed, workloadKinds } from '@troupe/sim'
import { parseOptions } from '../options.ts'
import { exitCodes, jsonOption, showHelp, textStream, writeJson } from '../output.ts'
import { checkMutant, sayMutant, workloadFor } from './output.ts'
import { runTasks } from './pool.ts'
import { stepThrough } from './step.ts'
import { Tally } from './tally.ts'
import type { SimTask, SimTaskResult } from './worker.ts'

const PATH = 'troupe sim'

const options = {
  seeds: { kind: 'integer', min: 1, default: 100, help: 'how many seeds to run, over all cores' },
  from: { kind: 'integer', min: 0, default: 1, help: 'the first of them' },
  seed: { kind: 'integer', min: 0, help: 'run this one seed only, and say what it came to' },
  nodes: {
    kind: 'integer',
    min: 1,
    max: 7,
    help: 'voters at the start; without it, from 1 to 7 by the seed',
  },
  seconds: {
    kind: 'number',
    min: 0.1,
    unit: 'virtual s',
    default: 30,
    help: 'length of the phase with faults',
  },
  'exceed-budget': {
    kind: 'flag',
    help: 'let faults destroy what a quorum has agreed on: seeds may fail then',
  },
  calm: {
    kind: 'flag',
    help: 'no faults, transfers or changes of the members: then the first leader stays',
  },
  'check-determinism': { kind: 'flag', help: 'run each seed twice and compare the traces' },
  timeline: { kind: 'flag', help: 'with --seed: print what happened, one line for each event' },
  step: { kind: 'flag', help: 'with --seed: walk through event by event, with a table of all nodes' },
  mutant: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'run the sources with a bug on purpose (packages/sim/src/mutants): the simulator has to find it',
  },
  interleaving: {
    kind: 'choice',
    choices: interleavings,
    default: 'random',
    help: 'how turns of nodes follow each other: by chance, or by priorities that change now and then',
  },
  workload: {
    kind: 'choice',
    choices: workloadKinds,
    default: 'kv',
    help: 'what the nodes replicate, and its clients do: keys and values, or a queue with producers and consumers',
  },
  topology: {
    kind: 'choice',
    choices: overlayTopologies,
    default: 'mesh',
    help: 'who is connected to whom: frames to all others are relayed',
  },
  json: jsonOption,
} as const satisfies OptionTable

type Values = OptionValues<typeof options>

const SUMMARY =
  'the whole stack in virtual time, under faults, with every invariant checked after every event'
const COMMANDS = [
  `${PATH} replay FILE      runs a schedule again`,
  `${PATH} shrink --seed N  makes a failing seed smaller, and writes a schedule`,
  `${PATH} mutants          finds every bug that is put in on purpose`,
  `${PATH} campaign         new seeds for so many minutes, summed up in a file`,
]

/** Runs `troupe sim ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function seedsCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options, COMMANDS)
  const { values } = parsed
  const { mutant, seed, step, json } = values
  if (mutant !== undefined) {
    checkMutant(mutant)
    if (step) throw invalidOption('--mutant', mutant, 'no --step with it')
    sayMutant(mutant, textStream(json, context))
  }
  if (seed === undefined) return runMany(values, context)
  const plan = planOptions(values, seed)
  return step ? stepThrough(plan, context) : runOne(values, plan, context)
}

function planOptions(values: Values, seed: number): Omit<SimTask, 'checkDeterminism'> {
  const { nodes, seconds, calm, interleaving, topology, 'exceed-budget': exceedBudget } = values
  const workload = workloadFor(values.mutant, values.workload)
  return { seed, nodes, seconds, calm, interleaving, workload, topology, exceedBudget }
}

async function runOne(
  values: Values,
  plan: ReturnType<typeof planOptions>,
  context: CommandContext,
): Promise<number> {
  const out = textStream(values.json, context)
  const trace = values.timeline ? (line: string): unknown => out.write(`${line}\n`) : undefined
  const result =
    values.mutant === undefined
      ? runSeed({ ...plan, ...(trace === undefined ? {} : { trace: (line) => void trace(line) }) })
      : await runMutant(values.mutant, { ...plan, timeline: values.timeline }, context)
  if (result === undefined) return exitCodes.interrupted
  // Of a mutant there are only the last lines, and only where it failed.
  for (const line of result.timeline ?? []) trace?.(line)
  out.write(describe(result))
  writeJson(values.json, result, context)
  return exitCodes[result.verdict]
}

/** In a thread of its own: this one has loaded the sources as they are. Undefined where it was interrupted. */
async function runMutant(
  mutant: string,
  plan: Omit<SimTask, 'checkDeterminism'>,
  { signal }: CommandContext,
): Promise<SimTaskResult | undefined> {
  const results: SimTaskResult[] = []
  const task = { ...plan, checkDeterminism: false }
  await runTasks([task], (result) => results.push(result), signal, mutant)
  return results[0]
}

function describe({
  seed,
  verdict,
  events,
  virtualMs,
  traceHash,
  coverage,
  failure,
  reproduce,
}: RunResult): string {
  const lines = [`seed ${seed}: ${verdict}, ${events} events in ${(virtualMs / 1000).toFixed(1)} virtual s`]
  lines.push(`trace ${traceHash}`)
  if (failure !== undefined) {
    lines.push(
      `${failure.invariant}, at ${failure.atMs.toFixed(3)} ms, event ${failure.event}: ${failure.message}`,
    )
    lines.push(`reproduce: ${reproduce}`)
  }
  const counts = Object.entries(coverage).filter(([, count]) => count > 0)
  lines.push(counts.map(([name, count]) => `${name} ${count}`).join(', '))
  return `${lines.join('\n')}\n`
}

async function runMany(values: Values, context: CommandContext): Promise<number> {
  const { seeds, from } = values
  const out = textStream(values.json, context)
  const tally = new Tally(seeds, out)
  const tasks = function* (): Iterable<SimTask> {
    for (let seed = from; seed < from + seeds; seed++) {
      yield { ...planOptions(values, seed), checkDeterminism: values['check-determinism'] }
    }
  }
  await runTasks(tasks(), (result) => tally.add(result), context.signal, values.mutant)
  tally.finish()
  writeJson(values.json, { mutant: values.mutant, ...tally.report() }, context)
  if (context.signal.aborted) return exitCodes.interrupted
  return exitCodes[tally.verdict]
}
