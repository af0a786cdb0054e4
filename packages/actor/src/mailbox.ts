/**
 * A mailbox: everything that happens to an actor waits here, in lanes, until the actor's next turn.
 *
 *     push(lane, item) ──► filling ┐              ┌─► onTurn(batch): step all, then one Ready
 *     push(lane, item) ──► filling ┤   setImmediate
 *     wake() ──────────────────────┘── swap ──────┘   pushes during the turn: the next turn
 *
 * Invariants: at most one turn is scheduled at any time; a turn gets every item pushed before it began, of
 * all lanes, before it steps the first; items of one lane keep their order.
 *
 * It has no bound of its own, because a MessagePort cannot refuse: what may wait here is bounded by the
 * credits of the links that feed it (see link.ts). `metrics().greatestDepth` shows whether that holds.
 */

/** What a turn gets: for each lane its items in the order they came. Keys are in lane order. */
export type MailboxBatch<Lanes extends object> = {
  readonly [L in keyof Lanes]: readonly Lanes[L][]
}

/** Options of a {@link Mailbox}. */
export interface MailboxOptions<Lanes extends object> {
  /** The names of all lanes, the most urgent first. */
  readonly lanes: readonly (keyof Lanes & string)[]
  /**
   * The actor's turn: called with everything that waits. The batch is valid until `onTurn` returns (its
   * arrays are used again). What it throws is not caught: a broken invariant takes the actor down.
   */
  readonly onTurn: (batch: MailboxBatch<Lanes>) => void
  /** Runs a turn later, in the same thread. @default setImmediate */
  readonly schedule?: (turn: () => void) => void
}

/** Counts since the mailbox was made; `depth` is now. */
export interface MailboxMetrics {
  readonly turns: number
  readonly items: number
  readonly depth: number
  readonly greatestDepth: number
}

/**
 * A mailbox with typed lanes: `Lanes` maps the name of each lane to the type of its items, as in
 * `Mailbox<{ control: Command; replication: Frame }>`.
 */
export class Mailbox<Lanes extends object> {
  readonly #lanes: readonly (keyof Lanes & string)[]
  readonly #onTurn: (batch: MailboxBatch<Lanes>) => void
  readonly #schedule: (turn: () => void) => void
  readonly #turn: () => void
  #filling: { [L in keyof Lanes]: Lanes[L][] }
  #draining: { [L in keyof Lanes]: Lanes[L][] }
  #scheduled = false
  #closed = false
  #turns = 0
  #items = 0
  #depth = 0
  #greatestDepth = 0

  constructor(options: MailboxOptions<Lanes>) {
    this.#lanes = options.lanes
    this.#onTurn = options.onTurn
    this.#schedule = options.schedule ?? setImmediate
    this.#turn = () => this.#runTurn()
    this.#filling = this.#emptyLanes()
    this.#draining = this.#emptyLanes()
  }

  /** Adds an item at the end of a lane and schedules a turn if none is. After `close` it does nothing. */
  push<L extends keyof Lanes>(lane: L, item: Lanes[L]): void {
    if (this.#closed) return
    this.#filling[lane].push(item)
    this.#depth++
    if (!this.#scheduled) this.wake()
  }

  /** Asks for a turn, even an empty one. Asking again before it came changes nothing. */
  wake(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.#schedule(this.#turn)
  }

  /**
   * Takes everything that waits. A turn does this by itself; a host without turns (a simulator, a test) calls
   * it. The batch is valid until the next drain.
   */
  drain(): MailboxBatch<Lanes> {
    const batch = this.#filling
    this.#clear(this.#draining)
    this.#filling = this.#draining
    this.#draining = batch
    if (this.#depth > this.#greatestDepth) this.#greatestDepth = this.#depth
    this.#items += this.#depth
    this.#depth = 0
    return batch
  }

  /** No more turns; what waits is dropped, and so is what is pushed from now on. */
  close(): void {
    this.#closed = true
    this.#clear(this.#filling)
    this.#depth = 0
  }

  metrics(): MailboxMetrics {
    return {
      turns: this.#turns,
      items: this.#items,
      depth: this.#depth,
      greatestDepth: Math.max(this.#depth, this.#greatestDepth),
    }
  }

  #runTurn(): void {
    if (this.#closed) return
    // Before the turn, so that what the turn pushes (or `wake`) gets a turn of its own.
    this.#scheduled = false
    this.#turns++
    const batch = this.drain()
    this.#onTurn(batch)
    // Not left to the next drain: an idle actor must not hold its last frames in memory.
    this.#clear(this.#draining)
  }

  #clear(lanes: { [L in keyof Lanes]: Lanes[L][] }): void {
    for (const lane of this.#lanes) lanes[lane].length = 0
  }

  #emptyLanes(): { [L in keyof Lanes]: Lanes[L][] } {
    const lanes: Record<string, unknown[]> = {}
    for (const lane of this.#lanes) lanes[lane] = []
    return lanes as { [L in keyof Lanes]: Lanes[L][] }
  }
}
