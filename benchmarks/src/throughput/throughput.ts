/** `bench throughput`: closed-loop load on a cluster, and afterwards the check that nothing was lost. */
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { sustainedFaultOf } from '../faults/sustained-faults.ts'
import { CHECK_MS, checkNothingLost, startLoaded } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptionTable,
  faultOption,
  outputOptionTable,
  readOptionTable,
  readSpec,
  windowOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { checkProfileDirectory, documentProfiles, printProfiles } from '../profile/profile-run.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { printStages } from '../stages/show.ts'
import { printAroundFault } from '../timeline/around-fault.ts'
import { type Verdict, worstOf } from '../verify.ts'
import { type LoadSpread, spreadColumns, spreadsOf } from './load-spread.ts'
import {
  describeLoad,
  describeScene,
  headlineRun,
  type LoadSettings,
  measureCluster,
  measureRig,
  medianRun,
  runMs,
  type ThroughputRun,
  throughputColumns,
  violationsOf,
} from './throughput-run.ts'

const optionTable = {
  window: windowOption,
  batch: {
    kind: 'integer',
    min: 1,
    max: 1 << 16,
    default: 1,
    help: 'commands of one call; above 1 proposeMany',
  },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 5, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 0.5, help: 'load before it, not measured' },
  repeat: { kind: 'integer', min: 1, max: 1000, default: 1, help: 'do all runs so often; the median counts' },
  rig: { kind: 'flag', help: 'run the bare path beside it, in turns, and print the ratio' },
  stages: { kind: 'flag', help: 'print in which stages commands spend their time' },
  profile: {
    kind: 'text',
    placeholder: 'DIR',
    otherwise: 'none',
    help: 'write a V8 CPU profile of every actor, and print its top functions; the run is slower then',
  },
  fault: faultOption,
  ...readOptionTable,
  ...workloadOptionTable,
  ...clusterOptionTable,
  ...outputOptionTable,
} as const

export type ThroughputValues = OptionValues<typeof optionTable>

/** Also part of the main job. */
export class ThroughputReport extends LoadReport<ThroughputValues> implements Report {
  readonly runs: ThroughputRun[] = []

  override get verdict(): Verdict {
    return worstOf([{ verdict: super.verdict }, { verdict: this.violations > 0 ? 'fail' : 'pass' }])
  }

  /** Reads that were older than they may be. */
  get violations(): number {
    return violationsOf(this.runs)
  }

  get spreads(): readonly LoadSpread[] {
    return spreadsOf(this.runs)
  }

  /** The figures that matter, of the fastest load. */
  headline(): Readonly<Record<string, unknown>> | null {
    const best = headlineRun(this.runs)
    if (best === undefined) return null
    const { timeline: _, distribution: __, stages: ___, profiles: ____, ...figures } = best
    const spread = this.spreads.find(({ window, batch }) => window === best.window && batch === best.batch)
    return { ...this.withChecks(figures), spread: spread ?? null }
  }

  print(output: Output): void {
    this.printHead(output, `Throughput: ${describeScene(this.values)}`)
    if (this.runs.length > 0) output.table(throughputColumns(this.runs), this.runs)
    this.#printSpreads(output)
    if (this.violations > 0) {
      output.line(output.style.bad(`${this.violations} reads were older than an acknowledged write`))
    }
    for (const { aroundFault } of this.runs)
      if (aroundFault !== undefined) printAroundFault(output, aroundFault)
    for (const run of this.runs) this.#printObserved(output, run)
    this.printCheck(output)
  }

