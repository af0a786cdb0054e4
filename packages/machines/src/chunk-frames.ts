/**
 * Frames in a stream of chunks that may be cut anywhere: each behind its length, as a little-endian u32. How saved states
 * are put together.
 */
import { RaftError } from '@troupe/core'

const LENGTH_BYTES = 4

/** `parts`, joined, behind their length. */
export function sizedFrame(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((bytes, part) => bytes + part.byteLength, 0)
  const frame = new Uint8Array(LENGTH_BYTES + length)
  new DataView(frame.buffer).setUint32(0, length, true)
  let offset = LENGTH_BYTES
  for (const part of parts) {
    frame.set(part, offset)
    offset += part.byteLength
  }
  return frame
}

/** Puts frames together again. */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void
  /** What comes next: a length, or as many bytes as the last one said. */
  #isLength = true
  #neededBytes = LENGTH_BYTES
  /** The beginning of what comes next, where the last chunk ended within it. */
  #partial: Uint8Array | undefined
  #partialBytes = 0

  /** @param onFrame is given a view that is valid during the call only */
  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame
  }

  chunk(bytes: Uint8Array): void {
    let offset = 0
    for (;;) {
      const left = bytes.byteLength - offset
      if (this.#partialBytes === 0 && left >= this.#neededBytes) {
        const end = offset + this.#neededBytes
        this.#complete(bytes.subarray(offset, end))
        offset = end
        continue
      }
      if (left === 0) return
      this.#partial ??= new Uint8Array(this.#neededBytes)
      const taken = Math.min(left, this.#neededBytes - this.#partialBytes)
      this.#partial.set(bytes.subarray(offset, offset + taken), this.#partialBytes)
      this.#partialBytes += taken
      offset += taken
      if (this.#partialBytes < this.#neededBytes) return
      const whole = this.#partial
      this.#partial = undefined
      this.#partialBytes = 0
      this.#complete(whole)
    }
  }

  #complete(bytes: Uint8Array): void {
    if (this.#isLength) {
      this.#neededBytes = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getUint32(0, true)
      this.#isLength = false
      return
    }
    this.#isLength = true
    this.#neededBytes = LENGTH_BYTES
    this.#onFrame(bytes)
  }

  /** @throws RaftError STORAGE_DAMAGED where the stream ends within a frame */
  end(): void {
    if (this.#isLength && this.#partialBytes === 0) return
    throw damagedState('it ends within a frame')
  }
}

/** What a loader throws where its pieces are not what was saved. */
export function damagedState(reason: string): RaftError<'STORAGE_DAMAGED'> {
  const path = 'saved state'
  return new RaftError('STORAGE_DAMAGED', `the saved state does not load: ${reason}`, { path, reason })
}
