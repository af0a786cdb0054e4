/**
 * Memory for the queue's structures: 32-bit words, addressed from 0, in pages outside the JavaScript heap.
 *
 * All that there is once for each message lives in such words: so one way to save serves them all. A *view* is taken at no
 * cost, whatever the size: it holds the pages, and whoever writes to a page that a view holds writes to a copy of it.
 *
 * Equal commands give equal words, those of freed records included: the words are the state, and their digest is its digest.
 */
import { invariant } from '@troupe/core'

const PAGE_SHIFT = 14
const PAGE_WORDS = 1 << PAGE_SHIFT
const PAGE_MASK = PAGE_WORDS - 1

/** The words as they were when it was taken. */
export interface WordsView {
  /** How many were in use. */
  readonly length: number
  get(address: number): number
  /** Bytes of page after page; the last one as long as its words. Views: not to be changed. */
  pages(): Iterable<Uint8Array>
}

export class PagedWords {
  #pages: Uint32Array[] = []
  #length = 0
  /** 1 for each page that the view holds too; undefined while there is none. */
  #isShared: Uint8Array | undefined

  get length(): number {
    return this.#length
  }

  get(address: number): number {
    return (this.#pages[address >>> PAGE_SHIFT] as Uint32Array)[address & PAGE_MASK] as number
  }

  set(address: number, value: number): void {
    const page = address >>> PAGE_SHIFT
    if (this.#isShared !== undefined && this.#isShared[page] === 1) this.#unshare(page)
    ;(this.#pages[page] as Uint32Array)[address & PAGE_MASK] = value
  }

  /** Makes so many words 0, at least one. */
  clearAt(address: number, count: number): void {
    const offset = address & PAGE_MASK
    if (offset + count > PAGE_WORDS) {
      for (let at = address; at < address + count; at++) this.set(at, 0)
      return
    }
    // Its page is found once for all of them.
    this.set(address, 0)
    const page = this.#pages[address >>> PAGE_SHIFT] as Uint32Array
    for (let at = offset + 1; at < offset + count; at++) page[at] = 0
  }

  #unshare(page: number): void {
    this.#pages[page] = (this.#pages[page] as Uint32Array).slice()
    ;(this.#isShared as Uint8Array)[page] = 0
  }

  /** Adds so many words, which are 0; returns the address of the first. */
  grow(words: number): number {
    const address = this.#length
    this.#length += words
    while (this.#pages.length * PAGE_WORDS < this.#length) this.#pages.push(new Uint32Array(PAGE_WORDS))
    return address
  }

  /** Takes a few words off the end, which are zeros again. A page that is empty then stays: what comes and goes would make a new one each time. */
  shrink(words: number): void {
    const length = this.#length - words
    invariant(length >= 0, `${words} words are taken from ${this.#length}`)
    for (let address = length; address < this.#length; address++) this.set(address, 0)
    this.#length = length
    this.#pages.length = Math.min(this.#pages.length, Math.ceil(length / PAGE_WORDS) + 1)
  }

  /** All but the first page is given back: a queue that is empty now and then would make a new one each time. */
  clear(): void {
    const [first] = this.#pages
    const isHeld = this.#isShared?.[0] === 1
    this.#pages = first === undefined || isHeld ? [] : [first.fill(0, 0, Math.min(this.#length, PAGE_WORDS))]
    this.#length = 0
    this.#isShared = undefined
  }

  /** Takes a view, which ends with {@link endView}. One at a time. */
  beginView(): WordsView {
    const pages = this.#pages.slice()
    this.#isShared = new Uint8Array(pages.length).fill(1)
    return viewOf(pages, this.#length)
  }

  endView(): void {
    this.#isShared = undefined
  }

  /** The present words, not to be changed meanwhile. */
  view(): WordsView {
    return viewOf(this.#pages, this.#length)
  }

  /** Puts in what a view's pages gave, one behind the other. */
  restorePage(bytes: Uint8Array): void {
    invariant((this.#length & PAGE_MASK) === 0, 'a page behind one that is not full')
    const words = new Uint32Array(PAGE_WORDS)
    new Uint8Array(words.buffer).set(bytes)
    const page = this.#length >>> PAGE_SHIFT
    this.#pages[page] = words
    this.#pages.length = page + 1
    this.#length += bytes.byteLength >>> 2
  }
}

function viewOf(all: readonly Uint32Array[], length: number): WordsView {
  return {
    length,
    get: (address) => (all[address >>> PAGE_SHIFT] as Uint32Array)[address & PAGE_MASK] as number,
    *pages() {
      for (let page = 0; page * PAGE_WORDS < length; page++) {
        const words = all[page] as Uint32Array
        yield new Uint8Array(words.buffer, 0, Math.min(PAGE_WORDS, length - page * PAGE_WORDS) << 2)
      }
    },
  }
}
