/** Puts the chunks of several nodes into the order of cause and effect. */
import type { Chunk } from './records.ts'

type Take = (node: string, chunk: Chunk) => void

export interface ChunkOrder {
  push(node: string, chunk: Chunk): void
  /** A node has died: called behind its last chunk, when `drawn` numbers were given out. It is told at its place. */
  ended(node: string, drawn: number, tell: () => void): void
  /** Nothing comes any more: hands out what is there, up to what a node that lives has not told of. */
  finish(): void
}

interface Waiting {
  readonly node: string
  readonly chunk: Chunk
}

interface Death {
  readonly drawn: number
  readonly tell: () => void
}

/** What is on its way from a node that has just started comes within that. */
const GRACE_MS = 100
/** Nodes that say nothing for so long stand still, and have told all that they have numbers for. */
const PATIENCE_MS = 2000

/**
 * By numbers without gaps: each is drawn before what it tells of can be seen elsewhere. Nodes that are slow to tell are waited
 * for, however long that takes them. Only a death takes numbers along, of those that were drawn by then; and a node tells in its
 * own order. So such a number is passed over when all who live have told of later ones.
 */
export class NumberedOrder implements ChunkOrder {
  readonly #take: Take
  readonly #late: (node: string) => void
  readonly #waiting = new Map<number, Waiting>()
  /** The last number that each node has told of that lives. */
  readonly #told = new Map<string, number>()
  /** Those that are to be told of, in their order. Later numbers were not lost with anybody. */
  readonly #deaths: Death[] = []
  #next = 1
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  /** Numbers that never came. */
  gaps = 0

  /** @param late told where a chunk comes when others behind it were handed out: nobody knows what to make of them */
  constructor(take: Take, late: (node: string) => void) {
    this.#take = take
    this.#late = late
  }

  push(node: string, chunk: Chunk): void {
    this.#told.set(node, chunk.number)
    if (chunk.number >= this.#next) this.#waiting.set(chunk.number, { node, chunk })
    else this.#late(node)
    this.#drain()
  }

  ended(node: string, drawn: number, tell: () => void): void {
    this.#told.delete(node)
    this.#deaths.push({ drawn, tell })
    this.#drain()
  }

  finish(): void {
    while (this.#mostWaitMs === GRACE_MS) this.#passOver()
    this.#rest()
    this.#waiting.clear()
  }

  #drain(): void {
    const before = this.#next
    while (this.#tellDeath() || this.#takeNext());
    const waitMs = this.#mostWaitMs
    if (waitMs === undefined || waitMs !== this.#timerMs || this.#next > before) this.#rest()
    if (waitMs === undefined) return
    this.#timerMs = waitMs
    this.#timer ??= setTimeout(() => this.#passOverSoon(), waitMs)
  }

  #takeNext(): boolean {
    const found = this.#waiting.get(this.#next)
    if (found === undefined) return false
    this.#waiting.delete(this.#next++)
    this.#take(found.node, found.chunk)
    return true
  }

  #tellDeath(): boolean {
    const [death] = this.#deaths
    if (death === undefined || death.drawn >= this.#next) return false
    this.#deaths.shift()
    death.tell()
    return true
  }

  /** How long the next number is waited for; undefined where it will come. */
  get #mostWaitMs(): number | undefined {
    if (this.#deaths.length === 0) return undefined
    const isAwaited = [...this.#told.values()].some((told) => told < this.#next)
    return isAwaited ? PATIENCE_MS : GRACE_MS
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** After a standstill of the process timers come before what has arrived meanwhile. */
  #passOverSoon(): void {
    const missing = this.#next
    setImmediate(() => {
      if (this.#next === missing && this.#mostWaitMs !== undefined) this.#passOver()
    })
  }

  #passOver(): void {
    this.#rest()
    this.gaps++
    this.#next++
    this.#drain()
  }
}
