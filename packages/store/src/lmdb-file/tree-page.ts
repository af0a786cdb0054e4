/**
 * One branch or leaf page in memory. `load` checks it; afterwards what `isReadable` holds for lies on the page, and what
 * `isOrdered` holds for too stands in order. Only nodes that are readable may be asked for anything.
 */
import {
  BRANCH_PAGE,
  even,
  LEAF_PAGE,
  maxKeyBytes,
  maxNodeBytes,
  NODE_FLAGS,
  NODE_HEADER_BYTES,
  NODE_KEY_BYTES,
  OVERFLOW_NODE,
  OVERFLOW_REFERENCE_BYTES,
  PAGE_FLAGS,
  PAGE_HEADER_BYTES,
  PAGE_LOWER,
  PAGE_TXN,
  PAGE_UPPER,
  uint64,
} from './format.ts'
import type { KeyOrder, KeySlice } from './key-order.ts'

/** In what the trees of a file differ. */
export interface TreeRules {
  readonly order: KeyOrder
  /** Undefined: from 1 byte to what fits. */
  readonly keyBytes: number | undefined
  /** LMDB aborts the process over a branch with fewer, but in the free list it leaves such. */
  readonly minBranchNodes: number
}

type Report = (reason: string) => void

const READABLE = 1
const ORDERED = 2

export class TreePage {
  readonly bytes: Uint8Array
  readonly view: DataView
  isLeaf = false
  count = 0
  txnId = 0
  /** Bytes behind the page header. */
  readonly #room: number
  /** Of each node: what holds for it. */
  readonly #states: Uint8Array
  /** At the place of each node, halved: its bytes. All 0 between two loads. */
  readonly #nodeBytes: Uint16Array
  readonly #a: KeySlice
  readonly #b: KeySlice

  constructor(pageBytes: number) {
    this.bytes = new Uint8Array(pageBytes)
    this.view = new DataView(this.bytes.buffer)
    this.#room = pageBytes - PAGE_HEADER_BYTES
    this.#states = new Uint8Array(pageBytes / 2)
    this.#nodeBytes = new Uint16Array(pageBytes / 2)
    this.#a = { bytes: this.bytes, offset: 0, length: 0 }
    this.#b = { bytes: this.bytes, offset: 0, length: 0 }
  }

  /**
   * Takes over and checks the bytes of page `page`; each node that is not sound is reported.
   * @returns what makes the page unreadable as a whole
   */
  load(bytes: Uint8Array, page: number, rules: TreeRules, report: Report): string | undefined {
    this.bytes.set(bytes)
    const problem = this.#loadHeader(page, rules)
    if (problem !== undefined) return problem
    this.#states.fill(READABLE | ORDERED, 0, this.count)
    for (let i = 0; i < this.count; i++) {
      const nodeProblem = this.#nodeProblem(i, rules)
      if (nodeProblem === undefined) continue
      this.#states[i] = 0
      report(`node ${i}: ${nodeProblem}`)
    }
    this.#checkTiling(report)
    this.#checkOrder(rules.order, report)
    return undefined
  }

