/**
 * The key-value machine: get, set, delete, compare-and-set. Counts the writes of each key since it was created
 * (its *version*, as etcd has it), which lets a test tell lost writes from writes applied twice.
 *
 * Its state is in memory, or on the disk with `machineOptions: { storage: 'disk' }`: the same commands, queries and answers,
 * but that keys of more than 1,024 bytes of UTF-8 are refused there. A state is saved in the order of the keys' creation in memory, in the order of
 * the keys on the disk: digests are equal among the replicas of a cluster, which all have the same options.
 */
import type { MachineStorage, StateLoader } from '@troupe/core'
import { ByteWriter } from './byte-writer.ts'
import { FrameReader, sizedFrame } from './chunk-frames.ts'
import type { KvCell, KvCells, KvLoading, KvSaving } from './kv-cells.ts'
import { KvDisk } from './kv-disk.ts'
import { KvTable } from './kv-table.ts'
import { type AnswerRows, type Codec, type MachineDefinition, reject, type StateMachine } from './machine.ts'
import {
  arrayBody,
  arrayLength,
  NOT_MSGPACK,
  skipValue,
  stringBody,
  stringLength,
  valueClass,
} from './msgpack-cursor.ts'
import type { CommandError } from './outcome.ts'
import { type ViewedBytes, viewed } from './viewed-bytes.ts'

export type KvValue = string | number | boolean | null | Uint8Array

const SET = 1
const DELETE = 2
const COMPARE_AND_SET = 3

const UNDECODABLE = 'the command does not decode'
const NO_VALUE = 'a kv value is a string, a number, a boolean, null or bytes'

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

/** Bytes of cells in one chunk of a saved state, about: one large value is not cut. */
const SAVE_CHUNK_BYTES = 64 << 10
/** What a cell adds to its key and value there. */
const SAVED_CELL_BYTES = 16

/** The operation of `kv.get`, as ASCII. */
const GET = Uint8Array.of(0x67, 0x65, 0x74)
/** Those of a {@link KvEntry}. */
const ENTRY_FIELDS = ['key', 'value', 'version'] as const satisfies (keyof KvEntry)[]
const ROWS_HEADER_BYTES = 64
/** What msgpackr makes of undefined. */
const UNDEFINED = Uint8Array.of(0xd4, 0, 0)

class KvMachine implements StateMachine {
  readonly #codec: Codec
  #table: KvCells
  /** Of an answer in the last batch: so much room the next one begins with. */
  #rowBytes = 64

  constructor(codec: Codec, storage: MachineStorage | undefined) {
    this.#codec = codec
    this.#table = storage === undefined ? new KvTable() : new KvDisk(storage)
  }

  /** One command by the same path as many, so that there is only one. */
  apply(command: unknown): unknown {
    const { results, errors } = this.applyPayload(this.#codec.encode([command]), 1) ?? {}
    const error = errors?.[0]
    if (error !== undefined) throw reject(error[1])
    return results?.[0]
  }

  applyPayload(
    payload: Uint8Array,
    count: number,
  ): { results?: unknown[]; errors?: CommandError[] } | undefined {
    if (arrayLength(payload, 0) !== count) throw reject('the frame does not hold its commands')
    let results: unknown[] | undefined
    let errors: CommandError[] | undefined
    const source = viewed(payload)
    let offset = arrayBody(payload, 0)
    for (let index = 0; index < count; index++) {
      const behind = this.#plainSet(source, offset)
      if (behind > 0) {
        offset = behind
        continue
      }
      const end = skipValue(payload, offset)
      const outcome = end === NOT_MSGPACK ? UNDECODABLE : this.#run(source, offset)
      if (typeof outcome === 'string') {
        errors ??= []
        errors.push([index, outcome])
      } else if (outcome !== undefined) {
        results ??= new Array<unknown>(count).fill(undefined)
        results[index] = outcome
      }
      // What follows damage cannot be found.
      offset = end === NOT_MSGPACK ? payload.byteLength : end
    }
    if (results === undefined && errors === undefined) return undefined
    return { ...(results === undefined ? {} : { results }), ...(errors === undefined ? {} : { errors }) }
  }

  /**
   * The way of most commands, in one pass: a set with a short key. Returns the offset behind it, or -1 where the
   * command is another or has a flaw: then nothing was done.
   */
  #plainSet(source: ViewedBytes, offset: number): number {
    const { bytes } = source
    const head = bytes[offset + 2] as number
    if (bytes[offset] !== 0x93 || bytes[offset + 1] !== SET || head < 0xa0 || head > 0xbf) return -1
    const keyStart = offset + 3
    const keyEnd = keyStart + (head & 0x1f)
    const end = skipValue(bytes, keyEnd)
    if (end === NOT_MSGPACK || valueClass(bytes, keyEnd) !== 'scalar') return -1
    this.#table.set(source, keyStart, keyEnd, keyEnd, end)
    return end
  }

