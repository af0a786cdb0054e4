/** `bench throughput`: closed-loop load on a cluster, and afterwards the check that nothing was lost. */
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import { checkEngine } from '../engine/start-cluster.ts'
import { sustainedFaultOf } from '../faults/sustained-faults.ts'
import { CHECK_MS, checkNothingLost, type LoadedCluster, startLoaded } from '../loaded-cluster.ts'
import { clientSettings, readSpec, workloadSpec } from '../options.ts'
import { checkProfileDirectory } from '../profile/profile-run.ts'
import { orderOf } from '../turns.ts'
import { EnginesReport } from './engines-report.ts'
import { optionTable, type ThroughputValues } from './throughput-options.ts'
import { ThroughputReport } from './throughput-report.ts'
import { type LoadSettings, measureCluster, measureRig, runMs } from './throughput-run.ts'

export type { ThroughputValues } from './throughput-options.ts'
export { ThroughputReport } from './throughput-report.ts'

const enginesOf = ({ engine }: { readonly engine: string }): readonly string[] => engine.split(',')

/** Milliseconds that it takes, about. */
export function expectedThroughputMs(values: ThroughputValues): number {
  const times = {
    seconds: values.seconds,
    warmupSeconds: values['warmup-seconds'],
    fault: sustainedFaultOf(values.fault),
  }
  const engines = enginesOf(values).length
  const runs = values.window.length * values.repeat * engines * (values.rig ? 2 : 1)
  return runs * runMs(times) + CHECK_MS
}

/** Fills `report` as it goes. */
export async function measureThroughput(
  bench: Bench,
  values: ThroughputValues,
  report: ThroughputReport,
): Promise<void> {
  await measureInTurns(bench, values, [report])
}

/** An engine, and what it comes to. */
interface Turn {
  readonly report: ThroughputReport
  readonly loaded: LoadedCluster
}

/** Every load on each engine, one after the other, before the next load: what drifts touches all of them. */
async function measureInTurns(
  bench: Bench,
  values: ThroughputValues,
  reports: readonly ThroughputReport[],
): Promise<void> {
  const settings = clientSettings(values.window, values.batch)
  const turns: Turn[] = []
  for (const report of reports) {
    const name = reports.length === 1 ? 'throughput' : report.engine
    turns.push({ report, loaded: await startLoaded(bench, name, report.values, settings, report) })
  }
  const rig = values.rig ? await bench.startRig('rig', values.nodes) : undefined
  for (let repeat = 1; repeat <= values.repeat; repeat++) {
    for (const window of values.window) {
      const run = settingsOf(values, window, repeat)
      for (const { report, loaded } of orderOf(turns, repeat - 1)) {
        const { cluster, load, conditions } = loaded
        const speed = rig === undefined ? undefined : await measureRig(bench, rig, run)
        report.runs.push(await measureCluster(bench, cluster, load, { ...run, conditions }, speed))
      }
    }
  }
  for (const { report, loaded } of turns) await checkNothingLost(bench, loaded, report)
}

function settingsOf(values: ThroughputValues, window: number, repeat: number): LoadSettings {
  const { batch, size, seconds, stages, profile, fault } = values
  return {
    ...{ window, batch, seconds, repeat, stages },
    sizeBytes: size,
    warmupSeconds: values['warmup-seconds'],
    reads: readSpec(values),
    fault: sustainedFaultOf(fault),
    profileDirectory: profile,
  }
}

/** One report for each engine; of several they are compared. */
function reportOf(values: ThroughputValues): EnginesReport {
  const reports = enginesOf(values).map((engine) => {
    const own = { engine, tls: engine !== 'threads' && values.tls === true }
    return new ThroughputReport({ ...values, ...own })
  })
  return new EnginesReport(values, reports)
}

export const throughputCommand = commandOf({
  name: 'throughput',
  summary: 'commands per second and their latency, at a given number of outstanding commands',
  details: [
    'Closed loop: --window callers in a thread of their own each await their command before they make the next.',
    'Latency is sampled on up to 64 callers. With --batch B each call is a proposeMany of B commands, and its',
    'latency is that of the call.',
    'With several engines each load runs on one after the other, and ratios are medians of those within a repeat.',
    'With --reads each answer is checked: it must not be older than what was acknowledged before it was asked for.',
    'Afterwards all replicas are compared by SHA-256, and every acknowledged command must be there, once.',
  ],
  options: optionTable,
  check(values) {
    clientSettings(values.window, values.batch)
    workloadSpec(values)
    readSpec(values)
    checkEngine(values)
    if (values.profile !== undefined) checkProfileDirectory(values.profile)
  },
  report: reportOf,
  usesDisk: ({ durability, rig }) => durability !== 'memory' || rig,
  expectedMs: expectedThroughputMs,
  measure: (bench, values, report) => measureInTurns(bench, values, report.reports),
})
