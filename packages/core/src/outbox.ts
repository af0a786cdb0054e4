/**
 * The two outboxes (see ready.ts) and the persists in flight.
 *
 * A message that promises something about the disk waits for the next persist request and leaves with its token;
 * tokens complete in order, so it also waits for every persist before.
 */
import { invariant } from './errors.ts'
import type { Message } from './message.ts'

interface PersistInFlight {
  readonly token: number
  /** Entries up to here are flushed once the token completes; lowered by a later truncation. */
  lastIndex: number
  /** Term of the hard state in this request; undefined where it carries none. */
  readonly term: number | undefined
  readonly sinceMs: number
}

export class Outbox {
  #token = 0
  #flushedTerm: number
  #now: Message[] = []
  #afterFlush: Message[] = []
  readonly #inFlight: PersistInFlight[] = []

  constructor(flushedTerm: number) {
    this.#flushedTerm = flushedTerm
  }

  /** Term of the hard state that is on the disk. */
  get flushedTerm(): number {
    return this.#flushedTerm
  }

  /** The token the next persist request will bear. */
  get nextToken(): number {
    return this.#token + 1
  }

  sendNow(message: Message): void {
    this.#now.push(message)
  }

  sendAfterFlush(message: Message): void {
    this.#afterFlush.push(message)
  }

  get hasAfterFlush(): boolean {
    return this.#afterFlush.length > 0
  }

  takeNow(): Message[] {
    const messages = this.#now
    this.#now = []
    return messages
  }

  /** Since when the oldest request waits for its flush; undefined where none does. */
  get oldestMs(): number | undefined {
    return this.#inFlight[0]?.sinceMs
  }

  /** Opens a persist request: gives its token and the messages that leave with it. */
  open(lastIndex: number, term: number | undefined, sinceMs: number): { token: number; messages: Message[] } {
    const messages = this.#afterFlush
    this.#afterFlush = []
    this.#token++
    this.#inFlight.push({ token: this.#token, lastIndex, term, sinceMs })
    return { token: this.#token, messages }
  }

  /**
   * Entries from `index` on are being overwritten: persists in flight no longer speak for them. Without this an
   * acknowledgement of the old entry would count for the new one at the same index (the ABA race of
   * asynchronous appends).
   */
  truncated(index: number): void {
    for (const persist of this.#inFlight) {
      if (persist.lastIndex >= index) persist.lastIndex = index - 1
    }
  }

  /** Everything up to `token` is flushed. Returns up to where the log is flushed by it, 0 if nothing is new. */
  complete(token: number): number {
    invariant(token <= this.#token, `token ${token} was never issued`)
    let lastIndex = 0
    let count = 0
    for (const persist of this.#inFlight) {
      if (persist.token > token) break
      if (persist.lastIndex > lastIndex) lastIndex = persist.lastIndex
      if (persist.term !== undefined) this.#flushedTerm = persist.term
      count++
    }
    this.#inFlight.splice(0, count)
    return lastIndex
  }
}
