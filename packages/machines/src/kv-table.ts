/**
 * The table behind the kv machine: keys and values as bytes, outside of the JavaScript heap.
 *
 * A Map of strings costs the garbage collector a copy of each value written and the processor a walk through
 * four objects: measured at 1.9 µs a write over 100,000 keys, against 0.3 µs here, on each replica.
 *
 *     index   open addressing, one number for each slot: the address of a cell, 0 where it is free
 *     pages   1 MiB of cells each; a cell's capacity is of a size class, freed cells are used again
 *     cell    links and counts (HEADER_BYTES), key bytes, value bytes
 *
 * Cells are linked in the order of their keys' creation: the order of `entries`, decided by the commands alone.
 * Values too large for a page's cells live beside it as arrays of their own.
 *
 * A *save* is a view of all cells as they are at its beginning, pulled one by one while writes go on. Its beginning costs
 * nothing, whatever the size: each cell carries the number of the last save that is done with it, and one that is written
 * before its turn leaves its old self behind in the list, a *ghost*, out of the index, for the save to give out and free.
 * New cells carry the number of the save under way: they are no part of it.
 *
 * Invariant: the cell that a save gives out next is not done with, so nothing else frees it.
 */
import { invariant } from '@troupe/core'
import type { ByteWriter } from './byte-writer.ts'
import type { KvCell, KvCells, KvLoading, KvSaving } from './kv-cells.ts'
import { copyBytes, hashOf, type ViewedBytes, viewed } from './viewed-bytes.ts'

const PAGE_BYTES = 1 << 20
const PAGE_UNITS = PAGE_BYTES >> 4
/** Cells are measured in units of 16 bytes: an address is a count of units, so that 32 bits reach 64 GiB. */
const HEADER_BYTES = 32
/** Cells beyond keep their value outside. */
const MAX_CELL_BYTES = 4096
const FIRST_SLOTS = 1024

// A cell's header, as 32-bit words from its beginning.
const NEXT = 0
const PREVIOUS = 1
const HASH = 2
const KEY_BYTES = 3
/** VALUE_OUTSIDE where the value lives outside. */
const VALUE_BYTES = 4
/** The highest bit is set in a ghost. */
const CELL_UNITS = 5
const VERSION = 6
/** The upper bits of the version, and above them the number of the last save that is done with the cell. */
const VERSION_HIGH = 7

const GHOST = 0x80000000
const SAVE_SHIFT = 21
const VERSION_HIGH_MASK = (1 << SAVE_SHIFT) - 1
/** Numbers of saves go round. Each one completed leaves its own in every cell. */
const SAVE_NUMBERS = 1 << (32 - SAVE_SHIFT)
const MAX_ABANDONED_SAVES = SAVE_NUMBERS / 2
/** Ghosts of an abandoned save that are freed with each cell that is allocated. */
const FREED_PER_ALLOCATION = 32

const VALUE_OUTSIDE = 0xffffffff
const TOMBSTONE = 0xffffffff

interface Page extends ViewedBytes {
  readonly words: Uint32Array
}

export class KvTable implements KvCells {
  readonly maxKeyBytes = Number.POSITIVE_INFINITY
  readonly isOrdered = false
  readonly #pages: Page[] = []
  /** First free unit of the last page. Address 0 stays unused: it means "none". */
  #nextUnit = PAGE_UNITS
  /** First freed cell of each size, in units; further ones by their NEXT. */
  #freed: number[] = []
  #slots = new Uint32Array(FIRST_SLOTS)
  #used = 0
  #count = 0
  #first = 0
  #last = 0
  readonly #outside = new Map<number, Uint8Array>()
  #isSaving = false
  /** The save under way, or the last one. */
  #saveNumber = 0
  /** What it gives out next and last. */
  #saveNext = 0
  #saveLast = 0
  /** Where it has left ghosts: those that it has freed as well. */
  #ghosts: number[] = []
  /** Likewise, of saves that were abandoned. */
  #garbage: number[] = []
  #abandonedSaves = 0

  get count(): number {
    return this.#count
  }

  /** Pages of cells, living, freed and ghosts. */
  get pageCount(): number {
    return this.#pages.length
  }

