/**
 * The narrow ports between a node and its world. Faults are injected by decorating them; the simulator
 * implements them in memory. None of them is asynchronous towards the core: completions come back as events.
 */
import type { Entry } from './entry.ts'
import type { RaftError } from './errors.ts'
import type { Message } from './message.ts'
import type { LogPosition, PersistRequest } from './ready.ts'
import type { Durability, HardState, IndexRange, SnapshotMeta } from './types.ts'

/** Synchronous reads of what is flushed. */
export interface LogReader {
  /** Where the log begins: the entry before its first one, compacted or covered by a snapshot. 0/0 in a new log. */
  readonly base: LogPosition
  /** Index of the last entry on the disk; `base.index` for an empty log. */
  readonly lastIndex: number
  /**
   * Entries found damaged when the store was opened, ascending, not touching each other. They are there, but cannot be
   * read until a `PersistRequest.repairs` has replaced them.
   */
  readonly damaged: readonly IndexRange[]
  /** Term of the base or of a stored entry; undefined outside of those and for a damaged entry. */
  termAt(index: number): number | undefined
  /**
   * Entries from `from` to `to`, both included, cut off once `maxBytes` of records are exceeded, but at least one.
   * The caller asks only for entries that are flushed and not subject to a pending truncation.
   * @throws RaftError STORAGE_DAMAGED where a record does not fit its checksum, its index or its neighbours
   */
  read(from: number, to: number, maxBytes: number): Entry[]
}

/** Counters since the store was opened, and how large it is. */
export interface StoreMetrics {
  flushes: number
  entriesFlushed: number
  bytesFlushed: number
  /** Record bytes of the entries behind the base, about; undefined where nobody counts them. */
  readonly logBytes?: number
}

/**
 * Log and hard state of one group on one node.
 *
 * `persist` hands over one request: truncation, entries and hard state become visible as one step or not at all.
 * It never blocks. Completion is reported through the `onPersisted` the store was opened with, in token order and
 * only after the flush that the durability mode promises. What arrives while a flush is in flight is merged
 * into the next one. A request that carries nothing to store completes with those before it, without a flush.
 * After `onFailed` nothing completes any more.
 *
 * A write that is refused for space before its flush is no failure: it leaves no trace, and is tried again (`onSpace`).
 */
export interface LogStore extends LogReader {
  readonly hardState: HardState
  readonly durability: Durability
  readonly metrics: Readonly<StoreMetrics>
  persist(request: PersistRequest): void
  /**
   * Peers prove that entries up to `to` were flushed here, beyond `lastIndex`: somebody has put an older state of the
   * disk in the place of the one that was. Remembered from when this returns, whatever happens then: what is missing is
   * not taken for a log that ends, but for damage. From the next open on `lastIndex` is at least `to`, and whatever up
   * to there is not stored is in `damaged`, until repairs, a truncation, a reset or a compaction have taken its place.
   * Synchronous; the caller goes down after it. What waits to be written is written, or lost as in any crash.
   * @throws RaftError STORAGE_FAILED where it cannot be written down
   */
  forgotten(to: number): void
  /** Waits for what is in flight, then closes. Idempotent. */
  close(): Promise<void>
}

/** How a store reports back. Called outside of `persist`, never from within it. */
export interface StoreEvents {
  /** Everything up to and including `token` is durable. */
  onPersisted(token: number): void
  onFailed(error: RaftError<'STORAGE_FAILED'>): void
  /** A write and its flush took so long; not told by stores that flush nothing. */
  onFlushed?(ms: number): void
  /**
   * True: a write was refused for space. Nothing of it is on the disk; everything handed over waits, in token order, and
   * is tried again by the store. False: it is accepted again. Called at each change, of which the first is to true.
   */
  onSpace(isFull: boolean): void
}

/**
 * Snapshots of one group on one node. At most one is being written here and one received at a time, each in order of
 * its offset; both grow beside the complete ones, of which the latest two are kept (a peer may be fetching the
 * earlier). Calls return at once; completions come as events, after the flush.
 */
export interface SnapshotStore {
  /** The latest complete snapshot. */
  readonly latest: SnapshotMeta | undefined
  /** Bytes of a complete snapshot that is kept; undefined where it is not. Damage throws STORAGE_DAMAGED. */
  read(index: number, checksum: number, offset: number, maxBytes: number): Uint8Array | undefined
  /** Begins a snapshot of this node's own state, dropping an unfinished earlier one. */
  begin(): void
  /** Adds to it. The bytes are not changed by the caller until the next event. */
  write(data: Uint8Array): void
  /** Bytes handed over with `write` or `receive` that are not on the disk yet: above a bound, wait. */
  readonly pendingBytes: number
  /** Completes it: reported by `onSnapshotSaved`. */
  finish(meta: SnapshotMeta): void
  /** Gives the unfinished own snapshot up. */
  abort(): void
  /**
   * How far the snapshot `meta` has been received, also by an earlier start of this node; an unfinished other one is
   * dropped, unless 0 is returned.
   */
  received(meta: SnapshotMeta): number
  /**
   * Adds received bytes; those that do not follow what is there are ignored. When all are there and fit the checksum:
   * `onSnapshotReceived`. Where they do not fit they are dropped, and `received` is 0 again.
   */
  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void
  close(): Promise<void>
}

/** How a snapshot store reports back. Called outside of its methods, never from within them. */
export interface SnapshotEvents {
  /** An own snapshot is complete, flushed and `latest`. */
  onSnapshotSaved(meta: SnapshotMeta): void
  /** A received one is complete, verified, flushed and `latest`. */
  onSnapshotReceived(meta: SnapshotMeta): void
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

/** Told where the time of a turn goes, for measuring. Nobody listens by default; it reads a clock of its own. */
export interface TurnTracer {
  /**
   * The store and the peers have what was for them.
   * @param beganMs when the turn began
   * @param token of the request that the store got; 0 where it got none
   */
  handed(beganMs: number, term: number, lastIndex: number, token: number): void
  /** What was committed is applied, up to `applied`. */
  applied(commit: number, applied: number): void
  /** Replies have left, and the turn is over. */
  ended(): void
}

/** One line per thing that happened; no-op by default. */
export interface Tracer {
  trace(event: string, detail: Readonly<Record<string, unknown>>): void
}
