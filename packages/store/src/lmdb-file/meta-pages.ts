/**
 * The two meta pages: which transaction is the newest, and where its trees begin. LMDB believes them blindly; it
 * crashes on most of what is refused here.
 */
import { DamageList } from './damage-list.ts'
import { FIRST_DATA_PAGE, MAX_DEPTH, META_PAGE, PAGE_FLAGS, uint64 } from './format.ts'
import type { InputFile } from './input-file.ts'

/** The record of a tree in a meta page. */
export interface TreeRecord {
  readonly flags: number
  readonly depth: number
  readonly branchPages: number
  readonly leafPages: number
  readonly overflowPages: number
  readonly entries: number
  /** Undefined where the tree is empty. */
  readonly root: number | undefined
}

/** A meta page that can be read from. */
export interface Meta {
  readonly page: 0 | 1
  readonly pageBytes: number
  readonly txnId: number
  readonly lastPage: number
  readonly free: TreeRecord
  readonly main: TreeRecord
}

const MAGIC = 0xbeefc0de
const MAGIC_OFFSET = 24
const VERSION_OFFSET = 28
const PAGE_BYTES_OFFSET = 48
const TREE_OFFSETS = { free: 48, main: 96 }
const LAST_PAGE_OFFSET = 144
const TXN_OFFSET = 152
const META_BYTES = 168
/** Where LMDB of 32 bits, and format 1 of stock LMDB, have their magic. */
const OTHER_MAGIC_OFFSET = 16
const DATA_VERSION = 2
const PAGE_SIZES: readonly number[] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]
/** Where nothing tells it: nearly all machines have it. */
const DEFAULT_PAGE_BYTES = 4096
const EMPTY_ROOT = 0xffffffff
const ENCRYPTED = 0x2000
const INTEGER_KEYS = 0x08
/** Flags of the environment that change nothing in the file: no directory, metrics, safe restore, overlapping sync. */
const HARMLESS_FLAGS = 0x4000 | 0x400 | 0x800 | 0x1000

/** The first bytes of both meta pages. */
export interface MetaBytes {
  readonly first: DataView
  readonly second: DataView
  /** Where the second one begins: the size of a page. */
  readonly secondPlace: number
  /** Of page checksums, which lmdb-js does not write. */
  readonly checksumBytes: number
}

/** @throws RaftError STORAGE_FAILED */
export function readMetaBytes(file: InputFile): MetaBytes {
  const first = read(file, 0, META_BYTES)
  const said = first.byteLength < META_BYTES ? 0 : first.getUint32(PAGE_BYTES_OFFSET, true)
  const secondPlace = findSecond(file, isPageSize(said) ? said : DEFAULT_PAGE_BYTES)
  const tail = read(file, secondPlace - 2, 2)
  return {
    first,
    second: read(file, secondPlace, META_BYTES),
    secondPlace,
    checksumBytes: tail.byteLength < 2 ? 0 : tail.getUint16(0, true),
  }
}

/** Where the first meta page does not tell it, the second one is where it says itself that it is. */
function findSecond(file: InputFile, said: number): number {
  for (const place of [said, ...PAGE_SIZES]) {
    const view = read(file, place, META_BYTES)
    if (view.byteLength < META_BYTES || view.getUint32(MAGIC_OFFSET, true) !== MAGIC) continue
    if (view.getUint32(PAGE_BYTES_OFFSET, true) === place) return place
  }
  return said
}

function read(file: InputFile, position: number, length: number): DataView {
  const bytes = new Uint8Array(length)
  return new DataView(bytes.buffer, 0, file.read(bytes, length, position))
}

const isPageSize = (bytes: number): boolean => PAGE_SIZES.includes(bytes)

export const sameMetas = (a: MetaBytes, b: MetaBytes): boolean =>
  sameBytes(a.first, b.first) && sameBytes(a.second, b.second)

const sameBytes = (a: DataView, b: DataView): boolean =>
  Buffer.compare(new Uint8Array(a.buffer, 0, a.byteLength), new Uint8Array(b.buffer, 0, b.byteLength)) === 0

/**
 * The newest meta page that is whole, as LMDB picks it. What is wrong with the other one is damage too: LMDB does not
 * open a file without its first meta page, and where the newest one is lost it goes back a transaction in silence.
 */
export function pickMeta(bytes: MetaBytes, damage: DamageList): Meta | undefined {
  const views = [bytes.first, bytes.second]
  const problems = views.map((view, page) => headerProblem(view, page, bytes.secondPlace))
  const whole = ([0, 1] as const).filter((page) => problems[page] === undefined)
  for (const page of [0, 1]) {
    const problem = problems[page]
    if (problem !== undefined) damage.add(page, problem)
  }
  if (whole.length === 2) checkPair(bytes.first, bytes.second, damage)
  if (whole.length > 0 && bytes.checksumBytes !== 0) damage.add(0, 'pages with checksums: not known here')
  const metas = whole.map((page) => decodeMeta(views[page] as DataView, page))
  metas.sort((a, b) => b.txnId - a.txnId)
  return metas.find((meta) => {
    const problem = contentProblem(meta)
    if (problem !== undefined) damage.add(meta.page, problem)
    return problem === undefined
  })
}

