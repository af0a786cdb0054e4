/**
 * `bench compare`: real peers under the same load, on the same machine, in one run. Each is started afresh for each
 * repeat and stopped after it, so that whoever is measured has the machine to itself; who begins changes from repeat to
 * repeat.
 */
import { invalidOption } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { Command, OptionValues } from '../command.ts'
import { checkEngine, type EngineValues } from '../engine/start-cluster.ts'
import { describeEnvironment } from '../environment.ts'
import {
  clusterOptionTable,
  configurationOf,
  connectOptionTable,
  outputOptionTable,
  windowOption,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { formatNumber } from '../terminal/format.ts'
import { orderOf } from '../turns.ts'
import { CompareReport } from './compare-report.ts'
import type { Contestant, ContestSettings } from './contestant.ts'
import { peers } from './peer-contestant.ts'
import { installLibraries } from './programs.ts'
import { DURABILITY, troupeConnected, troupeTcp, troupeThreads } from './troupe-contestant.ts'

const MS_PER_S = 1000
/** After each run what is stored is counted. */
const COUNT_MS = 1000

const optionTable = {
  peers: {
    kind: 'text',
    placeholder: 'A,B',
    otherwise: 'all',
    help: `peers to compare with, of ${peers.map(({ facts }) => facts.name).join(', ')}`,
  },
  window: { ...windowOption, default: [1, 64, 1024] },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 5, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 2, help: 'load before it, not measured' },
  repeat: {
    kind: 'integer',
    min: 1,
    max: 100,
    default: 3,
    help: 'do everything so often; the median counts',
  },
  size: workloadOptionTable.size,
  keys: workloadOptionTable.keys,
  seed: clusterOptionTable.seed,
  data: clusterOptionTable.data,
  ...connectOptionTable,
  connect: {
    ...connectOptionTable.connect,
    otherwise: 'three nodes of our own, over TCP and as threads',
    help: 'instead of ours, compare a cluster that runs already: host:port,host:port,…',
  },
  ...outputOptionTable,
} as const

type CompareValues = OptionValues<typeof optionTable>

/** Who takes part: ours first, which the others are compared with. */
export type Field = (values: CompareValues) => readonly [Contestant, ...Contestant[]]

/** @throws RaftError INVALID_OPTIONS for a name that is no peer's */
export function choosePeers(
  names: string | undefined,
  all: readonly Contestant[] = peers,
): readonly Contestant[] {
  if (names === undefined) return all
  const wanted = names.split(',').map((name) => name.trim())
  const known = all.map(({ facts }) => facts.name)
  const wrong = wanted.find((name) => !known.includes(name))
  if (wrong !== undefined) throw invalidOption('--peers', wrong, `one or more of ${known.join(', ')}`)
  return all.filter(({ facts }) => wanted.includes(facts.name))
}

/** One contestant, from its start to its end. */
async function measureContestant(
  bench: Bench,
  contestant: Contestant,
  values: CompareValues,
  settings: ContestSettings,
  repeat: number,
  report: CompareReport,
): Promise<void> {
  const { name, title } = contestant.facts
  const label = values.repeat === 1 ? title : `${title} (${repeat} of ${values.repeat})`
  bench.progress.begin(`${label} starts`, contestant.startMs)
  const running = await contestant.start(bench, settings)
  report.setVersion(name, running.version)
  for (const window of values.window) {
    bench.progress.begin(`${label}, ${formatNumber(window)} outstanding`, runMs(values))
    const durationMs = values.seconds * MS_PER_S
    const spec = { window, batch: 1, warmupMs: values['warmup-seconds'] * MS_PER_S, durationMs }
    report.runs.push({ contestant: name, window, repeat, ...(await running.run(spec)) })
  }
  await running.leave?.()
}

const runMs = (values: CompareValues): number =>
  (values.seconds + values['warmup-seconds']) * MS_PER_S + COUNT_MS

async function compare(
  bench: Bench,
  values: CompareValues,
  contestants: readonly Contestant[],
  report: CompareReport,
): Promise<void> {
  for (const { facts, missing } of contestants) {
    const lacks = missing()
    if (lacks === undefined) continue
    report.skip(facts.name, lacks)
    bench.warn(`${facts.title} is skipped, ${lacks.what} not found; ${lacks.install}`)
  }
  report.environment = describeEnvironment(bench.directory, DURABILITY)
  const workload = workloadSpec({ ...values, machine: 'kv' })
  const settings: ContestSettings = { workload, windows: values.window }
  for (let repeat = 1; repeat <= values.repeat; repeat++) {
    for (const contestant of orderOf(contestants, repeat - 1)) {
      const { name } = contestant.facts
      if (report.isOut(name)) continue
      try {
        await measureContestant(bench, contestant, values, settings, repeat, report)
      } catch (error) {
        if (bench.isInterrupted) throw error
        report.fail(name, error instanceof Error ? error.message : String(error))
      }
      // The next has the machine to itself.
      await bench.closeAll()
    }
  }
}

const realField: Field = (values) => {
  const others = choosePeers(values.peers)
  if (values.connect !== undefined) return [troupeConnected(engineOf(values)), ...others]
  return [troupeTcp, troupeThreads, ...others]
}

const engineOf = (values: CompareValues): EngineValues => ({
  ...{ engine: 'threads', durability: DURABILITY, connect: values.connect },
  'tls-authority': values['tls-authority'],
  'tls-certificate': values['tls-certificate'],
  'tls-key': values['tls-key'],
})

function expectedMsOf(values: CompareValues, contestants: readonly Contestant[]): number {
  const here = contestants.filter(({ missing }) => missing() === undefined)
  const eachMs = here.map(({ startMs }) => startMs + values.window.length * runMs(values))
  return values.repeat * eachMs.reduce((sum, ms) => sum + ms, 0)
}

/** The command, for whomever: a test has contestants of its own. */
export const compareCommandOf = (field: Field): Command<typeof optionTable> =>
  commandOf({
    name: 'compare',
    summary: 'the same load on etcd, RabbitMQ, JetStream, Redis and liferaft, and on us',
    details: [
      'Three nodes of each on this machine, one contestant after the other, and the same again for each repeat.',
      'Networked peers are compared with our TCP engine; the threads engine stands beside it, labelled. With --connect they',
      'are compared with a cluster that runs already, which is left as it was: for machines that are like ours.',
      "Closed loop: --window callers in a thread of their own, each awaits its peer's acknowledgement before its next.",
      'What an acknowledgement means differs: `durable` says whether a quorum has synced the command by then. Afterwards',
      'what is stored is counted against what was acknowledged.',
      `Servers come from Debian's packages (etcd-server, rabbitmq-server, nats-server, redis-server), client libraries by`,
      `\`${installLibraries()}\`. Whoever is not installed is skipped.`,
    ],
    options: optionTable,
    check(values) {
      workloadSpec({ ...values, machine: 'kv' })
      choosePeers(values.peers)
      checkEngine(engineOf(values))
    },
    report: (values) => {
      const contestants = field(values)
      return new CompareReport(contestants, contestants[0].facts.name, configurationOf(values))
    },
    expectedMs: (values) => expectedMsOf(values, field(values)),
    measure: (bench, values, report) => compare(bench, values, field(values), report),
  })

export const compareCommand = compareCommandOf(realField)
