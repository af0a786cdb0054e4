/**
 * Reads a history line by line: pairs responses with invocations, and has the model make sense of both. The order of the
 * lines is the order of events; times are for people and latencies. The first thing that is wrong ends it.
 */
import { type FaultBand, FaultBands } from './fault-bands.ts'
import { History, type Operation } from './history.ts'
import { type LineEvent, parseHistoryLine } from './history-line.ts'
import { type NamedModel, ValueProblem } from './named-model.ts'
import { showValue } from './values.ts'

/** A history as it was read. */
export interface RecordedHistory {
  /** In the order of their calls; without those that failed. */
  readonly operations: readonly Operation<unknown, unknown>[]
  readonly faults: readonly FaultBand[]
  readonly lineCount: number
}

/** What is wrong with a line of a history. */
export class HistoryProblem extends Error {
  override readonly name = 'HistoryProblem'
  /** Counted from 1; 0 for the history as a whole. */
  readonly line: number
  readonly field: string
  readonly value: unknown
  readonly expected: string

  constructor(line: number, field: string, value: unknown, expected: string) {
    const place = line === 0 ? '' : `line ${line}: `
    super(`${place}${field} is ${value === undefined ? 'missing' : showValue(value)}; expected ${expected}`)
    this.line = line
    this.field = field
    this.value = value
    this.expected = expected
  }
}

type Reading = { -readonly [Field in keyof Operation<unknown, unknown>]: Operation<unknown, unknown>[Field] }

/** How a line of `History.stringify` begins. */
const RECORDED = /^\{"type":"(?:call|ok|fail|open)","id":/

interface Pending {
  readonly operation: Reading
  readonly f: string
  readonly line: number
}

export class HistoryReader {
  readonly #model: NamedModel
  readonly #functions: ReadonlySet<string>
  readonly #operations: Reading[] = []
  readonly #pending = new Map<number, Pending>()
  readonly #faults = new FaultBands()
  /** Of lines that `History.stringify` wrote. */
  readonly #recorded = new History<unknown, unknown>()
  #line = 0
  /** The number of the next event. */
  #at = 0
  #lastTime: { readonly ms: number; readonly line: number } | undefined
  /** Whether values of Jepsen are pairs of key and value: decided by the first invocation. */
  #isKeyed: { readonly is: boolean; readonly line: number } | undefined

  constructor(model: NamedModel) {
    this.#model = model
    this.#functions = new Set(Object.keys(model.functions))
  }

  get operationCount(): number {
    return this.#operations.length + this.#recorded.operationCount
  }

  /** Takes the next line, without its end. @throws HistoryProblem */
  line(text: string): void {
    this.#line++
    try {
      if (RECORDED.test(text)) return this.#record(text)
      const event = parseHistoryLine(text)
      if (event !== undefined) this.#take(event)
    } catch (error) {
      if (!(error instanceof ValueProblem)) throw error
      throw new HistoryProblem(this.#line, error.field, error.value, error.expected)
    }
  }

  /** What was read; what has no response is open. @throws HistoryProblem where there is nothing */
  end(): RecordedHistory {
    if (this.#recorded.operationCount > 0) {
      return { operations: this.#recorded.operations(), faults: [], lineCount: this.#line }
    }
    if (this.#operations.length === 0) {
      const expected = 'lines of operations: objects of JSON, or log lines of jepsen.util'
      throw new HistoryProblem(0, 'the history', `${this.#line} lines without an operation`, expected)
    }
    const operations = this.#operations.filter(({ outcome }) => outcome !== 'fail')
    return { operations, faults: this.#faults.end(), lineCount: this.#line }
  }

  #record(text: string): void {
    if (this.#at > 0) throw new ValueProblem('the line', text, 'a line like those before it')
    try {
      const event: unknown = JSON.parse(text)
      const { type, input } = event as { readonly type?: unknown; readonly input?: { readonly op?: unknown } }
      const { ops } = this.#model
      if (type === 'call' && !ops.some((op) => op === input?.op)) {
        throw new ValueProblem('input.op', input?.op, ops.join(' or '))
      }
      this.#recorded.record(event)
    } catch (error) {
      if (error instanceof ValueProblem) throw error
      throw new ValueProblem('the line', text, `an event of a history (${(error as Error).message})`)
    }
  }

  #take(event: LineEvent): void {
    if (this.#recorded.operationCount > 0)
      throw new ValueProblem('type', event.type, 'a line like those before it')
    const { process, type, timeMs, form } = event
    if (timeMs !== undefined) {
      if (form === 'json' && this.#lastTime !== undefined && timeMs < this.#lastTime.ms) {
        throw new ValueProblem(
          'time',
          timeMs,
          `at least ${this.#lastTime.ms}, as on line ${this.#lastTime.line}`,
        )
      }
      this.#lastTime = { ms: timeMs, line: this.#line }
    }
    const at = this.#at++
    if (process === undefined) this.#faults.take(event, at)
    else if (type === 'invoke') this.#invoke(process, event, at)
    else this.#respond(process, event, at)
  }

  #invoke(process: number, event: LineEvent, at: number): void {
    const { f, timeMs } = event
    const before = this.#pending.get(process)
    if (before) {
      const expected = `a response to the ${before.f} of line ${before.line} first: a process has one operation at a time`
      throw new ValueProblem('process', process, expected)
    }
    if (!this.#functions.has(f)) throw new ValueProblem('f', f, [...this.#functions].join(' or '))
    const { key, value } = this.#keyed(event)
    const operation: Reading = {
      process,
      input: this.#model.decodeCall({ process, f, key, value }),
      output: undefined,
      callAt: at,
      returnAt: Number.POSITIVE_INFINITY,
      outcome: 'open',
      callLine: this.#line,
    }
    if (timeMs !== undefined) operation.callMs = timeMs
    this.#operations.push(operation)
    this.#pending.set(process, { operation, f, line: this.#line })
  }

  #respond(process: number, event: LineEvent, at: number): void {
    const { type, f, timeMs, extra } = event
    const pending = this.#pending.get(process)
    if (pending === undefined) {
      throw new ValueProblem('type', type, `an invocation of process ${process} before it`)
    }
    if (f !== pending.f) throw new ValueProblem('f', f, `${pending.f}, as invoked on line ${pending.line}`)
    this.#pending.delete(process)
    const { operation } = pending
    operation.returnLine = this.#line
    if (timeMs !== undefined) operation.returnMs = timeMs
    if (type === 'info') return
    operation.returnAt = at
    operation.outcome = type === 'ok' ? 'ok' : 'fail'
    if (type !== 'ok') return
    const { value } = this.#keyed(event)
    operation.output = this.#model.decodeReturn(operation.input, { value, extra })
  }

  /** Key and value. Jepsen has both in a pair where there are keys. */
  #keyed({ key, value, form, type, f }: LineEvent): {
    readonly key: string | undefined
    readonly value: unknown
  } {
    if (form === 'json') return { key, value }
    this.#isKeyed ??= { is: isPair(value, f), line: this.#line }
    if (!this.#isKeyed.is) return { key: undefined, value }
    // Some responses repeat no value.
    if (type !== 'invoke' && (value === null || value === undefined)) return { key: undefined, value }
    if (Array.isArray(value) && value.length === 2) return { key: String(value[0]), value: value[1] }
    throw new ValueProblem('value', value, `the pair [key value], as on line ${this.#isKeyed.line}`)
  }
}

/** Of a cas the pair alone is no key with a value: that has a pair in it. */
function isPair(value: unknown, f: string): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false
  return f !== 'cas' || Array.isArray(value[1])
}
