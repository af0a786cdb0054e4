import { hrtimeMs } from '@troupe/actor'
import type { Logger } from './logger.ts'

/** Kinds of lines that are counted apart. */
const MAX_KINDS = 256

interface Kind {
  untilMs: number
  suppressed: number
}

/**
 * A logger for what strangers can cause: of each kind one line in `intervalMs`, which tells how many were left out since the
 * one before.
 * @param kindOf what makes two lines alike
 */
export function limitedLogger(
  logger: Logger,
  kindOf: (event: string, detail: Readonly<Record<string, unknown>>) => string,
  intervalMs = 10_000,
  nowMs: () => number = hrtimeMs,
): Logger {
  const kinds = new Map<string, Kind>()
  return (level, event, detail) => {
    const name = kindOf(event, detail)
    const now = nowMs()
    const kind = kinds.get(name) ?? { untilMs: Number.NEGATIVE_INFINITY, suppressed: 0 }
    if (now < kind.untilMs) {
      kind.suppressed++
      return
    }
    const { suppressed } = kind
    kinds.delete(name)
    if (kinds.size >= MAX_KINDS) kinds.delete(kinds.keys().next().value as string)
    kinds.set(name, { untilMs: now + intervalMs, suppressed: 0 })
    logger(level, event, suppressed === 0 ? detail : { ...detail, suppressed })
  }
}
