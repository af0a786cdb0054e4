/**
 * Walks over msgpack without making values of it: where does a value begin and end, which bytes are the string?
 * For machines that keep bytes as they came; everything else decodes. Offsets beyond the end mean damaged input.
 */

/** Returned instead of an offset or a length where the bytes are not what was asked for. */
export const NOT_MSGPACK = -1

/**
 * Length of the array at `offset`, or NOT_MSGPACK. Its elements begin at {@link arrayBody}.
 */
export function arrayLength(bytes: Uint8Array, offset: number): number {
  const head = bytes[offset] ?? 0
  if (head >= 0x90 && head <= 0x9f) return head & 0x0f
  if (head === 0xdc) return uint16(bytes, offset + 1)
  if (head === 0xdd) return uint32(bytes, offset + 1)
  return NOT_MSGPACK
}

/** Where the first element of the array at `offset` begins. */
export function arrayBody(bytes: Uint8Array, offset: number): number {
  const head = bytes[offset]
  return offset + (head === 0xdc ? 3 : head === 0xdd ? 5 : 1)
}

/** Bytes of the string at `offset`, without its header, or NOT_MSGPACK. They begin at {@link stringBody}. */
export function stringLength(bytes: Uint8Array, offset: number): number {
  const head = bytes[offset] ?? 0
  if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
  if (head === 0xd9) return bytes[offset + 1] ?? NOT_MSGPACK
  if (head === 0xda) return uint16(bytes, offset + 1)
  if (head === 0xdb) return uint32(bytes, offset + 1)
  return NOT_MSGPACK
}

/** Where the bytes of the string at `offset` begin. */
export function stringBody(bytes: Uint8Array, offset: number): number {
  const head = bytes[offset]
  return offset + (head === 0xd9 ? 2 : head === 0xda ? 3 : head === 0xdb ? 5 : 1)
}

/** What a value is, as far as callers care. */
export type ValueClass = 'scalar' | 'undefined' | 'other'

/**
 * A number, string, boolean, null or bytes is a `scalar`; msgpackr's extension for undefined is `undefined`; arrays,
 * maps and other extensions are `other`.
 */
export function valueClass(bytes: Uint8Array, offset: number): ValueClass {
  const head = bytes[offset] ?? 0xc1
  if (head === 0xd4 && bytes[offset + 1] === 0) return 'undefined'
  const isContainer = (head >= 0x80 && head <= 0x9f) || (head >= 0xdc && head <= 0xdf)
  const isExtension = (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8)
  return isContainer || isExtension || head === 0xc1 ? 'other' : 'scalar'
}

/** Bytes behind the head byte, for heads 0xc0 to 0xdf of fixed size; -1 elsewhere. */
const FIXED_SIZES: readonly number[] = [
  0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, -1, -1, -1, -1, -1, -1,
  -1,
]

/** The offset behind the value at `offset`, or NOT_MSGPACK. Nothing is allocated, nothing recurses. */
export function skipValue(bytes: Uint8Array, offset: number): number {
  let position = offset
  for (let open = 1; open > 0; open--) {
    const head = bytes[position]
    if (head === undefined) return NOT_MSGPACK
    if (head <= 0x7f || head >= 0xe0) position += 1
    // Strings and bytes of 32 to 255 bytes: most values.
    else if (head === 0xd9 || head === 0xc4) position += 2 + (bytes[position + 1] ?? bytes.byteLength)
    else if (head <= 0x8f) {
      open += 2 * (head & 0x0f)
      position += 1
    } else if (head <= 0x9f) {
      open += head & 0x0f
      position += 1
    } else if (head <= 0xbf) position += 1 + (head & 0x1f)
    else {
      const fixed = FIXED_SIZES[head - 0xc0] as number
      if (fixed >= 0) position += 1 + fixed
      else if (head >= 0xdc) {
        const length = head % 2 === 0 ? uint16(bytes, position + 1) : uint32(bytes, position + 1)
        if (length === NOT_MSGPACK) return NOT_MSGPACK
        open += head <= 0xdd ? length : 2 * length
        position += head % 2 === 0 ? 3 : 5
      } else position = skipSized(bytes, position, head)
      if (position === NOT_MSGPACK) return NOT_MSGPACK
    }
    if (position > bytes.byteLength) return NOT_MSGPACK
  }
  return position
}

/** bin 8–32, ext 8–32, str 8–32: a length, then (for ext) a type, then the bytes. */
function skipSized(bytes: Uint8Array, position: number, head: number): number {
  const base = head >= 0xd9 ? 0xd9 : head >= 0xc7 ? 0xc7 : 0xc4
  const lengthBytes = 1 << (head - base)
  if (head < 0xc4 || lengthBytes > 4) return NOT_MSGPACK
  const at = position + 1
  const length =
    lengthBytes === 1 ? (bytes[at] ?? NOT_MSGPACK) : lengthBytes === 2 ? uint16(bytes, at) : uint32(bytes, at)
  if (length === NOT_MSGPACK) return NOT_MSGPACK
  return at + lengthBytes + (base === 0xc7 ? 1 : 0) + length
}

function uint16(bytes: Uint8Array, offset: number): number {
  const low = bytes[offset + 1]
  return low === undefined ? NOT_MSGPACK : ((bytes[offset] as number) << 8) | low
}

function uint32(bytes: Uint8Array, offset: number): number {
  const low = bytes[offset + 3]
  if (low === undefined) return NOT_MSGPACK
  return uint16(bytes, offset) * 0x10000 + uint16(bytes, offset + 2)
}
