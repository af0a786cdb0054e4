/** `bench rig`: the bare path without Raft, the bound that `bench throughput --rig` compares with. */
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { describeEnvironment, type Environment } from '../environment.ts'
import {
  clusterOptionTable,
  configurationOf,
  jsonOption,
  windowOption,
  workloadOptionTable,
} from '../options.ts'
import { type Output, type Report, type ReportDocument, runAndReport } from '../report.ts'
import { headlineRun, measureRig, runMs, type Speed, speedColumns } from '../throughput/throughput-run.ts'
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
  json: jsonOption,
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
  readonly verdict: Verdict = 'pass'
  environment: Environment | undefined
  readonly #values: RigValues

  constructor(values: RigValues) {
    this.#values = values
  }

  print(output: Output): void {
    output.title(
      `Rig, the bare path without Raft: ${this.#values.size}-byte commands, ${this.#values.nodes} nodes`,
    )
    if (this.environment !== undefined) output.environment(this.environment)
    if (this.runs.length > 0) output.table(speedColumns(this.runs), this.runs)
  }

  document(): ReportDocument {
    const best = headlineRun(this.runs)
    return {
      benchmark: 'rig',
      headline: best === undefined ? null : { ...best },
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.runs,
    }
  }
}

async function run(values: RigValues, context: CommandContext): Promise<number> {
  const report = new RigReport(values)
  const { data, json, window: windows, batch, size: sizeBytes, seconds } = values
  const warmupSeconds = values['warmup-seconds']
  const expectedMs = windows.length * values.repeat * runMs({ seconds, warmupSeconds })
  return runAndReport(context, { data, json, usesDisk: true, expectedMs }, report, async (bench) => {
    report.environment = describeEnvironment(bench.directory, 'flush-before-ack')
    const rig = await bench.startRig('rig', values.nodes)
    for (let repeat = 1; repeat <= values.repeat; repeat++) {
      for (const window of windows) {
        const settings = { window, batch, sizeBytes, seconds, warmupSeconds, repeat }
        const speed = await measureRig(bench, rig, settings)
        report.runs.push({ ...speed, window, batch, sizeBytes, repeat })
      }
    }
  })
}

export const rigCommand: Command<typeof optionTable> = {
  name: 'rig',
  summary: 'the bare path: the same hops and flushes without Raft, state machine and checksums',
  details: [
    'What `bench throughput --rig` compares with. Its commands are bytes; nothing is encoded or applied.',
  ],
  options: optionTable,
  run,
}
