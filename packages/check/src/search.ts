/**
 * The search for a linearization of one partition.
 *
 * It places operations one after another, as a tree of choices walked depth first (Wing and Gong 1993), and turns back
 * from any configuration that it has seen before (Lowe 2017, "Testing for linearizability"; Athalye's Porcupine).
 *
 *     frontier       the first return whose operation is not placed
 *     candidates     what is not placed and was called before that return: only these may come next
 *     configuration  the frontier, which of the pending are placed, and the state
 *
 * Four rules keep the tree thin, and lose nothing:
 *
 * - A candidate that fits and only observes is placed at once and without an alternative: in any linearization from
 *   here it can be moved to the front. So reads cost no branches. A write that happens to change nothing is another
 *   matter: what follows may need it later.
 * - An open operation that would leave the state as it is, is not placed: it need not happen at all.
 * - Nor is anything placed right behind an open operation that leads to the same state without it.
 * - Of open operations that do the same, the one called first is placed first; of all with the same effect, the one that
 *   returns first.
 *
 * Of the others the one at the frontier is tried first, then by the order of calls, then the open ones.
 * No recursion, and no clock: the budget is counted in steps of the model.
 */
import type { Operation } from './history.ts'
import { LinkedOrder } from './linked-order.ts'
import type { Model } from './model.ts'
import { sameState } from './model.ts'
import type { Timeline } from './timeline.ts'
import { VisitedConfigurations } from './visited.ts'

/** What a search came to: `reached` when it stopped at the frontier it was told. */
export type SearchOutcome = 'pass' | 'fail' | 'unknown' | 'reached'

