/**
 * The port for bytes that a state machine keeps outside its own memory: numbered segments, each written once as a whole,
 * read anywhere, and dropped as a whole.
 *
 *     put ─► segment 7 ▓▓▓▓▓▓▓▓      read ◄─ any range of it
 *     drop ─► its room is given back at once; views that are open go on reading it
 *
 * Nothing of it has to survive the process: what a machine has in its segments is in its snapshots and in the log, and is
 * written again when it is loaded. So an implementation flushes nothing. It begins empty, or with what a machine that was
 * left at rest had in it.
 */

/** Reads of one segment, whatever becomes of it. */
export interface SegmentView {
  /** All of it. Valid until the next call of anything here. */
  read(): Uint8Array
  /** Idempotent. */
  close(): void
}

export interface SegmentSpace {
  /** Writes a segment that is not there. The bytes are copied. */
  put(segment: number, bytes: Uint8Array): void
  /** How many bytes it has; undefined for one that is not there. */
  bytesOf(segment: number): number | undefined
  /** Valid until the next call of anything here. */
  read(segment: number, offset: number, length: number): Uint8Array
  /** Gives it up. Its number may be used again. */
  drop(segment: number): void
  view(segment: number): SegmentView
  /** Another space, empty, beside this one. */
  beside(): SegmentSpace
  /** Drops all segments. Nothing may be put any more. */
  close(): void
}
