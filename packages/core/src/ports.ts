/**
 * The narrow ports between a node and its world. Faults are injected by decorating them; the simulator
 * implements them in memory. None of them is asynchronous towards the core: completions come back as events.
 */
import type { Entry } from './entry.ts'
import type { RaftError } from './errors.ts'
import type { Message } from './message.ts'
import type { PersistRequest } from './ready.ts'
import type { Durability, HardState } from './types.ts'

/** Synchronous reads of what has been handed to the store. */
export interface LogReader {
  /** Index of the first entry kept (1 for a log that was never compacted). */
  readonly firstIndex: number
  /** Index of the last entry on the disk, 0 for an empty log. */
  readonly lastIndex: number
  /** Term of a stored entry; undefined outside `firstIndex..lastIndex`. */
  termAt(index: number): number | undefined
  /**
   * Entries from `from` to `to`, both included, cut off once `maxBytes` of records are exceeded, but at least one.
   * The caller asks only for entries that are flushed and not subject to a pending truncation.
   * @throws RaftError STORAGE_DAMAGED where a record does not fit its checksum, its index or its neighbours
   */
  read(from: number, to: number, maxBytes: number): Entry[]
}

/** Counters since the store was opened. */
export interface StoreMetrics {
  flushes: number
  entriesFlushed: number
  bytesFlushed: number
}

/**
 * Log and hard state of one group on one node.
 *
 * `persist` hands over one request: truncation, entries and hard state become visible as one step or not at all.
 * It never blocks. Completion is reported through the `onPersisted` the store was opened with, in token order and
 * only after the flush that the durability mode promises. What arrives while a flush is in flight is merged
 * into the next one. A request that carries nothing to store completes with those before it, without a flush.
 * After `onFailed` nothing completes any more.
 */
export interface LogStore extends LogReader {
  readonly hardState: HardState
  readonly durability: Durability
  readonly metrics: Readonly<StoreMetrics>
  persist(request: PersistRequest): void
  /** Waits for what is in flight, then closes. Idempotent. */
  close(): Promise<void>
}

/** How a store reports back. Called outside of `persist`, never from within it. */
export interface StoreEvents {
  /** Everything up to and including `token` is durable. */
  onPersisted(token: number): void
  onFailed(error: RaftError<'STORAGE_FAILED'>): void
}

/** Sends messages to peers: fire and forget, may lose, repeat or reorder. One frame per peer and call. */
export interface PeerTransport {
  send(messages: readonly Message[]): void
}

/** Uniform numbers in [0, 1). */
export interface Random {
  next(): number
}

/** Monotonic milliseconds. The origin means nothing. */
export interface Clock {
  nowMs(): number
}

/** One line per thing that happened; no-op by default. */
export interface Tracer {
  trace(event: string, detail: Readonly<Record<string, unknown>>): void
}
