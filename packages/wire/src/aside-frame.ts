/**
 * Frames beside the protocol, over the connections of peers: news that no decision depends on.
 *
 *     0  u32  2^31 + the number of the topic
 *     4  u32  CRC-32 of the body
 *     8  ...  body: msgpack
 *
 * No header of a frame of messages is that long, so the first bit tells which of the two a frame is. Topics
 * that this release does not know are passed over, and so is what stands behind the fields it knows: new ones need no new version.
 */
import { codec } from './codec.ts'
import { crc32 } from './crc32.ts'

/** Topics, by their number on the wire: never reuse one. */
export const ASIDE_TOPICS = Object.freeze({ status: 1 })

/** A larger body is not decoded. */
export const MAX_ASIDE_BYTES = 64 << 10

const MARK = 0x8000_0000
const PREFIX_BYTES = 8

export interface Aside {
  readonly topic: number
  readonly body: unknown
}

/**
 * Builds a frame that owns its memory.
 * @param headroomBytes left free before it, for the header of whoever carries it
 */
export function encodeAside({ topic, body }: Aside, headroomBytes = 0): Uint8Array {
  const packed = codec.encodeView(body)
  const frame = Buffer.allocUnsafeSlow(headroomBytes + PREFIX_BYTES + packed.byteLength)
  frame.writeUInt32LE(MARK + topic, headroomBytes)
  frame.writeUInt32LE(crc32(packed), headroomBytes + 4)
  frame.set(packed, headroomBytes + PREFIX_BYTES)
  return frame
}

/** Whether it is a frame beside the protocol, sound or not. */
export function isAside(frame: Uint8Array): boolean {
  return frame.byteLength >= PREFIX_BYTES && (frame[3] as number) >= 0x80
}

/** Reads what `isAside`. A string is the reason why it is refused; never throws. */
export function decodeAside(frame: Uint8Array): Aside | string {
  const prefix = new DataView(frame.buffer, frame.byteOffset, PREFIX_BYTES)
  const body = frame.subarray(PREFIX_BYTES)
  if (body.byteLength > MAX_ASIDE_BYTES) return `${body.byteLength} bytes beside the protocol`
  if (crc32(body) !== prefix.getUint32(4, true)) return 'a damaged frame beside the protocol'
  try {
    return { topic: prefix.getUint32(0, true) - MARK, body: codec.decode(body) }
  } catch {
    return 'a frame beside the protocol that does not decode'
  }
}
