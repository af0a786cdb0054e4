/**
 * Key-value stores: get, set, delete, compare-and-set, and queries over several keys. With each value goes a
 * version, the number of writes of its key since it was created: it tells a write applied twice from one applied
 * once, which the value alone does not.
 */
import type { Model } from './model.ts'
import { partitionBy } from './model.ts'
import { shareOpenInputs } from './open-inputs.ts'
import { sameValue, showValue } from './values.ts'

/** A value of a key. Compared by content. */
export type KvValue = string | number | boolean | null | Uint8Array

/** A key's value and the number of its writes since it was created. */
export interface KvCell {
  readonly value: KvValue
  readonly version: number
}

/** The state of one key: null where it has no value. */
export type KvState = KvCell | null

/** The state of all keys that have a value. */
export type KvTableState = ReadonlyMap<string, KvCell>

/** What is asked of one key. Outputs: see {@link KvOutput}. */
export type KvInput =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly value: KvValue }
  | { readonly op: 'delete'; readonly key: string }
  | {
      readonly op: 'compareAndSet'
      readonly key: string
      /** Undefined: only if the key has no value. */
      readonly expected: KvValue | undefined
      readonly value: KvValue
    }

/** What is asked of several keys at once. */
export type KvTableInput =
  | KvInput
  | { readonly op: 'list'; readonly prefix: string; readonly after: string; readonly limit: number }
  | { readonly op: 'versions'; readonly keys: readonly string[] }
  | { readonly op: 'count' }

/** What `get` answers for a key that has a value. A store that counts no versions leaves them out. */
export interface KvReading {
  readonly value: KvValue
  readonly version?: number
}

/** `get`: a reading, or undefined where there is no value; `delete` and `compareAndSet`: whether they wrote. */
export type KvOutput = KvReading | boolean | undefined

/** Also `list`: entries sorted by key; `versions`: 0 for a key without a value; `count`: how many keys. */
export type KvTableOutput =
  | KvOutput
  | readonly (KvReading & { readonly key: string })[]
  | readonly number[]
  | number

/** The model of single keys, each a part of its own. Begins empty. */
export const kvModel: Model<KvState, KvInput, KvOutput> = {
  name: 'kv',
  initial: null,
  step: stepCell,
  isRead: ({ op }) => op === 'get',
  isObservation: ({ op }, output) => op === 'get' || (op !== 'set' && output === false),
  partition: (operations) => partitionBy(operations, ({ key }) => key),
  normalize: (operations) =>
    shareOpenInputs<KvInput, KvOutput, KvValue>(operations, {
      observed: ({ input, output }) => {
        if (input.op === 'compareAndSet') return input.expected
        return input.op === 'get' && typeof output === 'object' ? output.value : undefined
      },
      written: (input) => (input.op === 'set' || input.op === 'compareAndSet' ? input.value : undefined),
      write: (input, value) => ({ ...input, value }) as KvInput,
    }),
  equal: sameCell,
  describe: describeKv,
  describeState: describeCell,
}

/**
 * The same where no reading tells a version: states that differ in nothing else are one, so that histories with many
 * open writes are decided sooner.
 */
export const kvModelWithoutVersions: Model<KvState, KvInput, KvOutput> = {
  ...kvModel,
  step: (state, input, output, isOpen) => {
    const next = stepCell(state, input, output, isOpen)
    return next === undefined || next === state || next === null ? next : { value: next.value, version: 1 }
  },
  describeState: (state) => (state === null ? 'no value' : showValue(state.value)),
}

/**
 * The model of a whole store, with the queries that see several keys. One part, and a copy of the table for each
 * write: for small histories. Begins empty.
 */
export const kvTableModel: Model<KvTableState, KvTableInput, KvTableOutput> = {
  name: 'kv table',
  initial: new Map(),
  step: stepTable,
  isRead: isQuery,
  isObservation: (input, output) => isQuery(input) || (input.op !== 'set' && output === false),
  equal: (left, right) =>
    left.size === right.size && left.entries().every(([key, cell]) => sameCell(cell, right.get(key) ?? null)),
  describe: describeKv,
  describeState: (state) =>
    state.size === 0
      ? 'empty'
      : Array.from(state, ([key, cell]) => `${key}: ${describeCell(cell)}`).join(', '),
}

