/** What stands for an id or a key: 128 bits, by MurmurHash3 (x86, 128 bits; Austin Appleby, public domain). */

export type Fingerprint = Uint32Array

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

function mixed(word: number): number {
  let mix = word ^ (word >>> 16)
  mix = Math.imul(mix, 0x85ebca6b)
  mix ^= mix >>> 13
  mix = Math.imul(mix, 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}

function wordAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0
  for (let byte = Math.min(3, end - 1 - at); byte >= 0; byte--)
    word = (word << 8) | (bytes[at + byte] as number)
  return word
}

/**
 * Writes the fingerprint of bytes `start` to `end` into `target`.
 * @param scope makes it another one for the same bytes of another queue or lane
 */
export function fingerprintOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  scope: number,
  target: Fingerprint,
): void {
  let h1 = scope
  let h2 = scope
  let h3 = scope
  let h4 = scope
  // Missing words are zeros, which change nothing: the tail needs no branch of its own.
  for (let at = start; at < end; at += 16) {
    const isWhole = end - at >= 16
    h1 ^= Math.imul(rotated(Math.imul(wordAt(bytes, at, end), C1), 15), C2)
    if (isWhole) h1 = (Math.imul((rotated(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotated(Math.imul(wordAt(bytes, at + 4, end), C2), 16), C3)
    if (isWhole) h2 = (Math.imul((rotated(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotated(Math.imul(wordAt(bytes, at + 8, end), C3), 17), C4)
    if (isWhole) h3 = (Math.imul((rotated(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotated(Math.imul(wordAt(bytes, at + 12, end), C4), 18), C1)
    if (isWhole) h4 = (Math.imul((rotated(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  finish(h1, h2, h3, h4, end - start, target)
}

function finish(a: number, b: number, c: number, d: number, length: number, target: Fingerprint): void {
  let [h1, h2, h3, h4] = [a ^ length, b ^ length, c ^ length, d ^ length]
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = mixed((h2 + h1) | 0)
  h3 = mixed((h3 + h1) | 0)
  h4 = mixed((h4 + h1) | 0)
  h1 = mixed(h1)
  h1 = (h1 + h2 + h3 + h4) | 0
  target[0] = h1
  target[1] = h2 + h1
  target[2] = h3 + h1
  target[3] = h4 + h1
}
