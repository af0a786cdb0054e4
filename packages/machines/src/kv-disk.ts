/**
 * The cells of the kv machine on the disk: one row for each key, in the order of the keys.
 *
 *     key   1, then the key's UTF-8, with the bytes 0xee and 0xef exchanged for 0xfe and 0xff
 *     row   the version in groups of 7 bits, the lowest first, the highest bit set in all but the last; then the value
 *
 * Strings of JavaScript are compared by UTF-16 units, where the keys beyond U+FFFF stand before those from U+E000 on; in UTF-8 the
 * latter begin with 0xee and 0xef, and nothing begins with 0xfe and 0xff. So the exchange makes the order of the bytes that
 * of the strings, and `list` gives the same page as it does in memory.
 */
import { invariant, type MachineStorage, type StorageReader, type StorageView } from '@troupe/core'
import type { ByteWriter } from './byte-writer.ts'
import type { KvCell, KvCells, KvLoading, KvSaving } from './kv-cells.ts'
import { copyBytes, type ViewedBytes, viewed } from './viewed-bytes.ts'

/** Far below what a page of LMDB holds, and the same wherever the storage could take more. */
const MAX_KEY_BYTES = 1024
const CELL = 1
const BEHIND_CELLS = Uint8Array.of(CELL + 1)
/** Groups of 7 bits in 2^53. */
const MAX_VERSION_BYTES = 8
/** Cells that a view takes out of the storage at once. */
const PAGE_CELLS = 256

export class KvDisk implements KvCells {
  readonly maxKeyBytes = MAX_KEY_BYTES
  readonly isOrdered = true
  readonly #storage: MachineStorage
  /** A key and a row on their way: the storage copies them. */
  readonly #key = new Uint8Array(1 + MAX_KEY_BYTES)
  #row = viewed(new Uint8Array(4096))

  constructor(storage: MachineStorage) {
    this.#storage = storage
    invariant(storage.maxKeyBytes > MAX_KEY_BYTES, `keys of up to ${storage.maxKeyBytes} bytes`)
    this.#key[0] = CELL
  }

  get count(): number {
    return this.#storage.count
  }

  set(source: ViewedBytes, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    const key = this.#keyOf(source.bytes, keyStart, keyEnd)
    const row = this.#storage.get(key)
    const version = row === undefined ? 1 : versionOf(row) + 1
    this.#put(key, version, source, valueStart, valueEnd)
  }

