/**
 * How long a word to a peer and back takes, told by the frames that go both ways anyway: each says which one of the other
 * end's it has got last, and how long ago.
 *
 *     sent: number 7 ──────► received ··· held 12 ms ··· echoes 7 ──────► now − sent(7) − 12 ms
 *
 * That is the way there and back and what both threads needed to take it; turns and disks are not in it.
 */
import { Histogram, SECONDS_BUCKETS } from '../metrics/histogram.ts'
import type { NewsFrame } from './node-news.ts'

/** Frames on their way whose times are remembered; an echo of an earlier one counts for nothing. */
const REMEMBERED = 16

export class RoundTrips {
  readonly histogram = new Histogram(SECONDS_BUCKETS)
  readonly #sentMs = new Float64Array(REMEMBERED)
  #number = 0
  /** Echoes of what was sent over an earlier link do not come over this one. */
  #echoedThrough = 0
  #heardNumber = 0
  #heardMs = 0

  /** A new link: the other end begins anew. */
  begin(): void {
    this.#echoedThrough = this.#number
    this.#heardNumber = 0
  }

  /** What the next frame says, which leaves now. */
  sending(nowMs: number): Omit<NewsFrame, 'pieces'> {
    const number = ++this.#number
    this.#sentMs[number % REMEMBERED] = nowMs
    const heldMs = this.#heardNumber === 0 ? 0 : Math.max(0, nowMs - this.#heardMs)
    return { number, echoed: this.#heardNumber, heldMs }
  }

  received({ number, echoed, heldMs }: Omit<NewsFrame, 'pieces'>, nowMs: number): void {
    this.#heardNumber = number
    this.#heardMs = nowMs
    const isAnswer = echoed > this.#echoedThrough && echoed <= this.#number
    if (!isAnswer || this.#number - echoed >= REMEMBERED) return
    this.#echoedThrough = echoed
    const tripMs = nowMs - (this.#sentMs[echoed % REMEMBERED] as number) - heldMs
    this.histogram.observe(Math.max(0, tripMs) / 1000)
  }
}
