/** What was measured so far, for Prometheus: while a suite goes on, and no longer. */
import type { Verdict } from '@troupe/check'
import type { CaseRun, RunNow } from '../engine.ts'
import { aboutPhases, type FigureName, figureNames } from '../figures.ts'

interface Series {
  count: number
  sum: number
  /** The latest ones, for quantiles. */
  readonly latest: number[]
}

interface OfCase {
  readonly engine: string
  readonly verdicts: Record<Verdict, number>
  readonly series: Map<FigureName, Series>
  now: RunNow | undefined
}

const MOST_KEPT = 2000
const QUANTILES = [0.5, 0.99, 1]
const PREFIX = 'troupe_lab_'

/** Names that people know these by. */
const known: Readonly<Record<string, string>> = {
  recoverySeconds: 'recovery_time_s',
  failureRate: 'request_failure_rate',
  replicaLagMs: 'replica_sync_lag_ms',
}

export class RunMetrics {
  readonly #cases = new Map<string, OfCase>()
  #planned = 0

  /** How many runs there will be. */
  planned(runs: number): void {
    this.#planned = runs
  }

  ran(name: string, engine: string, { verdict, figures }: CaseRun): void {
    const one = this.#case(name, engine)
    one.verdicts[verdict]++
    one.now = undefined
    for (const figure of figureNames) {
      for (const value of figures[figure] ?? []) note(one.series, figure, value)
    }
  }

  /** A run that goes on. */
  says(name: string, engine: string, now: RunNow): void {
    this.#case(name, engine).now = now
  }

  #case(name: string, engine: string): OfCase {
    const key = `${engine} ${name}`
    let one = this.#cases.get(key)
    if (one === undefined) {
      one = { engine, verdicts: { pass: 0, fail: 0, unknown: 0 }, series: new Map(), now: undefined }
      this.#cases.set(key, one)
    }
    return one
  }

  /** The text format of Prometheus, version 0.0.4. */
  get text(): string {
    const cases = [...this.#cases].map(([key, one]) => ({
      ...one,
      labels: { case: key.slice(one.engine.length + 1), engine: one.engine },
    }))
    const lines = [
      ...head('runs_planned', 'gauge', 'Runs that there will be.'),
      line('runs_planned', {}, this.#planned),
      ...head('runs_total', 'counter', 'Runs that are over, by their verdict.'),
      ...cases.flatMap(({ labels, verdicts }) =>
        Object.entries(verdicts).map(([verdict, count]) => line('runs_total', { ...labels, verdict }, count)),
      ),
      ...head('run_progress', 'gauge', 'How far the run that goes on is, from 0 to 1.'),
      ...cases.flatMap(({ labels, now }) =>
        now === undefined ? [] : [line('run_progress', { ...labels, seed: `${now.seed}` }, now.share)],
      ),
    ]
    for (const [name, figures] of families) lines.push(...familyLines(name, figures, cases))
    return lines.map((text) => `${text}\n`).join('')
  }
}

function note(series: Map<FigureName, Series>, figure: FigureName, value: number): void {
  const one = series.get(figure) ?? { count: 0, sum: 0, latest: [] }
  series.set(figure, one)
  one.latest[one.count % MOST_KEPT] = value
  one.count++
  one.sum += value
}

/** The three phases of a figure are one family. */
const families: ReadonlyMap<string, readonly FigureName[]> = Map.groupBy(figureNames, (name) =>
  metricName(name),
)

/** `replicaLagMsDuring` is `replica_sync_lag_ms`, with the phase as a label. */
export function metricName(name: FigureName): string {
  const stem = name.replace(/(?:Before|During|After)$/, '')
  return known[stem] ?? stem.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

const phaseOf = (name: FigureName): string | undefined =>
  /(Before|During|After)$/.exec(name)?.[1]?.toLowerCase()

interface Shown extends OfCase {
  readonly labels: Readonly<Record<string, string>>
}

function familyLines(name: string, figures: readonly FigureName[], cases: readonly Shown[]): string[] {
  const [first] = figures
  if (first === undefined) return []
  const lines = (of: (labels: Labels, one: Shown, figure: FigureName) => string[]): string[] =>
    figures.flatMap((figure) => cases.flatMap((one) => of(labelsOf(one, figure), one, figure)))
  const over = lines((labels, { series }, figure) => seriesLines(name, labels, series.get(figure)))
  const live = lines((labels, { now }, figure) => liveLines(name, labels, now?.figures[figure]))
  const about = aboutPhases(first)
  return [
    ...(over.length === 0 ? [] : [...head(name, 'summary', `${about}; of the runs that are over.`), ...over]),
    ...(live.length === 0
      ? []
      : [...head(`now_${name}`, 'gauge', `${about}; of the run that goes on.`), ...live]),
  ]
}

function labelsOf({ labels }: Shown, figure: FigureName): Labels {
  const phase = phaseOf(figure)
  return phase === undefined ? labels : { ...labels, phase }
}

function seriesLines(name: string, labels: Labels, series: Series | undefined): string[] {
  if (series === undefined) return []
  const sorted = [...series.latest].sort((left, right) => left - right)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return [
    ...QUANTILES.map((quantile) => line(name, { ...labels, quantile: `${quantile}` }, at(quantile))),
    line(`${name}_sum`, labels, series.sum),
    line(`${name}_count`, labels, series.count),
  ]
}

/** Of the run that goes on the latest value. */
function liveLines(name: string, labels: Labels, values: readonly number[] | undefined): string[] {
  const last = values?.at(-1)
  return last === undefined ? [] : [line(`now_${name}`, labels, last)]
}

type Labels = Readonly<Record<string, string>>

const head = (name: string, type: string, help: string): string[] => [
  `# HELP ${PREFIX}${name} ${escaped(help)}`,
  `# TYPE ${PREFIX}${name} ${type}`,
]

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(
    ([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`,
  )
  return `${PREFIX}${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
