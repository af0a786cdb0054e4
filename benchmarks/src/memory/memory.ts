/** `bench memory`: private memory of the whole process under full load. */
import type { Bench } from '../bench.ts'
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import {
  clientSettings,
  clusterOptions,
  clusterOptionTable,
  configurationOf,
  jsonOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { type Output, type Report, type ReportDocument, runAndReport } from '../report.ts'
import { formatMiB } from '../terminal/format.ts'
import { measureCluster, type ThroughputRun, throughputColumns } from '../throughput/throughput-run.ts'
import { type Verdict, type Verification, verify } from '../verify.ts'
import { type MemorySample, MemorySampler, type MemorySummary, summarizeMemory } from './memory-sampler.ts'

const optionTable = {
  seconds: { kind: 'number', min: 2, unit: 's', default: 60, help: 'how long' },
  window: {
    kind: 'integer',
    min: 1,
    max: 1 << 17,
    default: 8192,
    help: 'callers that each await their command',
  },
  batch: {
    kind: 'integer',
    min: 1,
    max: 1 << 16,
    default: 1,
    help: 'commands of one call; above 1 proposeMany',
  },
  ...workloadOptionTable,
  ...clusterOptionTable,
  json: jsonOption,
} as const

type MemoryValues = OptionValues<typeof optionTable>

class MemoryReport implements Report {
  samples: readonly MemorySample[] = []
  environment: Environment | undefined
  run: ThroughputRun | undefined
  verification: Verification | undefined
  readonly #values: MemoryValues

  constructor(values: MemoryValues) {
    this.#values = values
  }

  get memory(): MemorySummary | undefined {
    return summarizeMemory(this.samples)
  }

  get verdict(): Verdict {
    return this.verification?.verdict ?? 'unknown'
  }

  print(output: Output): void {
    const { seconds, machine, nodes } = this.#values
    output.title(`Memory: ${machine}, ${nodes} nodes, ${seconds} s of full load`)
    if (this.environment !== undefined) output.environment(this.environment)
    if (this.run !== undefined) output.table(throughputColumns([this.run]), [this.run])
    const { memory } = this
    if (memory !== undefined) {
      const { maxBytes, middleBytes, endBytes, growthBytes } = memory
      const points = `half-way ${formatMiB(middleBytes)}, at the end ${formatMiB(endBytes)}`
      output.line(
        `private memory: ${points}, growth ${formatMiB(growthBytes)}, largest ${formatMiB(maxBytes)}`,
      )
    }
    if (this.verification !== undefined) output.verification(this.verification)
  }

  document(): ReportDocument {
    const { lost = null, duplicated = null, unknown = null } = this.verification ?? {}
    const speed = this.run === undefined ? {} : { opsPerSecond: this.run.opsPerSecond }
    return {
      benchmark: 'memory',
      headline: { ...(this.memory ?? {}), ...speed, lost, duplicated, unknown },
      verification: this.verification ?? null,
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.run === undefined ? [] : [this.run],
      samples: this.samples,
    }
  }
}

const MS_PER_S = 1000
const VERIFY_MS = 3000

async function measureMemory(bench: Bench, values: MemoryValues, report: MemoryReport): Promise<void> {
  const { machine, durability, window, batch, size, seconds } = values
  report.environment = describeEnvironment(durability === 'memory' ? undefined : bench.directory, durability)
  const cluster = await bench.startCluster('memory', clusterOptions(values, machine))
  const load = bench.startLoad(cluster, workloadSpec(values), clientSettings([window], batch))
  const sampler = new MemorySampler()
  report.samples = sampler.samples
  try {
    const settings = { window, batch, sizeBytes: size, seconds, warmupSeconds: 0, repeat: 1 }
    report.run = await measureCluster(bench, cluster, load, settings)
  } finally {
    sampler.stop()
  }
  bench.progress.begin('checking that nothing was lost', VERIFY_MS)
  report.verification = await bench.or(verify(cluster, load))
}

async function run(values: MemoryValues, context: CommandContext): Promise<number> {
  workloadSpec(values)
  clientSettings([values.window], values.batch)
  const report = new MemoryReport(values)
  const { data, json, durability } = values
  const expectedMs = values.seconds * MS_PER_S + VERIFY_MS
  const options = { data, json, usesDisk: durability !== 'memory', expectedMs }
  return runAndReport(context, options, report, (bench) => measureMemory(bench, values, report))
}

export const memoryCommand: Command<typeof optionTable> = {
  name: 'memory',
  summary: 'private memory under full load: its largest value, and whether it grows',
  details: [
    'Sampled each second for the whole process (all nodes and the client). Half-way and end are medians over a',
    'sixth of the run each.',
  ],
  options: optionTable,
  run,
}
