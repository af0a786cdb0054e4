/**
 * The port for state machines that keep their state on the disk instead of in memory.
 *
 *     apply(entries) ─► batch ─┬ machine: what the state machine puts and removes    ─┐
 *                              └ replica: applied index, sessions                    ─┴─► one commit
 *     snapshot taken  ◄─ machine.view(): as it is now, whatever is committed later
 *     snapshot loaded ─► beginDraft(): a state beside the present one ─► adopt(): takes its place
 *
 * It is not flushed: the log is its journal. What is committed survives the death of the process, and says itself up to which
 * entry it is applied; what is doubtful after a power loss is given up by whoever opens it, and built again from the last
 * snapshot and the log. Everything is synchronous, and everything is of one thread.
 */
/** Which entries of a storage: those with `from` ≤ key < `to`. */
export interface StorageRange {
  readonly from?: Uint8Array | undefined
  /** Instead of `from`: only keys behind this one. */
  readonly after?: Uint8Array | undefined
  readonly to?: Uint8Array | undefined
  /** From the last to the first. @default false */
  readonly reverse?: boolean | undefined
  /** At most so many. @default all */
  readonly limit?: number | undefined
}

/** Copies: they may be kept. */
export type StorageEntry = readonly [key: Uint8Array, value: Uint8Array]

/** Reads of an ordered map from bytes to bytes; keys are in the order of their bytes. */
export interface StorageReader {
  /** How many keys there are. */
  readonly count: number
  /** The value of a key: a view that is valid until the next call of anything here. */
  get(key: Uint8Array): Uint8Array | undefined
  /** Run through it at once: not over a write, nor over the end of the turn. */
  entries(range?: StorageRange): Iterable<StorageEntry>
}

/** A state that later commits do not change. As long as it is open, the disk space of what they replace is not used again. */
export interface StorageView extends StorageReader {
  /** Idempotent. Nothing may be read afterwards. */
  close(): void
}

/**
 * Where a state machine keeps its state. Reads see what the batch under way has written. Writes are allowed only within a
 * batch: during `apply` and `applyPayload`, and for a draft during the calls of its loader.
 */
export interface MachineStorage extends StorageReader {
  /** Keys have 1 to so many bytes. */
  readonly maxKeyBytes: number
  /** The bytes are copied. */
  put(key: Uint8Array, value: Uint8Array): void
  /** Whether the key was there. */
  remove(key: Uint8Array): boolean
  clear(): void
  /** What is committed now. Not within a batch. */
  view(): StorageView
}

/** The state of a replica: its machine's, and its own beside it. */
export interface StateSpaces {
  readonly machine: MachineStorage
  readonly replica: MachineStorage
  /** Everything written by `run` is committed as one step, or not at all where it throws. */
  batch(run: () => void): void
}

/** A state that is being built beside the present one. */
export interface StateDraft extends StateSpaces {
  /** From now on it is the present one; the one before is removed. */
  adopt(): void
  /** Gives it up. Idempotent. */
  abandon(): void
}

/** Where a replica keeps its state. The objects stay the same, whichever state is the present one. */
export interface StateStorage extends StateSpaces {
  /** Begins another state, empty, giving an unfinished one up. */
  beginDraft(): StateDraft
  /** Begins anew, empty, at once. */
  discard(): void
}
