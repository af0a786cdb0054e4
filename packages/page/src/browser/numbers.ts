/** Numbers beside axes and at the pointer. Pure. */

/** Short, as beside an axis: `0.5`, `20`, `1.5k`, `2M`. */
export function compact(value: number): string {
  const size = Math.abs(value)
  if (size >= 999_500_000) return `${digits(value / 1e9)}G`
  if (size >= 999_500) return `${digits(value / 1e6)}M`
  if (size >= 10_000 || (size >= 1000 && value % 100 === 0)) return `${digits(value / 1000)}k`
  return digits(value)
}

/** Three digits that count, and no more behind the point than there are. */
function digits(value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)))
}

/** At the pointer: with thousands separators where it is large. */
export function exact(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : digits(value)
}

/** Bounds with some air around them; on a log axis by factors. */
export function bounds(values: readonly number[], isLog: boolean): [min: number, max: number] {
  const finite = values.filter((value) => Number.isFinite(value) && (!isLog || value > 0))
  if (finite.length === 0) return isLog ? [1, 10] : [0, 1]
  const low = Math.min(...finite)
  const high = Math.max(...finite)
  if (isLog) {
    const factor = Math.max(1.15, (high / low) ** 0.06)
    return [low / factor, high * factor]
  }
  // A scale of amounts begins at nothing: what stands twice as high is twice as much.
  const floor = low >= 0 ? 0 : low - (high - low) * 0.05
  return [floor, high === floor ? floor + 1 : high + (high - floor) * 0.05]
}

/**
 * Where a log axis has its numbers: 1, 2, 5, 10, …; beyond three decades (where it is narrow, one) only the tens, within
 * one all.
 */
export function logSplits(min: number, max: number, isNarrow = false): number[] {
  const decades = Math.log10(max / min)
  const steps =
    decades > (isNarrow ? 1.2 : 3) ? [1] : decades > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]
  const splits: number[] = []
  for (let exponent = Math.floor(Math.log10(min)); exponent <= Math.ceil(Math.log10(max)); exponent++) {
    // Not step × 10 ** exponent: 3 × 10 ** -1 is no 0.3.
    splits.push(...steps.map((step) => Number(`${step}e${exponent}`)))
  }
  return splits.filter((value) => value >= min && value <= max)
}
