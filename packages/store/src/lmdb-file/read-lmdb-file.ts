/**
 * Reads and checks LMDB's data file by itself: no map, no lock, no write. LMDB crashes the process over files that
 * are damaged or cut off, so this comes first; it gets out of them what is still sound; and it looks at a file that
 * somebody else has open.
 *
 *     open ─► both meta pages ─► the newest that is whole ─► tree of the database ─► visit(key, value) ...
 *                                                        └─► tree of the free list
 *             both meta pages again: has the file changed meanwhile? ─► once more
 *
 * Safe on any bytes. What it can find is damage of structure: pages, links, order, counts. The bytes of keys and values
 * are their owner's, who has a checksum; so is a size that is wrong by no more than LMDB's padding, and of a value on
 * pages of its own all but the header of the first.
 */
import { DamageList, type LmdbDamage } from './damage-list.ts'
import { FreeList } from './free-list.ts'
import { InputFile } from './input-file.ts'
import { compareBytes, compareIntegers } from './key-order.ts'
import { type Meta, type MetaBytes, newestTxnId, pickMeta, readMetaBytes, sameMetas } from './meta-pages.ts'
import { PageFile } from './page-file.ts'
import type { TreeRules } from './tree-page.ts'
import { type ItemVisitor, TreeWalk } from './tree-walk.ts'

export interface LmdbReadOptions {
  /**
   * How often to begin anew where a writer went on so far during the walk that it may have written over what was read.
   * @default 1
   */
  readonly attempts?: number | undefined
  /** Called before each attempt but the first: the visitor will get everything again. */
  readonly onRestart?: (() => void) | undefined
}

export interface LmdbFileReport {
  /**
   * - `database`: it has a meta page that can be followed.
   * - `empty-file`: no bytes at all, a new environment whose opener died before it wrote. LMDB begins anew there.
   * - `unreadable`: nothing could be followed; `damage` tells why: no LMDB file, cut off, another format.
   */
  readonly kind: 'database' | 'empty-file' | 'unreadable'
  /** 0 where nothing could be followed, as are the counts. */
  readonly pageBytes: number
  /** The meta page that was followed. */
  readonly metaPage: 0 | 1 | undefined
  /** The last transaction that counts. */
  readonly txnId: number
  /** Items that went to the visitor. */
  readonly entryCount: number
  /** Pages in the file that the free list names. */
  readonly freePageCount: number
  readonly fileBytes: number
  /** No damage: LMDB can open it. */
  readonly isSound: boolean
  /** The first 1,000 of what was found. */
  readonly damage: readonly LmdbDamage[]
  readonly damageCount: number
}

const ENTRY_RULES: TreeRules = { order: compareBytes, keyBytes: undefined, minBranchNodes: 2 }
const FREE_LIST_RULES: TreeRules = { order: compareIntegers, keyBytes: 8, minBranchNodes: 1 }
/** 8 TiB in pages of 4 KiB: what is in use is kept in a bit each. */
const MAX_PAGES = 2 ** 31

/**
 * Reads the data file at `path` and calls `visit` for each sound item of its unnamed database, in the order of the
 * keys. Its views are overwritten after the call. A damaged page or item is reported and passed over.
 *
 * An owner may be writing meanwhile. LMDB writes over a page at the earliest two transactions after the last snapshot
 * that needs it, so a walk is right where at most one commit ended within it. Otherwise it may have met pages of later
 * transactions, which shows in most but not in all cases: it is done again up to `attempts` times, and after that the
 * report has the damage `changed while it was read`.
 *
 * @throws RaftError STORAGE_FAILED where the file is missing, is none, or cannot be read; and what `visit` throws
 */
export function readLmdbFile(
  path: string,
  visit: ItemVisitor,
  options: LmdbReadOptions = {},
): LmdbFileReport {
  const { attempts = 1, onRestart } = options
  const file = new InputFile(path)
  try {
    for (let attempt = 1; ; attempt++) {
      const report = readOnce(file, visit, attempt < attempts)
      if (report !== undefined) return report
      onRestart?.()
    }
  } finally {
    file.close()
  }
}

/** @returns undefined where a writer went on too far, if `mayRestart` */
function readOnce(file: InputFile, visit: ItemVisitor, mayRestart: boolean): LmdbFileReport | undefined {
  const damage = new DamageList()
  const metas = readMetaBytes(file)
  const fileBytes = file.bytes
  if (fileBytes === 0) return report('empty-file', damage, fileBytes)
  const meta = pickMeta(metas, damage)
  const walked = meta === undefined ? undefined : walk(file, meta, fileBytes, damage, visit)
  if (hasMovedOn(metas, readMetaBytes(file), meta, damage)) {
    if (mayRestart) return undefined
    damage.add(0, 'changed while it was read')
  }
  return report(walked === undefined ? 'unreadable' : 'database', damage, fileBytes, walked)
}

/** One commit later the snapshot is still whole; what looks damaged then may still be a torn meta page. */
function hasMovedOn(
  before: MetaBytes,
  after: MetaBytes,
  meta: Meta | undefined,
  damage: DamageList,
): boolean {
  if (sameMetas(before, after)) return false
  return damage.count > 0 || meta === undefined || newestTxnId(after) > meta.txnId + 1
}

type Walked = Pick<LmdbFileReport, 'pageBytes' | 'metaPage' | 'txnId' | 'entryCount' | 'freePageCount'>

function walk(
  file: InputFile,
  meta: Meta,
  fileBytes: number,
  damage: DamageList,
  visit: ItemVisitor,
): Walked | undefined {
  if (fileBytes / meta.pageBytes > MAX_PAGES) return refuse(damage, `a file of ${fileBytes} bytes`)
  const pages = new PageFile(file, fileBytes, meta, damage)
  const entries = new TreeWalk(pages, ENTRY_RULES, visit)
  if (meta.main.flags === 0) entries.walk(meta.main, meta.page)
  else damage.add(meta.page, `flags ${meta.main.flags}, a kind of database this reader does not know`)
  const freeList = new FreeList(pages)
  new TreeWalk(pages, FREE_LIST_RULES, freeList.visit).walk(meta.free, meta.page)
  freeList.checkEnd()
  return {
    pageBytes: meta.pageBytes,
    metaPage: meta.page,
    txnId: meta.txnId,
    entryCount: entries.itemCount,
    freePageCount: pages.free.size,
  }
}

function refuse(damage: DamageList, reason: string): undefined {
  damage.add(0, `${reason}: more than this reader takes`)
}

const NOT_WALKED: Walked = { pageBytes: 0, metaPage: undefined, txnId: 0, entryCount: 0, freePageCount: 0 }

const report = (
  kind: LmdbFileReport['kind'],
  damage: DamageList,
  fileBytes: number,
  walked: Walked = NOT_WALKED,
): LmdbFileReport => ({
  kind,
  ...walked,
  fileBytes,
  isSound: damage.count === 0,
  damage: damage.listed,
  damageCount: damage.count,
})
