/**
 * Concurrency by depth: more handlers while much waits or waits long, fewer when there is little to do.
 *
 *     each interval: ready / consumers / targetDepth ─► wanted ─► grows at once, shrinks by one
 *
 * Consumers of one group share its depth: each takes its part of it.
 */
import { invalidOption } from '@troupe/core'
import type { GroupReport } from './queue-report.ts'
import { passed } from './rate-limit.ts'

export interface ScaledConcurrency {
  /** Handlers at least. @default 1 */
  readonly min?: number
  readonly max: number
  /** Ready messages for each handler, above which there should be one more. @default 100 */
  readonly targetDepth?: number
  /** Age of the oldest ready message above which there should be more, whatever the depth. @default none */
  readonly targetAgeMs?: number
  /** @default 1000 */
  readonly intervalMs?: number
}

export type ResolvedScaling = Required<ScaledConcurrency>

/** @throws RaftError INVALID_OPTIONS */
export function resolveScaling(concurrency: number | ScaledConcurrency): ResolvedScaling {
  const given = typeof concurrency === 'number' ? { min: concurrency, max: concurrency } : concurrency
  const { min = 1, max, targetDepth = 100, targetAgeMs = Number.POSITIVE_INFINITY, intervalMs = 1000 } = given
  const areSound = Number.isSafeInteger(min) && Number.isSafeInteger(max) && min >= 1 && max >= min
  if (!(areSound && targetDepth > 0 && targetAgeMs > 0 && intervalMs > 0))
    throw invalidOption(
      'concurrency',
      concurrency,
      'a positive integer, or { min, max, targetDepth } of such',
    )
  return { min, max, targetDepth, targetAgeMs, intervalMs }
}

/** Handlers that there should be. */
export function wantedOf(present: number, group: GroupReport, scaling: ResolvedScaling): number {
  const { min, max, targetDepth, targetAgeMs } = scaling
  const byDepth = Math.ceil(group.ready / Math.max(1, group.consumers) / targetDepth)
  const byAge = (group.oldestAgeMs ?? 0) > targetAgeMs ? present + 1 : 0
  // Down by one: a depth that comes and goes should not take them all.
  const wanted = Math.max(byDepth, byAge, present - 1)
  return Math.min(max, Math.max(min, wanted))
}

/** Says how many handlers there should be whenever that changes, until the signal is aborted. */
export async function scale(
  resize: (handlers: number) => void,
  scaling: ResolvedScaling,
  group: () => Promise<GroupReport | undefined>,
  signal: AbortSignal,
): Promise<void> {
  let present = scaling.min
  while (!signal.aborted) {
    await passed(scaling.intervalMs, signal)
    if (signal.aborted) return
    // While nobody can tell, it stays as it is.
    const report = await group().catch(() => undefined)
    const wanted = report === undefined ? present : wantedOf(present, report, scaling)
    if (wanted === present || signal.aborted) continue
    present = wanted
    resize(present)
  }
}
