/**
 * An entry of the replicated log, as one *record*: a fixed header followed by the payload.
 *
 * The leader builds the record once. The same bytes go to the followers, into every store and to `apply`:
 * nothing is encoded or copied field by field on the way. All numbers are little-endian.
 *
 *     0  u32  CRC-32 of everything after this field
 *     4  u32  payload bytes
 *     8  f64  index         (an integer below 2^53)
 *    16  f64  term          (an integer below 2^53)
 *    24  f64  log time, ms  (monotonic within the log; see DESIGN of log time in ARCHITECTURE.md)
 *    32  u32  commands in the payload
 *    36  u8   kind
 *    37  3 B  zero
 *    40  f64  index of the latest configuration entry up to and including this one; 0: the bootstrap's
 *    48  f64  term of the entry before this one; 0: not known to the maker
 *    56  u32  CRC-32 of the record before this one; 0: not known to the maker
 *    60  4 B  zero
 *    64  ...  payload
 *
 * Records chain: each names the one before it, so that an entry of an overwritten log in the place of the right one is
 * found although it is whole, has the right index and a term that fits (a stale page, a file put back). A maker whose
 * log begins right behind a snapshot does not know the record before.
 */

/** What an entry carries. The numbers stand on the disk: never reuse one. */
export const EntryKind = { noop: 0, commands: 1, configuration: 2 } as const
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind]

/** Bytes of the header before the payload. */
export const ENTRY_HEADER_BYTES = 64

/**
 * CRC-32 (IEEE, as in zlib) of `bytes`, going on from that of the bytes before. Given by the host, because the core
 * imports nothing.
 */
export type Checksum = (bytes: Uint8Array, previous?: number) => number

/** A decoded header together with the record it was read from. */
export interface Entry {
  readonly index: number
  readonly term: number
  readonly kind: EntryKind
  /** Log time in milliseconds: advances with the leader's monotonic clock, never with a wall clock. */
  readonly timeMs: number
  readonly commandCount: number
  /**
   * Index of the configuration entry in effect here, this one if it is one: a restart finds the configurations in a
   * log by following these from its end, without reading the rest.
   */
  readonly configurationIndex: number
  /** Header and payload. Shared by log, store and transport: nobody writes to it. */
  readonly record: Uint8Array
}

/** What the maker of an entry says about it. */
export type EntryHeader = Omit<Entry, 'record'>

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * Builds the record of an entry. The payload is the concatenation of `parts`, copied once.
 * The record owns its memory exactly (no shared pool), so that it can be handed to a store as it is.
 * @param previous the entry at the index before; undefined where it is not known
 */
export function encodeEntry(
  header: EntryHeader,
  parts: readonly Uint8Array[],
  checksum: Checksum,
  previous?: Entry,
): Entry {
  let payloadBytes = 0
  for (const part of parts) payloadBytes += part.byteLength
  const record = new Uint8Array(ENTRY_HEADER_BYTES + payloadBytes)
  const view = viewOf(record)
  view.setUint32(4, payloadBytes, true)
  view.setFloat64(8, header.index, true)
  view.setFloat64(16, header.term, true)
  view.setFloat64(24, header.timeMs, true)
  view.setUint32(32, header.commandCount, true)
  view.setUint8(36, header.kind)
  view.setFloat64(40, header.configurationIndex, true)
  if (previous !== undefined) {
    view.setFloat64(48, previous.term, true)
    view.setUint32(56, recordChecksum(previous.record), true)
  }
  let offset = ENTRY_HEADER_BYTES
  for (const part of parts) {
    record.set(part, offset)
    offset += part.byteLength
  }
  view.setUint32(0, checksum(record.subarray(4)), true)
  return { ...header, record }
}

/**
 * Reads the header of a record. Returns undefined where `record` cannot be one (too short, a length or a kind
 * that does not fit): the caller knows whether that is damage on a disk or a bad frame.
 */
export function decodeEntry(record: Uint8Array): Entry | undefined {
  if (record.byteLength < ENTRY_HEADER_BYTES) return undefined
  const view = viewOf(record)
  if (view.getUint32(4, true) !== record.byteLength - ENTRY_HEADER_BYTES) return undefined
  const kind = view.getUint8(36)
  if (kind !== EntryKind.noop && kind !== EntryKind.commands && kind !== EntryKind.configuration)
    return undefined
  return {
    index: view.getFloat64(8, true),
    term: view.getFloat64(16, true),
    kind,
    timeMs: view.getFloat64(24, true),
    commandCount: view.getUint32(32, true),
    configurationIndex: view.getFloat64(40, true),
    record,
  }
}

/** Whether the record's checksum fits its bytes. */
export function entryIsIntact(record: Uint8Array, checksum: Checksum): boolean {
  return viewOf(record).getUint32(0, true) === checksum(record.subarray(4))
}

/** The CRC-32 that a record says it has. */
export function recordChecksum(record: Uint8Array): number {
  return viewOf(record).getUint32(0, true)
}

/**
 * Whether `record` was made to stand behind `previous`, the record at the index before; both intact. True where its maker
 * did not know what stands before.
 */
export function recordFollows(record: Uint8Array, previous: Uint8Array): boolean {
  const view = viewOf(record)
  const term = view.getFloat64(48, true)
  const checksum = view.getUint32(56, true)
  if (term === 0 && checksum === 0) return true
  return term === viewOf(previous).getFloat64(16, true) && checksum === recordChecksum(previous)
}

/** The payload of an entry: a view, not a copy. */
export function entryPayload(entry: Entry): Uint8Array {
  return entry.record.subarray(ENTRY_HEADER_BYTES)
}
