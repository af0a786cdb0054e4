/** Severities, in rising order. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Takes one event: a level, words that stay the same from one occurrence to the next, and the details. */
export type Logger = (level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>) => void

/** The default: an embedded cluster says nothing of its own accord. */
export const silentLogger: Logger = () => {}