  /** Runs the command at `offset`. A string is the reason for a refusal. */
  #run(source: ViewedBytes, offset: number): boolean | undefined | string {
    const payload = source.bytes
    const length = arrayLength(payload, offset)
    const op = arrayBody(payload, offset)
    if (length < 2) return 'a kv command is an array: [operation, key, ...]'
    const key = op + 1
    const keyStart = stringBody(payload, key)
    const keyEnd = keyStart + stringLength(payload, key)
    if (keyEnd < keyStart) return 'the key of a kv command is a string'
    const { maxKeyBytes } = this.#table
    if (keyEnd - keyStart > maxKeyBytes) return `a key of a kv on the disk has at most ${maxKeyBytes} bytes`
    switch (payload[op]) {
      case SET:
        if (length !== 3) return 'set takes a key and a value'
        return this.#set(source, keyStart, keyEnd, keyEnd)
      case DELETE:
        return this.#table.delete(source, keyStart, keyEnd)
      case COMPARE_AND_SET:
        if (length !== 4) return 'compareAndSet takes a key, the expected and the new value'
        return this.#compareAndSet(source, keyStart, keyEnd)
      default:
        return 'unknown kv operation'
    }
  }

  #set(source: ViewedBytes, keyStart: number, keyEnd: number, value: number): undefined | string {
    if (valueClass(source.bytes, value) !== 'scalar') return NO_VALUE
    this.#table.set(source, keyStart, keyEnd, value, skipValue(source.bytes, value))
    return undefined
  }

  /** Values are the same when their encodings are. */
  #compareAndSet(source: ViewedBytes, keyStart: number, keyEnd: number): boolean | string {
    const payload = source.bytes
    const expected = keyEnd
    const expectedEnd = skipValue(payload, expected)
    const current = this.#table.get(source, keyStart, keyEnd)?.value
    if (valueClass(payload, expectedEnd) !== 'scalar') return NO_VALUE
    const fits =
      current === undefined
        ? valueClass(payload, expected) === 'undefined'
        : sameBytes(current, payload.subarray(expected, expectedEnd))
    if (!fits) return false
    this.#set(source, keyStart, keyEnd, expectedEnd)
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
        return argument.map((key) => this.#find(String(key))?.version ?? 0)
      case 'count':
        return this.#table.count
      default:
        throw reject('unknown kv query')
    }
  }

  /** Where all of them are `get`: from the bytes of the keys to the bytes of the values. */
  queryPayload(payload: Uint8Array, count: number): AnswerRows | undefined {
    if (arrayLength(payload, 0) !== count) return undefined
    const source = viewed(payload)
    const rows = new ByteWriter(count * this.#rowBytes + ROWS_HEADER_BYTES)
    rows.array(count)
    let offset = arrayBody(payload, 0)
    for (let left = count; left > 0; left--) {
      offset = this.#getRow(source, offset, rows)
      if (offset < 0) return undefined
    }
    this.#rowBytes = Math.ceil(rows.end / count)
    return { fields: ENTRY_FIELDS, rows: rows.written }
  }

  /** Answers the `get` at `offset` by a row. Returns the offset behind it, or -1 where the query is another or has a flaw. */
  #getRow(source: ViewedBytes, offset: number, rows: ByteWriter): number {
    const { bytes } = source
    const key = offset + 2 + GET.length
    for (let at = 0; at < GET.length; at++) if (bytes[offset + 2 + at] !== GET[at]) return -1
    const length = stringLength(bytes, key)
    if (bytes[offset] !== 0x92 || bytes[offset + 1] !== (0xa0 | GET.length) || length < 0) return -1
    const keyStart = stringBody(bytes, key)
    const end = keyStart + length
    if (end > bytes.byteLength) return -1
    const start = rows.end
    rows.array(ENTRY_FIELDS.length)
    rows.copy(source, key, end)
    const version = this.#table.read(source, keyStart, end, rows)
    if (version > 0) rows.count(version)
    else {
      rows.end = start
      rows.append(UNDEFINED)
    }
    return end
  }

  #find(key: string): KvCell | undefined {
    const encoded = this.#codec.encode(key)
    return this.#table.get(viewed(encoded), stringBody(encoded, 0), encoded.byteLength)
  }

  #entry(key: string): KvEntry | undefined {
    const cell = this.#find(key)
    return cell && this.#decoded(key, cell)
  }

  /** With a copy of the value: bytes in it would else be a view of the table. */
  #decoded(key: string, { value, version }: KvCell): KvEntry {
    return { key, value: this.#codec.decode(new Uint8Array(value)) as KvValue, version }
  }

  /** A key's bytes as a string, by way of its encoding. */
  #text(key: Uint8Array): string {
    const encoded = new Uint8Array(5 + key.byteLength)
    encoded[0] = 0xdb
    new DataView(encoded.buffer).setUint32(1, key.byteLength)
    encoded.set(key, 5)
    return this.#codec.decode(encoded) as string
  }

  #list(prefix: string, after: string, limit: number): KvEntry[] {
    if (!Number.isSafeInteger(limit) || limit < 1) throw reject('the limit of a list is a positive integer')
    const found: [key: string, cell: KvCell][] = []
    const mostFound = this.#table.isOrdered ? limit : Number.POSITIVE_INFINITY
    for (const cell of this.#table.candidates(this.#bytes(prefix), this.#bytes(after))) {
      const key = this.#text(cell.key)
      if (key > after && key.startsWith(prefix)) found.push([key, cell])
      if (found.length === mostFound) break
    }
    return found
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .slice(0, limit)
      .map(([key, cell]) => this.#decoded(key, cell))
  }

  #bytes(text: string): Uint8Array {
    const encoded = this.#codec.encode(text)
    return encoded.subarray(stringBody(encoded, 0))
  }

  /** How many cells, then the cells, in the order of their keys' creation; on the disk in that of the keys. */
  *save(): Iterable<Uint8Array> {
    yield countFrame(this.#table.count, this.#codec)
    const cells = this.#table.entries()[Symbol.iterator]()
    const next = (): KvCell | undefined => cells.next().value as KvCell | undefined
    for (let chunk = cellFrame(next, this.#codec); chunk !== undefined; chunk = cellFrame(next, this.#codec))
      yield chunk
  }

  /** The bytes that `save` would give now, pulled while commands go on. */
  beginSave(): Iterator<Uint8Array> {
    return new KvSave(this.#table.beginSave(), this.#codec)
  }

  load(chunks: Iterable<Uint8Array>): void {
    const loader = this.beginLoad()
    for (const chunk of chunks) loader.chunk(chunk)
    loader.end()
  }

  /** Builds a table beside the present one, chunk by chunk. */
  beginLoad(draft?: MachineStorage): StateLoader {
    const codec = this.#codec
    const loading: KvLoading = this.#table.beginLoad(draft)
    let isCounted = false
    const frames = new FrameReader((frame) => {
      const content = codec.decode(frame)
      if (!isCounted) {
        isCounted = true
        return loading.reserve(content as number)
      }
      for (const [key, value, version] of content as [Uint8Array, Uint8Array, number][])
        loading.restore({ key, value, version })
    })
    return {
      chunk: (bytes) => frames.chunk(bytes),
      end: () => {
        frames.end()
        this.#table = loading.end()
      },
    }
  }
}

class KvSave implements Iterator<Uint8Array, undefined> {
  readonly #saving: KvSaving
  readonly #codec: Codec
  #count: Uint8Array | undefined
  #isOver = false

  constructor(saving: KvSaving, codec: Codec) {
    this.#saving = saving
    this.#codec = codec
    this.#count = countFrame(saving.count, codec)
  }

  next(): IteratorResult<Uint8Array, undefined> {
    if (this.#isOver) return { done: true, value: undefined }
    const chunk = this.#count ?? cellFrame(() => this.#saving.next(), this.#codec)
    this.#count = undefined
    return chunk === undefined ? this.return() : { done: false, value: chunk }
  }

  /** The cells may be in another save by the time this is called again. */
  return(): IteratorResult<Uint8Array, undefined> {
    if (!this.#isOver) this.#saving.end()
    this.#isOver = true
    return { done: true, value: undefined }
  }
}

const countFrame = (count: number, codec: Codec): Uint8Array => sizedFrame(codec.encode(count))

/** Cells for one chunk; undefined where there are no more. */
function cellFrame(next: () => KvCell | undefined, codec: Codec): Uint8Array | undefined {
  const cells: unknown[] = []
  for (let bytes = 0; bytes < SAVE_CHUNK_BYTES; ) {
    const cell = next()
    if (cell === undefined) break
    const { key, value, version } = cell
    cells.push([key, value, version])
    bytes += key.byteLength + value.byteLength + SAVED_CELL_BYTES
  }
  return cells.length === 0 ? undefined : sizedFrame(codec.encode(cells))
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && left.every((byte, index) => byte === right[index])
}

export const kvMachine: MachineDefinition = {
  name: 'kv',
  storage: 'by option',
  create: ({ codec, storage }) => new KvMachine(codec, storage),
}
