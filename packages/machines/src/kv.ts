/**
 * The key-value machine: get, set, delete, compare-and-set. Counts the writes of each key since it was created
 * (its *version*, as etcd has it), which lets a test tell lost writes from writes applied twice.
 */
import { type Codec, joinChunks, type MachineDefinition, reject, type StateMachine } from './machine.ts'

export type KvValue = string | number | boolean | null | Uint8Array

const SET = 1
const DELETE = 2
const COMPARE_AND_SET = 3

export type KvCommand =
  | readonly [op: typeof SET, key: string, value: KvValue]
  | readonly [op: typeof DELETE, key: string]
  | readonly [op: typeof COMPARE_AND_SET, key: string, expected: KvValue | undefined, value: KvValue]

export type KvQuery =
  | readonly [op: 'get', key: string]
  | readonly [op: 'list', prefix: string, after: string, limit: number]
  | readonly [op: 'versions', keys: readonly string[]]
  | readonly [op: 'count']

/** A key's value and the number of writes since it was created. */
export interface KvEntry {
  readonly key: string
  readonly value: KvValue
  readonly version: number
}

/** Makes commands and queries of the `kv` machine. */
export const kv = {
  /** Writes `value`. Result: undefined. */
  set: (key: string, value: KvValue): KvCommand => [SET, key, value],
  /** Removes `key`. Result: whether it was there. */
  delete: (key: string): KvCommand => [DELETE, key],
  /** Writes `value` if the key's value is `expected` (undefined: if there is none). Result: whether it was. */
  compareAndSet: (key: string, expected: KvValue | undefined, value: KvValue): KvCommand => [
    COMPARE_AND_SET,
    key,
    expected,
    value,
  ],
  /** Answer: a {@link KvEntry}, or undefined. */
  get: (key: string): KvQuery => ['get', key],
  /** Answer: up to `limit` {@link KvEntry}s with the prefix, sorted by key, those after `after` only. */
  list: (prefix = '', after = '', limit = 1000): KvQuery => ['list', prefix, after, limit],
  /** Answer: the versions of `keys` in that order, 0 for a key that is not there. */
  versions: (keys: readonly string[]): KvQuery => ['versions', keys],
  /** Answer: how many keys there are. */
  count: (): KvQuery => ['count'],
}

interface Cell {
  value: KvValue
  version: number
}

const SAVE_CHUNK_KEYS = 4096

class KvMachine implements StateMachine {
  readonly #codec: Codec
  /** In the order of creation, which the log decides: the same on every replica. */
  readonly #cells = new Map<string, Cell>()

  constructor(codec: Codec) {
    this.#codec = codec
  }

  apply(command: unknown): unknown {
    if (!Array.isArray(command)) throw reject('a kv command is an array: [operation, key, ...]')
    const [op, key] = command as readonly unknown[]
    if (typeof key !== 'string') throw reject('the key of a kv command is a string')
    switch (op) {
      case SET:
        return this.#set(key, command[2])
      case DELETE:
        return this.#cells.delete(key)
      case COMPARE_AND_SET:
        return this.#compareAndSet(key, command[2], command[3])
      default:
        throw reject('unknown kv operation')
    }
  }

  #set(key: string, value: unknown): undefined {
    const own = ownValue(value)
    const cell = this.#cells.get(key)
    if (cell === undefined) {
      this.#cells.set(key, { value: own, version: 1 })
    } else {
      cell.value = own
      cell.version++
    }
  }

  #compareAndSet(key: string, expected: unknown, value: unknown): boolean {
    const own = ownValue(value)
    const current = this.#cells.get(key)?.value
    if (!sameValue(current, expected === undefined ? undefined : ownValue(expected))) return false
    this.#set(key, own)
    return true
  }

  query(query: unknown): unknown {
    if (!Array.isArray(query)) throw reject('a kv query is an array: [operation, ...]')
    const [op, argument, after, limit] = query as readonly unknown[]
    switch (op) {
      case 'get':
        return this.#entry(String(argument))
      case 'list':
        return this.#list(String(argument), String(after), Number(limit))
      case 'versions':
        if (!Array.isArray(argument)) throw reject('versions takes an array of keys')
        return argument.map((key) => this.#cells.get(key)?.version ?? 0)
      case 'count':
        return this.#cells.size
      default:
        throw reject('unknown kv query')
    }
  }

  #entry(key: string): KvEntry | undefined {
    const cell = this.#cells.get(key)
    return cell === undefined ? undefined : { key, value: cell.value, version: cell.version }
  }

  #list(prefix: string, after: string, limit: number): KvEntry[] {
    if (!Number.isSafeInteger(limit) || limit < 1) throw reject('the limit of a list is a positive integer')
    const keys: string[] = []
    for (const key of this.#cells.keys()) if (key > after && key.startsWith(prefix)) keys.push(key)
    return keys
      .sort()
      .slice(0, limit)
      .map((key) => this.#entry(key) as KvEntry)
  }

  *save(): Iterable<Uint8Array> {
    let chunk: unknown[] = []
    for (const [key, cell] of this.#cells) {
      chunk.push([key, cell.value, cell.version])
      if (chunk.length < SAVE_CHUNK_KEYS) continue
      yield sized(this.#codec.encode(chunk))
      chunk = []
    }
    if (chunk.length > 0) yield sized(this.#codec.encode(chunk))
  }

  load(chunks: Iterable<Uint8Array>): void {
    this.#cells.clear()
    const bytes = joinChunks(chunks)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let offset = 0; offset < bytes.byteLength; ) {
      const length = view.getUint32(offset, true)
      const cells = this.#codec.decode(bytes.subarray(offset + 4, offset + 4 + length))
      for (const [key, value, version] of cells as [string, KvValue, number][]) {
        this.#cells.set(key, { value: ownValue(value), version })
      }
      offset += 4 + length
    }
  }
}

/** Bytes behind their length, so that chunks may be cut anywhere. */
function sized(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + bytes.byteLength)
  new DataView(framed.buffer).setUint32(0, bytes.byteLength, true)
  framed.set(bytes, 4)
  return framed
}

/** A value that does not hang on to the entry it came in: bytes are copied. */
function ownValue(value: unknown): KvValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null) {
    return value
  }
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw reject('a kv value is a string, a number, a boolean, null or bytes')
}

function sameValue(left: KvValue | undefined, right: KvValue | undefined): boolean {
  if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array)) return Object.is(left, right)
  return left.byteLength === right.byteLength && left.every((byte, index) => byte === right[index])
}

export const kvMachine: MachineDefinition = {
  name: 'kv',
  create: ({ codec }) => new KvMachine(codec),
}
