/**
 * What stands on the disk for snapshots: the bytes in chunks, and a record for each snapshot that is complete or being
 * received. A snapshot of this node's own gets its record with its last bytes: without one, chunks are leftovers.
 */
import { crc32 } from 'node:zlib'
import { checkConfiguration, type SnapshotMeta } from '@troupe/core'

/** Identifies a snapshot in its store: counts up from 1 over all that were ever begun. */
export type SnapshotId = number

/** A record as it is read back. */
export interface SnapshotRecord {
  readonly isComplete: boolean
  readonly meta: SnapshotMeta
  /** How many bytes are there, from the beginning on, and their CRC-32. */
  readonly bytes: number
  readonly checksum: number
}

/** Consecutive bytes of a snapshot. `value` is a CRC-32 followed by them. */
export interface StoredChunk {
  readonly id: SnapshotId
  readonly offset: number
  readonly value: Uint8Array
}

/** Bytes before the data in the value of a chunk. */
export const CHUNK_HEADER_BYTES = 4

/** Data of a full chunk: with its header and that of LMDB's overflow page it fills 16 pages of 4 KiB. */
export const CHUNK_DATA_BYTES = (64 << 10) - 64

/** Version of the records. */
const FORMAT = 1

/** Sorts by snapshot and then by offset: u32 and u64, big-endian. */
export function chunkKey(id: SnapshotId, offset: number): Uint8Array {
  const key = new Uint8Array(12)
  const view = new DataView(key.buffer)
  view.setUint32(0, id)
  view.setUint32(4, Math.floor(offset / 2 ** 32))
  view.setUint32(8, offset >>> 0)
  return key
}

/** Undefined where `key` is none of a chunk. */
export function chunkPlace(key: Uint8Array): { id: SnapshotId; offset: number } | undefined {
  if (key.byteLength !== 12) return undefined
  const view = new DataView(key.buffer, key.byteOffset, 12)
  return { id: view.getUint32(0), offset: view.getUint32(4) * 2 ** 32 + view.getUint32(8) }
}

/** Fills in the header of a chunk's value: a checksum of the data and of its place. */
export function sealChunk(id: SnapshotId, offset: number, value: Uint8Array): StoredChunk {
  const view = new DataView(value.buffer, value.byteOffset, CHUNK_HEADER_BYTES)
  view.setUint32(0, crc32(value.subarray(CHUNK_HEADER_BYTES), crc32(chunkKey(id, offset))), true)
  return { id, offset, value }
}

/** The data of a chunk; undefined where it is damaged or belongs elsewhere. */
export function chunkData({ id, offset, value }: StoredChunk): Uint8Array | undefined {
  if (value.byteLength <= CHUNK_HEADER_BYTES) return undefined
  const data = value.subarray(CHUNK_HEADER_BYTES)
  const view = new DataView(value.buffer, value.byteOffset, CHUNK_HEADER_BYTES)
  return view.getUint32(0, true) === crc32(data, crc32(chunkKey(id, offset))) ? data : undefined
}

/** CRC-32 and JSON: records are few and small, readable beats compact. */
export function encodeRecord(record: SnapshotRecord): Uint8Array {
  const text = Buffer.from(JSON.stringify({ format: FORMAT, ...record }), 'utf8')
  const bytes = new Uint8Array(4 + text.byteLength)
  bytes.set(text, 4)
  new DataView(bytes.buffer).setUint32(0, crc32(text), true)
  return bytes
}

/** Undefined where the bytes are damaged or of another format. */
export function decodeRecord(bytes: Uint8Array): SnapshotRecord | undefined {
  if (bytes.byteLength < 4) return undefined
  const text = bytes.subarray(4)
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4)
  if (view.getUint32(0, true) !== crc32(text)) return undefined
  try {
    const found = JSON.parse(new TextDecoder().decode(text)) as SnapshotRecord & { format: number }
    const configuration = checkConfiguration(found.meta.configuration)
    if (found.format !== FORMAT || configuration === undefined) return undefined
    const { isComplete, meta, bytes: count, checksum } = found
    return { isComplete, meta: { ...meta, configuration }, bytes: count, checksum }
  } catch {
    return undefined
  }
}

/** Whether two descriptions are of the very same snapshot. */
export function isSameSnapshot(left: SnapshotMeta, right: SnapshotMeta): boolean {
  if (left === right) return true
  const isAlike =
    left.index === right.index &&
    left.term === right.term &&
    left.timeMs === right.timeMs &&
    left.configurationIndex === right.configurationIndex &&
    left.bytes === right.bytes &&
    left.checksum === right.checksum
  return isAlike && configurationText(left) === configurationText(right)
}

/** In one order of fields, whoever decoded it. */
const configurationText = ({ configuration }: SnapshotMeta): string =>
  JSON.stringify(checkConfiguration(configuration))
