/**
 * Linearizable reads without a log entry (thesis §6.4): note the commit index, confirm by one round of heartbeats
 * that this node still leads, wait until that index is applied. All reads of a drain share one round.
 * A round counts only heartbeats sent after the read came in; an older answer proves nothing.
 */
import type { ReadGrant } from './ready.ts'

interface PendingReads {
  readonly round: number
  readonly index: number
  readonly ids: number[]
}

export class ReadIndex {
  /** Came in since the last round began, or before the leader's first commit. */
  #waiting: number[] = []
  #pending: PendingReads[] = []
  #round = 0

  get round(): number {
    return this.#round
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  add(id: number): void {
    this.#waiting.push(id)
  }

  /** Begins a round for everything that waits; heartbeats carrying {@link round} must follow. */
  begin(commitIndex: number): void {
    this.#round++
    this.#pending.push({ round: this.#round, index: commitIndex, ids: this.#waiting })
    this.#waiting = []
  }

  /** Grants all reads of rounds up to `round`, which a quorum has answered. */
  confirm(round: number, granted: ReadGrant[]): void {
    let count = 0
    for (const pending of this.#pending) {
      if (pending.round > round) break
      for (const id of pending.ids) granted.push({ id, index: pending.index })
      count++
    }
    if (count > 0) this.#pending.splice(0, count)
  }

  /** Gives up everything: the node no longer leads. */
  clear(): number[] {
    const ids = [...this.#pending.flatMap((pending) => pending.ids), ...this.#waiting]
    this.#pending = []
    this.#waiting = []
    return ids
  }
}
