/** `bench micro`: each part of the engine by itself, and whether a change has made one slower. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { invalidOption } from '@troupe/core'
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import { configurationOf, jsonOption } from '../options.ts'
import { type Output, type Report, type ReportDocument, runAndReport } from '../report.ts'
import { formatNumber, formatRatio } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { Verdict } from '../verify.ts'
import { type Baseline, type Comparison, compareWith, readBaseline, writeBaseline } from './baseline.ts'
import { expectedMicroMs, type MicroResult, type MicroSettings, runMicro } from './run-micro.ts'
import type { MicroTask } from './task.ts'
import { microTasks } from './tasks.ts'

const optionTable = {
  only: { kind: 'text', placeholder: 'TEXT', otherwise: 'all', help: 'those whose name contains this' },
  rounds: { kind: 'integer', min: 1, max: 1000, default: 9, help: 'of which the median counts' },
  'slice-ms': { kind: 'integer', min: 5, unit: 'ms', default: 200, help: 'of each task in each round' },
  compare: { kind: 'flag', help: 'with the baseline; exits with 1 if anything became slower than --margin' },
  margin: {
    kind: 'number',
    min: 0,
    unit: '%',
    default: 25,
    help: 'by how much a ratio may differ from the baseline and be the same',
  },
  write: { kind: 'flag', help: 'store the results as the baseline: on an idle machine only' },
  baseline: {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'benchmarks/baseline.json',
    help: 'where it is stored',
  },
  data: {
    kind: 'text',
    placeholder: 'DIR',
    otherwise: 'a temporary directory, removed at the end',
    help: 'where logs are written',
  },
  json: jsonOption,
} as const

type MicroValues = OptionValues<typeof optionTable>

const defaultPath = fileURLToPath(new URL('../../baseline.json', import.meta.url))
const PERCENT = 100

const resultColumns: Column<MicroResult>[] = [
  { title: 'task', value: ({ name }) => name, align: 'left' },
  { title: 'ns', value: ({ nsPerUnit }) => formatNumber(nsPerUnit, nsPerUnit < 100 ? 1 : 0) },
  { title: 'of one of', value: ({ unit }) => unit, align: 'left' },
  { title: '× yardstick', value: ({ ratio }) => formatRatio(ratio) },
  { title: 'yardstick', value: ({ yardstick }) => yardstick, align: 'left' },
  { title: 'spread', value: ({ spread }) => `${formatNumber(spread * PERCENT)} %` },
]

const comparisonColumns: Column<Comparison>[] = [
  { title: 'task', value: ({ name }) => name, align: 'left' },
  { title: 'before', value: ({ before }) => formatRatio(before) },
  { title: 'now', value: ({ now }) => formatRatio(now) },
  { title: 'change', value: ({ change }) => (change === null ? '–' : signed(change)) },
  { title: '', value: ({ verdict }) => verdict, align: 'left' },
]

const signed = (change: number): string => `${change > 0 ? '+' : ''}${formatNumber(change * PERCENT)} %`

class MicroReport implements Report {
  results: readonly MicroResult[] = []
  comparisons: readonly Comparison[] | undefined
  environment: Environment | undefined
  /** What of the baseline's surroundings is different. */
  strangeness: readonly string[] = []
  readonly #values: MicroValues

  constructor(values: MicroValues) {
    this.#values = values
  }

  get verdict(): Verdict {
    if (this.results.length === 0) return 'unknown'
    const changes = this.comparisons?.map(({ verdict }) => verdict) ?? []
    if (changes.includes('slower')) return 'fail'
    return changes.includes('unsteady') ? 'unknown' : 'pass'
  }

  print(output: Output): void {
    output.title('Parts of the engine by themselves')
    if (this.environment !== undefined) output.environment(this.environment)
    output.table(resultColumns, this.results)
    if (this.comparisons === undefined) return
    output.title(`Beside the baseline; ${formatNumber(this.#values.margin)} % are the same`)
    for (const strange of this.strangeness) output.line(output.style.bad(strange))
    output.table(comparisonColumns, this.comparisons)
  }

  document(): ReportDocument {
    return {
      benchmark: 'micro',
      headline: null,
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.results,
      comparisons: this.comparisons ?? null,
    }
  }
}

/** Other machines and other versions of Node.js have other ratios. */
export function strangenessOf(baseline: Baseline, environment: Environment): string[] {
  const compared = ['nodeVersion', 'cpuModel', 'platform'] as const
  return compared
    .filter((name) => baseline.environment[name] !== environment[name])
    .map(
      (name) =>
        `the baseline was made with ${name} ${baseline.environment[name]}, this is ${environment[name]}`,
    )
}

/** @throws RaftError INVALID_OPTIONS where no name fits */
export function chosenTasks(only: string | undefined): readonly MicroTask[] {
  if (only === undefined) return microTasks
  const chosen = microTasks.filter(({ name }) => name.includes(only))
  if (chosen.length > 0) return chosen
  throw invalidOption('--only', only, `a part of ${microTasks.map(({ name }) => name).join(', ')}`)
}

function checkTogether({ write, only, baseline }: MicroValues): void {
  if (write && only !== undefined)
    throw invalidOption('--only', only, 'nothing beside --write: all are stored')
  if (write && baseline === undefined && !existsSync(fileURLToPath(new URL('../../src', import.meta.url))))
    throw invalidOption('--write', true, 'a --baseline FILE outside of a checkout')
}

async function run(values: MicroValues, context: CommandContext): Promise<number> {
  checkTogether(values)
  const tasks = chosenTasks(values.only)
  const path = values.baseline ?? defaultPath
  const baseline = values.compare ? readBaseline(path) : undefined
  const settings: MicroSettings = { rounds: values.rounds, sliceMs: values['slice-ms'] }
  const expectedMs = expectedMicroMs(tasks.length, settings)
  const report = new MicroReport(values)
  const options = { data: values.data, json: values.json, usesDisk: true, expectedMs }
  return runAndReport(context, options, report, async (bench) => {
    const environment = describeEnvironment(bench.directory, 'flush-before-ack')
    report.environment = environment
    const begin = (round: number): void =>
      bench.progress.begin(`round ${round} of ${settings.rounds}`, expectedMs / settings.rounds)
    report.results = await bench.or(runMicro(tasks, bench.directory, settings, begin))
    if (baseline !== undefined) {
      report.strangeness = strangenessOf(baseline, environment)
      report.comparisons = compareWith(baseline.tasks, report.results, values.margin / PERCENT)
    }
    if (values.write)
      writeBaseline(path, {
        format: 1,
        environment: { ...environment },
        settings: { ...settings },
        tasks: report.results,
      })
  })
}

export const microCommand: Command<typeof optionTable> = {
  name: 'micro',
  summary:
    'codec, frames, mailbox, ports, core, log, apply and checker by themselves, beside a stored baseline',
  details: [
    'Times are told as multiples of a yardstick that runs right before each: a loop of plain JavaScript, a small write',
    'with its flush, or a message to another thread and back. So they can be compared with a baseline that was made on',
    'this machine under other circumstances, not with one of another machine.',
    '--compare exits with 1 if a task became slower by more than --margin, with 2 if its rounds lie too far apart to say.',
  ],
  options: optionTable,
  run,
}
