/**
 * Walks one tree of a snapshot in the order of its keys, and passes over what is damaged.
 *
 *     branch ── checks its own nodes, then for each child in turn:
 *        └── child: bounds = the separators around it ── branch, or leaf: each sound item goes to the visitor
 *
 * Invariants: a page is entered at most once, so the walk ends on any bytes; keys are handed out in ascending order
 * within the separators above them; a page that is named is in use, damaged or not.
 */
import {
  MAX_DEPTH,
  OVERFLOW_NODE,
  OVERFLOW_PAGE,
  PAGE_FLAGS,
  PAGE_HEADER_BYTES,
  PAGE_RUN,
  PAGE_TXN,
  uint64,
} from './format.ts'
import type { KeySlice } from './key-order.ts'
import type { TreeRecord } from './meta-pages.ts'
import type { PageFile } from './page-file.ts'
import { TreePage, type TreeRules } from './tree-page.ts'

/**
 * Gets an item of the tree. Both views are overwritten after the call; all bytes of the value stand in a row.
 */
export type ItemVisitor = (key: Uint8Array, value: Uint8Array) => void

/** One page on the path from the root, with the keys it has to keep within: at or behind `from`, before `to`. */
interface Level {
  readonly page: TreePage
  readonly from: KeySlice
  readonly to: KeySlice
  readonly key: KeySlice
}

const NO_BYTES = new Uint8Array()
/** No bound: no key has a length below 0. */
const unbounded = (): KeySlice => ({ bytes: NO_BYTES, offset: 0, length: -1 })

export class TreeWalk {
  itemCount = 0
  readonly #file: PageFile
  readonly #rules: TreeRules
  readonly #visit: ItemVisitor
  readonly #levels: Level[] = []
  #branchPages = 0
  #leafPages = 0
  #overflowPages = 0
  #leafDepth = 0

  constructor(file: PageFile, rules: TreeRules, visit: ItemVisitor) {
    this.#file = file
    this.#rules = rules
    this.#visit = visit
  }

  /**
   * @param metaPage where `record` stands
   * @throws RaftError STORAGE_FAILED; what the visitor throws
   */
  walk(record: TreeRecord, metaPage: number): void {
    const { damage, txnId } = this.#file
    const before = damage.count
    if (record.root !== undefined) {
      const { from, to } = this.#level(0)
      from.length = to.length = -1
      this.#enter(record.root, metaPage, 0, txnId)
    }
    // Where something is missing the counts tell nothing new.
    if (damage.count === before) this.#checkCounts(record, metaPage)
  }

  #enter(page: number, parent: number, depth: number, parentTxnId: number): void {
    const { damage } = this.#file
    if (depth >= MAX_DEPTH) return damage.add(parent, `it is ${depth} pages deep and has children`)
    const refusal = this.#file.claim(page, 1)
    if (refusal !== undefined) return damage.add(parent, `it leads to ${refusal}`)
    const bytes = this.#file.readTreePage(page)
    if (bytes === undefined) return damage.add(page, 'the file has become shorter')
    const level = this.#level(depth)
    const problem = level.page.load(bytes, page, this.#rules, (reason) => damage.add(page, reason))
    if (problem !== undefined) return damage.add(page, problem)
    if (level.page.txnId > parentTxnId) {
      // Written after this snapshot, over a page that it needs.
      return damage.add(page, `it is of transaction ${level.page.txnId}, newer than ${parentTxnId} above it`)
    }
    this.#checkBounds(level, page)
    if (level.page.isLeaf) this.#visitLeaf(level.page, page, depth)
    else this.#enterChildren(level, page, depth)
  }

