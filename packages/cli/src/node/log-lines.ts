/** A node's log: a line an event, as JSON for machines or as text for people. */
import type { OutputStream } from '@troupe/benchmarks'
import type { Logger, LogLevel } from '@troupe/cluster'

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
export const LOG_FORMATS = ['json', 'pretty'] as const

export type LogFormat = (typeof LOG_FORMATS)[number]

export interface LogSettings {
  /** What is below is left out. */
  readonly level: LogLevel
  readonly format: LogFormat
}

/** @param now the time of day, ISO 8601 */
export function lineLogger(
  { level: least, format }: LogSettings,
  stream: OutputStream,
  now: () => string = () => new Date().toISOString(),
): Logger {
  return (level, event, detail) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return
    const time = now()
    if (format === 'json') stream.write(`${jsonOf({ time, level, event }, detail)}\n`)
    else stream.write(`${time.slice(11, 23)} ${level.padEnd(5)} ${event}${shown(detail)}\n`)
  }
}

/** Details never stand in the place of what each line has; what JSON has no word for becomes a text. */
function jsonOf(head: Readonly<Record<string, unknown>>, detail: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...head, ...detail, ...head }, plain)
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? value.message : value
}

function shown(detail: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(detail).filter(([, value]) => value !== undefined)
  return fields.map(([name, value]) => `  ${name}=${textOf(value)}`).join('')
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value, plain) ?? ''
  return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
}
