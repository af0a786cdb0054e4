/** `bench memory`: private memory of the whole process and the disk under full load. */
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { CHECK_MS, checkNothingLost, startLoaded } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptionTable,
  outputOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Figure, Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMiB, formatNumber, rounded } from '../terminal/format.ts'
import { measureCluster, type ThroughputRun, throughputColumns } from '../throughput/throughput-run.ts'
import { intervalMsFor } from '../timeline/timeline.ts'
import { type MemorySample, MemorySampler, type MemorySummary, summarizeMemory } from './memory-sampler.ts'

const optionTable = {
  seconds: { kind: 'number', min: 0.5, unit: 's', default: 60, help: 'how long' },
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
  ...outputOptionTable,
} as const

type MemoryValues = OptionValues<typeof optionTable>

const BYTES_PER_MIB = 1 << 20

class MemoryReport extends LoadReport<MemoryValues> implements Report {
  samples: readonly MemorySample[] = []
  run: ThroughputRun | undefined

  get memory(): MemorySummary | undefined {
    return summarizeMemory(this.samples)
  }

  print(output: Output): void {
    const { seconds, machine, nodes } = this.values
    this.printHead(output, `Memory: ${machine}, ${nodes} nodes, ${seconds} s of full load`)
    if (this.run !== undefined) output.table(throughputColumns([this.run]), [this.run])
    const { memory } = this
    if (memory !== undefined) {
      const { maxBytes, middleBytes, endBytes, growthBytes } = memory
      const points = `half-way ${formatMiB(middleBytes)}, at the end ${formatMiB(endBytes)}`
      output.line(
        `private memory: ${points}, growth ${formatMiB(growthBytes)}, largest ${formatMiB(maxBytes)}`,
      )
    }
    const diskBytes = this.samples.at(-1)?.diskBytes ?? null
    if (diskBytes !== null) output.line(`on the disk at the end: ${formatMiB(diskBytes)}`)
    this.printCheck(output)
  }

  figures(): readonly Figure[] {
    const { memory, run } = this
    if (memory === undefined || run === undefined) return []
    const [maximum, growth] = [memory.maxBytes, memory.growthBytes].map((bytes) =>
      formatNumber(bytes / BYTES_PER_MIB),
    )
    return [
      { value: maximum ?? '', unit: 'MiB', label: 'private memory at most' },
      { value: growth ?? '', unit: 'MiB', label: 'growth in the second half' },
      { value: formatNumber(run.opsPerSecond), unit: 'op/s', label: 'meanwhile' },
    ]
  }

  pictures(): readonly Picture[] {
    const { samples, run } = this
    if (samples.length === 0) return []
    const mib = (bytes: number | null): number | null =>
      bytes === null ? null : rounded(bytes / BYTES_PER_MIB, 1)
    const hasDisk = samples.some(({ diskBytes }) => diskBytes !== null)
    const disk = {
      label: 'on the disk, MiB',
      values: samples.map(({ diskBytes }) => mib(diskBytes)),
      side: 'right' as const,
    }
    const memory = {
      label: 'private memory, MiB',
      values: samples.map(({ privateBytes }) => mib(privateBytes)),
    }
    const amounts: Picture = {
      kind: 'amounts',
      title: hasDisk ? 'Memory and disk' : 'Memory',
      note: 'Of the whole process, all nodes and the client. The disk falls where snapshots let the log go.',
      left: 'private memory, MiB',
      ...(hasDisk ? { right: 'on the disk, MiB' } : {}),
      atSeconds: samples.map(({ atSeconds }) => atSeconds),
      series: hasDisk ? [memory, disk] : [memory],
    }
    if (run?.timeline === undefined) return [amounts]
    return [amounts, { kind: 'timeline', title: 'Meanwhile', timeline: run.timeline }]
  }

  /** Over time: what a spreadsheet is for. */
  csvRows(): readonly MemorySample[] {
    return this.samples
  }

  document(): ReportDocument {
    const speed = this.run === undefined ? {} : { opsPerSecond: this.run.opsPerSecond }
    const diskBytes = this.samples.at(-1)?.diskBytes ?? null
    const headline = this.withChecks({ ...(this.memory ?? {}), diskBytes, ...speed })
    const runs = this.checkedRows(this.run === undefined ? [] : [this.run])
    return this.documentOf('memory', headline, runs, { samples: this.samples })
  }
}

const MS_PER_S = 1000

async function measureMemory(bench: Bench, values: MemoryValues, report: MemoryReport): Promise<void> {
  const { durability, window, batch, size, seconds } = values
  const loaded = await startLoaded(bench, 'memory', values, clientSettings([window], batch), report)
  const { cluster, load, conditions } = loaded
  const sampler = new MemorySampler(
    durability === 'memory' ? undefined : bench.directory,
    intervalMsFor(seconds * MS_PER_S),
  )
  report.samples = sampler.samples
  try {
    const settings = { window, batch, sizeBytes: size, seconds, warmupSeconds: 0, repeat: 1, conditions }
    report.run = await measureCluster(bench, cluster, load, settings)
  } finally {
    sampler.stop()
  }
  await checkNothingLost(bench, loaded, report)
}

export const memoryCommand = commandOf({
  name: 'memory',
  summary: 'private memory under full load, its largest value and whether it grows; and the disk',
  details: [
    'Sampled each second for the whole process (all nodes and the client). Half-way and end are medians over a',
    'sixth of the run each. --csv has the samples.',
  ],
  options: optionTable,
  check(values) {
    workloadSpec(values)
    clientSettings([values.window], values.batch)
  },
  report: (values) => new MemoryReport(values),
  expectedMs: ({ seconds }) => seconds * MS_PER_S + CHECK_MS,
  measure: measureMemory,
})
