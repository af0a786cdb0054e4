/** Bytes that are looked at four at a time. */

/** Bytes with a view of them: four at a time are read and written where they do not lie even. */
export interface ViewedBytes {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Makes a view of bytes. */
export function viewed(bytes: Uint8Array): ViewedBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
}

/** FNV-1a, 32 bits. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let position = start; position < end; position++) {
    hash = Math.imul(hash ^ (bytes[position] as number), 0x01000193)
  }
  // The low bits choose the slot: let the high ones have a say.
  return (hash ^ (hash >>> 15)) >>> 0
}

/** For short runs a loop beats `set(subarray)`, which allocates a view. */
export function copyBytes(
  source: ViewedBytes,
  start: number,
  end: number,
  target: ViewedBytes,
  offset: number,
): void {
  if (end - start > 256) {
    target.bytes.set(source.bytes.subarray(start, end), offset)
    return
  }
  let at = offset
  let position = start
  for (; position + 4 <= end; position += 4, at += 4) {
    target.view.setInt32(at, source.view.getInt32(position, true), true)
  }
  for (; position < end; position++, at++) target.bytes[at] = source.bytes[position] as number
}
