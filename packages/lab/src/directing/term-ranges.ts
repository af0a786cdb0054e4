import type { TermRange } from '../events/run-event.ts'

/** Entries in the order of the log, as stretches of one term each. */
export function termRanges(
  entries: Iterable<{ readonly index: number; readonly term: number }>,
): TermRange[] {
  const ranges: { from: number; to: number; term: number }[] = []
  for (const { index, term } of entries) {
    const last = ranges.at(-1)
    if (last?.term === term) last.to = index
    else ranges.push({ from: index, to: index, term })
  }
  return ranges
}
