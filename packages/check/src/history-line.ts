/** One line of a history file as an event: our JSON lines, Jepsen's log lines, and maps of EDN. */
import { parseEdn } from './edn.ts'
import { ValueProblem } from './named-model.ts'

/** What a line says, before any model has looked at it. */
export interface LineEvent {
  /** A client's number; undefined for whoever makes faults. */
  readonly process: number | undefined
  /** `start` and `stop` are of faults alone. */
  readonly type: 'invoke' | 'ok' | 'fail' | 'info' | 'start' | 'stop'
  readonly f: string
  readonly value: unknown
  /** Undefined where the line has no field for it: then the value may be a pair of key and value. */
  readonly key: string | undefined
  readonly timeMs: number | undefined
  readonly extra: Readonly<Record<string, unknown>>
  readonly form: 'json' | 'jepsen'
}

const FAULTS = 'nemesis'
const TYPES = ['invoke', 'ok', 'fail', 'info'] as const
const FAULT_TYPES = ['info', 'start', 'stop'] as const
/** What a line may say beside `process`, `type`, `f`, `key`, `value`, `time`; the last ones are notes that nobody reads. */
const EXTRA = ['result', 'version', 'index', 'node', 'error']
const FIELDS: ReadonlySet<string> = new Set(['process', 'type', 'f', 'key', 'value', 'time', ...EXTRA])
const PROCESS = `an integer from 0, or "${FAULTS}"`
const NS_PER_MS = 1e6

/**
 * Reads a line; undefined for one that is no event: an empty one, or something else in a log of Jepsen.
 * @throws ValueProblem that names the field
 */
export function parseHistoryLine(line: string): LineEvent | undefined {
  const first = line.trimStart()[0]
  if (first === undefined) return undefined
  if (first === '{') return /^\s*\{\s*:/.test(line) ? ednEvent(line) : jsonEvent(line)
  return logEvent(line)
}

function jsonEvent(line: string): LineEvent {
  const json = parsed(() => JSON.parse(line), line, 'one object of JSON') as Readonly<Record<string, unknown>>
  const unknownField = Object.keys(json).find((field) => !FIELDS.has(field))
  if (unknownField !== undefined) {
    throw new ValueProblem(unknownField, json[unknownField], `one of the fields ${[...FIELDS].join(', ')}`)
  }
  const { process, type, f, key, value, time } = json
  const isFault = process === FAULTS
  return {
    process: isFault ? undefined : processOf(process),
    type: typeOf(type, isFault),
    f: textOf(f, 'f', 'the name of an operation'),
    value,
    key: keyOf(key),
    timeMs: timeOf(time),
    extra: json,
    form: 'json',
  }
}

/** A map of a Jepsen history: times are in nanoseconds. */
function ednEvent(line: string): LineEvent {
  const [map] = parsed(() => parseEdn(line), line, 'a map of EDN') as [Readonly<Record<string, unknown>>]
  const process = wordOf(map[':process'])
  const isFault = typeof process === 'string'
  const time = timeOf(map[':time'])
  return {
    process: isFault ? undefined : processOf(process),
    type: typeOf(wordOf(map[':type']), isFault),
    f: textOf(wordOf(map[':f']), 'f', 'the name of an operation'),
    value: map[':value'],
    key: undefined,
    timeMs: time === undefined ? undefined : time / NS_PER_MS,
    extra: {},
    form: 'jepsen',
  }
}

/** `INFO  jepsen.util - 0 :invoke :write 1`, with whatever is in front, or nothing. */
const LOGGED = /(?:^|\bjepsen\.util\b\s*(?:-|:)?\s*)(\d+|:nemesis|nemesis)\s+:(\w+)\s+:([\w-]+)(?:\s+(.*))?$/

function logEvent(line: string): LineEvent | undefined {
  const match = LOGGED.exec(line.trim())
  if (match === null) {
    if (/\bjepsen\.util\b.*:(?:invoke|ok|fail|info)\b/.test(line)) {
      throw new ValueProblem('the line', line.trim(), '`PROCESS :TYPE :F VALUE` behind jepsen.util')
    }
    return undefined
  }
  const [, process = '', type = '', f = '', rest = ''] = match
  const isFault = process.endsWith(FAULTS)
  // Of an end without effect, and of a fault, the value is a note, which may be any text.
  const hasValue = !isFault && (type === 'invoke' || type === 'ok')
  const [value = null] = hasValue ? parsed(() => parseEdn(rest), rest, 'a value of EDN') : [rest]
  return {
    process: isFault ? undefined : Number(process),
    type: typeOf(type, isFault),
    f,
    value,
    key: undefined,
    timeMs: undefined,
    extra: {},
    form: 'jepsen',
  }
}

function parsed<Value>(parse: () => Value, text: string, expected: string): Value {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new ValueProblem('the line', text, expected)
  }
}

const wordOf = (value: unknown): unknown =>
  typeof value === 'string' && value.startsWith(':') ? value.slice(1) : value

function processOf(process: unknown): number {
  if (typeof process === 'number' && Number.isSafeInteger(process) && process >= 0) return process
  throw new ValueProblem('process', process, PROCESS)
}

function typeOf(type: unknown, isFault: boolean): LineEvent['type'] {
  const expected: readonly LineEvent['type'][] = isFault ? FAULT_TYPES : TYPES
  const found = expected.find((each) => each === type)
  if (found !== undefined) return found
  throw new ValueProblem('type', type, expected.join(' or '))
}

function textOf(value: unknown, field: string, expected: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ValueProblem(field, value, expected)
}

function keyOf(key: unknown): string | undefined {
  if (key === undefined || typeof key === 'string') return key
  if (typeof key === 'number') return String(key)
  throw new ValueProblem('key', key, 'a text or a number')
}

function timeOf(time: unknown): number | undefined {
  if (time === undefined || time === null) return undefined
  if (typeof time === 'number' && Number.isFinite(time)) return time
  throw new ValueProblem('time', time, 'a number of milliseconds')
}
