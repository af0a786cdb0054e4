/** Names, numbers and their places in the frames of an overlay. */
import { invariant } from '../errors.ts'
import type { NodeId } from '../types.ts'

const MAX_NAME_BYTES = 255

/** Bytes that a name takes, with its length before it. */
export const nameBytes = (name: NodeId): number => 1 + name.length

/** Writes one thing after the other into memory that is large enough. */
export class ByteWriter {
  readonly bytes: Uint8Array
  readonly #view: DataView
  #at: number

  constructor(length: number, at = 0) {
    this.bytes = new Uint8Array(length)
    this.#view = new DataView(this.bytes.buffer)
    this.#at = at
  }

  byte(value: number): this {
    this.#view.setUint8(this.#at, value)
    this.#at += 1
    return this
  }

  word(value: number): this {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
    return this
  }

  /** Any integer that JavaScript holds exactly. */
  integer(value: number): this {
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
    return this
  }

  name(name: NodeId): this {
    invariant(name.length <= MAX_NAME_BYTES && /^[ -~]+$/.test(name), `the name ${name} cannot be written`)
    this.byte(name.length)
    for (let at = 0; at < name.length; at++) this.byte(name.charCodeAt(at))
    return this
  }
}

/** What was read is not what was written. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

/** Reads what a {@link ByteWriter} wrote. Throws {@link Unreadable} where it is not there. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
  }

  byte(): number {
    return this.#view.getUint8(this.#step(1))
  }

  word(): number {
    return this.#view.getUint32(this.#step(4), true)
  }

  integer(): number {
    const value = this.#view.getFloat64(this.#step(8), true)
    if (!Number.isSafeInteger(value) || value < 0) throw new Unreadable(`the number ${value}`)
    return value
  }

  name(): NodeId {
    const length = this.byte()
    if (length === 0) throw new Unreadable('a node without a name')
    const start = this.#step(length)
    return String.fromCharCode(...this.#bytes.subarray(start, start + length))
  }

  #step(length: number): number {
    const start = this.at
    if (start + length > this.#bytes.byteLength) throw new Unreadable('a frame that ends too early')
    this.at = start + length
    return start
  }
}
