/** A stored run of the micro benchmarks, and what became slower since. */
import { readFileSync, writeFileSync } from 'node:fs'
import { invalidOption } from '@troupe/core'
import type { MicroResult } from './run-micro.ts'

/** Ratios to yardsticks; `environment` is for the reader, and to tell what may not be compared. */
export interface Baseline {
  readonly format: 1
  readonly environment: Readonly<Record<string, unknown>>
  readonly settings: Readonly<Record<string, unknown>>
  readonly tasks: readonly MicroResult[]
}

export type Change =
  | 'faster'
  | 'same'
  | 'slower'
  /** The rounds lie so far apart that neither can be said. */
  | 'unsteady'
  /** Not in the baseline. */
  | 'new'

export interface Comparison {
  readonly name: string
  /** Null where it is new. */
  readonly before: number | null
  readonly now: number
  /** By how much it takes longer, as a part; negative where it is faster. */
  readonly change: number | null
  readonly verdict: Change
}

function verdictOf(change: number, margin: number, spread: number): Change {
  if (Math.abs(change) <= margin) return 'same'
  if (spread > Math.abs(change)) return 'unsteady'
  return change > 0 ? 'slower' : 'faster'
}

/**
 * Compares ratios.
 * @param margin by how much a ratio may differ and still be the same, as a part
 */
export function compareWith(
  baseline: readonly MicroResult[],
  results: readonly MicroResult[],
  margin: number,
): Comparison[] {
  const byName = new Map(baseline.map((result) => [result.name, result]))
  return results.map(({ name, ratio, spread }) => {
    const before = byName.get(name)
    if (before === undefined || before.ratio === 0)
      return { name, before: null, now: ratio, change: null, verdict: 'new' }
    const change = ratio / before.ratio - 1
    const widest = Math.max(spread, before.spread)
    return { name, before: before.ratio, now: ratio, change, verdict: verdictOf(change, margin, widest) }
  })
}

/** @throws RaftError INVALID_OPTIONS where there is none, or none that makes sense */
export function readBaseline(path: string): Baseline {
  let baseline: Partial<Baseline> | null
  try {
    baseline = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw invalidOption('--baseline', path, `a baseline that --write has written (${reason})`)
  }
  if (baseline?.format !== 1 || !Array.isArray(baseline.tasks))
    throw invalidOption('--baseline', path, 'a baseline that --write has written, of format 1')
  return baseline as Baseline
}

export function writeBaseline(path: string, baseline: Baseline): void {
  writeFileSync(path, `${JSON.stringify(baseline, undefined, 2)}\n`)
}
