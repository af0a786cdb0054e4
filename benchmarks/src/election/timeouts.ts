import { defaultRaftKnobs, invalidOption, type RaftKnobs } from '@troupe/core'

/** What decides when a follower misses its leader. */
export interface Timeouts {
  readonly minMs: number
  readonly maxMs: number
  readonly heartbeatMs: number
}

/** The engine's own. */
export const defaultTimeouts: Timeouts = {
  minMs: defaultRaftKnobs.electionTimeoutMinMs,
  maxMs: defaultRaftKnobs.electionTimeoutMaxMs,
  heartbeatMs: defaultRaftKnobs.heartbeatIntervalMs,
}

/** Three heartbeats fit into the shortest timeout: two may be late or lost. */
export function timeouts(minMs: number, maxMs: number, heartbeatMs = Math.floor(minMs / 3)): Timeouts {
  return { minMs, maxMs, heartbeatMs: Math.max(1, heartbeatMs) }
}

/**
 * Takes `150-300`.
 * @throws RaftError INVALID_OPTIONS
 */
export function parseTimeouts(text: string, heartbeatMs: number | undefined): Timeouts {
  const [, min = '', max = ''] = /^(\d{1,6})-(\d{1,6})$/.exec(text) ?? []
  const [minMs, maxMs] = [Number(min), Number(max)]
  if (min === '' || minMs < 3 || maxMs < minMs) {
    throw invalidOption('--timeouts', text, 'the shortest and the longest in ms, as 150-300, from 3 on')
  }
  const parsed = timeouts(minMs, maxMs, heartbeatMs)
  if (parsed.heartbeatMs < minMs) return parsed
  throw invalidOption('--heartbeat-ms', parsed.heartbeatMs, `less than the shortest timeout, ${minMs}`)
}

export function describeTimeouts({ minMs, maxMs, heartbeatMs }: Timeouts): string {
  return `${minMs}–${maxMs} ms, heartbeat ${heartbeatMs} ms`
}

export function knobsOf({ minMs, maxMs, heartbeatMs }: Timeouts): Partial<RaftKnobs> {
  const { goneStaggerMs, goneRetryMs } = defaultRaftKnobs
  return {
    electionTimeoutMinMs: minMs,
    electionTimeoutMaxMs: maxMs,
    heartbeatIntervalMs: heartbeatMs,
    // No retry waits for longer than a timeout.
    goneStaggerMs: Math.min(goneStaggerMs, minMs),
    goneRetryMs: Math.min(goneRetryMs, minMs),
  }
}