  /** Writes a value (bytes `valueStart` to `valueEnd` of `source`) under a key (likewise). Copies both. */
  set(source: ViewedBytes, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    const hash = hashOf(source.bytes, keyStart, keyEnd)
    const slot = this.#find(hash, source, keyStart, keyEnd)
    if (slot < 0) {
      this.#insert(hash, source, keyStart, keyEnd, valueStart, valueEnd)
      return
    }
    const address = this.#slots[slot] as number
    const page = this.#pages[(address / PAGE_UNITS) | 0] as Page
    const word = (address % PAGE_UNITS) << 2
    if (this.#isSaving && (page.words[word + VERSION_HIGH] as number) >>> SAVE_SHIFT !== this.#saveNumber) {
      return this.#supersede(slot, source, valueStart, valueEnd)
    }
    const keyBytes = keyEnd - keyStart
    const valueBytes = valueEnd - valueStart
    const room = ((page.words[word + CELL_UNITS] as number) << 4) - HEADER_BYTES - keyBytes
    if (valueBytes > room || page.words[word + VALUE_BYTES] === VALUE_OUTSIDE) {
      return this.#move(slot, source, valueStart, valueEnd)
    }
    copyBytes(source, valueStart, valueEnd, page, (word << 2) + HEADER_BYTES + keyBytes)
    page.words[word + VALUE_BYTES] = valueBytes
    bumpVersion(page.words, word)
  }

  get(source: ViewedBytes, keyStart: number, keyEnd: number): KvCell | undefined {
    const slot = this.#find(hashOf(source.bytes, keyStart, keyEnd), source, keyStart, keyEnd)
    return slot < 0 ? undefined : this.#cell(this.#slots[slot] as number)
  }

