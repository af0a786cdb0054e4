/** What became of messages, for those who wait for it: kept for a while, the oldest given up first. */

export interface ResultLimits {
  readonly resultMs: number
  readonly maxResults: number
}

export interface KeptResultEntry {
  readonly position: number
  readonly expiresMs: number
  readonly outcome: 'completed' | 'dead'
  /** Encoded: the result, or the reason. */
  readonly value: Uint8Array
}

/** Results that are given up with each step of time, at most. */
const FORGOTTEN_AT_ONCE = 256

export class KeptResults {
  readonly #limits: ResultLimits
  /** In the order of their ends. */
  readonly #entries = new Map<number, KeptResultEntry>()

  constructor(limits: ResultLimits) {
    this.#limits = limits
  }

  keep(position: number, nowMs: number, outcome: KeptResultEntry['outcome'], value: Uint8Array): void {
    const { resultMs, maxResults } = this.#limits
    if (resultMs === 0 || maxResults === 0) return
    this.#entries.delete(position)
    this.#entries.set(position, { position, expiresMs: nowMs + resultMs, outcome, value })
    if (this.#entries.size > maxResults) this.#entries.delete(this.#entries.keys().next().value as number)
  }

  find(position: number, nowMs: number): KeptResultEntry | undefined {
    const entry = this.#entries.get(position)
    return entry !== undefined && entry.expiresMs > nowMs ? entry : undefined
  }

  /** A dead message that lives again has no result. */
  forget(position: number): void {
    this.#entries.delete(position)
  }

  advance(nowMs: number): void {
    let left = FORGOTTEN_AT_ONCE
    for (const { position, expiresMs } of this.#entries.values()) {
      if (expiresMs > nowMs || left-- === 0) return
      this.#entries.delete(position)
    }
  }

  /** As they are now; entries never change. */
  get all(): readonly KeptResultEntry[] {
    return [...this.#entries.values()]
  }

  restore(entry: KeptResultEntry): void {
    this.#entries.set(entry.position, entry)
  }
}
