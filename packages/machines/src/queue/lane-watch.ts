/**
 * What lately became of a lane's messages, for whoever watches it. Every replica of a watched lane writes it down, so that a new
 * leader can go on where the old one ended; it is no part of the saved state, and a replica that has loaded one begins with nothing.
 *
 *     ack, nack, death ─► LaneWatch: the latest events ─► query `events`, by number
 *
 * An event's number is that of the lane's counters, which are replicated: so whoever asks for one that is not here any more is told
 * how many he has missed.
 */

/**
 * `completed`: acked, `value` is the result. `failed`: nacked, it comes again, or is dead with the next event; `value` is the reason, as
 * for `dead`.
 */
export type LaneEvent = readonly [
  kind: 'completed' | 'failed' | 'dead',
  position: number,
  id: string | null,
  deliveries: number,
  value: unknown,
]

/** Events that are kept; the oldest go first. */
const MAX_EVENTS = 4096

/** How many there were since the lane was made. */
export const eventCountOf = ({
  acked,
  failed,
  died,
}: Readonly<Record<'acked' | 'failed' | 'died', number>>): number => acked + failed + died

export class LaneWatch {
  /** Until then they are written down, by log time. */
  untilMs = 0
  /** The last one that is here has the number `#last`. */
  readonly #events: LaneEvent[] = []
  #last = 0

  add(number: number, event: LaneEvent): void {
    // Some were not written down: nothing before this one can be told in order.
    if (number !== this.#last + 1) this.#events.length = 0
    this.#last = number
    // In bulk: taking each out at the front would move all others.
    if (this.#events.length >= MAX_EVENTS * 2) this.#events.splice(0, MAX_EVENTS)
    this.#events.push(event)
  }

  /** Those behind `after`, up to `limit`, and the number of the first of them. */
  read(after: number, limit: number): { readonly first: number; readonly events: readonly LaneEvent[] } {
    const oldest = this.#last - this.#events.length + 1
    const first = Math.max(after + 1, oldest)
    return { first, events: this.#events.slice(first - oldest, first - oldest + limit) }
  }

  clear(): void {
    this.#events.length = 0
  }
}
