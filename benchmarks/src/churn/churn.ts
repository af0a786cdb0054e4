/** `bench churn`: nodes crash and come back at random under load; afterwards nothing may be lost or done twice. */

import { hrtimeMs } from '@troupe/actor'
import type { Cluster } from '@troupe/cluster'
import type { Bench } from '../bench.ts'
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import { type LatencySummary, summarizeHistogram } from '../latency.ts'
import { delay } from '../load/failure.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  configurationOf,
  jsonOption,
  rateOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { type Output, type Report, type ReportDocument, runAndReport } from '../report.ts'
import { formatMs, formatNumber, rounded } from '../terminal/format.ts'
import { type Verdict, type Verification, verify } from '../verify.ts'
import { ChurnSchedule, type ChurnStep, minority } from './churn-schedule.ts'

const optionTable = {
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 60, help: 'how long nodes crash and come back' },
  all: { kind: 'flag', help: 'let all nodes be down at once (default: never more than a minority)' },
  'min-pause-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    default: 50,
    help: 'shortest time between two faults',
  },
  'max-pause-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    default: 600,
    help: 'longest time between two faults',
  },
  rate: rateOption,
  ...workloadOptionTable,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 2 },
  json: jsonOption,
} as const

type ChurnValues = OptionValues<typeof optionTable>

class ChurnReport implements Report {
  readonly steps: (ChurnStep & { readonly atMs: number })[] = []
  environment: Environment | undefined
  verification: Verification | undefined
  latencyMs: LatencySummary | undefined
  elections = 0
  unexpectedExits = 0
  readonly #values: ChurnValues

  constructor(values: ChurnValues) {
    this.#values = values
  }

  get crashes(): number {
    return this.steps.filter(({ kind }) => kind === 'crash').length
  }

  get verdict(): Verdict {
    return this.verification?.verdict ?? 'unknown'
  }

  print(output: Output): void {
    const { nodes, seconds, rate, machine } = this.#values
    output.title(`Churn: ${machine}, ${nodes} nodes, ${seconds} s, ${formatNumber(rate)} commands/s`)
    if (this.environment !== undefined) output.environment(this.environment)
    const { latencyMs } = this
    output.line(`${formatNumber(this.crashes)} crashes, ${formatNumber(this.elections)} elections`)
    if (latencyMs !== undefined) {
      const { p50, p99, max } = latencyMs
      const figures = `p50 ${formatMs(p50)} ms, p99 ${formatMs(p99)} ms, max ${formatMs(max)} ms`
      output.line(`latency from the intended start: ${figures}`)
    }
    if (this.unexpectedExits > 0)
      output.line(output.style.bad(`${this.unexpectedExits} workers died on their own`))
    if (this.verification !== undefined) output.verification(this.verification)
  }

  document(): ReportDocument {
    const { crashes, elections, unexpectedExits, latencyMs = null } = this
    const { acknowledged = null, unknown = null, lost = null, duplicated = null } = this.verification ?? {}
    return {
      benchmark: 'churn',
      headline: { crashes, elections, unexpectedExits, acknowledged, unknown, lost, duplicated, latencyMs },
      verification: this.verification ?? null,
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.steps,
    }
  }
}

const MS_PER_S = 1000
const VERIFY_MS = 5000

async function measureChurn(bench: Bench, values: ChurnValues, report: ChurnReport): Promise<void> {
  const { machine, durability, seconds, seed } = values
  report.environment = describeEnvironment(durability === 'memory' ? undefined : bench.directory, durability)
  const cluster = await bench.startCluster('churn', clusterOptions(values, machine))
  const load = bench.startLoad(cluster, workloadSpec(values), clientSettings([1], 1))
  cluster.on('leader', () => report.elections++)
  cluster.on('exit', ({ expected }) => {
    if (!expected) report.unexpectedExits++
  })
  const limits = {
    maxDown: values.all ? values.nodes : Math.max(1, minority(values.nodes)),
    minPauseMs: values['min-pause-ms'],
    maxPauseMs: Math.max(values['min-pause-ms'], values['max-pause-ms']),
  }
  const schedule = new ChurnSchedule(cluster.ids, limits, seed)
  bench.progress.begin('nodes crash and come back', seconds * MS_PER_S)
  await bench.or(load.startOpenLoop(values.rate))
  await crashAndRestart(bench, cluster, schedule, seconds * MS_PER_S, report)
  for (const id of schedule.down) await bench.or(cluster.restart(id))
  bench.progress.begin('checking that nothing was lost', VERIFY_MS)
  await stopLoad(bench, load, report)
  report.verification = await bench.or(verify(cluster, load))
}

async function crashAndRestart(
  bench: Bench,
  cluster: Cluster,
  schedule: ChurnSchedule,
  durationMs: number,
  report: ChurnReport,
): Promise<void> {
  const startMs = hrtimeMs()
  for (;;) {
    if (hrtimeMs() - startMs >= durationMs) return
    const step = schedule.next()
    await bench.or(delay(step.afterMs))
    if (step.kind === 'crash') await bench.or(cluster.crash(step.id))
    else await bench.or(cluster.restart(step.id))
    report.steps.push({ ...step, afterMs: rounded(step.afterMs), atMs: rounded(hrtimeMs() - startMs) })
    bench.progress.note(`${report.crashes} crashes`)
  }
}

async function stopLoad(bench: Bench, load: LoadGenerator, report: ChurnReport): Promise<void> {
  const { latency } = await bench.or(load.stopOpenLoop())
  report.latencyMs = summarizeHistogram(latency)
}

async function run(values: ChurnValues, context: CommandContext): Promise<number> {
  workloadSpec(values)
  const report = new ChurnReport(values)
  const { data, json, durability } = values
  const expectedMs = values.seconds * MS_PER_S + VERIFY_MS
  const options = { data, json, usesDisk: durability !== 'memory', expectedMs }
  return runAndReport(context, options, report, (bench) => measureChurn(bench, values, report))
}

export const churnCommand: Command<typeof optionTable> = {
  name: 'churn',
  summary: 'nodes crash and come back at random under load: is anything lost or applied twice?',
  details: [
    'A seed fixes who crashes when (--seed). Never more than a minority is down at once, unless --all is given.',
  ],
  options: optionTable,
  run,
}
