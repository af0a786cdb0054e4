/** Sums the bytes: cheap, and deterministic like any checksum. */
export const checksum = (bytes: Uint8Array, previous = 0): number =>
  bytes.reduce((sum, byte) => sum + byte, previous)
