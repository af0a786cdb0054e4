import type { SegmentSpace, SegmentView } from '@troupe/core'

/** Segments in memory, outside the JavaScript heap. */
export class MemorySegments implements SegmentSpace {
  #segments: (Uint8Array | undefined)[] = []

  put(segment: number, bytes: Uint8Array): void {
    // Not slice(): that of a Buffer is a view.
    this.#segments[segment] = new Uint8Array(bytes)
  }

  bytesOf(segment: number): number | undefined {
    return this.#segments[segment]?.byteLength
  }

  read(segment: number, offset: number, length: number): Uint8Array {
    return (this.#segments[segment] as Uint8Array).subarray(offset, offset + length)
  }

  drop(segment: number): void {
    this.#segments[segment] = undefined
  }

  view(segment: number): SegmentView {
    const bytes = this.#segments[segment] as Uint8Array
    return { read: () => bytes, close: () => {} }
  }

  beside(): SegmentSpace {
    return new MemorySegments()
  }

  close(): void {
    this.#segments = []
  }
}
