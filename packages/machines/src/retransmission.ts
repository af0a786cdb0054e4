/** When what was sent and is not answered is to be sent again: after a silence, or because the cluster misses something. */
export class Retransmission {
  readonly #leastMs: number
  /** Silence that is waited for: doubles each time. */
  #silenceMs: number
  #heardMs = 0
  /** What the last complaint that was heeded told of: how far commands were applied, and how far answered. */
  #heeded = 0

  /** @param leastMs silence after which everything is sent again for the first time */
  constructor(leastMs: number) {
    this.#leastMs = leastMs
    this.#silenceMs = leastMs
  }

  get dueMs(): number {
    return this.#heardMs + this.#silenceMs
  }

  /** Something was sent after nothing was on its way: the silence begins. */
  sent(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** Commands were answered. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
    this.#silenceMs = this.#leastMs
  }

  /** What is sent goes elsewhere now: how long the one before was silent says nothing of it. */
  restart(nowMs: number): void {
    this.heard(nowMs)
    this.#heeded = 0
  }

  /** It was silent for too long, and is asked again. */
  backOff(nowMs: number): void {
    this.#heardMs = nowMs
    this.#silenceMs = Math.min(this.#silenceMs * 2, 8 * this.#leastMs)
    this.#heeded = 0
  }

  /**
   * Whether a complaint that command `expected` is missing is to be heeded. Every copy that is still on its way brings another
   * one, from each node: to send everything again for each would fill the log with copies, faster than it can take them.
   * So one is heeded only where more is applied or answered than at the last; a lost copy is left to the silence.
   */
  heeds(expected: number, answeredThrough: number): boolean {
    if (expected <= answeredThrough || expected + answeredThrough <= this.#heeded) return false
    this.#heeded = expected + answeredThrough
    return true
  }
}
