/**
 * What stands in a segment of the log, beside the entries' own records:
 *
 *     10 01               the header: whose segment it is, and where it begins
 *     10 02               the hard state
 *     10 03               where the log begins
 *     20 <u64 index, BE>  an entry: its record as it is
 *
 * Each of the first three is a CRC-32 (u32, little-endian) and JSON in UTF-8: they are few and small, and a person can
 * read them.
 */
import { crc32 } from 'node:zlib'
import { type HardState, isTerm, type LogPosition } from '@troupe/core'

/** Version of segments and of the witness: written, and the only one read. */
export const LOG_FORMAT = 3

export const HEADER_KEY: Uint8Array = Uint8Array.of(0x10, 1)
export const HARD_STATE_KEY: Uint8Array = Uint8Array.of(0x10, 2)
export const BASE_KEY: Uint8Array = Uint8Array.of(0x10, 3)
const ENTRY_KIND = 0x20
const ENTRY_KEY_BYTES = 9

/** Whose log it is. */
export interface LogOwner {
  readonly clusterId: string
  readonly nodeId: string
  readonly incarnation: number
  readonly group: number
}

/** Where a segment stands among the others. A later one counts from its first index on, whatever earlier ones hold there. */
export interface SegmentPlace {
  /** Rises with each segment, never used again. */
  readonly sequence: number
  readonly firstIndex: number
}

export interface SegmentHeader extends SegmentPlace {
  readonly format: number
  readonly owner: LogOwner
  /** The segments before it that still counted when it was begun, oldest first: shows which of them is missing. */
  readonly before: readonly SegmentPlace[]
}

/** Writes keys of entries into one buffer: lmdb copies a key when it is handed over. */
export class EntryKey {
  readonly #bytes = new Uint8Array(ENTRY_KEY_BYTES)
  readonly #view = new DataView(this.#bytes.buffer)

  constructor() {
    this.#bytes[0] = ENTRY_KIND
  }

  /** Valid until the next call. Right for all indexes that a number holds exactly. */
  of(index: number): Uint8Array {
    this.#view.setUint32(1, Math.floor(index / 2 ** 32))
    this.#view.setUint32(5, index >>> 0)
    return this.#bytes
  }
}

/** The index that a key stands for; undefined where it is no entry's key. */
export function indexOfKey(key: Uint8Array): number | undefined {
  if (key.byteLength !== ENTRY_KEY_BYTES || key[0] !== ENTRY_KIND) return undefined
  const view = new DataView(key.buffer, key.byteOffset, ENTRY_KEY_BYTES)
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5)
}

export const isKey = (key: Uint8Array, wanted: Uint8Array): boolean =>
  key.byteLength === wanted.byteLength && key.every((byte, at) => byte === wanted[at])

/** A value as JSON behind its checksum. */
export function encodeJson(value: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(value))
  const record = new Uint8Array(4 + text.byteLength)
  record.set(text, 4)
  new DataView(record.buffer).setUint32(0, crc32(text), true)
  return record
}

/** Returns undefined where the bytes are damaged. */
function decodeJson(record: Uint8Array): unknown {
  if (record.byteLength < 4) return undefined
  const text = record.subarray(4)
  const view = new DataView(record.buffer, record.byteOffset, 4)
  if (view.getUint32(0, true) !== crc32(text)) return undefined
  return JSON.parse(new TextDecoder().decode(text))
}

export const encodeHeader = (header: SegmentHeader): Uint8Array => encodeJson(header)
export const decodeHeader = (record: Uint8Array): SegmentHeader | undefined =>
  decodeJson(record) as SegmentHeader | undefined

export const encodeHardState = ({ term, vote, voteIncarnation }: HardState): Uint8Array =>
  encodeJson([term, vote, voteIncarnation])

export function decodeHardState(record: Uint8Array): HardState | undefined {
  const found = decodeJson(record) as [number, string, number] | undefined
  if (found !== undefined && !isTerm(found[0])) return undefined
  return found && { term: found[0], vote: found[1], voteIncarnation: found[2] }
}

export const encodePosition = ({ index, term }: LogPosition): Uint8Array => encodeJson([index, term])

export function decodePosition(record: Uint8Array): LogPosition | undefined {
  const found = decodeJson(record) as [number, number] | undefined
  return found && { index: found[0], term: found[1] }
}
