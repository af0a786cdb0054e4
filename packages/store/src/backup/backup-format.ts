/**
 * What stands in a backup file. The format has a version of its own and stays readable when those of directories, logs and
 * snapshots change: it is the way from one of them to the next.
 *
 *     start   magic 8 │ format u32 │ checksum u32
 *     frame   checksum u32 │ kind u32 │ length u32 │ data
 *
 * Numbers are little-endian; a frame's checksum is the CRC-32 of everything behind it, going on from the one before, so
 * that each stands for the file from its first byte on. First comes the description (JSON), then the state in pieces as the
 * state machine's snapshot has it, then the end (JSON): how many pieces and bytes there were, the state's own CRC-32, and
 * the SHA-256 of the file up to there. Nothing follows.
 *
 * The first 16 bytes stay as they are in every format to come, so that a file of another format is told from a damaged one.
 */
import { crc32 } from 'node:zlib'
import { checkConfiguration, type NodeId, type SnapshotMeta } from '@troupe/core'

/** Version of the format: written, and the only one that is read. */
export const BACKUP_FORMAT = 1

/** What a backup is of. */
export interface BackupDescription {
  /** The cluster that it was made of. What is restored from it is another one. */
  readonly clusterId: string
  readonly group: number
  /** The node whose snapshot it was. */
  readonly nodeId: NodeId
  /** Name or URL of the state machine; undefined where the backup was made of a node alone. */
  readonly machine: string | undefined
  /** When it was made, ISO 8601. For people: nothing is decided by it. */
  readonly created: string
  readonly meta: SnapshotMeta
}

export interface BackupEnd {
  readonly pieces: number
  readonly bytes: number
  readonly checksum: number
  readonly sha256: string
}

export const FrameKind = { description: 1, state: 2, end: 3 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

const MAGIC = Buffer.from('TrpBack\n', 'latin1')
export const START_BYTES = 16
export const FRAME_HEADER_BYTES = 12
/** A frame that claims more is damaged: nobody allocates what a flipped bit says. */
export const MAX_FRAME_BYTES = 4 << 20

export function encodeStart(): Buffer {
  const bytes = Buffer.alloc(START_BYTES)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(BACKUP_FORMAT, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  return bytes
}

/** The format that the first bytes name; undefined where they are not those of a backup. */
export function formatOf(start: Buffer): number | undefined {
  if (start.byteLength < START_BYTES || !start.subarray(0, 8).equals(MAGIC)) return undefined
  return start.readUInt32LE(12) === crc32(start.subarray(0, 12)) ? start.readUInt32LE(8) : undefined
}

/** The checksum that stands in a start or at the head of a frame: what the next frame goes on from. */
export const startChecksumOf = (start: Buffer): number => start.readUInt32LE(12)
export const frameChecksumOf = (header: Buffer): number => header.readUInt32LE(0)

export interface FrameHead {
  readonly kind: number
  readonly length: number
}

export const frameHeadOf = (header: Buffer): FrameHead => ({
  kind: header.readUInt32LE(4),
  length: header.readUInt32LE(8),
})

/** The header of a frame of these parts, behind the checksum `previous`. */
export function encodeFrameHeader(kind: FrameKind, parts: readonly Uint8Array[], previous: number): Buffer {
  let length = 0
  for (const { byteLength } of parts) length += byteLength
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUInt32LE(kind, 4)
  header.writeUInt32LE(length, 8)
  let checksum = crc32(header.subarray(4), previous)
  for (const part of parts) checksum = crc32(part, checksum)
  header.writeUInt32LE(checksum, 0)
  return header
}

export const isSoundFrame = (header: Buffer, data: Buffer, previous: number): boolean =>
  frameChecksumOf(header) === crc32(data, crc32(header.subarray(4), previous))

export const encodeJson = (value: BackupDescription | BackupEnd): Buffer =>
  Buffer.from(JSON.stringify(value), 'utf8')

/** Undefined where it is none. */
export function decodeDescription(data: Buffer): BackupDescription | undefined {
  const found = parse(data)
  const meta = checkMeta(found?.meta)
  const { clusterId, group, nodeId, machine, created } = found ?? {}
  if (meta === undefined || typeof group !== 'number') return undefined
  if (typeof clusterId !== 'string' || typeof nodeId !== 'string') return undefined
  const hasMachine = typeof machine === 'string'
  return {
    clusterId,
    group,
    nodeId,
    machine: hasMachine ? machine : undefined,
    created: String(created),
    meta,
  }
}

/** Undefined where it is none. */
export function decodeEnd(data: Buffer): BackupEnd | undefined {
  const found = parse(data)
  const { pieces, bytes, checksum, sha256 } = (found ?? {}) as Partial<BackupEnd>
  if (![pieces, bytes, checksum].every(isCount) || typeof sha256 !== 'string') return undefined
  return { pieces, bytes, checksum, sha256 } as BackupEnd
}

function parse(data: Buffer): { readonly [name: string]: unknown } | undefined {
  try {
    const found: unknown = JSON.parse(data.toString('utf8'))
    return typeof found === 'object' && found !== null ? (found as { [name: string]: unknown }) : undefined
  } catch {
    return undefined
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function checkMeta(value: unknown): SnapshotMeta | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { index, term, timeMs, configurationIndex, bytes, checksum } = value as SnapshotMeta
  const configuration = checkConfiguration((value as SnapshotMeta).configuration)
  const isCounted = [index, term, configurationIndex, bytes, checksum].every(isCount)
  if (configuration === undefined || !isCounted || !Number.isFinite(timeMs)) return undefined
  return { index, term, timeMs, configuration, configurationIndex, bytes, checksum }
}
