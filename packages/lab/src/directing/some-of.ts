/** How many of those that are meant, in the modes of Chaos Mesh, and which. */
import type { Random } from '@troupe/core'

/** Exactly one of them. */
export interface Amount {
  readonly fixed?: number
  /** A share, from 0 to 100; one at least. */
  readonly percent?: number
  /** Up to that share, drawn; one at least. */
  readonly maxPercent?: number
}

/** So many of `total`. */
export function countOf({ fixed, percent, maxPercent = 0 }: Amount, total: number, random: Random): number {
  if (fixed !== undefined) return Math.min(fixed, total)
  const most = Math.max(1, Math.floor((total * (percent ?? maxPercent)) / 100))
  return percent === undefined ? 1 + Math.floor(random.next() * most) : most
}

/** That many of them, drawn, in the order in which they are. */
export function someOf<T>(values: readonly T[], count: number, random: Random): readonly T[] {
  const left = [...values]
  const taken = new Set<T>()
  while (taken.size < count && left.length > 0) {
    const [value] = left.splice(Math.floor(random.next() * left.length), 1)
    if (value !== undefined) taken.add(value)
  }
  return values.filter((value) => taken.has(value))
}
