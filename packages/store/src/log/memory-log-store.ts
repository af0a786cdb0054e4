import {
  type Entry,
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  invariant,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  type StoreEvents,
  type StoreMetrics,
} from '@troupe/core'
import { WriteQueue } from './write-queue.ts'

/** Runs `task` later, never at once, and tasks in their order. */
export type Scheduler = (task: () => void) => void

export interface MemoryLogStoreOptions {
  readonly events: StoreEvents
  /** When a "flush" ends. @default queueMicrotask */
  readonly schedule?: Scheduler | undefined
  /** What the log begins behind. @default 0/0 */
  readonly base?: LogPosition | undefined
  /** What is found at open. @default INITIAL_HARD_STATE */
  readonly hardState?: HardState | undefined
}

/**
 * Opens a LogStore that keeps everything in memory and nothing beyond it: durability `memory`.
 * Requests that come before the scheduler runs are merged, as they are on a disk. Like there, `lastIndex`
 * follows when a request completes, not when it is handed over. Never fails.
 */
export function openMemoryLogStore(options: MemoryLogStoreOptions): LogStore {
  return new MemoryLogStore(options)
}

class MemoryLogStore implements LogStore {
  readonly durability = 'memory'
  readonly damaged: readonly IndexRange[] = []
  base: LogPosition
  hardState: HardState
  #entries: Entry[] = []
  readonly #events: StoreEvents
  readonly #schedule: Scheduler
  readonly #queue: WriteQueue
  readonly #counters: StoreMetrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  #scheduledTasks = 0
  #closing: PromiseWithResolvers<void> | undefined

  constructor(options: MemoryLogStoreOptions) {
    this.base = options.base ?? { index: 0, term: 0 }
    this.hardState = options.hardState ?? INITIAL_HARD_STATE
    this.#events = options.events
    this.#schedule = options.schedule ?? queueMicrotask
    this.#queue = new WriteQueue(this.base.index, this.base.index + 1)
  }

  get lastIndex(): number {
    return this.base.index + this.#entries.length
  }

  get metrics(): StoreMetrics {
    const logBytes = this.#entries.reduce((sum, { record }) => sum + record.byteLength, 0)
    return { ...this.#counters, logBytes }
  }

  termAt(index: number): number | undefined {
    if (index === this.base.index) return this.base.term
    return this.#entries[this.#placeOf(index)]?.term
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    invariant(from > this.base.index && from <= to && to <= this.lastIndex, `read of ${from}..${to}`)
    const found: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index++) {
      const entry = this.#entries[this.#placeOf(index)] as Entry
      bytes += entry.record.byteLength
      if (found.length > 0 && bytes > maxBytes) break
      found.push(entry)
    }
    return found
  }

  persist(request: PersistRequest): void {
    invariant(this.#closing === undefined, 'persist after close')
    const { token } = request
    const atOnce = this.#queue.add(request)
    if (request.hardState !== undefined) this.hardState = request.hardState
    if (atOnce) this.#later(() => this.#events.onPersisted(token))
    else if (this.#queue.inFlight === undefined) this.#flush()
  }

  /** Nothing outlives it: no later open could tell. Who starts anew from it is another member. */
  forgotten(): void {}

  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers()
    this.#endOfClose()
    return this.#closing.promise
  }

  #later(task: () => void): void {
    this.#scheduledTasks += 1
    this.#schedule(() => {
      this.#scheduledTasks -= 1
      task()
      this.#endOfClose()
    })
  }

  #flush(): void {
    this.#queue.take()
    this.#later(() => this.#complete())
  }

  #complete(): void {
    const batch = this.#queue.inFlight
    invariant(batch !== undefined, 'nothing in flight')
    const { reset, truncateFrom, repairs, compactTo } = batch
    if (reset !== undefined) {
      this.#entries = []
      this.base = reset
    }
    if (truncateFrom !== undefined) {
      this.#entries.length = Math.min(this.#entries.length, this.#placeOf(truncateFrom))
    }
    for (const entry of repairs) this.#entries[this.#placeOf(entry.index)] = entry
    for (const entry of batch.entries) {
      this.#entries.push(entry)
      this.#counters.bytesFlushed += entry.record.byteLength
    }
    if (compactTo !== undefined) {
      this.#entries.splice(0, compactTo.index - this.base.index)
      this.base = compactTo
    }
    this.#counters.flushes += 1
    this.#counters.entriesFlushed += batch.entries.length
    const { token } = batch
    this.#queue.release()
    if (this.#queue.hasContent) this.#flush()
    this.#events.onPersisted(token)
  }

  #placeOf(index: number): number {
    return index - this.base.index - 1
  }

  #endOfClose(): void {
    if (this.#scheduledTasks === 0) this.#closing?.resolve()
  }
}
