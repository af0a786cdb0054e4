/** Whether logs are the same, and where they part: by the terms of their entries, which name an entry with its index. */
import type { TermRange } from '../events/run-event.ts'

export interface ComparedLog {
  readonly node: string
  /** Everything up to here is in a snapshot. */
  readonly base: number
  readonly terms: readonly TermRange[]
  readonly commit: number
}

export interface Divergence {
  readonly node: string
  readonly last: number
  /** The first index at which it holds another entry than the log it is compared with; undefined where there is none. */
  readonly parts: number | undefined
  /** Entries from there on. */
  readonly parted: number
  /** Entries that it lacks at its end. */
  readonly missing: number
  /** Terms of what has parted. */
  readonly terms: readonly number[]
}

export const lastOf = ({ base, terms }: ComparedLog): number => terms.at(-1)?.to ?? base

/** The log that the others are to become: that of the latest term, and of the longest among these. */
export function referenceOf<Log extends ComparedLog>(logs: readonly Log[]): Log | undefined {
  const termOf = ({ terms }: ComparedLog): number => terms.at(-1)?.term ?? 0
  return [...logs].sort((left, right) => termOf(right) - termOf(left) || lastOf(right) - lastOf(left))[0]
}

/** Each log against one. What stands in a snapshot is committed, and equal. */
export function compareLogs(logs: readonly ComparedLog[], reference: ComparedLog): readonly Divergence[] {
  return logs.map((log) => {
    const last = lastOf(log)
    const parts = firstDifference(log, reference)
    const terms = parts === undefined ? [] : log.terms.filter(({ to }) => to >= parts).map(({ term }) => term)
    return {
      ...{ node: log.node, last, parts, terms: [...new Set(terms)] },
      parted: parts === undefined ? 0 : last - parts + 1,
      missing: Math.max(0, lastOf(reference) - (parts === undefined ? last : parts - 1)),
    }
  })
}

function firstDifference(log: ComparedLog, reference: ComparedLog): number | undefined {
  const from = Math.max(log.base, reference.base) + 1
  for (const { from: start, to, term } of log.terms) {
    for (let index = Math.max(start, from); index <= to; ) {
      const other = reference.terms.find((range) => range.from <= index && index <= range.to)
      if (other?.term !== term) return index
      index = other.to + 1
    }
  }
  return undefined
}
