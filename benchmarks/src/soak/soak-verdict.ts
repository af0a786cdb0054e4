/**
 * What a soak comes to, from what was seen. Pure.
 *
 * Growth is told from medians of two equal windows, the third and the fourth quarter of the run: compaction makes sawteeth of
 * disk and memory, whose single points say nothing, and crashes make holes. What leaks at each start is told from what is
 * open while the whole cluster is stopped, where nothing has to be.
 */
import { median } from '../latency.ts'
import { formatMiB, formatNumber } from '../terminal/format.ts'
import { type Verdict, worstOf } from '../verify.ts'
import type { EpochVerification } from './soak-protocol.ts'
import { diskBytes, logShare, type ProcessSample, type RestSample, type SoakSample } from './soak-sample.ts'

/** What grows by more from one quarter to the next leaks. */
const MAX_GROWTH = 0.05
/** Disk of the log for each record byte that it retains. */
const MAX_LOG_SHARE = 2
/** It takes minutes until the allocator and the heaps of all threads keep what they will keep for good. */
export const MIN_SECONDS = 600
/** What the runtime itself may open meanwhile. */
const MORE_FILES = 2
/** A median of fewer says nothing. */
const MIN_SAMPLES = 20

export interface SoakEvidence {
  readonly samples: readonly SoakSample[]
  readonly rests: readonly RestSample[]
  readonly verifications: readonly EpochVerification[]
  /** Everything that was written to stdout or stderr. */
  readonly lines: readonly string[]
  /** Nodes that died on their own. */
  readonly deaths: readonly string[]
  /** Why it ended before its time. */
  readonly failure: string | undefined
}

export interface Check {
  readonly name: string
  readonly verdict: Verdict
  /** The figures that it was decided by. */
  readonly text: string
}

/** Each in words, the most important first. */
export function checkSoak(evidence: SoakEvidence): Check[] {
  const { samples, rests } = evidence
  return [
    checkRun(evidence),
    checkData(evidence.verifications),
    checkLines(evidence.lines),
    checkGrowth('private memory', samples, ({ privateBytes }) => privateBytes),
    checkGrowth('disk', samples, diskBytes),
    checkLogShare(samples),
    checkRests('open files', rests, ({ openFiles }) => openFiles),
    checkRests('threads', rests, ({ threads }) => threads),
  ]
}

export const verdictOfChecks = (checks: readonly Check[]): Verdict => worstOf(checks)

function checkRun({ failure, deaths }: SoakEvidence): Check {
  const name = 'run'
  if (failure !== undefined) return { name, verdict: 'fail', text: failure }
  if (deaths.length === 0) return { name, verdict: 'pass', text: 'no node died that was not told to' }
  return { name, verdict: 'fail', text: `${formatNumber(deaths.length)} × ${deaths[0]}` }
}

function checkData(verifications: readonly EpochVerification[]): Check {
  const name = 'data'
  const last = verifications.at(-1)
  if (last === undefined) return { name, verdict: 'unknown', text: 'never checked' }
  const worst = verifications.find(({ verdict }) => verdict === 'fail') ?? last
  const { acknowledged, unknown, lost, duplicated } = worst
  const counts = `${formatNumber(acknowledged)} acknowledged, ${formatNumber(unknown)} unknown`
  const harm = `${formatNumber(lost)} lost, ${formatNumber(duplicated)} applied twice`
  const areEqual = verifications.every(({ digestsEqual }) => digestsEqual)
  const replicas = `replicas ${areEqual ? 'equal' : 'not proven equal'}`
  const times = `${formatNumber(verifications.length)} checks`
  return { name, verdict: worstOf(verifications), text: `${counts}; ${harm}; ${replicas}; ${times}` }
}

function checkLines(lines: readonly string[]): Check {
  const name = 'output'
  if (lines.length === 0) return { name, verdict: 'pass', text: 'not a line on stdout or stderr' }
  return { name, verdict: 'fail', text: `${formatNumber(lines.length)} lines that nobody expects` }
}