export class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #timeline: Timeline<Input, Output>
  readonly #size: number
  /** Not yet placed: those that returned, by their calls and by their returns, and those that are open. */
  readonly #calls: LinkedOrder
  readonly #returns: LinkedOrder
  readonly #opens: LinkedOrder
  /** A bit for each slot: set for what is placed and still pending at the frontier. */
  readonly #mask: Uint32Array
  readonly #visited: VisitedConfigurations<State>
  /** 1 for operations that change no state, answered as they are. */
  readonly #observes: Uint8Array

  #state: State
  /** The operations placed, in their order, with the state before each, and whether there was a choice. */
  readonly #placed: Int32Array
  readonly #statesBefore: State[] = []
  readonly #wasChosen: Uint8Array
  #depth = 0
  /** The candidate to try next; `#size` when there is none. */
  #cursor: number
  #hasBegun = false

  /** Steps of the model taken. */
  stepCount = 0
  /** The furthest frontier, as a place in the order of returns: nothing that returned before it is in the way. */
  furthest = 0

  constructor(model: Model<State, Input, Output>, timeline: Timeline<Input, Output>) {
    this.#model = model
    this.#timeline = timeline
    const { rank, byReturn, slotCount } = timeline
    const size = rank.length
    this.#size = size
    const places = Array.from(rank.keys())
    this.#calls = new LinkedOrder(
      size,
      byReturn.length === size ? places : places.filter((each) => rank[each] !== -1),
    )
    this.#opens = new LinkedOrder(
      size,
      byReturn.length === size ? [] : places.filter((each) => rank[each] === -1),
    )
    this.#returns = new LinkedOrder(size, byReturn)
    this.#mask = new Uint32Array((slotCount + 31) >>> 5)
    this.#visited = new VisitedConfigurations(
      this.#mask.length,
      (left, right) => sameState(model, left, right),
      size,
    )
    this.#observes = Uint8Array.from(timeline.operations, ({ input, output, outcome }) => {
      const isObservation = model.isObservation?.(input, output) ?? model.isRead?.(input) ?? false
      return outcome === 'ok' && isObservation ? 1 : 0
    })
    this.#state = model.initial
    this.#placed = new Int32Array(size)
    this.#wasChosen = new Uint8Array(size)
    this.#cursor = size
  }

  /** What is placed, in its order, as places in the timeline. */
  get placed(): Int32Array {
    return this.#placed.subarray(0, this.#depth)
  }

  /** The different states in which the search stood before the return with this place, up to `limit`. */
  statesAt(frontier: number, limit: number): State[] {
    return this.#visited.statesAt(frontier, limit)
  }

  /**
   * Searches until all are placed, or nothing is left to try, or `stopAt` is the frontier. After `unknown` it goes on from
   * where it was when it is called with more steps.
   * @param maxSteps in all calls together
   */
  run(maxSteps: number, stopAt: number = Number.POSITIVE_INFINITY): SearchOutcome {
    if (!this.#hasBegun) {
      this.#hasBegun = true
      this.#placeFree()
      this.#enter()
    }
    while (this.#returns.first !== this.#size) {
      if (this.furthest >= stopAt) return 'reached'
      if (this.stepCount >= maxSteps) return 'unknown'
      if (this.#advance()) continue
      const undone = this.#undoChoice()
      if (undone === this.#size) return 'fail'
      this.#cursor = this.#candidateAfter(undone)
    }
    return 'pass'
  }

  /** Places the next candidate that leads somewhere new. False when there is none. */
  #advance(): boolean {
    for (
      let candidate = this.#cursor;
      candidate !== this.#size;
      candidate = this.#candidateAfter(candidate)
    ) {
      if (this.#hasFreeTwin(candidate) || this.#hasEqualBefore(candidate)) continue
      const next = this.#step(candidate, this.#state)
      if (next === undefined || this.#hidesAnOpenOne(candidate, next)) continue
      // An open operation that changes nothing need not happen.
      if (next === this.#state && this.#timeline.rank[candidate] === -1) continue
      this.#place(candidate, next, 1)
      this.#placeFree()
      if (this.#enter()) return true
      this.#undoChoice()
    }
    return false
  }

  /** Begins with the configuration that is reached. False when it is known. */
  #enter(): boolean {
    const frontier = this.#returns.first
    this.#cursor = frontier
    if (frontier === this.#size) return true
    const rank = this.#timeline.rank[frontier] as number
    const hash = this.#model.hash?.(this.#state) ?? 0
    if (!this.#visited.add(rank, this.#mask, this.#state, hash)) return false
    if (rank > this.furthest) this.furthest = rank
    return true
  }

  /** Places all candidates that fit and only observe. */
  #placeFree(): void {
    const { callAt, returnAt } = this.#timeline
    let candidate = this.#calls.first
    let now = returnAt[this.#returns.first] as number
    while (candidate !== this.#size && (callAt[candidate] as number) <= now) {
      if (this.#observes[candidate] === 1 && this.#step(candidate, this.#state) !== undefined) {
        this.#place(candidate, this.#state, 0)
        now = returnAt[this.#returns.first] as number
      }
      candidate = this.#calls.after(candidate)
    }
  }

  #step(candidate: number, state: State): State | undefined {
    this.stepCount++
    const { output } = this.#timeline.operations[candidate] as Operation<Input, Output>
    const input = this.#timeline.inputs[candidate] as Input
    return this.#model.step(state, input, output, this.#timeline.rank[candidate] === -1)
  }

  /** Whether there is an open operation that does the same, was called before, and is not placed. */
  #hasFreeTwin(candidate: number): boolean {
    const twin = this.#timeline.twin[candidate] as number
    return twin !== -1 && !this.#isPlaced(twin)
  }

  /** Whether one that is pending too, returns earlier and has the same effect is not placed. */
  #hasEqualBefore(candidate: number): boolean {
    const { equalBefore, callAt, returnAt, rank } = this.#timeline
    const frontier = this.#returns.first
    const now = returnAt[frontier] as number
    let equal = equalBefore[candidate] as number
    // What returns before the frontier is placed; open ones are pending for ever.
    while (equal !== -1 && (rank[equal] === -1 || (rank[equal] as number) >= (rank[frontier] as number))) {
      if ((callAt[equal] as number) <= now && !this.#isPlaced(equal)) return true
      equal = equalBefore[equal] as number
    }
    return false
  }

  /** Of one that is pending at the frontier. */
  #isPlaced(operation: number): boolean {
    const slot = this.#timeline.slot[operation] as number
    return ((this.#mask[slot >>> 5] as number) & (1 << (slot & 31))) !== 0
  }

  /**
   * Whether the last one placed is open, and the candidate leads to the same state without it: as a write does to the
   * write before. The configuration before the open one is searched too, and has all that this one has.
   */
  #hidesAnOpenOne(candidate: number, next: State): boolean {
    const last = this.#depth - 1
    if (last < 0 || this.#timeline.rank[this.#placed[last] as number] !== -1) return false
    const without = this.#step(candidate, this.#statesBefore[last] as State)
    return without !== undefined && sameState(this.#model, without, next)
  }

  /** In the order of trying: the frontier, others by their calls, open ones. */
  #candidateAfter(candidate: number): number {
    const { rank, callAt, returnAt } = this.#timeline
    const frontier = this.#returns.first
    const now = returnAt[frontier] as number
    let next: number
    if (rank[candidate] === -1) {
      next = this.#opens.after(candidate)
    } else {
      next = candidate === frontier ? this.#calls.first : this.#calls.after(candidate)
      if (next === frontier) next = this.#calls.after(next)
      if (next !== this.#size && (callAt[next] as number) <= now) return next
      next = this.#opens.first
    }
    return next !== this.#size && (callAt[next] as number) <= now ? next : this.#size
  }

  #place(operation: number, next: State, wasChosen: 0 | 1): void {
    this.#placed[this.#depth] = operation
    this.#statesBefore[this.#depth] = this.#state
    this.#wasChosen[this.#depth++] = wasChosen
    this.#state = next
    if (this.#timeline.rank[operation] === -1) {
      this.#opens.lift(operation)
      this.#flip(operation)
      return
    }
    const isFrontier = this.#returns.first === operation
    this.#calls.lift(operation)
    this.#returns.lift(operation)
    if (isFrontier) this.#flipPassed(operation)
    else this.#flip(operation)
  }

  #undo(): void {
    const operation = this.#placed[--this.#depth] as number
    this.#state = this.#statesBefore[this.#depth] as State
    if (this.#timeline.rank[operation] === -1) {
      this.#opens.unlift(operation)
      this.#flip(operation)
      return
    }
    const frontier = this.#returns.first
    this.#returns.unlift(operation)
    this.#calls.unlift(operation)
    if (this.#returns.first === operation) this.#flipPassed(operation, frontier)
    else this.#flip(operation)
  }

  /** Undoes the last choice and what followed from it. Returns what was chosen, `#size` when nothing was. */
  #undoChoice(): number {
    while (this.#depth > 0) {
      this.#undo()
      if (this.#wasChosen[this.#depth] === 1) return this.#placed[this.#depth] as number
    }
    return this.#size
  }

  #flip(operation: number): void {
    const slot = this.#timeline.slot[operation] as number
    this.#mask[slot >>> 5] = (this.#mask[slot >>> 5] as number) ^ (1 << (slot & 31))
  }

  /** Flips what returned between `operation` and the frontier behind it: it is placed, and no longer pending there. */
  #flipPassed(operation: number, frontier: number = this.#returns.first): void {
    const { rank, byReturn } = this.#timeline
    const end = frontier === this.#size ? byReturn.length : (rank[frontier] as number)
    for (let each = (rank[operation] as number) + 1; each < end; each++) this.#flip(byReturn[each] as number)
  }
}
