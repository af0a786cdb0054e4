/** `troupe run FILE|DIR…`: runs scenarios and judges them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext, OptionTable, OptionValues, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import {
  describeProblem,
  type Engine,
  engineNames,
  junitOf,
  type Loaded,
  loadFiles,
  MetricsServer,
  ReportFolder,
  RunMetrics,
  resultsOf,
  runSuite,
  ScenarioError,
  type SuiteResult,
} from '@troupe/lab'
import { parseAddress } from '@troupe/transport'
import { commandHelp } from '../help.ts'
import { parseOptions } from '../options.ts'
import { checkFolderOf, checkJson, exitCodes, jsonOption, textStream, writeJson } from '../output.ts'
import { Progress } from '../progress.ts'
import { checkMutant, sayMutant } from '../sim/output.ts'
import { unknownWord } from '../usage-error.ts'
import { describeCase, describeProgress, describeSuite } from './describe.ts'
import { enginesOf } from './engines.ts'
import { prove } from './prove.ts'
import { tablesPage } from './tables-page.ts'

const PATH = 'troupe run'

const options = {
  engine: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'where they run: sim (default) is virtual time, every seed another run; threads and tcp (processes) are real nodes, in real time; or an engine of a plug-in',
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
    help: 'show of each scenario that it can fail, by the bugs on purpose and the options that its proof names; with another --engine of those that do not run in sim',
  },
  table: {
    kind: 'text',
    placeholder: 'FILE',
    help: 'write the tables that files ask for as Markdown; with --prove what broke each scenario',
  },
  report: {
    kind: 'text',
    placeholder: 'DIR',
    help: 'write index.html, a page and an event log of each run that matters, results.json and junit.xml there',
  },
  events: { kind: 'flag', help: 'with --report: event logs of all runs, not only of those with a page' },
  record: {
    kind: 'text',
    placeholder: 'DIR',
    help: 'with --engine threads: record every turn of every node there, for troupe replay',
  },
  metrics: {
    kind: 'text',
    placeholder: '[HOST:]PORT',
    help: 'serve /metrics for Prometheus while it runs; HOST is 127.0.0.1 where there is none',
  },
  junit: { kind: 'text', placeholder: 'FILE', help: 'write the results as JUnit XML' },
  json: jsonOption,
} as const satisfies OptionTable

type Values = Omit<OptionValues<typeof options>, 'engine'> & { readonly engine: string }

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
  const values: Values = { ...parsed.values, engine: parsed.values.engine ?? 'sim' }
  if (paths.length === 0) throw invalidOption('FILE|DIR', undefined, `scenarios; see ${PATH} --help`)
  checkOutputs(values)
  try {
    const loaded = select(await loadFiles(paths), values)
    checkEngine(loaded, values)
    if (!values.prove) checkTables(loaded, values)
    if (!values.prove) return await runAll(loaded, values, commandOf(args), context)
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

function checkOutputs({
  json,
  junit,
  report,
  events,
  metrics,
  table,
  prove: isProof,
  ...values
}: Values): void {
  const { mutant, engine, network, record } = values
  if (isProof && mutant !== undefined) throw invalidOption('--mutant', mutant, 'nothing, with --prove')
  if (record !== undefined && engine !== 'threads')
    throw invalidOption('--record', record, 'nothing, without --engine threads')
  const isOfPlugIn = !(engineNames as readonly string[]).includes(engine)
  if (isOfPlugIn && (mutant !== undefined || isProof))
    throw invalidOption(isProof ? '--prove' : '--mutant', mutant ?? true, `nothing, with --engine ${engine}`)
  if (engine !== 'tcp' && network !== 'proxy')
    throw invalidOption('--network', network, 'nothing, without --engine tcp')
  if (table !== undefined) checkFolderOf(table, '--table')
  checkJson(json)
  if (junit !== undefined) checkFolderOf(junit, '--junit')
  if (report !== undefined) checkFolderOf(report, '--report')
  if (events && report === undefined) throw invalidOption('--events', true, '--report with it')
  if (mutant !== undefined) checkMutant(mutant)
  if (metrics !== undefined) parseAddress(metrics, '--metrics')
}

/** Engines of plug-ins are known once the files are read. */
function checkEngine(loaded: readonly Loaded[], { engine }: Values): void {
  const known = [...new Set([...engineNames, ...plugInsIn(loaded).map(({ name }) => name)])]
  if (!known.includes(engine)) throw invalidOption('--engine', engine, known.join(' or '))
}

