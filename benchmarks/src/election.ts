/** `bench election`: how long a crash of the leader is felt. */
import type { Cluster } from '@troupe/cluster'
import type { Bench } from './bench.ts'
import type { Command, CommandContext, OptionValues } from './command.ts'
import { type ElectionTrial, NoElection, runTrial } from './election-trial.ts'
import { describeEnvironment, type Environment } from './environment.ts'
import { type LatencySummary, summarize, summarizeHistogram } from './latency.ts'
import type { LoadGenerator } from './load/load-generator.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  configurationOf,
  jsonOption,
  rateOption,
  workloadOptionTable,
  workloadSpec,
} from './options.ts'
import { type Output, type Report, type ReportDocument, runAndReport } from './report.ts'
import { formatMs, formatNumber } from './terminal/format.ts'
import type { Column } from './terminal/table.ts'
import { type Verdict, type Verification, verify } from './verify.ts'

const optionTable = {
  trials: { kind: 'integer', min: 1, max: 10_000, default: 20, help: 'crashes, one after the other' },
  fault: {
    kind: 'choice',
    choices: ['crash'],
    default: 'crash',
    help: "crash: the leader's worker ends at once",
  },
  rate: rateOption,
  ...workloadOptionTable,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3 },
  json: jsonOption,
} as const

export type ElectionValues = OptionValues<typeof optionTable>

const measures = ['timeToLeaderMs', 'timeToFirstCommitMs', 'timeToCaughtUpMs'] as const
type Measure = (typeof measures)[number]

const titles: Readonly<Record<Measure, string>> = {
  timeToLeaderMs: 'crash to new leader',
  timeToFirstCommitMs: 'crash to first commit under it',
  timeToCaughtUpMs: 'restart to caught up',
}

const summaryColumns: readonly Column<{ readonly title: string } & LatencySummary>[] = [
  { title: '', value: ({ title }) => title, align: 'left' },
  { title: 'p50 ms', value: ({ p50 }) => formatMs(p50) },
  { title: 'p99 ms', value: ({ p99 }) => formatMs(p99) },
  { title: 'max ms', value: ({ max }) => formatMs(max) },
  { title: 'n', value: ({ samples }) => formatNumber(samples) },
]

/** Also part of the main job. */
export class ElectionReport implements Report {
  readonly trials: ElectionTrial[] = []
  environment: Environment | undefined
  verification: Verification | undefined
  /** From the intended start of each command, all trials long. */
  latencyMs: LatencySummary | undefined
  /** Leaders that took over, wanted or not. */
  elections = 0
  /** Workers that ended without being told to. */
  unexpectedExits = 0
  readonly #values: ElectionValues

  constructor(values: ElectionValues) {
    this.#values = values
  }

  get verdict(): Verdict {
    return this.verification?.verdict ?? 'unknown'
  }

  summary(measure: Measure): LatencySummary {
    return summarize(
      this.trials.map((trial) => trial[measure]),
      { alwaysP99: true },
    )
  }

  headline(): Readonly<Record<string, unknown>> | null {
    if (this.trials.length === 0) return null
    const { lost = null, duplicated = null, unknown = null } = this.verification ?? {}
    return {
      timeToLeaderMs: this.summary('timeToLeaderMs'),
      timeToFirstCommitMs: this.summary('timeToFirstCommitMs'),
      timeToCaughtUpMs: this.summary('timeToCaughtUpMs'),
      latencyMs: this.latencyMs ?? null,
      trials: this.trials.length,
      elections: this.elections,
      unexpectedExits: this.unexpectedExits,
      lost,
      duplicated,
      unknown,
    }
  }

  print(output: Output): void {
    const { rate, nodes, machine, size } = this.#values
    output.title(
      `Crash of the leader: ${machine}, ${nodes} nodes, ${formatNumber(rate)} ${size}-byte commands/s meanwhile`,
    )
    if (this.environment !== undefined) output.environment(this.environment)
    if (this.trials.length > 0) {
      const rows = measures.map((measure) => ({ title: titles[measure], ...this.summary(measure) }))
      const { latencyMs } = this
      if (latencyMs !== undefined) rows.push({ title: 'command, from its intended start', ...latencyMs })
      output.table(summaryColumns, rows)
      const crashes = `${this.trials.length} crashes, ${this.elections} elections`
      output.line(output.style.dim(`${crashes}; percentiles by nearest rank of n`))
    }
    if (this.unexpectedExits > 0)
      output.line(output.style.bad(`${this.unexpectedExits} workers died on their own`))
    if (this.verification !== undefined) output.verification(this.verification)
  }

  document(): ReportDocument {
    return {
      benchmark: 'election',
      headline: this.headline(),
      verification: this.verification ?? null,
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.trials,
    }
  }
}

const TRIAL_MS = 500
const VERIFY_MS = 2000

/** Milliseconds that it takes, about. */
export function expectedElectionMs({ trials }: ElectionValues): number {
  return trials * TRIAL_MS + VERIFY_MS
}

/** Fills `report` as it goes. */
export async function measureElections(
  bench: Bench,
  values: ElectionValues,
  report: ElectionReport,
): Promise<void> {
  const { trials, rate, machine, durability } = values
  report.environment = describeEnvironment(durability === 'memory' ? undefined : bench.directory, durability)
  const cluster = await bench.startCluster('election', clusterOptions(values, machine))
  const load = bench.startLoad(cluster, workloadSpec(values), clientSettings([1], 1))
  cluster.on('leader', () => report.elections++)
  cluster.on('exit', ({ expected }) => {
    if (!expected) report.unexpectedExits++
  })
  bench.progress.begin(`${trials} crashes of the leader`, trials * TRIAL_MS)
  await bench.or(load.startOpenLoop(rate))
  await bench.or(load.firstAck(0))
  let failure: NoElection | undefined
  try {
    for (let trial = 1; trial <= trials; trial++) {
      report.trials.push(await runTrial(bench, cluster, load, trial))
      bench.progress.step(trial, trials)
      bench.progress.note(`${trial} of ${trials}`)
    }
  } catch (error) {
    if (!(error instanceof NoElection)) throw error
    failure = error
  }
  const verification = await checkAfter(bench, report, load, cluster)
  // A cluster that stands still proves nothing; a loss is one all the same.
  report.verification =
    failure === undefined || verification.verdict === 'fail'
      ? verification
      : { ...verification, verdict: 'unknown', reason: failure.message }
}

async function checkAfter(
  bench: Bench,
  report: ElectionReport,
  load: LoadGenerator,
  cluster: Cluster,
): Promise<Verification> {
  bench.progress.begin('checking that nothing was lost', VERIFY_MS)
  const { latency } = await bench.or(load.stopOpenLoop())
  report.latencyMs = summarizeHistogram(latency)
  return bench.or(verify(cluster, load))
}

async function run(values: ElectionValues, context: CommandContext): Promise<number> {
  workloadSpec(values)
  const report = new ElectionReport(values)
  const { data, json, durability } = values
  const expectedMs = expectedElectionMs(values)
  const options = { data, json, usesDisk: durability !== 'memory', expectedMs }
  return runAndReport(context, options, report, (bench) => measureElections(bench, values, report))
}

export const electionCommand: Command<typeof optionTable> = {
  name: 'election',
  summary: "crashes the leader's worker under load: time to a new leader and to the first commit under it",
  details: [
    "Times count from the death of the leader's worker, written by the worker itself. The first commit is the first",
    'acknowledgement that the client gets from the new leader. Each crashed node is restarted from its files before',
    'the next crash. The load is an open loop: latency counts from the intended start of each command.',
  ],
  options: optionTable,
  run,
}
