/**
 * Five fields of cron, and when they come next in a time zone.
 *
 *     minute  hour  day of the month  month  day of the week          '*'  '5'  '1-5'  '0,30'  '0-59/15'  '10-40/10'  'mon'  'jan'
 *
 * Days: where both kinds are restricted, one of them is enough. 0 and 7 are Sunday. A time that the clocks jump over in spring comes as
 * much later as they jump; one that they show twice in autumn comes once, the first time, unless it is of every hour.
 */
import { invalidOption } from '@troupe/core'

interface Field {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 7, names: DAYS },
]

/** February 29 comes after eight years at most. */
const MAX_DAYS = 366 * 8 + 2
const DAY_MS = 86_400_000

interface Parsed {
  readonly values: readonly number[]
  readonly isAny: boolean
}

export class Cron {
  readonly #minutes: readonly number[]
  readonly #hours: Parsed
  readonly #days: Parsed
  readonly #months: ReadonlySet<number>
  readonly #weekdays: Parsed
  readonly #zone: Intl.DateTimeFormat

  /**
   * @param timeZone an IANA name
   * @throws RaftError INVALID_OPTIONS naming the field that makes no sense, and for times that never come
   */
  constructor(expression: string, timeZone = 'UTC') {
    const parts = String(expression).trim().split(/\s+/)
    if (parts.length !== FIELDS.length) throw invalidOption('cron', expression, 'five fields')
    const parsed = FIELDS.map((field, at) => parse(field, parts[at] as string, expression))
    const [minutes, hours, days, months, weekdays] = parsed as [Parsed, Parsed, Parsed, Parsed, Parsed]
    this.#minutes = minutes.values
    this.#hours = hours
    this.#days = days
    this.#months = new Set(months.values)
    this.#weekdays = { ...weekdays, values: weekdays.values.map((day) => day % 7) }
    this.#zone = zoneOf(timeZone)
    if (this.#next(0) === undefined) throw invalidOption('cron', expression, 'a day that is in a month')
  }

  /** The first time after `afterMs`, in milliseconds since 1970. */
  after(afterMs: number): number {
    return this.#next(afterMs) as number
  }

  #next(afterMs: number): number | undefined {
    const local = afterMs + this.#offsetMs(afterMs)
    const firstDay = Math.floor(local / DAY_MS)
    // The day before: its last times may be later than they look, where clocks were put forward.
    for (let day = firstDay - 1; day < firstDay + MAX_DAYS; day++) {
      if (!this.#isDay(new Date(day * DAY_MS))) continue
      const found = this.#timesOf(day).find((timeMs) => timeMs > afterMs)
      if (found !== undefined) return found
    }
    return undefined
  }

  #isDay(date: Date): boolean {
    if (!this.#months.has(date.getUTCMonth() + 1)) return false
    const isDay = this.#days.values.includes(date.getUTCDate())
    const isWeekday = this.#weekdays.values.includes(date.getUTCDay())
    const isEither = !(this.#days.isAny || this.#weekdays.isAny)
    return isEither ? isDay || isWeekday : isDay && isWeekday
  }

  /** In order. */
  #timesOf(day: number): number[] {
    const local = this.#hours.values.flatMap((hour) =>
      this.#minutes.map((minute) => day * DAY_MS + (hour * 60 + minute) * 60_000),
    )
    const times = new Set(local.flatMap((each) => this.#timesAt(each)))
    return [...times].sort((left, right) => left - right)
  }

  /** When the clocks of the zone show `localMs`. */
  #timesAt(localMs: number): number[] {
    const before = localMs - this.#offsetMs(localMs - DAY_MS)
    const after = localMs - this.#offsetMs(localMs + DAY_MS)
    const shown = [Math.min(before, after), Math.max(before, after)].filter(
      (timeMs) => timeMs + this.#offsetMs(timeMs) === localMs,
    )
    // Where none is, the clocks jumped over it: counted on from before that.
    if (shown.length === 0) return [before]
    return this.#hours.isAny ? shown : shown.slice(0, 1)
  }

  /** How much the clocks of the zone are ahead of UTC. */
  #offsetMs(timeMs: number): number {
    const wholeMs = Math.floor(timeMs / 1000) * 1000
    const parts = this.#zone.formatToParts(wholeMs)
    const part = (type: Intl.DateTimeFormatPartTypes): number =>
      Number(parts.find((each) => each.type === type)?.value)
    const shown = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    )
    return shown - wholeMs
  }
}

function zoneOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = 'numeric'
  const fields = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  } as const
  try {
    return new Intl.DateTimeFormat('en-US', { ...fields, timeZone, hourCycle: 'h23', calendar: 'gregory' })
  } catch {
    throw invalidOption('timeZone', timeZone, 'an IANA time zone, as Europe/Berlin')
  }
}

function parse(field: Field, text: string, expression: string): Parsed {
  const values = new Set<number>()
  for (const part of text.toLowerCase().split(',')) {
    const [range = '', stepText, ...rest] = part.split('/')
    const step = stepText === undefined ? 1 : Number(stepText)
    const [first, last] = rangeOf(field, range, stepText !== undefined) ?? []
    if (first === undefined || last === undefined || rest.length > 0 || !(Number.isInteger(step) && step > 0))
      throw invalidOption(
        'cron',
        expression,
        `a ${field.name} from ${field.least} to ${field.most}, not ${part}`,
      )
    for (let value = first; value <= last; value += step) values.add(value)
  }
  return { values: [...values].sort((left, right) => left - right), isAny: text.startsWith('*') }
}

function rangeOf(
  field: Field,
  range: string,
  hasStep: boolean,
): readonly [first: number, last: number] | undefined {
  const { least, most } = field
  if (range === '*') return [least, most]
  const [from = '', to, ...rest] = range.split('-')
  const first = numberOf(field, from)
  const last = to === undefined ? (hasStep ? most : first) : numberOf(field, to)
  return rest.length === 0 && first >= least && last <= most && first <= last ? [first, last] : undefined
}

/** NaN where it is none. */
function numberOf({ names = [], least }: Field, text: string): number {
  const at = names.indexOf(text)
  if (at >= 0) return at + least
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}
