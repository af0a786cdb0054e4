/**
 * What a leader knows of one peer (etcd's Progress): where the logs match, what to send next, what is on its way.
 *
 *     probe      one append at a time, until one is accepted: where do the logs match?
 *     replicate  appends are pipelined, up to the in-flight bounds in messages and bytes
 *     snapshot   it needs what the log no longer has: a snapshot was offered, it fetches that by itself (Raft §7)
 *
 * `match` never moves backwards within a peer's incarnation; `match < next`.
 */
export class Progress {
  match = 0
  next: number
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** Answers of another one count for nothing. */
  readonly incarnation: number
  /** The highest commit index it was told in an append. */
  sentCommit = 0
  /** In probe: an append is on its way, wait for its answer or a heartbeat's. */
  probing = false
  /** When this peer was last heard of. */
  heardMs: number
  /** The latest heartbeat round it has answered. */
  round = 0
  readonly #maxMessages: number
  readonly #maxBytes: number
  /** Last index and bytes of each append on its way, oldest first. */
  readonly #inflight: { lastIndex: number; bytes: number }[] = []
  #inflightBytes = 0

  constructor(incarnation: number, next: number, nowMs: number, maxMessages: number, maxBytes: number) {
    this.incarnation = incarnation
    this.next = next
    this.heardMs = nowMs
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get inflightMessages(): number {
    return this.#inflight.length
  }

  get inflightBytes(): number {
    return this.#inflightBytes
  }

  /** Whether appends are held back only by the in-flight bounds. */
  get isFull(): boolean {
    return this.state === 'replicate' && !this.canSend
  }

  /** Whether another append with entries may go out now. */
  get canSend(): boolean {
    if (this.state === 'probe') return !this.probing
    if (this.state === 'snapshot') return false
    return this.#inflight.length < this.#maxMessages && this.#inflightBytes < this.#maxBytes
  }

  /** An append with entries up to `lastIndex` was sent. */
  sent(lastIndex: number, bytes: number): void {
    if (this.state === 'probe') {
      this.probing = true
      return
    }
    this.next = lastIndex + 1
    this.#inflight.push({ lastIndex, bytes })
    this.#inflightBytes += bytes
  }

  /** The peer has flushed everything up to `index`. Returns whether that is news. */
  accepted(index: number): boolean {
    this.#release(index)
    const isNews = index > this.match
    if (isNews) this.match = index
    if (this.state !== 'replicate') this.#becomeReplicate()
    else if (this.next <= this.match) this.next = this.match + 1
    return isNews
  }

  /**
   * The peer refused an append at `rejected`; the logs may agree at `hint`. Stale refusals change nothing.
   * Returns whether to try again at once.
   */
  refused(rejected: number, hint: number): boolean {
    // It refuses what it has acknowledged: an old answer, or it has lost its data. Do not ask over and over: the next
    // heartbeat proves it to whoever has (following.ts).
    if (rejected <= this.match || this.state === 'snapshot') return false
    if (this.state === 'replicate') {
      this.becomeProbe()
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
      return true
    }
    // While probing only the answer to the one append that is out counts.
    if (this.next - 1 !== rejected) return false
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
    this.probing = false
    return true
  }

  /** Start over from what is known to match: after a loss, a reconnection or a refusal. */
  becomeProbe(): void {
    this.state = 'probe'
    this.probing = false
    this.next = this.match + 1
    this.#inflight.length = 0
    this.#inflightBytes = 0
  }

  /** The entries it needs are gone: offer a snapshot, and wait until it has acknowledged that. */
  becomeSnapshot(): void {
    this.becomeProbe()
    this.state = 'snapshot'
  }

  #becomeReplicate(): void {
    this.becomeProbe()
    this.state = 'replicate'
  }

  #release(index: number): void {
    let count = 0
    for (const flight of this.#inflight) {
      if (flight.lastIndex > index) break
      this.#inflightBytes -= flight.bytes
      count++
    }
    if (count > 0) this.#inflight.splice(0, count)
  }
}
