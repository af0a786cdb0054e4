/** Real files of LMDB, and where in them the parts stand that hold the tree together. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { type LmdbFileReport, type LmdbReadOptions, readLmdbFile } from './read-lmdb-file.ts'

export type Items = Map<string, Buffer>

/** What one transaction does. */
export type Transaction = (put: (key: number, bytes: number) => void, remove: (key: number) => void) => void

export const keyOf = (index: number): Buffer => {
  const key = Buffer.alloc(9, 1)
  key.writeBigUInt64BE(BigInt(index), 1)
  return key
}

const OPTIONS = {
  encoding: 'binary',
  keyEncoding: 'binary',
  compression: false,
  overlappingSync: false,
  noSync: true,
  maxDbs: 1,
} as const

export const openSample = (path: string) => open({ path, ...OPTIONS })

/** Makes the environment at `path` of transactions; each value is of its own. */
export async function makeSample(
  path: string,
  transactions: readonly Transaction[],
): Promise<{ readonly file: string; readonly items: Items }> {
  const items: Items = new Map()
  const database = openSample(path)
  let written = 0
  for (const transaction of transactions) {
    await database.batch(() => {
      transaction(
        (index, bytes) => {
          const value = Buffer.alloc(bytes, `${written++},`)
          items.set(keyOf(index).toString('hex'), value)
          void database.put(keyOf(index), value)
        },
        (index) => {
          items.delete(keyOf(index).toString('hex'))
          void database.remove(keyOf(index))
        },
      )
    })
  }
  await database.close()
  return { file: join(path, 'data.mdb'), items }
}

/** Reads all of a file, and holds the reader to what it promises for any bytes. */
export function readItems(
  file: string,
  options: LmdbReadOptions = {},
): { readonly report: LmdbFileReport; readonly items: Items } {
  const items: Items = new Map()
  let last = Buffer.alloc(0)
  let bytes = 0
  const report = readLmdbFile(
    file,
    (key, value) => {
      assert.ok(last.compare(key) < 0, 'keys ascend')
      last = Buffer.from(key)
      bytes += key.byteLength + value.byteLength
      items.set(last.toString('hex'), Buffer.from(value))
    },
    options,
  )
  assert.ok(bytes <= report.fileBytes, 'nothing is handed out twice')
  assert.equal(report.entryCount, items.size)
  assert.equal(report.isSound, report.damageCount === 0)
  return { report, items }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** By name: what the tests do their damage to. */
export const sampleTransactions: Readonly<Record<string, readonly Transaction[]>> = {
  'no entries': [(put) => put(1, 10), (_, remove) => remove(1)],
  'a few entries': [
    (put) => {
      for (const index of range(5)) put(index, 30)
    },
  ],
  'entries of all sizes': range(10).map((round) => (put) => {
    for (const index of range(50)) put(round * 50 + index, sizeOf(round * 50 + index))
  }),
  'many times written': range(40).map((round) => (put, remove) => {
    for (const index of range(30)) {
      if (round % 3 === 2) remove((index * 7 + round) % 200)
      else put((index * 13 + round) % 200, ((index * 31 + round) % 9) * 900)
    }
  }),
}

function sizeOf(index: number): number {
  if (index % 250 === 7) return 300 * 1024
  if (index % 25 === 3) return 9000
  return 100 + (index % 40)
}

const PAGE = 4096
const HEADER = 24

/** A file in memory. */
export class SampleBytes {
  readonly bytes: Buffer

  constructor(file: string) {
    this.bytes = readFileSync(file)
  }

  /** The meta page that counts. */
  get newestMeta(): number {
    return this.number(PAGE + 152) > this.number(152) ? 1 : 0
  }

  get root(): number {
    return this.number(this.newestMeta * PAGE + 136)
  }

  get freeListRoot(): number {
    return this.number(this.newestMeta * PAGE + 88)
  }

  number(offset: number): number {
    return Number(this.bytes.readBigUInt64LE(offset))
  }

  isBranch(page: number): boolean {
    return this.bytes.readUInt16LE(page * PAGE + 18) === 1
  }

  /** Where the nodes of a page begin. */
  nodes(page: number): number[] {
    const count = this.bytes.readUInt16LE(page * PAGE + 20) / 2
    const start = page * PAGE + HEADER
    return range(count).map((node) => start + this.bytes.readUInt16LE(start + 2 * node))
  }

  children(page: number): number[] {
    return this.isBranch(page) ? this.nodes(page).map((node) => this.bytes.readUInt32LE(node)) : []
  }

  /** Of a leaf: where the references to values on pages of their own begin. */
  references(leaf: number): number[] {
    return this.nodes(leaf)
      .filter((node) => this.bytes.readUInt16LE(node + 4) === 1)
      .map((node) => node + 8 + this.bytes.readUInt16LE(node + 6))
  }

  /** `root` and all pages below it, without those of values. */
  tree(root: number): number[] {
    if (root >= 2 ** 32) return []
    return [root, ...this.children(root).flatMap((page) => this.tree(page))]
  }

  /** Offsets of the bytes that make pages, nodes and links, without the sizes of nodes. */
  structure(): number[] {
    const offsets: number[] = []
    const add = (offset: number, bytes: number): void => {
      for (let i = 0; i < bytes; i++) offsets.push(offset + i)
    }
    for (const page of [...this.tree(this.root), ...this.tree(this.freeListRoot)]) {
      add(page * PAGE, 16)
      add(page * PAGE + 18, 6 + 2 * this.nodes(page).length)
      if (this.isBranch(page)) for (const node of this.nodes(page)) add(node, 6)
      else for (const node of this.nodes(page)) add(node + 4, 2)
      if (this.isBranch(page)) continue
      for (const reference of this.references(page)) {
        add(reference, 24)
        add(this.number(reference) * PAGE, 16)
        add(this.number(reference) * PAGE + 18, 6)
      }
    }
    return offsets
  }
}