function isQuery({ op }: KvTableInput): boolean {
  return op !== 'set' && op !== 'delete' && op !== 'compareAndSet'
}

function stepCell(
  state: KvState,
  input: KvInput,
  output: KvTableOutput,
  isOpen: boolean,
): KvState | undefined {
  switch (input.op) {
    case 'get':
      return isOpen || isReadingOf(state, output) ? state : undefined
    case 'set':
      return written(state, input.value)
    case 'delete':
      return isOpen || output === (state !== null) ? null : undefined
    case 'compareAndSet': {
      const fits = sameValue(state?.value, input.expected)
      if (!isOpen && output !== fits) return undefined
      return fits ? written(state, input.value) : state
    }
  }
}

function written(state: KvState, value: KvValue): KvCell {
  return { value, version: (state?.version ?? 0) + 1 }
}

function isReadingOf(state: KvState, output: unknown): boolean {
  if (state === null || typeof output !== 'object' || output === null)
    return state === null && output === undefined
  const { value, version } = output as KvReading
  return sameValue(value, state.value) && (version === undefined || version === state.version)
}

function sameCell(left: KvState, right: KvState): boolean {
  if (left === null || right === null) return left === right
  return left.version === right.version && sameValue(left.value, right.value)
}

function stepTable(
  state: KvTableState,
  input: KvTableInput,
  output: KvTableOutput,
  isOpen: boolean,
): KvTableState | undefined {
  switch (input.op) {
    case 'list':
      return isOpen || isListOf(state, input, output) ? state : undefined
    case 'versions': {
      const versions = input.keys.map((key) => state.get(key)?.version ?? 0)
      return isOpen || sameValue(versions, output) ? state : undefined
    }
    case 'count':
      return isOpen || output === state.size ? state : undefined
    default:
      return withCell(state, input.key, stepCell(state.get(input.key) ?? null, input, output, isOpen))
  }
}

/** The table with another cell; the table itself where the cell is the one it has. */
function withCell(state: KvTableState, key: string, cell: KvState | undefined): KvTableState | undefined {
  if (cell === undefined) return undefined
  if (cell === (state.get(key) ?? null)) return state
  const next = new Map(state)
  if (cell === null) next.delete(key)
  else next.set(key, cell)
  return next
}

function isListOf(
  state: KvTableState,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
  output: KvTableOutput,
): boolean {
  if (!Array.isArray(output)) return false
  const keys = Array.from(state.keys())
    .filter((key) => key > after && key.startsWith(prefix))
    .sort((left, right) => (left < right ? -1 : 1))
    .slice(0, limit)
  const entries = output as readonly (KvReading & { key: string })[]
  return (
    entries.length === keys.length &&
    entries.every(
      (entry, index) => entry.key === keys[index] && isReadingOf(state.get(entry.key) ?? null, entry),
    )
  )
}

function describeCell(state: KvState): string {
  return state === null ? 'no value' : `${showValue(state.value)} (version ${state.version})`
}

function describeKv(input: KvTableInput, output: KvTableOutput, isOpen: boolean): string {
  const answer = isOpen ? '?' : describeAnswer(output)
  switch (input.op) {
    case 'set':
      return `set ${input.key} ${showValue(input.value)}${isOpen ? ' → ?' : ''}`
    case 'compareAndSet': {
      const expected = input.expected === undefined ? 'no value' : showValue(input.expected)
      return `compareAndSet ${input.key} ${expected} to ${showValue(input.value)} → ${answer}`
    }
    case 'get':
    case 'delete':
      return `${input.op} ${input.key} → ${answer}`
    default:
      return `${showValue(input)} → ${answer}`
  }
}

function describeAnswer(output: KvTableOutput): string {
  if (output === undefined) return 'no value'
  if (typeof output !== 'object' || !('value' in output)) return showValue(output)
  return `${showValue(output.value)}${output.version === undefined ? '' : ` (version ${output.version})`}`
}
