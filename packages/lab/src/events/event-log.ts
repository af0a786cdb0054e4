import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { isRecord } from '../schema/schema.ts'
import type { RunEvent } from './run-event.ts'

/** Bytes that wait before they are written. */
const BUFFER = 1 << 16

/** Writes events into a file, one line each, as they happen. */
export class EventLog {
  readonly file: string
  readonly #descriptor: number
  #lines: string[] = []
  #length = 0

  /** The file is made anew. */
  constructor(file: string) {
    this.file = file
    this.#descriptor = openSync(file, 'w')
  }

  readonly write = (event: RunEvent): void => {
    const line = `${lineOf(event)}\n`
    this.#lines.push(line)
    this.#length += line.length
    if (this.#length >= BUFFER) this.#flush()
  }

  #flush(): void {
    writeSync(this.#descriptor, this.#lines.join(''))
    this.#lines = []
    this.#length = 0
  }

  close(): void {
    this.#flush()
    closeSync(this.#descriptor)
  }
}

/** Microseconds: nothing of a run is known more exactly. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

const lineOf = (event: RunEvent): string =>
  JSON.stringify(event, (key, value) => (key === 'atMs' || key === 'tookMs' ? rounded(value) : value))

/** The events of a log. What a later version has added is passed on as it is. @throws Error with the line that is none */
export function readEventLog(file: string): readonly RunEvent[] {
  return parseEventLog(readFileSync(file, 'utf8'), file)
}

export function parseEventLog(text: string, file: string): readonly RunEvent[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return []
    const event = parsed(line)
    if (!isRecord(event) || typeof event['atMs'] !== 'number' || typeof event['kind'] !== 'string') {
      throw new Error(`${file}:${at + 1} is no event of a run`)
    }
    return [event as unknown as RunEvent]
  })
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
