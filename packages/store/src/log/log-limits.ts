import { invalidOption } from '@troupe/core'

/** How large the segments of a log are, and when it counts as full. */
export interface LogLimits {
  /** Record bytes in a segment after which the next one is begun; one larger batch still goes. @default 64 MiB */
  readonly segmentBytes: number
  /** Entries in a segment after which the next one is begun. @default 65,536 */
  readonly segmentEntries: number
  /**
   * Record bytes of the whole log from which on it counts as full: new proposals are refused with NO_SPACE until a
   * compaction has made room. What was appended before is written all the same. @default 0: unlimited
   */
  readonly maxLogBytes: number
}

export const defaultLogLimits: LogLimits = Object.freeze({
  segmentBytes: 64 << 20,
  segmentEntries: 65_536,
  maxLogBytes: 0,
})

const FIELDS = ['segmentBytes', 'segmentEntries', 'maxLogBytes'] as const

/**
 * Fills in the defaults; other fields are left out.
 * @throws RaftError INVALID_OPTIONS naming the field, its value and what is expected
 */
export function resolveLogLimits(given: Partial<LogLimits> = {}): LogLimits {
  const limits = { ...defaultLogLimits }
  for (const field of FIELDS) {
    const value = given[field] ?? defaultLogLimits[field]
    const least = field === 'maxLogBytes' ? 0 : 1
    if (!Number.isSafeInteger(value) || value < least) {
      throw invalidOption(`log.${field}`, value, `an integer of at least ${least}`)
    }
    limits[field] = value
  }
  return Object.freeze(limits)
}
