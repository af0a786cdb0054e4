/** Puts the chunks of several nodes into the order of cause and effect. */
import type { Chunk } from './records.ts'

type Take = (node: string, chunk: Chunk) => void

export interface ChunkOrder {
  push(node: string, chunk: Chunk): void
  /** Hands out what is there, complete or not: nothing comes any more. */
  finish(): void
}

interface Waiting {
  readonly node: string
  readonly chunk: Chunk
}

const PATIENCE_MS = 500

/**
 * By numbers without gaps: each is drawn before what it tells of can be seen elsewhere. A number that does not come, since its
 * node died as it told of it, is passed over after a while.
 */
export class NumberedOrder implements ChunkOrder {
  readonly #take: Take
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #timer: NodeJS.Timeout | undefined
  /** Numbers that never came. */
  gaps = 0

  constructor(take: Take) {
    this.#take = take
  }

  push(node: string, chunk: Chunk): void {
    this.#waiting.set(chunk.number, { node, chunk })
    this.#drain()
    if (this.#waiting.size > 0) this.#timer ??= setTimeout(() => this.#skip(), PATIENCE_MS)
  }

  #drain(): void {
    for (;;) {
      const found = this.#waiting.get(this.#next)
      if (found === undefined) break
      this.#waiting.delete(this.#next)
      this.#next++
      this.#take(found.node, found.chunk)
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  #skip(): void {
    this.#timer = undefined
    if (this.#waiting.size === 0) return
    const next = Math.min(...this.#waiting.keys())
    this.gaps += next - this.#next
    this.#next = next
    this.#drain()
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#skip(), PATIENCE_MS)
  }

  finish(): void {
    clearTimeout(this.#timer)
    while (this.#waiting.size > 0) this.#skip()
    clearTimeout(this.#timer)
  }
}