/** The third and the fourth quarter of a run, as far as there was load. */
function lastQuarters(
  samples: readonly SoakSample[],
): readonly [readonly SoakSample[], readonly SoakSample[]] {
  const endSeconds = samples.at(-1)?.atSeconds ?? 0
  const loaded = samples.filter(({ isLoaded, atSeconds }) => isLoaded && atSeconds > endSeconds / 2)
  const isThird = ({ atSeconds }: SoakSample): boolean => atSeconds <= endSeconds * (3 / 4)
  return [loaded.filter(isThird), loaded.filter((sample) => !isThird(sample))]
}

function checkGrowth(
  name: string,
  samples: readonly SoakSample[],
  bytesOf: (sample: SoakSample) => number,
): Check {
  const seconds = samples.at(-1)?.atSeconds ?? 0
  const [third, fourth] = lastQuarters(samples).map((quarter) => quarter.map(bytesOf)) as [number[], number[]]
  if (third.length === 0 || fourth.length === 0) return { name, verdict: 'unknown', text: 'no samples' }
  const [before, after] = [median(third), median(fourth)]
  const growth = after / before - 1
  const medians = `${formatMiB(before)} → ${formatMiB(after)} (${percent(growth)}; less than ${formatNumber(MAX_GROWTH * 100)} % is fine)`
  const largest = `largest ${formatMiB(Math.max(...third))} → ${formatMiB(Math.max(...fourth))}`
  const isShort = seconds < MIN_SECONDS || Math.min(third.length, fourth.length) < MIN_SAMPLES
  const short = isShort ? `; too short to tell: it takes ${MIN_SECONDS / 60} minutes` : ''
  const verdict = isShort ? 'unknown' : growth < MAX_GROWTH ? 'pass' : 'fail'
  return { name, verdict, text: `${medians}, ${largest}${short}` }
}

function checkLogShare(samples: readonly SoakSample[]): Check {
  const name = 'disk for the log'
  const shares = lastQuarters(samples)
    .flat()
    .map(logShare)
    .filter(({ retainedBytes }) => retainedBytes > 0)
  if (shares.length < MIN_SAMPLES) {
    return { name, verdict: 'unknown', text: `${shares.length} samples; it takes ${MIN_SAMPLES}` }
  }
  const ratios = shares.map((share) => share.diskBytes / share.retainedBytes)
  const middle = median(ratios)
  const [disk, retained] = [
    median(shares.map((share) => share.diskBytes)),
    median(shares.map((share) => share.retainedBytes)),
  ]
  const sizes = `${formatMiB(disk)} for ${formatMiB(retained)} of records`
  const range = `${formatNumber(middle, 2)} × (at most ${MAX_LOG_SHARE}), largest ${formatNumber(Math.max(...ratios), 2)} ×`
  return { name, verdict: middle <= MAX_LOG_SHARE ? 'pass' : 'fail', text: `${range}; ${sizes}` }
}

/** The first rest is where everything has been open once. */
function checkRests(
  name: string,
  rests: readonly RestSample[],
  countOf: (sample: ProcessSample) => number | null,
): Check {
  const counts = rests.map(countOf)
  const [first, last] = [counts[0], counts.at(-1)]
  if (first === null || last === null)
    return { name, verdict: 'unknown', text: 'this system does not tell them' }
  if (first === undefined || last === undefined || counts.length < 2) {
    return { name, verdict: 'unknown', text: `${counts.length} stops of the cluster; it takes two` }
  }
  const text = `${formatNumber(first)} at the first stop of the cluster, ${formatNumber(last)} at the last of ${counts.length}`
  return { name, verdict: last - first <= MORE_FILES ? 'pass' : 'fail', text }
}

const percent = (share: number): string =>
  `${share > 0 ? '+' : ''}${formatNumber(share * 100, 1)} %`.replace('-', '−')
