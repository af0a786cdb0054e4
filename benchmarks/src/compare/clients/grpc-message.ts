/** The little of gRPC's messages that a put needs: fields of text, one behind the other. */

const LENGTH_DELIMITED = 2
const CONTINUES = 0x80
const LOW_BITS = 0x7f
const LENGTH_BYTES = 4

/** Writes an unsigned integer; where it ends. */
function writeVarint(target: Buffer, value: number, start: number): number {
  let offset = start
  let left = value
  for (; left >= CONTINUES; left >>>= 7) target[offset++] = (left & LOW_BITS) | CONTINUES
  target[offset++] = left
  return offset
}

const varintBytes = (value: number): number => (value < CONTINUES ? 1 : 1 + varintBytes(value >>> 7))

/** A message, uncompressed and behind its length, of which the first text is field 1, the second field 2 and so on. */
export function encodeCall(...texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text))
  const messageBytes = lengths.reduce((sum, length) => sum + 1 + varintBytes(length) + length, 0)
  const target = Buffer.allocUnsafe(1 + LENGTH_BYTES + messageBytes)
  let offset = target.writeUInt32BE(messageBytes, target.writeUInt8(0, 0))
  for (const [index, text] of texts.entries()) {
    target[offset++] = ((index + 1) << 3) | LENGTH_DELIMITED
    offset = writeVarint(target, lengths[index] as number, offset)
    offset += target.write(text, offset)
  }
  return target
}
