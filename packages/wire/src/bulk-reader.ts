import { decodeEntry, ENTRY_HEADER_BYTES, type Entry, entryIsIntact } from '@troupe/core'
import { crc32 } from './crc32.ts'
import { BadFrame, integer, list, uint32 } from './fields.ts'

/** Bytes are missing, added or changed. Thrown while a frame is read, caught at the one entry of the decoder. */
export class Damage extends Error {}

/** The bytes behind a frame's header, taken from front to back as views. */
export class BulkReader {
  readonly #frame: Uint8Array
  #offset: number

  constructor(frame: Uint8Array, offset: number) {
    this.#frame = frame
    this.#offset = offset
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#frame.byteLength
  }

  /** Bytes that have their checksum in the header. */
  bytes(length: unknown, checksum: unknown): Uint8Array {
    const expected = uint32(checksum)
    const bytes = this.#take(integer(length))
    if (crc32(bytes) !== expected) throw new Damage()
    return bytes
  }

  /** Bytes that whoever carries the frame has checked. */
  raw(length: number): Uint8Array {
    return this.#take(length)
  }

  /** Consecutive entries from `firstIndex` on, each of a term that the sender can know. */
  entries(lengths: unknown, firstIndex: number, maxTerm: number): Entry[] {
    const entries: Entry[] = []
    for (const length of list(lengths)) {
      entries.push(this.#entry(integer(length), firstIndex + entries.length, maxTerm))
    }
    return entries
  }

  #entry(bytes: number, index: number, maxTerm: number): Entry {
    if (bytes < ENTRY_HEADER_BYTES) throw new BadFrame(`a record of ${bytes} bytes`)
    const record = this.#take(bytes)
    if (!entryIsIntact(record, crc32)) throw new Damage()
    const entry = decodeEntry(record)
    if (entry === undefined) throw new BadFrame(`entry ${index} has the header of none`)
    if (entry.index !== index) throw new BadFrame(`entry ${entry.index} in the place of ${index}`)
    if (!Number.isSafeInteger(entry.term) || entry.term < 1 || entry.term > maxTerm) {
      throw new BadFrame(`entry ${index} of term ${entry.term} from a node in term ${maxTerm}`)
    }
    if (!(entry.timeMs >= 0 && entry.timeMs < Number.POSITIVE_INFINITY)) {
      throw new BadFrame(`entry ${index} at ${entry.timeMs} ms`)
    }
    const { configurationIndex } = entry
    if (!Number.isSafeInteger(configurationIndex) || configurationIndex < 0 || configurationIndex > index) {
      throw new BadFrame(`entry ${index} under configuration ${configurationIndex}`)
    }
    return entry
  }

  #take(bytes: number): Uint8Array {
    const end = this.#offset + bytes
    if (end > this.#frame.byteLength) throw new Damage()
    const taken = this.#frame.subarray(this.#offset, end)
    this.#offset = end
    return taken
  }
}
