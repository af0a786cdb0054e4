/** `bench micro`: each part of the engine by itself, and whether a change has made one slower. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { invalidOption } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import { configurationOf, outputOptionTable } from '../options.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
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
  ...outputOptionTable,
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

  says(verdict: Verdict): string {
    if (this.results.length === 0) return 'nothing was measured'
    if (this.comparisons === undefined) return 'each part by itself, as multiples of a yardstick'
    if (verdict === 'pass') return 'no part became slower than in the baseline'
    return verdict === 'fail' ? 'a part became slower than in the baseline' : 'not all could be told apart'
  }

  /** Tasks of one yardstick can be compared with each other; beside a baseline each with what it was. */
  pictures(): readonly Picture[] {
    if (this.comparisons !== undefined) return [comparisonPicture(this.comparisons)]
    const groups = Map.groupBy(this.results, ({ yardstick }) => yardstick)
    return [...groups].map(([yardstick, results]) => ({
      kind: 'bars',
      title: `Multiples of the yardstick “${yardstick}”`,
      bars: results.map(({ name, ratio }) => ({
        label: name,
        value: ratio,
        text: `× ${formatRatio(ratio)}`,
      })),
    }))
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

function comparisonPicture(comparisons: readonly Comparison[]): Picture {
  const bars = comparisons.map(({ name, before, now, verdict }) => {
    const share = before === null ? 1 : now / before
    return { label: name, value: share, text: `× ${formatRatio(share)}`, group: verdict }
  })
  return {
    kind: 'bars',
    title: 'Time beside the baseline',
    note: '1 is what it was; longer is slower.',
    bars,
  }
}

/** Other machines and other versions of Node.js have other ratios. */
function strangenessOf(baseline: Baseline, environment: Environment): string[] {
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

const settingsOf = ({ rounds, 'slice-ms': sliceMs }: MicroValues): MicroSettings => ({ rounds, sliceMs })

const expectedMsOf = (values: MicroValues): number =>
  expectedMicroMs(chosenTasks(values.only).length, settingsOf(values))

async function measure(bench: Bench, values: MicroValues, report: MicroReport): Promise<void> {
  const path = values.baseline ?? defaultPath
  const baseline = values.compare ? readBaseline(path) : undefined
  const settings = settingsOf(values)
  const environment = describeEnvironment(bench.directory, 'flush-before-ack')
  report.environment = environment
  const begin = (round: number): void =>
    bench.progress.begin(`round ${round} of ${settings.rounds}`, expectedMsOf(values) / settings.rounds)
  const tasks = chosenTasks(values.only)
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
}

export const microCommand = commandOf({
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
  check(values) {
    checkTogether(values)
    chosenTasks(values.only)
    if (values.compare) readBaseline(values.baseline ?? defaultPath)
  },
  report: (values) => new MicroReport(values),
  usesDisk: () => true,
  expectedMs: expectedMsOf,
  measure,
})
