/**
 * Linearizable reads without a log entry (thesis §6.4): note the commit index, confirm by one round of heartbeats
 * that this node still leads, wait until that index is applied. All reads of a drain share one round.
 * A round counts only heartbeats sent after the read came in; an older answer proves nothing.
 */

interface PendingReads<Read> {
  readonly round: number
  readonly index: number
  readonly reads: Read[]
}

export class ReadIndex<Read> {
  /** Came in since the last round began, or before the leader's first commit. */
  #waiting: Read[] = []
  #pending: PendingReads<Read>[] = []

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  add(read: Read): void {
    this.#waiting.push(read)
  }

  /** Everything that waits belongs to `round`, whose heartbeats are about to be sent. */
  begin(round: number, commitIndex: number): void {
    this.#pending.push({ round, index: commitIndex, reads: this.#waiting })
    this.#waiting = []
  }

  /** Grants all reads of rounds up to `round`, which a quorum has answered. */
  confirm(round: number, grant: (read: Read, index: number) => void): void {
    let count = 0
    for (const pending of this.#pending) {
      if (pending.round > round) break
      for (const read of pending.reads) grant(read, pending.index)
      count++
    }
    if (count > 0) this.#pending.splice(0, count)
  }

  /** Gives up everything: the node no longer leads. */
  clear(): Read[] {
    const reads = [...this.#pending.flatMap((pending) => pending.reads), ...this.#waiting]
    this.#pending = []
    this.#waiting = []
    return reads
  }
}
