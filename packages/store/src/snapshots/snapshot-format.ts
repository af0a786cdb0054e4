/**
 * What stands in a snapshot file. Numbers are little-endian; every checksum is a CRC-32 that goes on from the one
 * before it, so that each stands for everything from the file's first byte on.
 *
 *     header   magic 8 │ format u32 │ checksum u32 │ text length u32 │ checksum u32 │ text
 *     chunk    checksum u32 │ length u32 │ offset u64 │ data: all chunks but the last hold CHUNK_BYTES
 *     seal     checksum u32 │ mark u32 │ text length u32 │ text │ text length u32 │ mark u32
 *
 * Both texts are JSON. The header's names cluster and group, and what is received if that is known; the seal's tells
 * how many chunks and bytes there are, and of what: the node learns size and checksum of a snapshot of its own only
 * with its last byte. The header's first 16 bytes stay as they are in every format to come, so that a file of
 * another format is told from a damaged one.
 */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { checkConfiguration, type SnapshotMeta } from '@troupe/core'

/** Version of the format: written, and the only one that is read. */
export const SNAPSHOT_FORMAT = 1

/** Data of every chunk but the last. */
export const CHUNK_BYTES = 64 << 10
export const CHUNK_HEADER_BYTES = 16
/** From one chunk to the next. */
export const CHUNK_STRIDE = CHUNK_HEADER_BYTES + CHUNK_BYTES

/** Whose snapshots they are. */
export interface SnapshotOwner {
  readonly clusterId: string
  readonly group: number
}

/** Consecutive bytes of a snapshot, from a multiple of CHUNK_BYTES on. */
export interface SnapshotChunk {
  readonly offset: number
  readonly data: Uint8Array
}

// ---- header

const MAGIC = Buffer.from('TrpSnap\n', 'latin1')
/** What comes before the header's text. */
export const HEADER_START_BYTES = 24

export interface SnapshotHeader extends SnapshotOwner {
  /** Drawn for each file, so that not even the first chunk of one fits into another. */
  readonly nonce: string
  /** Of a received snapshot. */
  readonly meta: SnapshotMeta | undefined
}

