/** Faults of a history, as times from their begin to their end. */
import type { LineEvent } from './history-line.ts'

/** A fault that lasted. Numbers are those of the history's events, as in operations. */
export interface FaultBand {
  readonly text: string
  readonly fromAt: number
  /** Null where the history ends before it. */
  readonly toAt: number | null
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
}

interface OpenBand {
  readonly text: string
  readonly fromAt: number
  readonly fromMs: number | undefined
}

/** What ends what, where it is not called start and stop. */
const ENDS: Readonly<Record<string, string>> = { resume: 'pause', heal: 'partition', start: 'kill' }

/**
 * Pairs the lines of faults. Ours are of the types `start` and `stop`. Jepsen writes each of its twice, as `info`, and says
 * what it means in `f`: `start-partition`, `stop-partition`, `pause`, `resume`; what has no end by its name lasts from the
 * first line to the second.
 */
export class FaultBands {
  readonly #open = new Map<string, OpenBand>()
  readonly #bands: FaultBand[] = []

  take({ type, f, value, timeMs }: LineEvent, at: number): void {
    const what = value === null || value === undefined || value === '' ? '' : String(value)
    if (type === 'start') return this.#begin(`${f} ${what}`, f, what, at, timeMs)
    if (type === 'stop') return this.#end(what === '' ? f : `${f} ${what}`, at, timeMs)
    const [, verb, name] = /^(start|stop)-?(.*)$/.exec(f) ?? []
    const ended = verb === 'stop' ? (name ?? '') : ENDS[f]
    if (ended !== undefined && this.#open.has(`${ended} `)) return this.#end(`${ended} `, at, timeMs)
    if (verb === 'stop' || f in ENDS) {
      if (f !== 'start') return
    }
    const kind = verb === 'start' ? (name ?? '') : f
    const lasts = verb === 'start' || Object.values(ENDS).includes(f)
    const isKnown = this.#open.has(`${kind} `)
    if (!isKnown) this.#begin(`${kind} `, kind === '' ? 'fault' : kind, what, at, timeMs)
    else if (!lasts) this.#end(`${kind} `, at, timeMs)
  }

  /** All of them, in the order of their begin. */
  end(): FaultBand[] {
    for (const open of this.#open.values()) this.#bands.push({ ...open, toAt: null, toMs: undefined })
    this.#open.clear()
    return this.#bands.sort((left, right) => left.fromAt - right.fromAt)
  }

  #begin(id: string, name: string, what: string, fromAt: number, fromMs: number | undefined): void {
    if (!this.#open.has(id)) this.#open.set(id, { text: `${name} ${what}`.trim(), fromAt, fromMs })
  }

  /** Ends all whose id begins so: a stop without a value ends the faults of that kind. */
  #end(id: string, toAt: number, toMs: number | undefined): void {
    for (const [key, open] of this.#open) {
      if (key !== id && !key.startsWith(`${id} `)) continue
      this.#open.delete(key)
      this.#bands.push({ ...open, toAt, toMs })
    }
  }
}
