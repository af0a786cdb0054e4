/** Numbers as people read them. */

/** With thousands separators: `1,234,567`; `fractionDigits` behind the point. */
export function formatNumber(value: number, fractionDigits = 0): string {
  const [whole = '', fraction] = value.toFixed(fractionDigits).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** Milliseconds with as many digits as they deserve: `0.453`, `12.3`, `1,234`. */
export function formatMs(value: number | null | undefined): string {
  if (value === undefined || value === null) return '–'
  if (value < 10) return formatNumber(value, 3)
  return formatNumber(value, value < 100 ? 1 : 0)
}

/** A ratio or another small number with two digits; a dash for none. */
export function formatRatio(value: number | null | undefined): string {
  return value === undefined || value === null ? '–' : formatNumber(value, 2)
}

/** Bytes in MiB. */
export function formatMiB(bytes: number): string {
  return `${formatNumber(bytes / (1 << 20))} MiB`
}

/** Time left: `42 s`, `1 min 05 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** Rounds for JSON: no more digits than were measured. */
export function rounded(value: number, fractionDigits = 3): number {
  return Number(value.toFixed(fractionDigits))
}
