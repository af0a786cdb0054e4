import { getHeapStatistics } from 'node:v8'
import type { HeapEffect, Switchboard } from '@troupe/faults'

const STEP_BYTES = 4 << 20
/** A number in an array is a word. */
const STEP_NUMBERS = STEP_BYTES / 8
/** Beyond the limit, so that 100 % is reached. */
const BEYOND = 1.25
/** The limit counts room for what is young too, three semi-spaces of 16 MiB, which is of no use to what stays. */
const YOUNG_BYTES = 48 << 20

/**
 * Fills this thread's own heap with what nobody needs, a piece at a time, so that the node goes on taking turns: at first the
 * garbage collector works more and more, at 100 % the thread, or the process, dies of its limit.
 */
export class HeapFiller implements Switchboard<HeapEffect> {
  readonly #effects = new Map<number, HeapEffect>()
  readonly #ballast: number[][] = []
  #isFilling = false

  add(id: number, effect: HeapEffect): void {
    this.#effects.set(id, effect)
    if (!this.#isFilling) this.#fillLater()
  }

  /** What is not asked for any more is left to the garbage collector. */
  remove(id: number): void {
    this.#effects.delete(id)
    this.#ballast.length = 0
    if (this.#effects.size > 0 && !this.#isFilling) this.#fillLater()
  }

  get heldBytes(): number {
    return this.#ballast.length * STEP_BYTES
  }

  #fillLater(): void {
    this.#isFilling = true
    setImmediate(() => {
      this.#isFilling = false
      const percent = Math.max(0, ...Array.from(this.#effects.values(), (effect) => effect.percent))
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
      const old = limit - Math.min(YOUNG_BYTES, limit / 2)
      const wanted = percent >= 100 ? limit * BEYOND : (old * percent) / 100
      if (this.#effects.size === 0 || used + STEP_BYTES > wanted) return
      this.#ballast.push(new Array<number>(STEP_NUMBERS).fill(this.#ballast.length))
      this.#fillLater()
    })
  }
}
