/** `bench main`, which is what `pnpm start` runs: throughput, then crashes of the leader, then the checks. */
import type { Bench } from './bench.ts'
import type { Command, CommandContext, OptionValues } from './command.ts'
import { commandLineOf } from './command-line.ts'
import { type ElectionValues, expectedElectionMs, measureElections } from './election/election.ts'
import { ElectionReport } from './election/report.ts'
import {
  clusterOptionTable,
  configurationOf,
  outputOptionTable,
  rateOption,
  windowOption,
  workloadOptionTable,
  workloadSpec,
} from './options.ts'
import {
  defaultReportPath,
  type Output,
  type Picture,
  type Report,
  type ReportDocument,
  runAndReport,
} from './report.ts'
import {
  expectedThroughputMs,
  measureThroughput,
  ThroughputReport,
  type ThroughputValues,
} from './throughput/throughput.ts'
import { type Verdict, worstOf } from './verify.ts'

const optionTable = {
  window: { ...windowOption, default: [1, 64, 1024, 8192] },
  seconds: {
    kind: 'number',
    min: 0.1,
    unit: 's',
    default: 1.5,
    help: 'measured load of each throughput run',
  },
  repeat: { kind: 'integer', min: 1, max: 1000, default: 5, help: 'do them so often; the median counts' },
  trials: { kind: 'integer', min: 1, max: 10_000, default: 20, help: "crashes of the leader's worker" },
  rate: rateOption,
  ...workloadOptionTable,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 3 },
  ...outputOptionTable,
  json: { ...outputOptionTable.json, otherwise: 'reports/main-DATE.json' },
  html: { ...outputOptionTable.html, otherwise: 'reports/main-DATE.html' },
} as const

type MainValues = OptionValues<typeof optionTable>

class MainReport implements Report {
  readonly throughput: ThroughputReport
  readonly election: ElectionReport
  readonly #values: MainValues

  constructor(values: MainValues, throughput: ThroughputValues, election: ElectionValues) {
    this.#values = values
    this.throughput = new ThroughputReport(throughput)
    this.election = new ElectionReport(election)
  }

  get verdict(): Verdict {
    return worstOf([this.throughput, this.election])
  }

  print(output: Output): void {
    this.throughput.print(output)
    if (this.election.environment !== undefined) this.election.print(output)
  }

  pictures(): readonly Picture[] {
    return [...this.throughput.pictures(), ...this.election.pictures()]
  }

  document(): ReportDocument {
    const { throughput, election } = this
    return {
      benchmark: 'main',
      headline: { throughput: throughput.headline(), election: election.headline() },
      verification: {
        throughput: throughput.verification ?? null,
        election: election.results[0]?.verification ?? null,
      },
      configuration: configurationOf(this.#values),
      environment: throughput.environment ?? null,
      spreads: throughput.spreads,
      runs: throughput.document().runs,
      trials: election.results.flatMap(({ trials }) => trials),
    }
  }
}

async function measure(
  bench: Bench,
  throughput: ThroughputValues,
  election: ElectionValues,
  report: MainReport,
): Promise<void> {
  await measureThroughput(bench, throughput, report.throughput)
  // A fresh cluster, and the disk and the processors to itself.
  await bench.or(bench.closeAll())
  await measureElections(bench, election, report.election)
}

async function run(values: MainValues, context: CommandContext): Promise<number> {
  workloadSpec(values)
  const { durability } = values
  const now = new Date()
  const common: ThroughputValues & ElectionValues = {
    ...values,
    ...{ batch: 1, rig: false, 'warmup-seconds': 0.5, reads: 'none', mix: undefined, fault: 'none' },
    ...{ stages: false, profile: undefined },
  }
  const election: ElectionValues = common
  const options = {
    ...values,
    json: values.json ?? defaultReportPath('main', now),
    html: values.html ?? defaultReportPath('main', now, 'html'),
    usesDisk: durability !== 'memory',
    expectedMs: expectedThroughputMs(common) + expectedElectionMs(election),
    command: commandLineOf('bench main', optionTable, values),
  }
  const report = new MainReport(values, common, election)
  return runAndReport(context, options, report, (bench) => measure(bench, common, election, report))
}

export const mainCommand: Command<typeof optionTable> = {
  name: 'main',
  summary: 'what `pnpm start` runs: throughput, crashes of the leader, and the check that nothing was lost',
  details: [
    'Takes about a minute. Exits with 1 if anything was lost or applied twice, or if replicas differ.',
  ],
  options: optionTable,
  run,
}
