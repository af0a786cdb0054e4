/**
 * What a stream goes through. Pieces come in their order and leave in their order; the end of a stream, and its breaking off,
 * travel like pieces: no end overtakes what was sent before it.
 */
import type { Clock, Random } from '@troupe/core'

/** Time as the proxy sees it. */
export interface ProxyTime extends Clock {
  /** Calls back once, never from within this call. Gives what takes that back. */
  after(delayMs: number, run: () => void): () => void
}

export const trueTime: ProxyTime = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    // A toxic alone keeps no process alive.
    const timer = setTimeout(run, Math.max(0, delayMs)).unref()
    return () => clearTimeout(timer)
  },
}

/** Bytes, or that nothing follows: the sender has closed its side, or has broken off. */
export type Piece = Buffer | 'end' | 'reset'

export const bytesOf = (piece: Piece): number => (typeof piece === 'string' ? 0 : piece.byteLength)

/** Where a stage stands. */
export interface StagePlace {
  readonly time: ProxyTime
  readonly random: Random
  /** To whatever is behind it. */
  pass(piece: Piece): void
  /** Ends the connection, both ways. */
  abort(how: 'close' | 'reset'): void
}

export interface Stage {
  take(piece: Piece): void
  /** What waits in it. */
  readonly heldBytes: number
  /** It is taken away: passes on what it holds. */
  leave(): void
  /** The connection is over. */
  close(): void
}

/** What becomes of a piece: parts of it, each with its time. */
export type Plan = (piece: Piece, nowMs: number) => Iterable<readonly [part: Piece, atMs: number]>

interface Waiting {
  readonly piece: Piece
  readonly atMs: number
}

/** Pieces wait for their times, in line: none overtakes another, whatever its time. */
export class DelayStage implements Stage {
  readonly #place: StagePlace
  readonly #plan: Plan
  readonly #line: Waiting[] = []
  #heldBytes = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #cancel: () => void = () => {}

  constructor(place: StagePlace, plan: Plan) {
    this.#place = place
    this.#plan = plan
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  take(piece: Piece): void {
    const nowMs = this.#place.time.nowMs()
    const wasEmpty = this.#line.length === 0
    for (const [part, atMs] of this.#plan(piece, nowMs)) {
      this.#lastMs = Math.max(this.#lastMs, atMs)
      this.#line.push({ piece: part, atMs: this.#lastMs })
      this.#heldBytes += bytesOf(part)
    }
    if (wasEmpty) this.#release()
  }

  leave(): void {
    this.#cancel()
    for (const { piece } of this.#line.splice(0)) this.#place.pass(piece)
    this.#heldBytes = 0
  }

  close(): void {
    this.#cancel()
    this.#line.length = 0
    this.#heldBytes = 0
  }

  #release(): void {
    const nowMs = this.#place.time.nowMs()
    for (;;) {
      const [first] = this.#line
      if (first === undefined) return
      if (first.atMs > nowMs) break
      this.#line.shift()
      this.#heldBytes -= bytesOf(first.piece)
      this.#place.pass(first.piece)
    }
    const waitMs = (this.#line[0] as Waiting).atMs - nowMs
    this.#cancel = this.#place.time.after(waitMs, () => this.#release())
  }
}
