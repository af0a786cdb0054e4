/** `troupe run FILE|DIR…`: runs scenarios and judges them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext, OptionTable, OptionValues, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import {
  describeProblem,
  type Engine,
  junitOf,
  type Loaded,
  loadFiles,
  runSuite,
  ScenarioError,
  SimEngine,
  type SuiteResult,
  TcpEngine,
  ThreadsEngine,
} from '@troupe/lab'
import { commandHelp } from '../help.ts'
import { parseOptions } from '../options.ts'
import { checkFolderOf, exitCodes, jsonOption, textStream, writeJson } from '../output.ts'
import { Progress } from '../progress.ts'
import { checkMutant, sayMutant } from '../sim/output.ts'
import { unknownWord } from '../usage-error.ts'
import { describeCase, describeSuite } from './describe.ts'
import { prove } from './prove.ts'
import { mutantNode, mutantWorker } from './workers.ts'

const PATH = 'troupe run'

const options = {
  engine: {
    kind: 'choice',
    choices: ['sim', 'threads', 'tcp'],
    default: 'sim',
    help: 'where they run: sim is virtual time, every seed another run; threads and tcp (processes) are real nodes, in real time',
  },
  network: {
    kind: 'choice',
    choices: ['proxy', 'namespaces'],
    default: 'proxy',
    help: 'between the nodes of tcp: a fault proxy, or a network namespace for each (for whoever may make them)',
  },
  seeds: { kind: 'integer', min: 1, help: 'runs of each case; without it what the file says' },
  from: { kind: 'integer', min: 0, help: 'the first seed; without it what the file says' },
  case: { kind: 'text', placeholder: 'TEXT', help: 'only cases whose name contains it' },
  timeline: { kind: 'flag', help: 'print what happened before the first failure, or in a single run' },
  mutant: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'run the sources with a bug on purpose (packages/sim/src/mutants): a scenario has to find it',
  },
  prove: {
    kind: 'flag',
    help: 'show of each scenario that it can fail: by the bugs on purpose and the options that its proof names',
  },
  table: { kind: 'text', placeholder: 'FILE', help: 'with --prove: write what broke each as Markdown' },
  report: { kind: 'text', placeholder: 'DIR', help: 'write results.json and junit.xml there' },
  junit: { kind: 'text', placeholder: 'FILE', help: 'write the results as JUnit XML' },
  json: jsonOption,
} as const satisfies OptionTable

type Values = OptionValues<typeof options>

const SUMMARY = 'runs scenarios: what happens to a cluster is in files, and so is what must be true of it'
const DETAILS = [
  `${PATH} test/scenarios        the whole suite`,
  'docs/scenarios.md tells how to write them.',
]

/** Runs `troupe run ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function runCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const { paths, rest } = takePaths(args)
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') {
    const command = {
      name: PATH,
      summary: SUMMARY,
      details: DETAILS,
      options,
      operand: 'file|dir',
      run: async () => 0,
    }
    context.stdout.write(commandHelp(PATH, command))
    return exitCodes.pass
  }
  const { values } = parsed
  if (paths.length === 0) throw invalidOption('FILE|DIR', undefined, `scenarios; see ${PATH} --help`)
  checkOutputs(values)
  try {
    const loaded = select(await loadFiles(paths), values)
    if (!values.prove) return await runAll(loaded, values, context)
    return await prove(loaded, values, textStream(values.json, context), context)
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    // All of them: whoever mends a file wants to do it once.
    for (const problem of error.problems) context.stderr.write(`troupe: ${describeProblem(problem)}\n`)
    return exitCodes.usage
  }
}

/** What stands before the first option, and behind options that have their value. */
function takePaths(args: readonly string[]): { readonly paths: string[]; readonly rest: string[] } {
  const paths: string[] = []
  const rest: string[] = []
  let isValue = false
  for (const arg of args) {
    const name = arg.slice(2)
    if (arg.startsWith('-')) rest.push(arg)
    else (isValue ? rest : paths).push(arg)
    isValue =
      arg.startsWith('--') && Object.hasOwn(options, name) && options[name as keyof Values].kind !== 'flag'
  }
  return { paths, rest }
}

function checkOutputs({ json, junit, report, table, prove: isProof, ...values }: Values): void {
  const { mutant, engine, network } = values
  if (engine === 'tcp' && (mutant !== undefined || isProof))
    throw invalidOption(isProof ? '--prove' : '--mutant', mutant ?? true, 'nothing, with --engine tcp')
  if (engine !== 'tcp' && network !== 'proxy')
    throw invalidOption('--network', network, 'nothing, without --engine tcp')
  if (table !== undefined) {
    if (!isProof) throw invalidOption('--table', table, '--prove with it')
    checkFolderOf(table, '--table')
  }
  if (json !== undefined && json !== '-') checkFolderOf(json, '--json')
  if (junit !== undefined) checkFolderOf(junit, '--junit')
  if (report !== undefined) checkFolderOf(report, '--report')
  if (mutant !== undefined) checkMutant(mutant)
}

function select(loaded: readonly Loaded[], { case: text }: Values): readonly Loaded[] {
  if (text === undefined) return loaded
  const found = loaded.filter(({ item }) => item.name.includes(text))
  if (found.length === 0) throw unknownWord('command', text, `${PATH}: no case has it in its name`)
  return found
}

async function runAll(loaded: readonly Loaded[], values: Values, context: CommandContext): Promise<number> {
  const out = textStream(values.json, context)
  const { mutant } = values
  if (mutant !== undefined) sayMutant(mutant, out)
  const engine = engineOf(values)
  const progress = new Progress(out)
  try {
    const result = await runSuite(loaded, {
      engines: [engine],
      engine: values.engine,
      runs: values.seeds,
      base: values.from,
      timeline: values.timeline,
      signal: context.signal,
      onRun: (item, done, of) => progress.show(done / of, `${item.name}: ${done} of ${of} runs`),
      onCase: (one) => progress.write(describeCase(one, out, context.env)),
    })
    tell(result, values, out, context)
    return context.signal.aborted ? exitCodes.interrupted : exitCodes[result.verdict]
  } finally {
    await engine.close()
  }
}

function engineOf({ engine, mutant, network }: Values): Engine {
  if (engine === 'tcp') return new TcpEngine({ network: network === 'namespaces' ? network : 'proxy' })
  if (engine === 'threads') {
    if (mutant === undefined) return new ThreadsEngine()
    return new ThreadsEngine({ worker: mutantNode(), workerData: { mutant }, flags: ` --mutant ${mutant}` })
  }
  return new SimEngine(mutant === undefined ? {} : { worker: mutantWorker, workerData: { mutant } })
}

function tell(result: SuiteResult, values: Values, out: OutputStream, context: CommandContext): void {
  out.write(describeSuite(result, values.timeline))
  writeJson(values.json, result, context)
  if (values.junit !== undefined) writeFileSync(values.junit, junitOf(result))
  if (values.report === undefined) return
  mkdirSync(values.report, { recursive: true })
  writeFileSync(join(values.report, 'results.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  writeFileSync(join(values.report, 'junit.xml'), junitOf(result))
}
