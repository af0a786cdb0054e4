/**
 * What a run has to reach, as plain data, and the check of a result against it. A threshold that was set and has no
 * figure beside it is `unknown`: a check that measured nothing has not passed.
 */
import { invalidOption } from '@troupe/core'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { type Verdict, worstOf } from '../verify.ts'

/** The figures of a result that thresholds are held against; null or left out where there is none. */
export interface Measures {
  readonly opsPerSecond?: number | null
  /** Latencies in milliseconds. */
  readonly p50Ms?: number | null
  readonly p99Ms?: number | null
  readonly p999Ms?: number | null
  readonly p9999Ms?: number | null
  readonly maxMs?: number | null
  readonly stddevMs?: number | null
  /** Commands whose outcome is not known, or that failed. */
  readonly errors?: number | null
  readonly lost?: number | null
  readonly duplicated?: number | null
  readonly elections?: number | null
}

/** Bounds; what is left out is not checked. All are inclusive: to reach one is to keep it. */
export interface Thresholds {
  readonly minOpsPerSecond?: number
  readonly maxP50Ms?: number
  readonly maxP99Ms?: number
  readonly maxP999Ms?: number
  readonly maxP9999Ms?: number
  /** Of the slowest request. */
  readonly maxLatencyMs?: number
  readonly maxStddevMs?: number
  readonly maxErrors?: number
  readonly maxLost?: number
  readonly maxDuplicated?: number
  readonly maxElections?: number
}

export type ThresholdName = keyof Thresholds

export interface ThresholdFinding {
  readonly threshold: ThresholdName
  readonly limit: number
  readonly measured: number | null
  readonly verdict: Verdict
  /** For people: `slowest request 12.3 ms, at most 500 ms`. */
  readonly text: string
}

export interface ThresholdCheck {
  /** The worst of all findings; `pass` where nothing was to be checked. */
  readonly verdict: Verdict
  readonly findings: readonly ThresholdFinding[]
}

interface Rule {
  readonly measure: keyof Measures
  readonly bound: 'min' | 'max'
  readonly label: string
  readonly unit: 'op/s' | 'ms' | ''
}

const atMost = (measure: keyof Measures, label: string, unit: Rule['unit']): Rule => ({
  measure,
  bound: 'max',
  label,
  unit,
})

const rules: Readonly<Record<ThresholdName, Rule>> = {
  minOpsPerSecond: { measure: 'opsPerSecond', bound: 'min', label: 'throughput', unit: 'op/s' },
  maxP50Ms: atMost('p50Ms', 'p50', 'ms'),
  maxP99Ms: atMost('p99Ms', 'p99', 'ms'),
  maxP999Ms: atMost('p999Ms', 'p99.9', 'ms'),
  maxP9999Ms: atMost('p9999Ms', 'p99.99', 'ms'),
  maxLatencyMs: atMost('maxMs', 'slowest request', 'ms'),
  maxStddevMs: atMost('stddevMs', 'standard deviation', 'ms'),
  maxErrors: atMost('errors', 'errors', ''),
  maxLost: atMost('lost', 'lost', ''),
  maxDuplicated: atMost('duplicated', 'applied twice', ''),
  maxElections: atMost('elections', 'elections', ''),
}

/** Holds what was measured against what is wanted. */
export function checkThresholds(result: Measures, thresholds: Thresholds): ThresholdCheck {
  const findings: ThresholdFinding[] = []
  for (const name of Object.keys(rules) as ThresholdName[]) {
    const limit = thresholds[name]
    if (limit !== undefined) findings.push(findingOf(name, limit, result[rules[name].measure] ?? null))
  }
  return { verdict: worstOf(findings), findings }
}

function findingOf(threshold: ThresholdName, limit: number, measured: number | null): ThresholdFinding {
  const { bound, label, unit } = rules[threshold]
  const side = bound === 'min' ? 'at least' : 'at most'
  const shown = measured === null || Number.isNaN(measured) ? 'not measured' : quantity(measured, unit)
  const text = `${label} ${shown}, ${side} ${quantity(limit, unit)}`
  return { threshold, limit, measured, verdict: verdictOf(bound, limit, measured), text }
}

function verdictOf(bound: Rule['bound'], limit: number, measured: number | null): Verdict {
  if (measured === null || Number.isNaN(measured)) return 'unknown'
  return (bound === 'min' ? measured >= limit : measured <= limit) ? 'pass' : 'fail'
}

function quantity(value: number, unit: Rule['unit']): string {
  const number = unit === 'ms' ? formatMs(value) : formatNumber(value)
  return unit === '' ? number : `${number} ${unit}`
}

/**
 * Thresholds from data that somebody wrote by hand, as a workload file's.
 * @param field where they stand, for the message
 * @throws RaftError INVALID_OPTIONS for a name that is none, and for what is no number of at least 0
 */
export function readThresholds(data: unknown, field = 'thresholds'): Thresholds {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw invalidOption(field, data, 'names with numbers')
  }
  for (const [name, limit] of Object.entries(data)) {
    if (!Object.hasOwn(rules, name)) {
      throw invalidOption(`${field}.${name}`, limit, `one of ${Object.keys(rules).join(', ')}`)
    }
    const isLimit = typeof limit === 'number' && Number.isFinite(limit) && limit >= 0
    if (!isLimit) throw invalidOption(`${field}.${name}`, limit, 'a number of at least 0')
  }
  return data as Thresholds
}
