/**
 * Some of the numbers 0 … size-1 in an order, as a doubly linked list: each can be lifted out at once, and put back
 * at once if that is done in the reverse order of lifting (Wing and Gong 1993; Knuth's dancing links).
 */
export class LinkedOrder {
  /** What stands at both ends. It follows the last number. */
  readonly end: number
  readonly #next: Int32Array
  readonly #previous: Int32Array

  constructor(size: number, members: Iterable<number>) {
    this.end = size
    this.#next = new Int32Array(size + 1)
    this.#previous = new Int32Array(size + 1)
    let last = size
    for (const member of members) {
      this.#next[last] = member
      this.#previous[member] = last
      last = member
    }
    this.#next[last] = size
    this.#previous[size] = last
  }

  /** `end` when it is empty. */
  get first(): number {
    return this.#next[this.end] as number
  }

  /** What follows `member`, also while `member` is lifted and nothing near it has changed. */
  after(member: number): number {
    return this.#next[member] as number
  }

  lift(member: number): void {
    const next = this.#next[member] as number
    const previous = this.#previous[member] as number
    this.#next[previous] = next
    this.#previous[next] = previous
  }

  /** Puts back the one that was lifted last. */
  unlift(member: number): void {
    this.#next[this.#previous[member] as number] = member
    this.#previous[this.#next[member] as number] = member
  }
}
