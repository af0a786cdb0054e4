import type { DamageList } from './damage-list.ts'
import { FIRST_DATA_PAGE } from './format.ts'
import type { InputFile } from './input-file.ts'
import { PageSet } from './page-set.ts'
import { ReadWindow } from './read-window.ts'

/** What is common to the walks over one snapshot of a file. */
export class PageFile {
  readonly pageBytes: number
  readonly txnId: number
  readonly lastPage: number
  /** Whole pages that the file has; those behind `lastPage` do not count. */
  readonly pagesInFile: number
  readonly damage: DamageList
  /** Pages that a tree or a value stands on. */
  readonly used: PageSet
  /** Pages that the free list names. */
  readonly free: PageSet
  // Trees and values stand in the file each in its own order.
  readonly #treeWindow: ReadWindow
  readonly #valueWindow: ReadWindow

  constructor(
    file: InputFile,
    fileBytes: number,
    snapshot: { readonly pageBytes: number; readonly txnId: number; readonly lastPage: number },
    damage: DamageList,
  ) {
    this.pageBytes = snapshot.pageBytes
    this.txnId = snapshot.txnId
    this.lastPage = snapshot.lastPage
    this.pagesInFile = Math.min(Math.floor(fileBytes / snapshot.pageBytes), snapshot.lastPage + 1)
    this.damage = damage
    this.used = new PageSet(this.pagesInFile)
    this.free = new PageSet(this.pagesInFile)
    this.#treeWindow = new ReadWindow(file)
    this.#valueWindow = new ReadWindow(file)
  }

  /**
   * Takes `count` pages from `first` on as used; a page belongs to one place.
   * @returns why they are not to be used
   */
  claim(first: number, count: number): string | undefined {
    const end = first + count
    if (first < FIRST_DATA_PAGE || end > this.lastPage + 1) {
      return `page ${first}${count > 1 ? ` and ${count - 1} more` : ''} of ${this.lastPage}`
    }
    if (end > this.pagesInFile) return `page ${end - 1}, but the file ends at page ${this.pagesInFile}`
    for (let page = first; page < end; page++) {
      if (this.used.has(page)) return `page ${page}, which is in use already`
    }
    for (let page = first; page < end; page++) {
      this.used.add(page)
      if (this.free.has(page)) this.damage.add(page, 'it is in use and in the free list')
    }
    return undefined
  }

  /** Valid until the next call; undefined where the file has become shorter. */
  readTreePage(page: number): Uint8Array | undefined {
    return this.#treeWindow.take(page * this.pageBytes, this.pageBytes)
  }

  /** As `readTreePage`, of several pages in a row. */
  readValuePages(page: number, count: number): Uint8Array | undefined {
    return this.#valueWindow.take(page * this.pageBytes, count * this.pageBytes)
  }
}
