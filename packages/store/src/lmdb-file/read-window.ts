import type { InputFile } from './input-file.ts'

/** Read where nothing tells that the next bytes are wanted too. */
const MIN_READ_BYTES = 16 * 1024
/** Larger windows fall out of the processor's cache before they are used. */
const MAX_READ_BYTES = 512 * 1024
/** A gap that still counts as reading on: pages of other kinds stand in between. */
const MAX_GAP_BYTES = 64 * 1024

/**
 * Reads a file piece by piece through one buffer, further ahead the longer the pieces follow each other. A piece that is
 * larger than the window gets a buffer of its size.
 */
export class ReadWindow {
  readonly #file: InputFile
  #bytes = new Uint8Array(MAX_READ_BYTES)
  #start = 0
  #end = 0
  #aheadBytes = MIN_READ_BYTES

  constructor(file: InputFile) {
    this.#file = file
  }

  /**
   * The bytes from `position` on, valid until the next call; undefined where the file ends before them.
   * @throws RaftError STORAGE_FAILED
   */
  take(position: number, length: number): Uint8Array | undefined {
    if (position < this.#start || position + length > this.#end) this.#fill(position, length)
    if (position + length > this.#end) return undefined
    return new Uint8Array(this.#bytes.buffer, position - this.#start, length)
  }

  #fill(position: number, length: number): void {
    const follows = position >= this.#start && position <= this.#end + MAX_GAP_BYTES
    this.#aheadBytes = follows ? Math.min(this.#aheadBytes * 2, MAX_READ_BYTES) : MIN_READ_BYTES
    const wanted = Math.max(length, this.#aheadBytes)
    if (wanted > this.#bytes.byteLength) this.#bytes = new Uint8Array(wanted)
    this.#start = position
    this.#end = position + this.#file.read(this.#bytes, wanted, position)
  }
}
