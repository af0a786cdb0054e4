/**
 * Stops a whole thread, its timers too, until another thread lets it go on.
 *
 *     main thread   open ─ ask ─► asked ─────────────► held ─ open ─► open     (or let it die)
 *     worker                           hold() stops it ─┘        └─ goes on
 *
 * A word of shared memory, because a thread that is stopped reads no messages.
 */
const OPEN = 0
const ASKED = 1
const HELD = 2
const DYING = 3

const CELL_BYTES = 16
const HELD_AT_BYTE = 8

export class PauseGate {
  /** To be handed to the worker. */
  readonly cell: SharedArrayBuffer
  readonly #state: Int32Array<SharedArrayBuffer>
  readonly #heldAtMs: Float64Array<SharedArrayBuffer>

  constructor(cell: SharedArrayBuffer = new SharedArrayBuffer(CELL_BYTES)) {
    this.cell = cell
    this.#state = new Int32Array(cell, 0, 1)
    this.#heldAtMs = new Float64Array(cell, HELD_AT_BYTE, 1)
  }

  // ---- the main thread's side

  /** Whether the worker goes on as it likes. */
  get isOpen(): boolean {
    return Atomics.load(this.#state, 0) === OPEN
  }

  /** The worker will stop when it comes to the gate. False where it is asked already, or stands there. */
  ask(): boolean {
    return Atomics.compareExchange(this.#state, 0, OPEN, ASKED) === OPEN
  }

  /** When the worker came to stand at the gate; undefined where it has not within `withinMs`, or was let go on. */
  async held(withinMs: number): Promise<number | undefined> {
    const wait = Atomics.waitAsync(this.#state, 0, ASKED, withinMs)
    if (wait.async) await wait.value
    return Atomics.load(this.#state, 0) === HELD ? this.#heldAtMs[0] : undefined
  }

  open(): void {
    this.#leave(OPEN)
  }

  /** The worker ends itself instead of going on. */
  letDie(): void {
    this.#leave(DYING)
  }

  #leave(state: typeof OPEN | typeof DYING): void {
    Atomics.store(this.#state, 0, state)
    Atomics.notify(this.#state, 0)
  }

  // ---- the worker's side

  /** Stops this thread, if that is still asked. False where it is to end itself now. */
  hold(nowMs: number): boolean {
    this.#heldAtMs[0] = nowMs
    if (Atomics.compareExchange(this.#state, 0, ASKED, HELD) === ASKED) {
      Atomics.notify(this.#state, 0)
      while (Atomics.load(this.#state, 0) === HELD) Atomics.wait(this.#state, 0, HELD)
    }
    return Atomics.load(this.#state, 0) !== DYING
  }
}
