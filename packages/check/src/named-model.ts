/**
 * One interface for all checks, by name: how a history's lines are read, and what is made of them. So a command, a
 * worker and the laboratory know no model.
 */
import type { Operation } from './history.ts'
import type { CheckOptions, CheckReport } from './report.ts'

/** An operation as a client asked for it, before a model has made sense of it. */
export interface RecordedCall {
  readonly process: number
  /** What is asked, by name. */
  readonly f: string
  /** What it is asked of; undefined where the history has no keys. */
  readonly key: string | undefined
  /** Null and undefined both say that there is none. */
  readonly value: unknown
}

/** What came back. */
export interface RecordedReturn {
  readonly value: unknown
  /** Fields of the response beside its value: `result`, `version`. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** A check by name. */
export interface NamedModel<Input = unknown, Output = unknown> {
  readonly name: string
  /** One line. */
  readonly summary: string
  /** What may be asked, by `f`, with what its values are. */
  readonly functions: Readonly<Record<string, string>>
  /** What `op` may be in inputs: for histories that were recorded with them. */
  readonly ops: readonly string[]
  /** @throws ValueProblem */
  decodeCall(call: RecordedCall): Input
  /** Of an operation that was answered. @throws ValueProblem */
  decodeReturn(input: Input, end: RecordedReturn): Output
  /** Checks a history. Operations that failed count as if they had never been. */
  check(operations: readonly Operation<Input, Output>[], options?: CheckOptions): CheckReport
}

/** A value of a history that its model has no meaning for. */
export class ValueProblem extends Error {
  override readonly name = 'ValueProblem'
  readonly field: string
  readonly value: unknown
  readonly expected: string

  constructor(field: string, value: unknown, expected: string) {
    super(`${field}: expected ${expected}`)
    this.field = field
    this.value = value
    this.expected = expected
  }
}

/** The key as an input has it: with no key, no property. */
export const keyOf = ({ key }: RecordedCall): { readonly key?: string } => (key === undefined ? {} : { key })

/** @throws ValueProblem unless `value` is a safe integer of at least `min` */
export function integerOf(value: unknown, what: string, min = Number.MIN_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value
  throw new ValueProblem('value', value, what)
}

/** @throws ValueProblem where there is no value */
export function presentOf(value: unknown, what: string): unknown {
  if (value === null || value === undefined) throw new ValueProblem('value', value, what)
  return value
}

/** The answer to a write: nothing, or what was written. @throws ValueProblem */
export function echoOf(
  value: unknown,
  written: unknown,
  isSame: (left: unknown, right: unknown) => boolean,
): undefined {
  if (value === null || value === undefined || isSame(value, written)) return undefined
  throw new ValueProblem('value', value, 'the value of the invocation, or none')
}
