/** What a soak has to show: a table by minutes, its checks, and everything for JSON. */
import type { Environment } from '../environment.ts'
import { median, percentile } from '../latency.ts'
import { configurationOf } from '../options.ts'
import type { Output, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { Verdict } from '../verify.ts'
import type { EpochVerification, FaultReport, SoakNews } from './soak-protocol.ts'
import { diskBytes, heapBytes, logShare, type RestSample, type SoakSample } from './soak-sample.ts'
import { checkSoak, type SoakEvidence, verdictOfChecks } from './soak-verdict.ts'

const SECONDS_PER_MINUTE = 60
/** Enough to see what it is. */
const MAX_LINES_SHOWN = 20
const MAX_LINES_KEPT = 10_000

interface Minute {
  readonly minute: number
  readonly samples: readonly SoakSample[]
  readonly faults: readonly FaultReport[]
}

export class SoakReport implements Report, SoakEvidence {
  readonly samples: SoakSample[] = []
  readonly rests: RestSample[] = []
  readonly faults: FaultReport[] = []
  readonly verifications: EpochVerification[] = []
  readonly lines: string[] = []
  readonly deaths: string[] = []
  failure: string | undefined
  environment: Environment | undefined
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  take(news: SoakNews): void {
    if (news.kind === 'sample') this.samples.push(news.sample)
    if (news.kind === 'rest') this.rests.push(news.rest)
    if (news.kind === 'fault') this.faults.push(news.fault)
    if (news.kind === 'verification') this.verifications.push(news.verification)
    if (news.kind === 'death') this.deaths.push(news.text)
  }

  takeLine(line: string): void {
    if (this.lines.length < MAX_LINES_KEPT) this.lines.push(line)
  }

  get verdict(): Verdict {
    return verdictOfChecks(checkSoak(this))
  }

  print(output: Output): void {
    const { machine, nodes, minutes } = this.#values
    output.title(`Soak: ${machine}, ${nodes} nodes, ${minutes} minutes`)
    if (this.environment !== undefined) output.environment(this.environment)
    const allocator = Object.entries(allocatorSettings())
    if (allocator.length > 0) output.line(output.style.dim(allocator.map((pair) => pair.join('=')).join(' ')))
    output.table(minuteColumns, this.#minutes())
    output.line()
    const { crashes, snapshotsInstalled, restarts } = this.headline()
    output.line(
      `${formatNumber(crashes)} crashes of nodes, ${formatNumber(snapshotsInstalled)} made up by a snapshot, ${formatNumber(restarts)} restarts of the cluster`,
    )
    const checks = checkSoak(this)
    const width = Math.max(...checks.map(({ name }) => name.length))
    for (const { name, verdict, text } of checks) {
      const line = `${verdict.padEnd(7)}  ${name.padEnd(width)}  ${text}`
      output.line(verdict === 'pass' ? output.style.good(line) : output.style.bad(line))
    }
    for (const line of this.lines.slice(0, MAX_LINES_SHOWN)) output.line(`  | ${line}`)
    for (const death of this.deaths.slice(0, MAX_LINES_SHOWN)) output.line(`  ! ${death}`)
  }

  headline() {
    const last = this.verifications.at(-1)
    return {
      acknowledged: last?.acknowledged ?? null,
      unknown: last?.unknown ?? null,
      lost: last?.lost ?? null,
      duplicated: last?.duplicated ?? null,
      crashes: this.faults.length,
      snapshotsInstalled: this.faults.reduce((sum, fault) => sum + fault.snapshotsInstalled, 0),
      restarts: Math.max(0, this.rests.length - 1),
      lines: this.lines.length,
      deaths: this.deaths.length,
    }
  }

  document(): ReportDocument {
    const { samples, rests, faults, verifications, lines, deaths, failure = null } = this
    return {
      benchmark: 'soak',
      headline: this.headline(),
      checks: checkSoak(this),
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      allocator: allocatorSettings(),
      failure,
      lines,
      deaths,
      runs: verifications,
      faults,
      rests,
      samples,
    }
  }

  #minutes(): Minute[] {
    const minuteOf = ({ atSeconds }: { readonly atSeconds: number }): number =>
      Math.floor(atSeconds / SECONDS_PER_MINUTE)
    const byMinute = Map.groupBy(this.samples, minuteOf)
    return [...byMinute].map(([minute, samples]) => {
      const faults = this.faults.filter((fault) => minuteOf(fault) === minute)
      return { minute, samples, faults }
    })
  }
}

/** What the environment tells the allocator of the cluster's process: it decides how much freed memory stays taken. */
function allocatorSettings(): Record<string, string> {
  const isOne = ([name]: readonly [string, unknown]): boolean =>
    /^(?:MALLOC_|GLIBC_TUNABLES$|LD_PRELOAD$)/.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(isOne)) as Record<string, string>
}

/** The middle of a minute's samples; of those that have the figure at all. */
function middle({ samples }: Minute, figureOf: (sample: SoakSample) => number | null): number | null {
  const figures = samples.map(figureOf).filter((figure) => figure !== null)
  return figures.length === 0 ? null : median(figures)
}

const count = (title: string, figureOf: (sample: SoakSample) => number | null): Column<Minute> => ({
  title,
  value: (row) => dashed(middle(row, figureOf), (value) => formatNumber(value)),
})

const mebibytes = (title: string, figureOf: (sample: SoakSample) => number | null): Column<Minute> => ({
  title,
  value: (row) => dashed(middle(row, figureOf), (value) => formatNumber(value / (1 << 20), 1)),
})

const dashed = (value: number | null, format: (value: number) => string): string =>
  value === null ? '–' : format(value)

/** The 99th percentile of the seconds' 99th percentiles is their worst: the middle says how it mostly was. */
function p99({ samples }: Minute): string {
  const figures = samples.map(({ p99Ms }) => p99Ms).filter((figure) => figure !== null)
  return figures.length === 0
    ? '–'
    : formatMs(
        percentile(
          figures.sort((a, b) => a - b),
          50,
        ),
      )
}

const sumOf = (sample: SoakSample, bytes: 'logBytes' | 'snapshotBytes' | 'segments'): number =>
  sample.nodes.reduce((sum, node) => sum + node[bytes], 0)

const minuteColumns: readonly Column<Minute>[] = [
  { title: 'minute', value: ({ minute }) => formatNumber(minute + 1) },
  count('op/s', ({ isLoaded, commandsPerSecond }) => (isLoaded ? commandsPerSecond : null)),
  { title: 'p99 ms', value: p99 },
  { title: 'crashes', value: ({ faults }) => formatNumber(faults.length) },
  mebibytes('private MiB', ({ privateBytes }) => privateBytes),
  mebibytes('heaps', heapBytes),
  mebibytes('disk MiB', diskBytes),
  mebibytes('log', (sample) => sumOf(sample, 'logBytes')),
  mebibytes('snapshots', (sample) => sumOf(sample, 'snapshotBytes')),
  mebibytes('records', (sample) => logShare(sample).retainedBytes),
  count('segments', (sample) => sumOf(sample, 'segments')),
  count('files', ({ openFiles }) => openFiles),
  count('threads', ({ threads }) => threads),
]