export function encodeHeader(header: Omit<SnapshotHeader, 'nonce'>): Buffer {
  const nonce = randomBytes(8).toString('hex')
  const text = Buffer.from(JSON.stringify({ ...header, nonce }), 'utf8')
  const bytes = Buffer.alloc(HEADER_START_BYTES + text.byteLength)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(SNAPSHOT_FORMAT, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  bytes.writeUInt32LE(text.byteLength, 16)
  bytes.set(text, HEADER_START_BYTES)
  bytes.writeUInt32LE(headerChecksum(bytes), 20)
  return bytes
}

/** Of all bytes before and behind its own place. */
const headerChecksum = (bytes: Uint8Array): number =>
  crc32(bytes.subarray(HEADER_START_BYTES), crc32(bytes.subarray(0, 20)))

/** The format that the first bytes name; undefined where they are not those of a snapshot file. */
export function formatOf(start: Buffer): number | undefined {
  if (start.byteLength < 16 || !start.subarray(0, 8).equals(MAGIC)) return undefined
  return start.readUInt32LE(12) === crc32(start.subarray(0, 12)) ? start.readUInt32LE(8) : undefined
}

/** How long the header is whose first HEADER_START_BYTES are given. */
export const headerBytesOf = (start: Buffer): number => HEADER_START_BYTES + start.readUInt32LE(16)

/** The whole header, and the checksum that the chunks go on from; undefined where it is damaged. */
export function decodeHeader(bytes: Buffer): { header: SnapshotHeader; checksum: number } | undefined {
  const checksum = bytes.readUInt32LE(20)
  if (checksum !== headerChecksum(bytes)) return undefined
  const found = parse(bytes.subarray(HEADER_START_BYTES))
  if (found === undefined) return undefined
  const { clusterId, group, nonce } = found
  if (typeof clusterId !== 'string' || typeof group !== 'number' || typeof nonce !== 'string')
    return undefined
  const meta = found.meta === undefined ? undefined : checkMeta(found.meta)
  if (found.meta !== undefined && meta === undefined) return undefined
  return { header: { clusterId, group, nonce, meta }, checksum }
}

/** The checksum that the chunks of a new file go on from. */
export const checksumOfHeader = (header: Buffer): number => header.readUInt32LE(20)

// ---- chunks

/** The header of a chunk behind the checksum `previous`. */
export function encodeChunkHeader({ offset, data }: SnapshotChunk, previous: number): Buffer {
  const header = Buffer.allocUnsafe(CHUNK_HEADER_BYTES)
  header.writeUInt32LE(data.byteLength, 4)
  header.writeUInt32LE(offset >>> 0, 8)
  header.writeUInt32LE(Math.floor(offset / 2 ** 32), 12)
  header.writeUInt32LE(crc32(data, crc32(header.subarray(4), previous)), 0)
  return header
}

/** The checksum that stands in a chunk's header. */
export const checksumOf = (header: Buffer): number => header.readUInt32LE(0)

/** The length that a chunk's header claims. */
export const lengthOf = (header: Buffer): number => header.readUInt32LE(4)

/** Whether these are header and data of the chunk at `offset`, behind the checksum `previous`. */
export function isSoundChunk(chunk: Buffer, offset: number, previous: number): boolean {
  return (
    lengthOf(chunk) === chunk.byteLength - CHUNK_HEADER_BYTES &&
    chunk.readUInt32LE(8) + chunk.readUInt32LE(12) * 2 ** 32 === offset &&
    checksumOf(chunk) === crc32(chunk.subarray(4), previous)
  )
}

/** How many bytes the chunks of `bytes` bytes take. */
export const chunkedBytes = (bytes: number): number =>
  bytes + Math.ceil(bytes / CHUNK_BYTES) * CHUNK_HEADER_BYTES

// ---- seal

/** No length of a chunk: a seal is never taken for one. */
const SEAL_MARK = 0x4c414553
/** What the seal has beside its text. */
export const SEAL_FRAME_BYTES = 20
/** The seal's last bytes, which tell where it begins. */
export const SEAL_END_BYTES = 8

/** Ends a file behind the checksum `previous`. */
export function encodeSeal(meta: SnapshotMeta, previous: number): Buffer {
  const { bytes } = meta
  const text = Buffer.from(JSON.stringify({ chunks: Math.ceil(bytes / CHUNK_BYTES), bytes, meta }), 'utf8')
  const seal = Buffer.alloc(SEAL_FRAME_BYTES + text.byteLength)
  seal.writeUInt32LE(SEAL_MARK, 4)
  seal.writeUInt32LE(text.byteLength, 8)
  seal.set(text, 12)
  seal.writeUInt32LE(text.byteLength, seal.byteLength - 8)
  seal.writeUInt32LE(SEAL_MARK, seal.byteLength - 4)
  seal.writeUInt32LE(crc32(seal.subarray(4), previous), 0)
  return seal
}

/** The length of the seal that ends so; undefined where that is no seal's end. */
export function sealBytesOf(end: Buffer): number | undefined {
  return end.readUInt32LE(4) === SEAL_MARK ? SEAL_FRAME_BYTES + end.readUInt32LE(0) : undefined
}

/** What a seal says; whether it fits the chunks before it, `isSoundSeal` tells. */
export function decodeSeal(seal: Buffer): SnapshotMeta | undefined {
  const text = parse(seal.subarray(12, -SEAL_END_BYTES))
  const meta = checkMeta(text?.meta)
  if (meta === undefined || text?.bytes !== meta.bytes) return undefined
  return text.chunks === Math.ceil(meta.bytes / CHUNK_BYTES) ? meta : undefined
}

export const isSoundSeal = (seal: Buffer, previous: number): boolean =>
  checksumOf(seal) === crc32(seal.subarray(4), previous)

// ---- names

const NAME = /^(\d{16})-([0-9a-f]{8})\.snapshot$/
const DRAFT_NAME = /^(own|received)-(\d+)\.draft$/
const DAMAGED_NAME = /\.damaged-\d+$/

/** What a complete snapshot's file is called: ascending in the index, and told from others of that index. */
export const completeName = ({ index, checksum }: SnapshotMeta): string =>
  `${String(index).padStart(16, '0')}-${checksum.toString(16).padStart(8, '0')}.snapshot`

/** The index that the name of a complete snapshot's file stands for. */
export const indexOfName = (name: string): number => Number(NAME.exec(name)?.[1] ?? 0)

export const draftName = (id: number, isOwn: boolean): string => `${isOwn ? 'own' : 'received'}-${id}.draft`

/** What the name of a file says about it; undefined for one that is none of a snapshot. */
export type SnapshotName =
  | { readonly kind: 'complete' | 'damaged' }
  | { readonly kind: 'own-draft' | 'received-draft'; readonly id: number }

export function parseName(name: string): SnapshotName | undefined {
  if (DAMAGED_NAME.test(name)) return { kind: 'damaged' }
  if (NAME.test(name)) return { kind: 'complete' }
  const [, whose, id] = DRAFT_NAME.exec(name) ?? []
  return id === undefined
    ? undefined
    : { kind: whose === 'own' ? 'own-draft' : 'received-draft', id: Number(id) }
}

// ---- descriptions

function parse(text: Buffer): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(text.toString('utf8'))
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function checkMeta(value: unknown): SnapshotMeta | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { index, term, timeMs, configurationIndex, bytes, checksum } = value as SnapshotMeta
  const configuration = checkConfiguration((value as SnapshotMeta).configuration)
  const isCounted = [index, term, configurationIndex, bytes, checksum].every(
    (number) => Number.isSafeInteger(number) && number >= 0,
  )
  if (configuration === undefined || !isCounted || !Number.isFinite(timeMs)) return undefined
  return { index, term, timeMs, configuration, configurationIndex, bytes, checksum }
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