  #level(depth: number): Level {
    this.#levels[depth] ??= {
      page: new TreePage(this.#file.pageBytes),
      from: unbounded(),
      to: unbounded(),
      key: unbounded(),
    }
    return this.#levels[depth]
  }

  /** Once what is in order on the page is, only keys at its ends can be out of bounds. */
  #checkBounds(level: Level, number: number): void {
    const { page, from, to, key } = level
    const { order } = this.#rules
    const first = page.isLeaf ? 0 : 1
    for (let node = first; from.length >= 0 && node < page.count; node++) {
      if (!page.isOrdered(node)) continue
      if (order(page.keyInto(node, key), from) >= 0) break
      page.markUnordered(node)
      this.#file.damage.add(number, `node ${node}: its key comes before the page`)
    }
    for (let node = page.count - 1; to.length >= 0 && node >= first; node--) {
      if (!page.isOrdered(node)) continue
      if (order(page.keyInto(node, key), to) < 0) break
      page.markUnordered(node)
      this.#file.damage.add(number, `node ${node}: its key comes behind the page`)
    }
  }

  #enterChildren(level: Level, number: number, depth: number): void {
    const { page } = level
    this.#branchPages++
    for (let node = 0; node < page.count; node++) {
      if (!page.isReadable(node)) continue
      // A separator that is out of order bounds nothing; the next one beyond it does.
      let before = node
      while (before > 0 && !page.isOrdered(before)) before--
      let behind = node + 1
      while (behind < page.count && !page.isOrdered(behind)) behind++
      const child = depth + 1 < MAX_DEPTH ? this.#level(depth + 1) : undefined
      if (child !== undefined) {
        copySlice(before > 0 ? page.keyInto(before, level.key) : level.from, child.from)
        copySlice(behind < page.count ? page.keyInto(behind, level.key) : level.to, child.to)
      }
      this.#enter(page.childPage(node), number, depth + 1, page.txnId)
    }
  }

  #visitLeaf(page: TreePage, number: number, depth: number): void {
    this.#leafPages++
    if (this.#leafDepth === 0) this.#leafDepth = depth + 1
    if (depth + 1 !== this.#leafDepth) {
      this.#file.damage.add(number, `a leaf ${depth + 1} pages deep, where others are ${this.#leafDepth}`)
    }
    for (let node = 0; node < page.count; node++) {
      if (!page.isReadable(node)) continue
      const value = this.#valueOf(page, number, node)
      if (value === undefined || !page.isOrdered(node)) continue
      this.itemCount++
      this.#visit(new Uint8Array(page.bytes.buffer, page.keyOffset(node), page.keyLength(node)), value)
    }
  }

  #valueOf(page: TreePage, number: number, node: number): Uint8Array | undefined {
    const flags = page.nodeFlags(node)
    if (flags === OVERFLOW_NODE) return this.#overflowValueOf(page, number, node)
    if (flags === 0) {
      return new Uint8Array(page.bytes.buffer, page.valueOffset(node), page.valueLength(node))
    }
    this.#file.damage.add(
      number,
      `node ${node}: flags ${flags}, a kind of database this reader does not know`,
    )
    return undefined
  }

  #overflowValueOf(leaf: TreePage, number: number, node: number): Uint8Array | undefined {
    const { damage, pageBytes } = this.#file
    const reference = leaf.valueOffset(node)
    const first = uint64(leaf.view, reference)
    const txnId = uint64(leaf.view, reference + 8)
    const count = uint64(leaf.view, reference + 16)
    const valueBytes = leaf.valueLength(node)
    const refuse = (reason: string): undefined => damage.add(number, `node ${node}: ${reason}`) as undefined
    if (count < 1 || PAGE_HEADER_BYTES + valueBytes > count * pageBytes) {
      return refuse(`a value of ${valueBytes} bytes on ${count} pages`)
    }
    if (txnId > leaf.txnId) return refuse(`a value of transaction ${txnId} on a page of ${leaf.txnId}`)
    const refusal = this.#file.claim(first, count)
    if (refusal !== undefined) return refuse(`its value is on ${refusal}`)
    this.#overflowPages += count
    const bytes = this.#file.readValuePages(first, count)
    if (bytes === undefined) return refuse('the file has become shorter')
    const problem = headerProblem(bytes, first, count, txnId)
    if (problem !== undefined)
      return damage.add(first, `the value of node ${node} on page ${number}: ${problem}`) as undefined
    return new Uint8Array(bytes.buffer, bytes.byteOffset + PAGE_HEADER_BYTES, valueBytes)
  }

  #checkCounts(record: TreeRecord, metaPage: number): void {
    const counts = [
      ['depth', this.#leafDepth, record.depth],
      ['branch pages', this.#branchPages, record.branchPages],
      ['leaf pages', this.#leafPages, record.leafPages],
      ['overflow pages', this.#overflowPages, record.overflowPages],
      ['entries', this.itemCount, record.entries],
    ] as const
    for (const [name, found, said] of counts) {
      if (found !== said) this.#file.damage.add(metaPage, `${name}: ${found} where ${said} are recorded`)
    }
  }
}

function copySlice(from: KeySlice, to: KeySlice): void {
  to.bytes = from.bytes
  to.offset = from.offset
  to.length = from.length
}

/** The page names its run and its transaction a second time: what was never written, or written over, shows. */
function headerProblem(bytes: Uint8Array, page: number, count: number, txnId: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_HEADER_BYTES)
  const said = uint64(view, 0)
  if (said !== page) return `its header says that it is page ${said}`
  const flags = view.getUint16(PAGE_FLAGS, true)
  if (flags !== OVERFLOW_PAGE) return `its flags are ${flags}: no overflow page`
  const run = view.getUint32(PAGE_RUN, true)
  if (run !== count) return `it is ${run} pages long, and not ${count}`
  const written = uint64(view, PAGE_TXN)
  return written === txnId ? undefined : `it is of transaction ${written}, and not ${txnId}`
}
