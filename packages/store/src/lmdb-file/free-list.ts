/**
 * The records of the free list: what LMDB hands out next. A record is u64 words: how many follow, then a page each, or
 * -n and a page: n pages from there on; 0 is a gap. lmdb-js orders neither pages nor records, and a record may
 * have words behind those it counts.
 */
import { FIRST_DATA_PAGE, int64, uint64 } from './format.ts'
import type { PageFile } from './page-file.ts'

const WORD_BYTES = 8

export class FreeList {
  readonly #file: PageFile
  /** Free pages behind the end of the file, [first, end): LMDB does not write what it frees at once. */
  readonly #beyond: [number, number][] = []

  constructor(file: PageFile) {
    this.#file = file
  }

  /** Takes a record in. */
  readonly visit = (key: Uint8Array, value: Uint8Array): void => {
    const txnId = uint64(new DataView(key.buffer, key.byteOffset, WORD_BYTES), 0)
    const refuse = (reason: string): void => this.#file.damage.add(0, `free list, record ${txnId}: ${reason}`)
    if (txnId < 1 || txnId > this.#file.txnId) refuse(`the last transaction is ${this.#file.txnId}`)
    if (value.byteLength < WORD_BYTES || value.byteLength % WORD_BYTES !== 0) {
      return refuse(`${value.byteLength} bytes long`)
    }
    const words = new DataView(value.buffer, value.byteOffset, value.byteLength)
    const last = value.byteLength / WORD_BYTES - 1
    const count = uint64(words, 0)
    if (count > last) return refuse(`${count} words in a place for ${last}`)
    for (let i = 1; i <= count; i++) {
      const word = int64(words, i * WORD_BYTES)
      if (word === 0) continue
      if (word < 0 && ++i > last) return refuse('a run of pages without a place')
      const problem = this.#add(int64(words, i * WORD_BYTES), word < 0 ? -word : 1)
      if (problem !== undefined) refuse(problem)
    }
  }

  /** To be called after the last record: what the file lacks must be free. */
  checkEnd(): void {
    const { damage, pagesInFile, lastPage } = this.#file
    this.#beyond.sort((a, b) => a[0] - b[0])
    let next = pagesInFile
    for (const [first, end] of this.#beyond) {
      if (first < next) return damage.add(first, 'it is in the free list twice')
      if (first > next) break
      next = end
    }
    if (next <= lastPage) {
      damage.add(0, `the file ends at page ${pagesInFile}, but its last one is ${lastPage}`)
    }
  }

  #add(first: number, count: number): string | undefined {
    const { used, free, pagesInFile, lastPage } = this.#file
    const end = first + count
    if (first < FIRST_DATA_PAGE || end > lastPage + 1) return `${count} pages from ${first} of ${lastPage}`
    for (let page = first; page < Math.min(end, pagesInFile); page++) {
      if (used.has(page)) return `page ${page} is in use`
      if (free.has(page)) return `page ${page} is in the free list twice`
      free.add(page)
    }
    if (end > pagesInFile) this.#beyond.push([Math.max(first, pagesInFile), end])
    return undefined
  }
}