  #printObserved(output: Output, { stages, profiles, ...run }: ThroughputRun): void {
    if (stages === undefined && profiles === undefined) return
    output.title(describeLoad(run))
    if (stages !== undefined) printStages(output, stages)
    if (profiles !== undefined) printProfiles(output, profiles)
  }

  /** The fastest load: over time, and its latencies; those of the other loads beside it. */
  pictures(): readonly Picture[] {
    const best = headlineRun(this.runs)
    if (best?.timeline === undefined) return []
    const medians = this.spreads.map(({ window, batch }) =>
      medianRun(this.runs.filter((run) => run.window === window && run.batch === batch)),
    )
    return [
      { kind: 'timeline', title: describeLoad(best), timeline: best.timeline },
      {
        kind: 'distribution',
        title: 'Latency by load',
        series: medians.map((run) => ({ label: describeLoad(run), points: run.distribution ?? [] })),
      },
    ]
  }

  #printSpreads(output: Output): void {
    const { spreads } = this
    if (this.values.repeat === 1 || spreads.length === 0) return
    output.line(`\nmedians of ${this.values.repeat} runs`)
    output.table(spreadColumns(spreads), spreads)
    for (const { window, spread, isTooWide } of spreads) {
      if (!isTooWide) continue
      const percent = Math.round(spread * 100)
      output.line(
        output.style.bad(`${window} outstanding: the runs differ by ${percent} %, too much to be trusted`),
      )
    }
  }

  document(): ReportDocument {
    const rows = this.runs.map(({ profiles, ...run }) => ({
      ...run,
      ...(profiles === undefined ? {} : { profiles: documentProfiles(profiles) }),
    }))
    return this.documentOf('throughput', this.headline(), this.checkedRows(rows), { spreads: this.spreads })
  }
}

/** Milliseconds that it takes, about. */
export function expectedThroughputMs(values: ThroughputValues): number {
  const times = {
    seconds: values.seconds,
    warmupSeconds: values['warmup-seconds'],
    fault: sustainedFaultOf(values.fault),
  }
  const runs = values.window.length * values.repeat * (values.rig ? 2 : 1)
  return runs * runMs(times) + CHECK_MS
}

/** Fills `report` as it goes. */
export async function measureThroughput(
  bench: Bench,
  values: ThroughputValues,
  report: ThroughputReport,
): Promise<void> {
  const settings = clientSettings(values.window, values.batch)
  const loaded = await startLoaded(bench, 'throughput', values, settings, report)
  const { cluster, load, conditions } = loaded
  const reads = readSpec(values)
  const fault = sustainedFaultOf(values.fault)
  const rig = values.rig ? await bench.startRig('rig', values.nodes) : undefined
  for (let repeat = 1; repeat <= values.repeat; repeat++) {
    for (const window of values.window) {
      const run: LoadSettings = {
        window,
        batch: values.batch,
        sizeBytes: values.size,
        seconds: values.seconds,
        warmupSeconds: values['warmup-seconds'],
        repeat,
        ...{ reads, fault, conditions },
        stages: values.stages,
        profileDirectory: values.profile,
      }
      const speed = rig === undefined ? undefined : await measureRig(bench, rig, run)
      report.runs.push(await measureCluster(bench, cluster, load, run, speed))
    }
  }
  await checkNothingLost(bench, loaded, report)
}

export const throughputCommand = commandOf({
  name: 'throughput',
  summary: 'commands per second and their latency, at a given number of outstanding commands',
  details: [
    'Closed loop: --window callers in a thread of their own each await their command before they make the next.',
    'Latency is sampled on up to 64 callers. With --batch B each call is a proposeMany of B commands, and its',
    'latency is that of the call.',
    'With --reads each answer is checked: it must not be older than what was acknowledged before it was asked for.',
    'Afterwards all replicas are compared by SHA-256, and every acknowledged command must be there, once.',
  ],
  options: optionTable,
  check(values) {
    clientSettings(values.window, values.batch)
    workloadSpec(values)
    readSpec(values)
    if (values.profile !== undefined) checkProfileDirectory(values.profile)
  },
  report: (values) => new ThroughputReport(values),
  usesDisk: ({ durability, rig }) => durability !== 'memory' || rig,
  expectedMs: expectedThroughputMs,
  measure: measureThroughput,
})
