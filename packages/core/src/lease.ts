/**
 * A leader's lease (thesis §6.4.1): for how long nobody else can have been elected.
 *
 * Whoever answered a heartbeat helps no candidate for an election timeout after *receiving* it. The leader only knows
 * when it *sent* it, which is earlier: counting from there is safe. A follower's clock may run faster than the
 * leader's by `maxClockDrift`, so that much less is counted on.
 */
import type { RaftKnobs } from './options.ts'

interface Round {
  readonly number: number
  readonly sentMs: number
}

export class Lease {
  readonly #lengthMs: number
  /** Heartbeat rounds not older than the last one that a quorum answered. */
  readonly #rounds: Round[] = []
  #untilMs = Number.NEGATIVE_INFINITY
  #isRevoked = false
  #isForfeited = false

  constructor({ electionTimeoutMinMs, maxClockDrift }: RaftKnobs) {
    this.#lengthMs = electionTimeoutMinMs / (1 + maxClockDrift)
  }

  /** A round of heartbeats leaves. */
  sent(number: number, sentMs: number): void {
    this.#rounds.push({ number, sentMs })
  }

  /** A quorum has answered `round`. */
  confirmed(round: number): void {
    let count = 0
    for (const { number, sentMs } of this.#rounds) {
      if (number > round) break
      this.#untilMs = sentMs + this.#lengthMs
      count++
    }
    if (count > 0) this.#rounds.splice(0, count)
  }

  /** Somebody is about to be asked to campaign: nobody counts on the voters' patience. */
  revoke(): void {
    this.#isRevoked = true
  }

  /** The transfer was given up. */
  restore(): void {
    this.#isRevoked = false
  }

  /** Somebody was asked to campaign, and may do so at any time in this term, however late the request arrives. */
  forfeit(): void {
    this.#isForfeited = true
  }

  holdsAt(nowMs: number): boolean {
    return !this.#isRevoked && !this.#isForfeited && nowMs < this.#untilMs
  }
}