/** @returns the newest transaction that the metas tell of; 0 where none is whole */
export const newestTxnId = (bytes: MetaBytes): number => pickMeta(bytes, new DamageList())?.txnId ?? 0

/** What LMDB reads of both meta pages. */
function headerProblem(view: DataView, page: number, secondPlace: number): string | undefined {
  if (view.byteLength < META_BYTES) return 'the file ends before its meta page'
  if (view.getUint32(MAGIC_OFFSET, true) !== MAGIC) return magicProblem(view)
  const version = view.getUint32(VERSION_OFFSET, true)
  if (version !== DATA_VERSION) return `LMDB format ${version}: not known here`
  const flags = view.getUint16(PAGE_FLAGS, true)
  if (flags !== META_PAGE) return `a meta page with the flags ${flags}`
  if (uint64(view, 0) !== page) return `a meta page that says it is page ${uint64(view, 0)}`
  const pageBytes = view.getUint32(PAGE_BYTES_OFFSET, true)
  if (pageBytes !== secondPlace) return `pages of ${pageBytes} bytes, not of ${secondPlace}`
  const txnId = uint64(view, TXN_OFFSET)
  // Transaction n writes page n % 2; a new file has 0 in both.
  if (!Number.isSafeInteger(txnId) || (txnId !== 0 && txnId % 2 !== page)) {
    return `transaction ${txnId} in meta page ${page}`
  }
  // A first transaction that has lost its number would be taken for a new file.
  if (txnId === 0 && uint64(view, LAST_PAGE_OFFSET) !== FIRST_DATA_PAGE - 1) return 'transaction 0 with pages'
  return environmentProblem(view.getUint16(TREE_OFFSETS.free + 4, true))
}

function magicProblem(view: DataView): string {
  if (view.getUint32(MAGIC_OFFSET, false) === MAGIC) return 'an LMDB file of a big-endian machine'
  if (view.getUint32(OTHER_MAGIC_OFFSET, true) === MAGIC) {
    return view.getUint32(OTHER_MAGIC_OFFSET + 4, true) === 1
      ? 'LMDB format 1: not known here'
      : 'an LMDB file of a 32-bit machine'
  }
  return 'not an LMDB meta page'
}

function environmentProblem(flags: number): string | undefined {
  if ((flags & ENCRYPTED) !== 0) return 'an encrypted file: not known here'
  return (flags & ~HARMLESS_FLAGS) === INTEGER_KEYS ? undefined : `an environment with the flags ${flags}`
}

function checkPair(first: DataView, second: DataView, damage: DamageList): void {
  const a = uint64(first, TXN_OFFSET)
  const b = uint64(second, TXN_OFFSET)
  if (Math.abs(a - b) !== 1 && a + b !== 0) {
    damage.add(0, `the meta pages are of the transactions ${a} and ${b}: one was lost`)
  }
}

/**
 * What LMDB reads of the newest one alone. The older one may have roots that belong to no transaction: that is what
 * LMDB leaves behind where the write of a meta page fails.
 */
function contentProblem({ lastPage, free, main }: Meta): string | undefined {
  if (!Number.isSafeInteger(lastPage) || lastPage < FIRST_DATA_PAGE - 1) return `a last page ${lastPage}`
  return treeProblem('the free list', free, lastPage) ?? treeProblem('the database', main, lastPage)
}

function treeProblem(name: string, tree: TreeRecord, lastPage: number): string | undefined {
  const { root, depth, branchPages, leafPages, overflowPages, entries } = tree
  if (root === undefined) {
    const isEmpty = depth + branchPages + leafPages + overflowPages + entries === 0
    return isEmpty ? undefined : `${name} has no root but ${entries} entries on ${leafPages} pages`
  }
  if (root < FIRST_DATA_PAGE || root > lastPage) return `the root of ${name} is page ${root} of ${lastPage}`
  return depth >= 1 && depth <= MAX_DEPTH ? undefined : `${name} is ${depth} pages deep`
}

function decodeMeta(view: DataView, page: 0 | 1): Meta {
  return {
    page,
    pageBytes: view.getUint32(PAGE_BYTES_OFFSET, true),
    txnId: uint64(view, TXN_OFFSET),
    lastPage: uint64(view, LAST_PAGE_OFFSET),
    free: decodeTree(view, TREE_OFFSETS.free),
    main: decodeTree(view, TREE_OFFSETS.main),
  }
}

function decodeTree(view: DataView, offset: number): TreeRecord {
  const isEmpty =
    view.getUint32(offset + 40, true) === EMPTY_ROOT && view.getUint32(offset + 44, true) === EMPTY_ROOT
  return {
    flags: view.getUint16(offset + 4, true),
    depth: view.getUint16(offset + 6, true),
    branchPages: uint64(view, offset + 8),
    leafPages: uint64(view, offset + 16),
    overflowPages: uint64(view, offset + 24),
    entries: uint64(view, offset + 32),
    root: isEmpty ? undefined : uint64(view, offset + 40),
  }
}
