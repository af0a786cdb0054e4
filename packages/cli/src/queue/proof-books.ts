/**
 * Books of a proof: for each message what became of it, in flat arrays, so that a million of them cost little. Message `n` is the
 * `n`th of all; every `keyEvery`th of a producer has the producer's next key.
 *
 *     sent ─► delivered (again and again) ─► settled ─► acked, once
 */

export interface ProofShape {
  readonly producers: number
  /** Messages of each. */
  readonly each: number
  /** Every so-manyth message has a key. */
  readonly keyEvery: number
  /** Different keys of each producer. */
  readonly keys: number
}

/** What was found; all but `redelivered` and `late` must be 0. */
export interface ProofFindings {
  /** Acknowledged, and neither delivered nor still there. */
  lost: number
  /** Delivered, and never sent. */
  unexpected: number
  /** Two positions of one message. */
  enqueuedTwice: number
  /** Assigned to somebody again after an acknowledged ack: a second ack was accepted. */
  assignedAfterAck: number
  /** Delivered before the one before it of its key was done with. */
  overtaken: number
  /** Deliveries beyond the first, before an ack. */
  redelivered: number
  /** Deliveries to a consumer that did not hold the message any more: its settlement was refused. */
  late: number
}

const ACK_CALLED = 1
const ACKED = 2

export class ProofBooks {
  readonly shape: ProofShape
  readonly findings: ProofFindings = {
    lost: 0,
    unexpected: 0,
    enqueuedTwice: 0,
    assignedAfterAck: 0,
    overtaken: 0,
    redelivered: 0,
    late: 0,
  }
  /** 0 until it is known. */
  readonly #positions: Float64Array
  readonly #deliveries: Uint32Array
  readonly #flags: Uint8Array
  #sent = 0
  #acked = 0

  constructor(shape: ProofShape) {
    this.shape = shape
    const count = shape.producers * shape.each
    this.#positions = new Float64Array(count)
    this.#deliveries = new Uint32Array(count)
    this.#flags = new Uint8Array(count)
  }

  /** Sends that were acknowledged. */
  get sent(): number {
    return this.#sent
  }

  /** Messages of which an ack was acknowledged. */
  get acked(): number {
    return this.#acked
  }

  /** The key of the message that is the producer's `nth`; undefined for none. */
  keyOf(producer: number, nth: number): string | undefined {
    const { keyEvery, keys } = this.shape
    if (nth % keyEvery !== 0) return undefined
    return `p${producer}k${(nth / keyEvery) % keys}`
  }

  /** A send was acknowledged. */
  acknowledged(message: number, position: number): void {
    this.#sent++
    this.#locate(message, position)
  }

  #locate(message: number, position: number): void {
    const known = this.#positions[message]
    if (known === 0) this.#positions[message] = position
    else if (known !== position) this.findings.enqueuedTwice++
  }

  /** Somebody was given a message. */
  delivered(message: number, position: number): void {
    const { findings } = this
    if (!Number.isSafeInteger(message) || message < 0 || message >= this.#positions.length) {
      findings.unexpected++
      return
    }
    this.#locate(message, position)
    const before = this.#deliveries[message] as number
    this.#deliveries[message] = before + 1
    if (before > 0) findings.redelivered++
    else if (!this.#isItsTurn(message)) findings.overtaken++
  }

  /** Whether whoever had the one before it of its key has asked to ack it. */
  #isItsTurn(message: number): boolean {
    const { each, keyEvery, keys } = this.shape
    const nth = message % each
    const distance = keyEvery * keys
    if (nth % keyEvery !== 0 || nth < distance) return true
    return ((this.#flags[message - distance] as number) & ACK_CALLED) !== 0
  }

  /** Somebody asks to ack it. */
  acking(message: number): void {
    this.#flags[message] = (this.#flags[message] as number) | ACK_CALLED
  }

  /** An ack was acknowledged. */
  ackAccepted(message: number): void {
    const flags = this.#flags[message] as number
    if ((flags & ACKED) === 0) this.#acked++
    else this.findings.assignedAfterAck++
    this.#flags[message] = flags | ACKED
  }

  /** A settlement was refused: the lease had ended before. */
  refused(): void {
    this.findings.late++
  }

  /** All that is there was taken: what was acknowledged and never delivered is lost. */
  drained(): void {
    for (const [message, deliveries] of this.#deliveries.entries())
      if (deliveries === 0 && this.#positions[message] !== 0) this.findings.lost++
  }

  /** Whether anything was found that must not be. */
  get isBroken(): boolean {
    const { lost, unexpected, enqueuedTwice, assignedAfterAck, overtaken } = this.findings
    return lost + unexpected + enqueuedTwice + assignedAfterAck + overtaken > 0
  }
}
