/**
 * The bars that `etcdctl check perf` holds an etcd cluster to (etcdctl/ctlv3/command/check.go): a rate of writes, offered
 * for a minute by a number of clients of which each has one request under way. It passes with more than 0.9 of the rate,
 * no request above 500 ms, a standard deviation of at most 100 ms and no error. Its keys have 256 bytes, its values 1,024.
 */
import type { Thresholds } from './thresholds.ts'

export const BAR_NAMES = ['s', 'm', 'l', 'xl'] as const
export type BarName = (typeof BAR_NAMES)[number]

export interface Bar {
  /** Writes that are offered. */
  readonly ratePerSecond: number
  /** Writes under way at most. */
  readonly clients: number
}

export const bars: Readonly<Record<BarName, Bar>> = {
  s: { ratePerSecond: 150, clients: 50 },
  m: { ratePerSecond: 1000, clients: 200 },
  l: { ratePerSecond: 8000, clients: 500 },
  xl: { ratePerSecond: 15_000, clients: 1000 },
}

export const BAR_SECONDS = 60
/** Key and value of one write. */
export const BAR_COMMAND_BYTES = 256 + 1024
const MIN_SHARE_OF_RATE = 0.9
const MAX_LATENCY_MS = 500
const MAX_STDDEV_MS = 100

/** What etcd's own checker asks for at this rate, and that nothing is lost, which it does not look at. */
export function thresholdsAt(
  ratePerSecond: number,
): Required<
  Pick<
    Thresholds,
    'minOpsPerSecond' | 'maxLatencyMs' | 'maxStddevMs' | 'maxErrors' | 'maxLost' | 'maxDuplicated'
  >
> {
  return {
    minOpsPerSecond: MIN_SHARE_OF_RATE * ratePerSecond,
    maxLatencyMs: MAX_LATENCY_MS,
    maxStddevMs: MAX_STDDEV_MS,
    maxErrors: 0,
    maxLost: 0,
    maxDuplicated: 0,
  }
}
