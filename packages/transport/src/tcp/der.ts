/**
 * As much of DER (X.690) as it takes to write a certificate. Nothing is read here: that is OpenSSL's business.
 */

const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Any value: its tag, its length in the shortest form, its content. */
export function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(tag), lengthOf(content.byteLength), content])
}

function lengthOf(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.of(bytes)
  const digits: number[] = []
  for (let rest = bytes; rest > 0; rest >>>= 8) digits.unshift(rest & 0xff)
  return Buffer.of(0x80 | digits.length, ...digits)
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => tagged(Tag.sequence, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => tagged(Tag.set, ...parts)
export const octets = (bytes: Uint8Array): Buffer => tagged(Tag.octetString, bytes)
export const utf8 = (text: string): Buffer => tagged(Tag.utf8String, Buffer.from(text))
export const truth = (): Buffer => tagged(Tag.boolean, Buffer.of(0xff))

/** A context-specific value that holds others. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer =>
  tagged(0xa0 | number, ...parts)

/** A context-specific value in the place of a primitive one. */
export const implicit = (number: number, content: Uint8Array): Buffer => tagged(0x80 | number, content)

/** A natural number, big-endian. */
export function integer(bytes: Uint8Array): Buffer {
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0
  return tagged(Tag.integer, ...(isNegative ? [Buffer.of(0)] : []), bytes)
}

export const bits = (bytes: Uint8Array, unusedBits = 0): Buffer =>
  tagged(Tag.bitString, Buffer.of(unusedBits), bytes)

/** `1.2.840...`: the first two numbers share a byte, each of the others is written in base 128. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const number of rest) {
    const digits = [number & 0x7f]
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f))
    bytes.push(...digits)
  }
  return tagged(Tag.objectIdentifier, Buffer.from(bytes))
}

/** RFC 5280 §4.1.2.5: UTCTime up to 2049, GeneralizedTime from then on. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  if (date.getUTCFullYear() < 2050) return tagged(Tag.utcTime, Buffer.from(digits.slice(2)))
  return tagged(Tag.generalizedTime, Buffer.from(digits))
}
