/** `bench rig`: the bare path without Raft, the bound that `bench throughput --rig` compares with. */
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import {
  clusterOptionTable,
  configurationOf,
  outputOptionTable,
  windowOption,
  workloadOptionTable,
} from '../options.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { printSpreads, spreadsOf } from '../throughput/load-spread.ts'
import {
  describeLoad,
  headlineRun,
  measureRig,
  medianRun,
  runMs,
  type Speed,
  speedColumns,
} from '../throughput/throughput-run.ts'
import type { Verdict } from '../verify.ts'

const optionTable = {
  window: windowOption,
  batch: { kind: 'integer', min: 1, max: 1 << 16, default: 1, help: 'commands of one call' },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 4, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 0.5, help: 'load before it, not measured' },
  repeat: { kind: 'integer', min: 1, max: 1000, default: 1, help: 'do all runs so often' },
  size: workloadOptionTable.size,
  nodes: clusterOptionTable.nodes,
  data: clusterOptionTable.data,
  ...outputOptionTable,
} as const

type RigValues = OptionValues<typeof optionTable>

interface RigRun extends Speed {
  readonly window: number
  readonly batch: number
  readonly sizeBytes: number
  readonly repeat: number
}

class RigReport implements Report {
  readonly runs: RigRun[] = []
  environment: Environment | undefined
  readonly #values: RigValues

  constructor(values: RigValues) {
    this.#values = values
  }

  get verdict(): Verdict {
    return this.runs.length === 0 ? 'unknown' : 'pass'
  }

  says(verdict: Verdict): string {
    return verdict === 'pass' ? 'what the bare path can do here' : 'not all was measured'
  }

  pictures(): readonly Picture[] {
    const groups = Map.groupBy(this.runs, ({ window, batch }) => `${window}×${batch}`)
    const medians = [...groups.values()].map(medianRun)
    if (medians.length === 0) return []
    const speeds = medians.map((run) => ({
      label: describeLoad(run),
      value: run.opsPerSecond,
      text: `${formatNumber(run.opsPerSecond)} op/s`,
    }))
    const latencies = medians.map((run) => ({
      label: describeLoad(run),
      value: run.latencyMs.p50 ?? 0,
      text: `${formatMs(run.latencyMs.p50)} ms`,
    }))
    return [
      { kind: 'bars', title: 'Operations per second', bars: speeds },
      { kind: 'bars', title: 'Median latency', bars: latencies },
    ]
  }

  print(output: Output): void {
    output.title(
      `Rig, the bare path without Raft: ${this.#values.size}-byte commands, ${this.#values.nodes} nodes`,
    )
    if (this.environment !== undefined) output.environment(this.environment)
    if (this.runs.length > 0) output.table(speedColumns(this.runs), this.runs)
    printSpreads(output, spreadsOf(this.runs))
  }

  document(): ReportDocument {
    const best = headlineRun(this.runs)
    return {
      benchmark: 'rig',
      headline: best === undefined ? null : { ...best },
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      spreads: spreadsOf(this.runs),
      runs: this.runs,
    }
  }
}

async function measure(bench: Bench, values: RigValues, report: RigReport): Promise<void> {
  const { window: windows, batch, size: sizeBytes, seconds, repeat: repeats } = values
  const warmupSeconds = values['warmup-seconds']
  report.environment = describeEnvironment(bench.directory, 'flush-before-ack')
  const rig = await bench.startRig('rig', values.nodes)
  for (let repeat = 1; repeat <= repeats; repeat++) {
    for (const window of windows) {
      const settings = { window, batch, sizeBytes, seconds, warmupSeconds, repeat }
      const speed = await measureRig(bench, rig, settings)
      report.runs.push({ ...speed, window, batch, sizeBytes, repeat })
    }
  }
}

export const rigCommand = commandOf({
  name: 'rig',
  summary: 'the bare path: the same hops and flushes without Raft, state machine and checksums',
  details: [
    'What `bench throughput --rig` compares with. Its commands are bytes; nothing is encoded or applied.',
  ],
  options: optionTable,
  report: (values) => new RigReport(values),
  expectedMs: ({ window, repeat, seconds, 'warmup-seconds': warmupSeconds }) =>
    window.length * repeat * runMs({ seconds, warmupSeconds }),
  measure,
})
