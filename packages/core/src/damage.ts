/** Sets of damaged indexes, as ascending ranges that do not touch each other. */
import type { IndexRange } from './types.ts'

export class Damage {
  #ranges: IndexRange[]

  constructor(ranges: readonly IndexRange[]) {
    this.#ranges = [...ranges]
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  get ranges(): readonly IndexRange[] {
    return this.#ranges
  }

  /** The lowest range. */
  get first(): IndexRange | undefined {
    return this.#ranges[0]
  }

  includes(index: number): boolean {
    return this.#ranges.some(({ from, to }) => from <= index && index <= to)
  }

  /** The highest index up to `index` that is sound; 0 where there is none. */
  soundAtMost(index: number): number {
    let sound = index
    for (let at = this.#ranges.length - 1; at >= 0; at--) {
      const { from, to } = this.#ranges[at] as IndexRange
      if (from <= sound && sound <= to) sound = from - 1
    }
    return sound
  }

  /** `index` is sound again. */
  mend(index: number): void {
    this.#ranges = this.#ranges.flatMap((range) => {
      const { from, to } = range
      if (index < from || index > to) return [range]
      const parts = [
        { from, to: index - 1 },
        { from: index + 1, to },
      ]
      return parts.filter((part) => part.from <= part.to)
    })
  }

  /** Nothing below `from` and above `to` matters any more. */
  keepOnly(from: number, to: number): void {
    const cut = this.#ranges.map((range) => ({
      from: Math.max(range.from, from),
      to: Math.min(range.to, to),
    }))
    this.#ranges = cut.filter((range) => range.from <= range.to)
  }
}
