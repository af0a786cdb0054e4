/** Values with their units, as people write them: `150ms`, `10ms..2s`, `30%`. */
import { pattern, type Schema } from './schema.ts'

const TIME = String.raw`(\d+(?:\.\d+)?)(us|ms|s|m|h)`
const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const msOf = (amount: string | undefined, unit: string | undefined): number =>
  Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN)

/** A time with its unit, in ms. */
export const duration: Schema<number> = pattern(
  'a time with its unit, such as 150ms or 2s',
  new RegExp(`^${TIME}$`),
  ([, amount, unit]) => msOf(amount, unit),
)

/** A time with its unit that may be negative, in ms. */
export const shift: Schema<number> = pattern(
  'a time with its unit and perhaps a sign, such as 5s or -288s',
  new RegExp(`^([+-]?)${TIME}$`),
  ([, sign, amount, unit]) => (sign === '-' ? -1 : 1) * msOf(amount, unit),
)

/** From the one to the other, in ms. */
export interface Span {
  readonly leastMs: number
  readonly mostMs: number
}

/** A time, or two of which one between is drawn each time. */
export const span: Schema<Span> = pattern(
  'a time with its unit, such as 150ms, or two, such as 50ms..2s',
  new RegExp(`^${TIME}(?:\\.\\.${TIME})?$`),
  ([, least, leastUnit, most, mostUnit]) => {
    const leastMs = msOf(least, leastUnit)
    const mostMs = most === undefined ? leastMs : msOf(most, mostUnit)
    return mostMs < leastMs ? undefined : { leastMs, mostMs }
  },
)

/** From 0 to 100, with its sign. */
export const percent: Schema<number> = pattern(
  'a percentage from 0% to 100%, such as 30%',
  /^(\d+(?:\.\d+)?)%$/,
  ([, amount]) => (Number(amount) <= 100 ? Number(amount) : undefined),
)

/** Bytes per second. */
export const byteRate: Schema<number> = pattern(
  'bytes per second with their unit, such as 64kB/s',
  /^(\d+(?:\.\d+)?)(B|kB|MB)\/s$/,
  ([, amount, unit]) => {
    const factor = unit === 'B' ? 1 : unit === 'kB' ? 1000 : 1e6
    return Number(amount) > 0 ? Number(amount) * factor : undefined
  },
)
