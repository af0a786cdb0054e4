import { copyBytes, type ViewedBytes, viewed } from './viewed-bytes.ts'

/** Bytes that are put together one behind the other, in memory that grows. */
export class ByteWriter {
  /** Where the next byte goes. May be set back: what stands behind is written over. */
  end = 0
  #target: ViewedBytes

  /** @param bytes room to begin with */
  constructor(bytes: number) {
    this.#target = viewed(new Uint8Array(bytes))
  }

  /** What was written: a view. */
  get written(): Uint8Array {
    return this.#target.bytes.subarray(0, this.end)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#target.bytes[this.end++] = value
  }

  /** Copies the bytes `start` to `end` of `source`. */
  copy(source: ViewedBytes, start: number, end: number): void {
    this.#reserve(end - start)
    copyBytes(source, start, end, this.#target, this.end)
    this.end += end - start
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength)
    this.#target.bytes.set(bytes, this.end)
    this.end += bytes.byteLength
  }

  /** A number that is no less than 0 and whole, as msgpack. */
  count(value: number): void {
    if (value < 0x80) return this.byte(value)
    this.#reserve(9)
    const { bytes, view } = this.#target
    const isShort = value <= 0xffffffff
    bytes[this.end++] = isShort ? 0xce : 0xcb
    if (isShort) view.setUint32(this.end, value)
    else view.setFloat64(this.end, value)
    this.end += isShort ? 4 : 8
  }

  /** The header of a msgpack array. */
  array(length: number): void {
    if (length < 16) return this.byte(0x90 | length)
    this.byte(0xdd)
    this.#reserve(4)
    this.#target.view.setUint32(this.end, length)
    this.end += 4
  }

  #reserve(bytes: number): void {
    const { byteLength } = this.#target.bytes
    if (this.end + bytes <= byteLength) return
    const grown = new Uint8Array(Math.max(2 * byteLength, this.end + bytes))
    grown.set(this.written)
    this.#target = viewed(grown)
  }
}