const plugInsIn = (loaded: readonly Loaded[]): readonly Engine[] => [
  ...new Set(loaded.flatMap(({ engines }) => engines)),
]

function checkTables(loaded: readonly Loaded[], { table }: Values): void {
  if (table === undefined || loaded.some(({ item }) => item.scenario.table !== undefined)) return
  throw invalidOption('--table', table, 'scenarios with a table, or --prove with it')
}

function select(loaded: readonly Loaded[], { case: text }: Values): readonly Loaded[] {
  if (text === undefined) return loaded
  const found = loaded.filter(({ item }) => item.name.includes(text))
  if (found.length === 0) throw unknownWord('command', text, `${PATH}: no case has it in its name`)
  return found
}

async function runAll(
  loaded: readonly Loaded[],
  values: Values,
  command: string,
  context: CommandContext,
): Promise<number> {
  const out = textStream(values.json, context)
  const { mutant } = values
  if (mutant !== undefined) sayMutant(mutant, out)
  const metrics = new RunMetrics()
  const server = await metricsServer(values, metrics, out)
  const own = enginesOf(values)
  const progress = new Progress(out)
  const report = values.report === undefined ? undefined : new ReportFolder(values.report, command)
  try {
    const result = await runSuite(loaded, {
      // Real nodes need all cores: one case waits for the other.
      ...(values.engine !== 'sim' && { atOnce: 1 }),
      engines: own,
      engine: values.engine,
      runs: values.seeds,
      base: values.from,
      timeline: values.timeline,
      signal: context.signal,
      eventLogFolder: report?.eventLogFolder,
      hasAllEventLogs: values.events,
      onProgress: (now) => {
        metrics.planned(now.ofRuns)
        progress.show(now.runs / now.ofRuns, describeProgress(now))
      },
      onRun: ({ name }, ran, run) => metrics.ran(name, ran, run),
      onNow: ({ name }, ran, now) => metrics.says(name, ran, now),
      onCase: (one) => {
        progress.write(describeCase(one, out, context.env))
        report?.writeCase(one)
      },
    })
    tell(result, values, { command, report }, out, context)
    return context.signal.aborted ? exitCodes.interrupted : exitCodes[result.verdict]
  } finally {
    await server?.close()
    for (const engine of [...own, ...plugInsIn(loaded)]) await engine.close()
  }
}

async function metricsServer(
  { metrics: address }: Values,
  metrics: RunMetrics,
  out: OutputStream,
): Promise<MetricsServer | undefined> {
  if (address === undefined) return undefined
  const { host, port } = parseAddress(address, '--metrics')
  const server = await MetricsServer.open(host, port, metrics)
  out.write(`metrics: http://${host}:${server.port}/metrics\n`)
  return server
}

/** What makes the same again. */
const commandOf = (args: readonly string[]): string =>
  [`pnpm ${PATH}`, ...args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `'${arg}'`))].join(' ')

function tell(
  result: SuiteResult,
  values: Values,
  { command, report }: { readonly command: string; readonly report: ReportFolder | undefined },
  out: OutputStream,
  context: CommandContext,
): void {
  out.write(describeSuite(result, values.timeline))
  writeJson(values.json, resultsOf(result, command), context)
  if (values.table !== undefined) writeFileSync(values.table, tablesPage(result.cases))
  if (values.junit !== undefined) writeFileSync(values.junit, junitOf(result))
  if (report === undefined) return
  report.writeSuite(result)
  out.write(`report: ${join(values.report ?? '', 'index.html')}\n`)
}