  #put(key: Uint8Array, version: number, source: ViewedBytes, valueStart: number, valueEnd: number): void {
    const mostBytes = MAX_VERSION_BYTES + valueEnd - valueStart
    if (this.#row.bytes.byteLength < mostBytes) this.#row = viewed(new Uint8Array(mostBytes * 2))
    const row = this.#row
    let end = 0
    let rest = version
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) row.bytes[end++] = 0x80 | (rest % 0x80)
    row.bytes[end++] = rest
    copyBytes(source, valueStart, valueEnd, row, end)
    this.#storage.put(key, row.bytes.subarray(0, end + valueEnd - valueStart))
  }

  get(source: ViewedBytes, keyStart: number, keyEnd: number): KvCell | undefined {
    if (keyEnd - keyStart > MAX_KEY_BYTES) return undefined
    const row = this.#storage.get(this.#keyOf(source.bytes, keyStart, keyEnd))
    return row && cellOf(source.bytes.subarray(keyStart, keyEnd), row)
  }

  read(source: ViewedBytes, keyStart: number, keyEnd: number, target: ByteWriter): number {
    const cell = this.get(source, keyStart, keyEnd)
    if (cell === undefined) return 0
    target.append(cell.value)
    return cell.version
  }

  delete(source: ViewedBytes, keyStart: number, keyEnd: number): boolean {
    return this.#storage.remove(this.#keyOf(source.bytes, keyStart, keyEnd))
  }

  /** As it is stored. Valid until the next call. */
  #keyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const key = this.#key
    let at = 1
    for (let position = start; position < end; position++) key[at++] = exchanged(bytes[position] as number)
    return key.subarray(0, at)
  }

  entries(): Iterable<KvCell> {
    return cellsOf(this.#storage, Uint8Array.of(CELL))
  }

  candidates(prefix: Uint8Array, from: Uint8Array): Iterable<KvCell> {
    const low = this.#keyOf(prefix, 0, Math.min(prefix.byteLength, MAX_KEY_BYTES)).slice()
    const high = this.#keyOf(from, 0, Math.min(from.byteLength, MAX_KEY_BYTES)).slice()
    return cellsOf(this.#storage, isBefore(low, high) ? high : low, low)
  }

  beginSave(): KvSaving {
    return new KvDiskSave(this.#storage.view())
  }

  beginLoad(draft: MachineStorage | undefined): KvLoading {
    if (draft !== undefined) return new KvDiskLoad(draft, this)
    // Where there is no draft the present cells go at once.
    this.#storage.clear()
    return new KvDiskLoad(this.#storage, this)
  }

  /** Puts in a cell with its version. */
  restore({ key, value, version }: KvCell): void {
    this.#put(this.#keyOf(key, 0, key.byteLength), version, viewed(value), 0, value.byteLength)
  }
}

class KvDiskLoad implements KvLoading {
  readonly #cells: KvDisk
  readonly #loaded: KvDisk

  /** @param loaded cells whose storage will be the one that is filled */
  constructor(storage: MachineStorage, loaded: KvDisk) {
    this.#cells = new KvDisk(storage)
    this.#loaded = loaded
  }

  /** A storage grows by itself. */
  reserve(): void {}

  end(): KvDisk {
    return this.#loaded
  }

  restore(cell: KvCell): void {
    const { byteLength } = cell.key
    invariant(byteLength <= MAX_KEY_BYTES, `a key of ${byteLength} bytes, from a kv that is not on the disk`)
    this.#cells.restore(cell)
  }
}

/** Looks at a page at a time, and holds nothing open between the turns but the view. */
class KvDiskSave implements KvSaving {
  readonly count: number
  readonly #view: StorageView
  #page: KvCell[] = []
  #at = 0
  #after: Uint8Array | undefined
  #isOver = false

  constructor(view: StorageView) {
    this.#view = view
    this.count = view.count
  }

  next(): KvCell | undefined {
    if (this.#at === this.#page.length) this.#turn()
    return this.#page[this.#at++]
  }

  #turn(): void {
    this.#page = []
    this.#at = 0
    if (this.#isOver) return
    const range = { after: this.#after, to: BEHIND_CELLS, limit: PAGE_CELLS }
    for (const [key, row] of this.#view.entries(range)) {
      this.#page.push(cellOf(plainKey(key), row))
      this.#after = key
    }
  }

  end(): void {
    this.#isOver = true
    this.#view.close()
  }
}

/** From a stored key on, as long as keys begin with the stored prefix. */
function* cellsOf(
  storage: StorageReader,
  from: Uint8Array,
  prefix = Uint8Array.of(CELL),
): Generator<KvCell, undefined, undefined> {
  for (const [key, row] of storage.entries({ from, to: BEHIND_CELLS })) {
    if (!prefix.every((byte, at) => byte === key[at])) return undefined
    yield cellOf(plainKey(key), row)
  }
  return undefined
}

function isBefore(left: Uint8Array, right: Uint8Array): boolean {
  const length = Math.min(left.byteLength, right.byteLength)
  for (let at = 0; at < length; at++) {
    if (left[at] !== right[at]) return (left[at] as number) < (right[at] as number)
  }
  return left.byteLength < right.byteLength
}

/** Undoes itself. */
const exchanged = (byte: number): number => ((byte & 0xee) === 0xee ? byte ^ 0x10 : byte)

const plainKey = (stored: Uint8Array): Uint8Array => stored.subarray(1).map(exchanged)

function versionOf(row: Uint8Array): number {
  let version = 0
  let scale = 1
  for (let at = 0; ; at++, scale *= 0x80) {
    const byte = row[at] as number
    version += (byte & 0x7f) * scale
    if (byte < 0x80) return version
  }
}

function cellOf(key: Uint8Array, row: Uint8Array): KvCell {
  let end = 0
  while ((row[end] as number) >= 0x80) end++
  return { key, value: row.subarray(end + 1), version: versionOf(row) }
}
