/** Some bytes of a page. */
export interface KeySlice {
  bytes: Uint8Array
  offset: number
  length: number
}

export type KeyOrder = (a: KeySlice, b: KeySlice) => number

/** As memcmp, the shorter one first. */
export const compareBytes: KeyOrder = (a, b) => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a.bytes[a.offset + i] as number) - (b.bytes[b.offset + i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Of the transaction ids in the free list: eight bytes each, the last one weighs most. */
export const compareIntegers: KeyOrder = (a, b) => {
  for (let i = 7; i >= 0; i--) {
    const difference = (a.bytes[a.offset + i] as number) - (b.bytes[b.offset + i] as number)
    if (difference !== 0) return difference
  }
  return 0
}