  isReadable(node: number): boolean {
    return ((this.#states[node] as number) & READABLE) !== 0
  }

  isOrdered(node: number): boolean {
    return this.#states[node] === (READABLE | ORDERED)
  }

  /** The node stands in the wrong place. */
  markUnordered(node: number): void {
    this.#states[node] = (this.#states[node] as number) & READABLE
  }

  keyOffset(node: number): number {
    return this.#offset(node) + NODE_HEADER_BYTES
  }

  keyLength(node: number): number {
    return this.view.getUint16(this.#offset(node) + NODE_KEY_BYTES, true)
  }

  /** Points `slice` at the key. */
  keyInto(node: number, slice: KeySlice): KeySlice {
    slice.bytes = this.bytes
    slice.offset = this.keyOffset(node)
    slice.length = this.keyLength(node)
    return slice
  }

  nodeFlags(node: number): number {
    return this.view.getUint16(this.#offset(node) + NODE_FLAGS, true)
  }

  valueOffset(node: number): number {
    return this.keyOffset(node) + this.keyLength(node)
  }

  valueLength(node: number): number {
    return this.view.getUint32(this.#offset(node), true)
  }

  /** Of a branch. */
  childPage(node: number): number {
    return this.view.getUint32(this.#offset(node), true) + this.nodeFlags(node) * 2 ** 32
  }

  #offset(node: number): number {
    return PAGE_HEADER_BYTES + this.view.getUint16(PAGE_HEADER_BYTES + 2 * node, true)
  }

  #loadHeader(page: number, rules: TreeRules): string | undefined {
    const { view } = this
    const said = uint64(view, 0)
    if (said !== page) return `its header says that it is page ${said}`
    const flags = view.getUint16(PAGE_FLAGS, true)
    if (flags !== BRANCH_PAGE && flags !== LEAF_PAGE) return `its flags are ${flags}: no branch and no leaf`
    const lower = view.getUint16(PAGE_LOWER, true)
    const upper = view.getUint16(PAGE_UPPER, true)
    if (lower % 2 !== 0 || upper % 2 !== 0 || lower > upper || upper > this.#room) {
      return `its free space goes from ${lower} to ${upper} of ${this.#room}`
    }
    this.isLeaf = flags === LEAF_PAGE
    this.count = lower / 2
    this.txnId = uint64(view, PAGE_TXN)
    const least = this.isLeaf ? 1 : rules.minBranchNodes
    return this.count < least ? `it has ${this.count} nodes` : undefined
  }

  #nodeProblem(node: number, rules: TreeRules): string | undefined {
    const place = this.view.getUint16(PAGE_HEADER_BYTES + 2 * node, true)
    if (place % 2 !== 0 || place < this.view.getUint16(PAGE_UPPER, true)) return `it stands at ${place}`
    if (place + NODE_HEADER_BYTES > this.#room) return `it stands at ${place}`
    const keyBytes = this.keyLength(node)
    // The first key of a branch is never looked at.
    const mayBeEmpty = !this.isLeaf && node === 0 && keyBytes === 0
    if (!mayBeEmpty && !this.#isKeySize(keyBytes, rules)) return `its key is ${keyBytes} bytes long`
    const nodeBytes = this.#sizeOf(node, keyBytes)
    if (typeof nodeBytes === 'string') return nodeBytes
    if (place + nodeBytes > this.#room) return `it is ${nodeBytes} bytes long at ${place}`
    if (this.#nodeBytes[place / 2] !== 0) return `it stands where another one does`
    this.#nodeBytes[place / 2] = even(nodeBytes)
    return undefined
  }

  #isKeySize(keyBytes: number, rules: TreeRules): boolean {
    if (rules.keyBytes !== undefined) return keyBytes === rules.keyBytes
    return keyBytes >= 1 && keyBytes <= maxKeyBytes(this.bytes.byteLength)
  }

  #sizeOf(node: number, keyBytes: number): number | string {
    const withKey = NODE_HEADER_BYTES + keyBytes
    if (!this.isLeaf) return withKey
    const flags = this.nodeFlags(node)
    if (flags === OVERFLOW_NODE) return withKey + OVERFLOW_REFERENCE_BYTES
    const nodeBytes = withKey + this.valueLength(node)
    return nodeBytes > maxNodeBytes(this.bytes.byteLength) ? `it is ${nodeBytes} bytes long` : nodeBytes
  }

  /** LMDB leaves no gap between nodes: they cover the page from `upper` to its end. */
  #checkTiling(report: Report): void {
    let place = this.view.getUint16(PAGE_UPPER, true)
    let found = 0
    while (place < this.#room) {
      const nodeBytes = this.#nodeBytes[place / 2] as number
      if (nodeBytes === 0) break
      this.#nodeBytes[place / 2] = 0
      place += nodeBytes
      found++
    }
    if (found === this.count && place === this.#room) return
    this.#nodeBytes.fill(0)
    report(`its nodes do not cover it without a gap: ${found} of ${this.count} up to ${place}`)
    this.#refuseOverlaps()
  }

  /** Of two nodes that share bytes nobody knows which one is right. */
  #refuseOverlaps(): void {
    const nodes = Array.from({ length: this.count }, (_, node) => node).filter((node) =>
      this.isReadable(node),
    )
    nodes.sort((a, b) => this.#offset(a) - this.#offset(b))
    let end = 0
    let last = 0
    for (const node of nodes) {
      const offset = this.#offset(node)
      if (offset < end) this.#states[node] = this.#states[last] = 0
      const nodeEnd = offset + (this.#sizeOf(node, this.keyLength(node)) as number)
      if (nodeEnd <= end) continue
      end = nodeEnd
      last = node
    }
  }

  #checkOrder(order: KeyOrder, report: Report): void {
    let before = -1
    for (let node = this.isLeaf ? 0 : 1; node < this.count; node++) {
      if (!this.isReadable(node)) continue
      if (before >= 0 && this.#compare(before, node, order) >= 0) {
        const wrong = this.#outlierOf(before, node, order)
        this.markUnordered(wrong)
        report(`node ${wrong}: its key is out of order`)
        if (wrong === node) continue
      }
      before = node
    }
  }

  /** Of two keys out of order the one that does not fit the next key is wrong. */
  #outlierOf(before: number, node: number, order: KeyOrder): number {
    let next = node + 1
    while (next < this.count && !this.isReadable(next)) next++
    return next < this.count && this.#compare(before, next, order) >= 0 ? before : node
  }

  #compare(a: number, b: number, order: KeyOrder): number {
    return order(this.keyInto(a, this.#a), this.keyInto(b, this.#b))
  }
}
