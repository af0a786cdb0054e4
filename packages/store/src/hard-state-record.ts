import { crc32 } from 'node:zlib'
import type { HardState } from '@troupe/core'

/**
 * Hard state on the disk, little-endian:
 *
 *     0  u32  CRC-32 of everything after this field
 *     4  f64  term
 *    12  ...  vote, UTF-8, to the end; empty for no vote
 */
const HEADER_BYTES = 12

export function encodeHardState(state: HardState): Uint8Array {
  const vote = Buffer.from(state.vote, 'utf8')
  const record = new Uint8Array(HEADER_BYTES + vote.byteLength)
  const view = new DataView(record.buffer)
  view.setFloat64(4, state.term, true)
  record.set(vote, HEADER_BYTES)
  view.setUint32(0, crc32(record.subarray(4)), true)
  return record
}

/** Returns undefined where the bytes are damaged. */
export function decodeHardState(record: Uint8Array): HardState | undefined {
  if (record.byteLength < HEADER_BYTES) return undefined
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  if (view.getUint32(0, true) !== crc32(record.subarray(4))) return undefined
  return { term: view.getFloat64(4, true), vote: new TextDecoder().decode(record.subarray(HEADER_BYTES)) }
}
