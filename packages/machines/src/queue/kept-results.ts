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
/** Places of those who are gone that are not worth the copying. */
const SLACK = 1024

/**
 * Invariant: an outcome that is kept stands in the order once, as the very object that its position leads to; what else stands there
 * is of those who are gone. Not the order of the `Map` itself: it leaves holes where entries were, and whoever asks for the first one walks
 * over all of them, with a hundred thousand results for 30 microseconds each time.
 */
export class KeptResults {
  readonly #limits: ResultLimits
  readonly #outcomes = new Map<number, KeptOutcome>()
  /** In the order of their ends. */
  #order: { readonly position: number[]; readonly outcome: KeptOutcome[] } = { position: [], outcome: [] }
  /** How many at the begin of the order are gone. */
  #gone = 0
  /** Messages that end together with nothing to tell share one: there may be a hundred thousand of them. */
  #last = NOTHING

  constructor(limits: ResultLimits) {
    this.#limits = limits
  }

  /** @param value not copied: the same for equal values costs the least */
  keep(position: number, nowMs: number, outcome: KeptOutcome['outcome'], value: Uint8Array): void {
    const { resultMs, maxResults } = this.#limits
    if (resultMs === 0 || maxResults === 0) return
    this.#append(position, this.#outcome(nowMs + resultMs, outcome, value))
    if (this.#outcomes.size > maxResults && this.#first() !== undefined) this.#dropFirst()
  }

  #outcome(expiresMs: number, outcome: KeptOutcome['outcome'], value: Uint8Array): KeptOutcome {
    const last = this.#last
    const isSame = last.value === value && last.expiresMs === expiresMs && last.outcome === outcome
    if (!isSame) this.#last = { expiresMs, outcome, value }
    return this.#last
  }

  /** No position has the same outcome twice: what shares one is completed, and gone. */
  #append(position: number, outcome: KeptOutcome): void {
    this.#outcomes.set(position, outcome)
    this.#order.position.push(position)
    this.#order.outcome.push(outcome)
  }

  /** The one that ends first; undefined where there is none. */
  #first(): KeptOutcome | undefined {
    const { position, outcome } = this.#order
    for (; this.#gone < position.length; this.#gone++) {
      const first = outcome[this.#gone] as KeptOutcome
      if (this.#outcomes.get(position[this.#gone] as number) === first) return first
    }
    return undefined
  }

  #dropFirst(): void {
    const { position, outcome } = this.#order
    this.#outcomes.delete(position[this.#gone++] as number)
    if (this.#gone < SLACK || this.#gone * 2 < position.length) return
    this.#order = { position: position.slice(this.#gone), outcome: outcome.slice(this.#gone) }
    this.#gone = 0
  }

  find(position: number, nowMs: number): KeptOutcome | undefined {
    const entry = this.#outcomes.get(position)
    return entry !== undefined && entry.expiresMs > nowMs ? entry : undefined
  }

  /** A dead message that lives again has no result. */
  forget(position: number): void {
    this.#outcomes.delete(position)
  }

  advance(nowMs: number): void {
    for (let left = FORGOTTEN_AT_ONCE; left > 0; left--) {
      const first = this.#first()
      if (first === undefined || first.expiresMs > nowMs) return
      this.#dropFirst()
    }
  }

  /** As they are now; entries never change. */
  get all(): readonly KeptResultEntry[] {
    const { position, outcome } = this.#order
    const all: KeptResultEntry[] = []
    for (let at = this.#gone; at < position.length; at++) {
      const each = position[at] as number
      const kept = outcome[at] as KeptOutcome
      if (this.#outcomes.get(each) === kept) all.push({ position: each, ...kept })
    }
    return all
  }

  restore({ position, expiresMs, outcome, value }: KeptResultEntry): void {
    this.#append(position, { expiresMs, outcome, value })
  }
}
