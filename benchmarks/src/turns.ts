/** Who is measured when, where several are compared in one run. */

/** The order of a repeat, counted from 0: each begins once, before anybody does so again. */
export function orderOf<Each>(each: readonly Each[], repeat: number): readonly Each[] {
  const first = repeat % Math.max(1, each.length)
  return [...each.slice(first), ...each.slice(0, first)]
}
