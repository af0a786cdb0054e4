/** What became of messages, for those who wait for it: kept for a while, the oldest given up first. */

export interface ResultLimits {
  readonly resultMs: number
  readonly maxResults: number
}

export interface KeptOutcome {
  readonly expiresMs: number
  readonly outcome: 'completed' | 'dead'
  /** Encoded: the result, or the reason. */
  readonly value: Uint8Array
}

export interface KeptResultEntry extends KeptOutcome {
  readonly position: number
}

const NOTHING: KeptOutcome = { expiresMs: 0, outcome: 'completed', value: new Uint8Array(0) }

/** Results that are given up with each step of time, at most. */
const FORGOTTEN_AT_ONCE = 256

export class KeptResults {
  readonly #limits: ResultLimits
  /** By position, in the order of their ends. */
  readonly #entries = new Map<number, KeptOutcome>()
  /** Messages that end together with nothing to tell share one: there may be a hundred thousand of them. */
  #last = NOTHING

  constructor(limits: ResultLimits) {
    this.#limits = limits
  }

  /** @param value not copied: the same for equal values costs the least */
  keep(position: number, nowMs: number, outcome: KeptOutcome['outcome'], value: Uint8Array): void {
    const { resultMs, maxResults } = this.#limits
    if (resultMs === 0 || maxResults === 0) return
    this.#entries.delete(position)
    this.#entries.set(position, this.#outcome(nowMs + resultMs, outcome, value))
    if (this.#entries.size > maxResults) this.#entries.delete(this.#entries.keys().next().value as number)
  }

  #outcome(expiresMs: number, outcome: KeptOutcome['outcome'], value: Uint8Array): KeptOutcome {
    const last = this.#last
    const isSame = last.value === value && last.expiresMs === expiresMs && last.outcome === outcome
    if (!isSame) this.#last = { expiresMs, outcome, value }
    return this.#last
  }

  find(position: number, nowMs: number): KeptOutcome | undefined {
    const entry = this.#entries.get(position)
    return entry !== undefined && entry.expiresMs > nowMs ? entry : undefined
  }

  /** A dead message that lives again has no result. */
  forget(position: number): void {
    this.#entries.delete(position)
  }

  advance(nowMs: number): void {
    let left = FORGOTTEN_AT_ONCE
    for (const [position, { expiresMs }] of this.#entries) {
      if (expiresMs > nowMs || left-- === 0) return
      this.#entries.delete(position)
    }
  }

  /** As they are now; entries never change. */
  get all(): readonly KeptResultEntry[] {
    return Array.from(this.#entries, ([position, outcome]) => ({ position, ...outcome }))
  }

  restore({ position, expiresMs, outcome, value }: KeptResultEntry): void {
    this.#entries.set(position, { expiresMs, outcome, value })
  }
}
