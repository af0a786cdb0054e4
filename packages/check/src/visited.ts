/**
 * The configurations that a search has seen: which operations are placed, and the state they led to (Lowe 2017).
 *
 * Instead of a bit for each operation of the history, the set is said by its frontier (the first return that is not
 * placed: everything before it is) and a bit for each slot of those pending there. So a configuration of a long
 * history is no larger than one of a short.
 */
export class VisitedConfigurations<State> {
  readonly #maskWords: number
  readonly #sameState: (left: State, right: State) => boolean
  readonly #states: State[] = []
  readonly #frontiers: number[] = []
  /** `maskWords` for each configuration. */
  #masks: Uint32Array
  #hashes: Int32Array
  /** Open addressing: the number of a configuration plus one, 0 where it is free. */
  #table: Int32Array

  constructor(maskWords: number, sameState: (left: State, right: State) => boolean, expectedCount: number) {
    this.#maskWords = maskWords
    this.#sameState = sameState
    const capacity = 2 ** Math.max(3, Math.ceil(Math.log2(expectedCount + 1)))
    this.#masks = new Uint32Array(capacity * maskWords)
    this.#hashes = new Int32Array(capacity)
    this.#table = new Int32Array(2 * capacity)
  }

  get count(): number {
    return this.#states.length
  }

  /** Adds a configuration. False when it was there. `stateHash` is the same for the same state. */
  add(frontier: number, mask: Uint32Array, state: State, stateHash: number): boolean {
    const hash = hashOf(frontier, mask, stateHash)
    const last = this.#table.length - 1
    let slot = hash & last
    for (let entry = this.#table[slot] as number; entry !== 0; entry = this.#table[slot] as number) {
      if (this.#hashes[entry - 1] === hash && this.#is(entry - 1, frontier, mask, state)) return false
      slot = (slot + 1) & last
    }
    const entry = this.count
    this.#masks.set(mask, entry * this.#maskWords)
    this.#hashes[entry] = hash
    this.#frontiers.push(frontier)
    this.#states.push(state)
    this.#table[slot] = entry + 1
    if (this.count === this.#hashes.length) this.#grow()
    return true
  }

  /** The different states in which the search stood before `frontier`, up to `limit`. */
  statesAt(frontier: number, limit: number): State[] {
    const states: State[] = []
    for (const [entry, state] of this.#states.entries()) {
      if (states.length >= limit) break
      if (this.#frontiers[entry] !== frontier) continue
      if (!states.some((known) => this.#sameState(known, state))) states.push(state)
    }
    return states
  }

  #is(entry: number, frontier: number, mask: Uint32Array, state: State): boolean {
    if (this.#frontiers[entry] !== frontier) return false
    const start = entry * this.#maskWords
    for (let word = 0; word < this.#maskWords; word++) {
      if (this.#masks[start + word] !== mask[word]) return false
    }
    return this.#sameState(this.#states[entry] as State, state)
  }

  #grow(): void {
    const masks = new Uint32Array(this.#masks.length * 2)
    masks.set(this.#masks)
    this.#masks = masks
    const hashes = new Int32Array(this.#hashes.length * 2)
    hashes.set(this.#hashes)
    this.#hashes = hashes
    this.#table = new Int32Array(this.#table.length * 2)
    const last = this.#table.length - 1
    for (let entry = 0; entry < this.count; entry++) {
      let slot = (hashes[entry] as number) & last
      while (this.#table[slot] !== 0) slot = (slot + 1) & last
      this.#table[slot] = entry + 1
    }
  }
}

/** Mixes as MurmurHash3 does. */
function hashOf(frontier: number, mask: Uint32Array, stateHash: number): number {
  let hash = Math.imul(frontier, 0x9e3779b1) ^ stateHash
  for (const word of mask) {
    hash = Math.imul(hash ^ word, 0x85ebca6b)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  return hash ^ (hash >>> 13)
}
