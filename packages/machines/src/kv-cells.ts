import type { MachineStorage } from '@troupe/core'
import type { ByteWriter } from './byte-writer.ts'
import type { ViewedBytes } from './viewed-bytes.ts'

/** A key's bytes, its value's bytes and its version. Views: copy what you keep. */
export interface KvCell {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly version: number
}

/** What the kv machine stands on: in memory or on the disk. Keys and values are ranges of `source`, and are copied. */
export interface KvCells {
  /** How many keys there are. */
  readonly count: number
  /** Longer keys are refused by the machine. */
  readonly maxKeyBytes: number
  /** Writes a value: one more version of the key. */
  set(source: ViewedBytes, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void
  get(source: ViewedBytes, keyStart: number, keyEnd: number): KvCell | undefined
  /** Appends the value of a key to `target`. Returns its version; 0 where there is no such key. */
  read(source: ViewedBytes, keyStart: number, keyEnd: number, target: ByteWriter): number
  /** Removes a key; whether it was there. */
  delete(source: ViewedBytes, keyStart: number, keyEnd: number): boolean
  /** All cells, in the order of a saved state. Not to be changed meanwhile. */
  entries(): Iterable<KvCell>
  /** Cells whose keys begin with `prefix`, and maybe others: from `from` on where the cells are ordered by key. */
  candidates(prefix: Uint8Array, from: Uint8Array): Iterable<KvCell>
  /** Whether those come in the order of their keys. */
  readonly isOrdered: boolean
  /** A view of all cells as they are now, one by one, while writes go on. One at a time. */
  beginSave(): KvSaving
  /** Cells that will take the place of these. */
  beginLoad(draft: MachineStorage | undefined): KvLoading
}

/** A view of all cells, in the order of `entries`. */
export interface KvSaving {
  readonly count: number
  /** The next one: valid until the next write. */
  next(): KvCell | undefined
  /** Idempotent. */
  end(): void
}

/** Cells that are being put together. */
export interface KvLoading {
  /** How many will come. */
  reserve(count: number): void
  /** Puts in a cell that a view gave; its key is new. */
  restore(cell: KvCell): void
  /** All are there: what the machine stands on from now on. */
  end(): KvCells
}
