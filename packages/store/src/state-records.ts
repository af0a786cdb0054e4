import { crc32 } from 'node:zlib'
import type { HardState, LogPosition } from '@troupe/core'

/**
 * The small values beside the log, little-endian.
 *
 * Hard state:
 *
 *     0  u32  CRC-32 of everything after this field
 *     4  f64  term
 *    12  f64  incarnation of the vote
 *    20  ...  vote, UTF-8, to the end; empty for no vote
 *
 * Where the log begins:
 *
 *     0  u32  CRC-32 of everything after this field
 *     4  f64  index
 *    12  f64  term
 */
const HEADER_BYTES = 20

export function encodeHardState(state: HardState): Uint8Array {
  return encode(state.term, state.voteIncarnation, Buffer.from(state.vote, 'utf8'))
}

/** Returns undefined where the bytes are damaged. */
export function decodeHardState(record: Uint8Array): HardState | undefined {
  const view = checkedView(record)
  if (view === undefined) return undefined
  return {
    term: view.getFloat64(4, true),
    vote: new TextDecoder().decode(record.subarray(HEADER_BYTES)),
    voteIncarnation: view.getFloat64(12, true),
  }
}

export function encodePosition({ index, term }: LogPosition): Uint8Array {
  return encode(index, term, new Uint8Array(0))
}

/** Returns undefined where the bytes are damaged. */
export function decodePosition(record: Uint8Array): LogPosition | undefined {
  const view = checkedView(record)
  if (view === undefined) return undefined
  return { index: view.getFloat64(4, true), term: view.getFloat64(12, true) }
}

function encode(first: number, second: number, rest: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + rest.byteLength)
  const view = new DataView(record.buffer)
  view.setFloat64(4, first, true)
  view.setFloat64(12, second, true)
  record.set(rest, HEADER_BYTES)
  view.setUint32(0, crc32(record.subarray(4)), true)
  return record
}

function checkedView(record: Uint8Array): DataView | undefined {
  if (record.byteLength < HEADER_BYTES) return undefined
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  return view.getUint32(0, true) === crc32(record.subarray(4)) ? view : undefined
}
