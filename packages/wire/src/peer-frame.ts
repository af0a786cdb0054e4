/**
 * Frames between nodes: all messages of a turn for one peer.
 *
 *     0  u32  bytes of the header
 *     4  u32  CRC-32 of the header
 *     8  ...  header: msgpack [group, from, incarnation, boot, to, messages]
 *        ...  bulk: records of entries, payloads of proposals, pieces of snapshots, in the order of their messages
 *
 * Each message is a fixed array: [kind, toIncarnation, toBoot, term, ...fields]. Bulk bytes never pass through
 * msgpack: they are copied once into the frame and read as views of it. A record has a checksum of its own; for the
 * other bulk bytes it stands in the header. So no changed bit of a frame goes unseen.
 */
import type { GroupId, Message } from '@troupe/core'
import { BulkReader, Damage } from './bulk-reader.ts'
import { codec } from './codec.ts'
import { crc32 } from './crc32.ts'
import { BadFrame, integer, name } from './fields.ts'
import { packMessage } from './pack-message.ts'
import { type Ends, unpackMessage } from './unpack-message.ts'

/** A frame of more bytes is refused before anything of it is decoded. */
export const MAX_PEER_FRAME_BYTES = 256 << 20

/**
 * What {@link decodePeerFrame} gives for a frame that is not as it was sent: bytes are missing, added or changed. A
 * transport that may lose frames drops such a one; any other reason means a peer that does not speak the protocol.
 */
export const DAMAGED_FRAME = 'a damaged frame: checksums or lengths do not fit'

const PREFIX_BYTES = 8

/**
 * Builds the frame of `messages`, which all go from one node to one other. It owns its memory.
 * @param headroomBytes left free before it, for the header of whoever carries it
 */
export function encodePeerFrame(group: GroupId, messages: readonly Message[], headroomBytes = 0): Uint8Array {
  const head = messages[0]
  if (head === undefined) throw new RangeError('a frame without messages')
  const bulk: Uint8Array[] = []
  const packed = messages.map((message) => packMessage(message, bulk))
  const { from, fromIncarnation, fromBoot, to } = head
  const header = codec.encodeView([group, from, fromIncarnation, fromBoot, to, packed])
  const headerAt = headroomBytes + PREFIX_BYTES
  let offset = headerAt + header.byteLength
  let bytes = offset
  for (const part of bulk) bytes += part.byteLength
  const frame = Buffer.allocUnsafeSlow(bytes)
  frame.writeUInt32LE(header.byteLength, headroomBytes)
  frame.writeUInt32LE(crc32(header), headroomBytes + 4)
  frame.set(header, headerAt)
  for (const part of bulk) {
    frame.set(part, offset)
    offset += part.byteLength
  }
  return frame
}

export interface PeerFrame {
  readonly group: GroupId
  readonly messages: readonly Message[]
}

/**
 * Reads a frame. A string is the reason why it is refused, {@link DAMAGED_FRAME} or another; never throws. Records,
 * payloads and pieces of snapshots are views of `frame`; an entry is also checked against its place and its term.
 */
export function decodePeerFrame(frame: Uint8Array): PeerFrame | string {
  if (frame.byteLength > MAX_PEER_FRAME_BYTES) return `a frame of ${frame.byteLength} bytes`
  if (frame.byteLength < PREFIX_BYTES) return DAMAGED_FRAME
  const prefix = new DataView(frame.buffer, frame.byteOffset, PREFIX_BYTES)
  const headerEnd = PREFIX_BYTES + prefix.getUint32(0, true)
  // No header is empty; zeros would have the checksum 0.
  if (headerEnd === PREFIX_BYTES || headerEnd > frame.byteLength) return DAMAGED_FRAME
  const header = frame.subarray(PREFIX_BYTES, headerEnd)
  if (crc32(header) !== prefix.getUint32(4, true)) return DAMAGED_FRAME
  try {
    return readHeader(decodeHeader(header), new BulkReader(frame, headerEnd))
  } catch (error) {
    if (error instanceof Damage) return DAMAGED_FRAME
    if (error instanceof BadFrame) return error.message
    throw error
  }
}

function decodeHeader(header: Uint8Array): unknown {
  try {
    return codec.decode(header)
  } catch {
    throw new BadFrame('a header that does not decode')
  }
}

function readHeader(header: unknown, bulk: BulkReader): PeerFrame {
  if (!Array.isArray(header) || header.length !== 6 || !Array.isArray(header[5])) {
    throw new BadFrame('a header of another shape')
  }
  const [group, from, incarnation, boot, to, packed] = header as unknown[]
  const ends: Ends = {
    from: name(from),
    fromIncarnation: integer(incarnation),
    fromBoot: integer(boot),
    to: name(to),
  }
  const messages = (packed as unknown[]).map((message) => unpackMessage(message, ends, bulk))
  if (messages.length === 0) throw new BadFrame('a frame without messages')
  if (!bulk.isAtEnd) throw new Damage()
  return { group: integer(group), messages }
}
