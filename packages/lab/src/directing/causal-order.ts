/**
 * Puts what nodes do into the order of cause and effect. A real node tells of what it sends in the middle of a turn, and of what it
 * has received at the turn's end; by then another one may have received that and have ended a turn of its own.
 *
 *     n1: ── sends 17 ────────────────── turn over: received 16 ──►  16, 17
 *     n2:             turn over: received 17                    ──►  waits for that
 *
 * - All of a turn stands together: what it received, what it became, what it sent.
 * - Turns of one node stay in their order; a turn that received something stands behind the one that sent it.
 */
import type { MessageId, OnRunEvent, RunEvent } from '../events/run-event.ts'

interface Turn {
  readonly node: string
  readonly atMs: number
  readonly events: readonly RunEvent[]
}

/** A node that stands still amid its turn holds up the others no longer: then what it has sent is told without it. */
const LONGEST_WAIT_MS = 20

export class CausalOrder {
  readonly #tell: OnRunEvent
  /** Of turns that go on, by node. */
  readonly #amid = new Map<string, RunEvent[]>()
  /** Turns that are over and have received what is not told of yet. */
  #waiting: Turn[] = []
  /** What was sent and is not told. */
  readonly #untold = new Set<MessageId>()

  constructor(tell: OnRunEvent) {
    this.#tell = tell
  }

  /** Something happens in a turn that goes on. */
  amid(node: string, event: RunEvent): void {
    const amid = this.#amid.get(node)
    if (amid === undefined) this.#amid.set(node, [event])
    else amid.push(event)
    if (event.kind === 'sent' && event.message !== undefined) this.#untold.add(event.message)
  }

  /** A turn is over: it began with `first`, then came what was told amid it, and then `last`. */
  turned(node: string, first: readonly RunEvent[], last: readonly RunEvent[], atMs: number): void {
    const events = [...first, ...(this.#amid.get(node) ?? []), ...last]
    this.#amid.delete(node)
    this.#waiting.push({ node, atMs, events })
    this.#pass()
    const [oldest] = this.#waiting
    if (oldest !== undefined && atMs - oldest.atMs > LONGEST_WAIT_MS) this.flush()
  }

  /** Nothing waits any longer. */
  flush(): void {
    for (const events of this.#amid.values()) this.#tellAll(events)
    this.#amid.clear()
    this.#pass()
    // Each waits for one that is told now: there is nothing left but these.
    for (const { events } of this.#waiting.splice(0)) this.#tellAll(events)
  }

  #pass(): void {
    for (let hasPassed = true; hasPassed && this.#waiting.length > 0; ) {
      hasPassed = false
      const held = new Set<string>()
      this.#waiting = this.#waiting.filter(({ node, events }) => {
        if (held.has(node) || events.some((event) => this.#isEarly(event))) {
          held.add(node)
          return true
        }
        this.#tellAll(events)
        hasPassed = true
        return false
      })
    }
  }

  #isEarly(event: RunEvent): boolean {
    return event.kind === 'received' && event.message !== undefined && this.#untold.has(event.message)
  }

  #tellAll(events: readonly RunEvent[]): void {
    for (const event of events) {
      if (event.kind === 'sent' && event.message !== undefined) this.#untold.delete(event.message)
      this.#tell(event)
    }
  }
}
