/** Page numbers, one bit each. */
export class PageSet {
  size = 0
  readonly #bits: Uint8Array

  constructor(pageCount: number) {
    this.#bits = new Uint8Array(Math.ceil(pageCount / 8))
  }

  has(page: number): boolean {
    return ((this.#bits[Math.floor(page / 8)] ?? 0) & (1 << (page & 7))) !== 0
  }

  /** `page` is below the page count, and not in the set. */
  add(page: number): void {
    const index = Math.floor(page / 8)
    this.#bits[index] = (this.#bits[index] ?? 0) | (1 << (page & 7))
    this.size++
  }
}
