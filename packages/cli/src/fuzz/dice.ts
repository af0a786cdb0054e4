/** A seeded generator: one seed, one campaign, whatever the machine does meanwhile. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e37_79b9) >>> 0
  }

  /** From 0 to below `sides`. */
  roll(sides: number): number {
    // Mulberry32.
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides)
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.roll(choices.length)] as T
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.roll(256))
  }

  /** A copy with a few bytes changed. */
  mutated(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes)
    for (let count = 1 + this.roll(4); count > 0 && copy.byteLength > 0; count--)
      copy[this.roll(copy.byteLength)] = this.roll(256)
    return copy
  }
}