  read(source: ViewedBytes, keyStart: number, keyEnd: number, target: ByteWriter): number {
    const slot = this.#find(hashOf(source.bytes, keyStart, keyEnd), source, keyStart, keyEnd)
    if (slot < 0) return 0
    const address = this.#slots[slot] as number
    const page = this.#page(address)
    const word = (address % PAGE_UNITS) << 2
    const start = (word << 2) + HEADER_BYTES + (page.words[word + KEY_BYTES] as number)
    const valueBytes = page.words[word + VALUE_BYTES] as number
    if (valueBytes === VALUE_OUTSIDE) target.append(this.#outside.get(address) as Uint8Array)
    else target.copy(page, start, start + valueBytes)
    return versionAt(page.words, word)
  }

  delete(source: ViewedBytes, keyStart: number, keyEnd: number): boolean {
    const slot = this.#find(hashOf(source.bytes, keyStart, keyEnd), source, keyStart, keyEnd)
    if (slot < 0) return false
    const address = this.#slots[slot] as number
    this.#slots[slot] = TOMBSTONE
    this.#count--
    if (this.#isSaving && !this.#isDone(address)) this.#becomeGhost(address)
    else this.#free(address)
    return true
  }

  /** All cells in the order of their keys' creation. Not to be changed meanwhile. */
  *entries(): Generator<KvCell, undefined, undefined> {
    for (let address = this.#first; address !== 0; address = this.#word(address, NEXT))
      if (!this.#isGhost(address)) yield this.#cell(address)
    return undefined
  }

  candidates(): Iterable<KvCell> {
    return this.entries()
  }

  clear(): void {
    this.#pages.length = 0
    this.#nextUnit = PAGE_UNITS
    this.#freed = []
    this.#slots = new Uint32Array(FIRST_SLOTS)
    this.#used = 0
    this.#count = 0
    this.#first = 0
    this.#last = 0
    this.#outside.clear()
    this.#isSaving = false
    this.#saveNext = 0
    this.#ghosts = []
    this.#garbage = []
  }

  /** Makes room for so many keys at once: the index is not built again on the way there. */
  reserve(count: number): void {
    let size = this.#slots.length
    while (count * 4 > size * 3) size *= 2
    if (size > this.#slots.length) this.#rebuildIndex(size)
  }

  // ---- saves

  /** Begins a save of all cells as they are. One at a time. */
  beginSave(): KvSaving {
    invariant(!this.#isSaving, 'a save of this table is under way')
    while (this.#garbage.length > 0) this.#collectGarbage()
    if (this.#abandonedSaves >= MAX_ABANDONED_SAVES) this.#forgetSaves()
    this.#saveNumber = (this.#saveNumber + 1) % SAVE_NUMBERS
    this.#isSaving = true
    this.#saveNext = this.#first
    this.#saveLast = this.#last
    return { count: this.#count, next: () => this.nextSaved(), end: () => this.endSave() }
  }

  /** The next cell of the save, in the order of the keys' creation: valid until the table is written to. */
  nextSaved(): KvCell | undefined {
    const address = this.#saveNext
    if (!this.#isSaving || address === 0) return undefined
    const cell = this.#cell(address)
    let next = address === this.#saveLast ? 0 : this.#word(address, NEXT)
    if (this.#isGhost(address)) this.#free(address)
    else this.#setDone(address)
    // At most one: the new self of the ghost.
    while (next !== 0 && this.#isDone(next) && !this.#isGhost(next)) next = this.#word(next, NEXT)
    this.#saveNext = next
    return cell
  }

  /** Ends a save. Where it was not complete its ghosts are freed by and by. */
  endSave(): void {
    if (!this.#isSaving) return
    this.#isSaving = false
    this.#abandonedSaves = this.#saveNext === 0 ? 0 : this.#abandonedSaves + 1
    if (this.#saveNext !== 0) this.#garbage = this.#ghosts
    this.#ghosts = []
    this.#saveNext = 0
  }

  /** Whether the save under way has nothing to do with a cell any more, or never had. */
  #isDone(address: number): boolean {
    return this.#word(address, VERSION_HIGH) >>> SAVE_SHIFT === this.#saveNumber
  }

  #setDone(address: number): void {
    const high = this.#word(address, VERSION_HIGH) & VERSION_HIGH_MASK
    this.#setWord(address, VERSION_HIGH, high | (this.#saveNumber << SAVE_SHIFT))
  }

  #isGhost(address: number): boolean {
    return this.#word(address, CELL_UNITS) >= GHOST
  }

  /** A cell that the save has yet to give out leaves the table. */
  #becomeGhost(address: number): void {
    this.#setWord(address, CELL_UNITS, this.#word(address, CELL_UNITS) | GHOST)
    this.#setDone(address)
    this.#ghosts.push(address)
  }

  /** A write to a cell that the save has yet to give out: goes to a new cell, which takes its place behind the ghost. */
  #supersede(slot: number, source: ViewedBytes, valueStart: number, valueEnd: number): void {
    const old = this.#slots[slot] as number
    const address = this.#copyKey(old, source, valueStart, valueEnd)
    const next = this.#word(old, NEXT)
    this.#setWord(address, PREVIOUS, old)
    this.#setWord(old, NEXT, address)
    if (next === 0) this.#last = address
    else this.#setWord(next, PREVIOUS, address)
    this.#slots[slot] = address
    this.#setDone(address)
    this.#becomeGhost(old)
  }

  /** Frees some ghosts. An address may have come to hold a living cell since: the save had freed that ghost itself. */
  #collectGarbage(): void {
    for (let count = 0; count < FREED_PER_ALLOCATION; count++) {
      const address = this.#garbage.pop()
      if (address === undefined) return
      if (this.#isGhost(address)) this.#free(address)
    }
  }

  /** Every cell gets the present number: none has one that could come round again. */
  #forgetSaves(): void {
    for (let address = this.#first; address !== 0; address = this.#word(address, NEXT)) this.#setDone(address)
    this.#abandonedSaves = 0
  }

  /** Begins a table beside this one. */
  beginLoad(): KvLoading {
    const table = new KvTable()
    return {
      reserve: (count) => table.reserve(count),
      restore: (cell) => table.restore(cell),
      end: () => table,
    }
  }

  /** Puts back a cell that `entries` gave, behind all others. The key must be new. */
  restore({ key, value, version }: KvCell): void {
    const joined = new Uint8Array(key.byteLength + value.byteLength)
    joined.set(key)
    joined.set(value, key.byteLength)
    const keyEnd = key.byteLength
    const source = viewed(joined)
    const hash = hashOf(joined, 0, keyEnd)
    const address = this.#insert(hash, source, 0, keyEnd, keyEnd, joined.byteLength)
    this.#setWord(address, VERSION, version >>> 0)
    this.#setWord(address, VERSION_HIGH, Math.floor(version / 0x100000000))
    this.#setDone(address)
  }

  // ---- cells

  #page(address: number): Page {
    return this.#pages[(address / PAGE_UNITS) | 0] as Page
  }

  #word(address: number, field: number): number {
    return this.#page(address).words[((address % PAGE_UNITS) << 2) + field] as number
  }

  #setWord(address: number, field: number, value: number): void {
    this.#page(address).words[((address % PAGE_UNITS) << 2) + field] = value
  }

  #cell(address: number): KvCell {
    const { bytes, words } = this.#page(address)
    const start = ((address % PAGE_UNITS) << 4) + HEADER_BYTES
    const keyEnd = start + this.#word(address, KEY_BYTES)
    const valueBytes = this.#word(address, VALUE_BYTES)
    return {
      key: bytes.subarray(start, keyEnd),
      value:
        valueBytes === VALUE_OUTSIDE
          ? (this.#outside.get(address) as Uint8Array)
          : bytes.subarray(keyEnd, keyEnd + valueBytes),
      version: versionAt(words, (address % PAGE_UNITS) << 2),
    }
  }

  #insert(
    hash: number,
    source: ViewedBytes,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    if ((this.#used + 1) * 4 > this.#slots.length * 3) this.#growIndex()
    const address = this.#store(source, keyStart, keyEnd, source, valueStart, valueEnd)
    this.#setWord(address, HASH, hash)
    this.#setWord(address, VERSION, 1)
    this.#setWord(address, VERSION_HIGH, this.#saveNumber << SAVE_SHIFT)
    this.#setWord(address, NEXT, 0)
    this.#setWord(address, PREVIOUS, this.#last)
    if (this.#last === 0) this.#first = address
    else this.#setWord(this.#last, NEXT, address)
    this.#last = address
    this.#occupy(hash, address)
    this.#count++
    return address
  }

  /** Gives a cell whose value no longer fits a larger one. */
  #move(slot: number, source: ViewedBytes, valueStart: number, valueEnd: number): void {
    const old = this.#slots[slot] as number
    const address = this.#copyKey(old, source, valueStart, valueEnd)
    const next = this.#word(old, NEXT)
    const previous = this.#word(old, PREVIOUS)
    if (next === 0) this.#last = address
    else this.#setWord(next, PREVIOUS, address)
    if (previous === 0) this.#first = address
    else this.#setWord(previous, NEXT, address)
    this.#slots[slot] = address
    this.#release(old)
  }

  /** A new cell with the key of an old one, everything else that is in its header, and a new value: one more write. */
  #copyKey(old: number, source: ViewedBytes, valueStart: number, valueEnd: number): number {
    const keyStart = ((old % PAGE_UNITS) << 4) + HEADER_BYTES
    const keyEnd = keyStart + this.#word(old, KEY_BYTES)
    const address = this.#store(this.#page(old), keyStart, keyEnd, source, valueStart, valueEnd)
    for (const field of [NEXT, PREVIOUS, HASH, VERSION, VERSION_HIGH]) {
      this.#setWord(address, field, this.#word(old, field))
    }
    bumpVersion(this.#page(address).words, (address % PAGE_UNITS) << 2)
    return address
  }

  /** Allocates a cell with a key and a value; links, hash and version are the caller's. */
  #store(
    keySource: ViewedBytes,
    keyStart: number,
    keyEnd: number,
    source: ViewedBytes,
    valueStart: number,
    valueEnd: number,
  ): number {
    const keyBytes = keyEnd - keyStart
    const valueBytes = valueEnd - valueStart
    const isInside = HEADER_BYTES + keyBytes + valueBytes <= MAX_CELL_BYTES
    const address = this.#allocate(HEADER_BYTES + keyBytes + (isInside ? valueBytes : 0))
    const page = this.#page(address)
    const start = ((address % PAGE_UNITS) << 4) + HEADER_BYTES
    copyBytes(keySource, keyStart, keyEnd, page, start)
    this.#setWord(address, KEY_BYTES, keyBytes)
    this.#setWord(address, VALUE_BYTES, isInside ? valueBytes : VALUE_OUTSIDE)
    if (isInside) copyBytes(source, valueStart, valueEnd, page, start + keyBytes)
    // Not slice(): that of a Buffer is a view.
    else this.#outside.set(address, new Uint8Array(source.bytes.subarray(valueStart, valueEnd)))
    return address
  }

  #allocate(bytes: number): number {
    const units = (bytes + 15) >> 4
    if (this.#garbage.length > 0) this.#collectGarbage()
    const freed = this.#freed[units] ?? 0
    if (freed !== 0) {
      this.#freed[units] = this.#word(freed, NEXT)
      return freed
    }
    if (this.#nextUnit + units > PAGE_UNITS) this.#addPage(units)
    const address = (this.#pages.length - 1) * PAGE_UNITS + this.#nextUnit
    this.#nextUnit += units
    this.#setWord(address, CELL_UNITS, units)
    return address
  }

  /** A page for at least one cell of `units`; keys of up to a page's size have one of their own. */
  #addPage(units: number): void {
    const bytes = new Uint8Array(Math.max(PAGE_BYTES, (units + 1) << 4))
    this.#pages.push({ ...viewed(bytes), words: new Uint32Array(bytes.buffer) })
    this.#nextUnit = this.#pages.length === 1 ? 1 : 0
  }

  /** Takes a cell out of the list, for others to use. */
  #free(address: number): void {
    this.#unlink(address)
    this.#release(address)
  }

  #release(address: number): void {
    if (this.#word(address, VALUE_BYTES) === VALUE_OUTSIDE) this.#outside.delete(address)
    const units = this.#word(address, CELL_UNITS) & ~GHOST
    this.#setWord(address, CELL_UNITS, units)
    this.#setWord(address, NEXT, this.#freed[units] ?? 0)
    this.#freed[units] = address
  }

  #unlink(address: number): void {
    const next = this.#word(address, NEXT)
    const previous = this.#word(address, PREVIOUS)
    if (previous === 0) this.#first = next
    else this.#setWord(previous, NEXT, next)
    if (next === 0) this.#last = previous
    else this.#setWord(next, PREVIOUS, previous)
  }

  // ---- index

  /** The slot of a key, or -1. */
  #find(hash: number, source: ViewedBytes, keyStart: number, keyEnd: number): number {
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const address = this.#slots[slot] as number
      if (address === 0) return -1
      if (address !== TOMBSTONE && this.#isKey(address, hash, source, keyStart, keyEnd)) return slot
    }
  }

  #isKey(address: number, hash: number, source: ViewedBytes, keyStart: number, keyEnd: number): boolean {
    const { bytes, view, words } = this.#pages[(address / PAGE_UNITS) | 0] as Page
    const word = (address % PAGE_UNITS) << 2
    if (words[word + HASH] !== hash || words[word + KEY_BYTES] !== keyEnd - keyStart) return false
    let at = (word << 2) + HEADER_BYTES
    let position = keyStart
    for (; position + 4 <= keyEnd; position += 4, at += 4) {
      if (source.view.getInt32(position, true) !== view.getInt32(at, true)) return false
    }
    for (; position < keyEnd; position++, at++) if (source.bytes[position] !== bytes[at]) return false
    return true
  }

  #occupy(hash: number, address: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = address
    this.#used++
  }

  /** Twice as large where it is filled with keys, as large as before where it is filled with tombstones. */
  #growIndex(): void {
    this.#rebuildIndex(this.#count * 2 > this.#slots.length ? this.#slots.length * 2 : this.#slots.length)
  }

  #rebuildIndex(size: number): void {
    this.#slots = new Uint32Array(size)
    this.#used = 0
    for (let address = this.#first; address !== 0; address = this.#word(address, NEXT)) {
      if (!this.#isGhost(address)) this.#occupy(this.#word(address, HASH), address)
    }
  }
}

const versionAt = (words: Uint32Array, word: number): number =>
  (words[word + VERSION] as number) +
  ((words[word + VERSION_HIGH] as number) & VERSION_HIGH_MASK) * 0x100000000

function bumpVersion(words: Uint32Array, word: number): void {
  const low = (words[word + VERSION] as number) + 1
  words[word + VERSION] = low
  if (low === 0x100000000) words[word + VERSION_HIGH] = (words[word + VERSION_HIGH] as number) + 1
}
