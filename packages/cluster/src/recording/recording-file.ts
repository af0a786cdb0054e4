/** The file of one start of a node, bounded, written a record at a time: what is in it survives the death of the process. */
import { closeSync, mkdirSync, openSync, writevSync } from 'node:fs'
import { join } from 'node:path'
import { RECORDING_SUFFIX } from '@troupe/wire'

export interface RecordingOptions {
  /** Where the recordings go; made where it does not exist. */
  readonly directory: string
  /** Of each start of a node; then its recording ends, and the node goes on. @default 1 GiB */
  readonly maxBytes: number
}

/** Room for the record that says why nothing follows. */
const END_BYTES = 1024

const MOST_STARTS = 10_000

export class RecordingFile {
  readonly path: string
  readonly #maxBytes: number
  readonly #descriptor: number
  #bytes = 0

  /** Makes the file of the next start of `node`. @throws what the file system throws */
  constructor({ directory, maxBytes }: RecordingOptions, node: string) {
    mkdirSync(directory, { recursive: true })
    const [path, descriptor] = openNext(directory, node)
    this.path = path
    this.#descriptor = descriptor
    this.#maxBytes = maxBytes
  }

  /**
   * Writes a record. False where it would get larger than it may: then nothing of it is written, and only an end fits.
   * @throws what the file system throws
   */
  write(parts: readonly Uint8Array[], isEnd = false): boolean {
    let bytes = 0
    for (const part of parts) bytes += part.byteLength
    if (!isEnd && this.#bytes + bytes > this.#maxBytes - END_BYTES) return false
    // A disk that is full takes a part of it: the next call says so.
    let left = parts
    while (left.length > 0) left = behind(left, writevSync(this.#descriptor, left as Uint8Array[]))
    this.#bytes += bytes
    return true
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

/** Starts are counted in the names of files: `n1.1.turns`, `n1.2.turns`. */
function openNext(directory: string, node: string): readonly [path: string, descriptor: number] {
  for (let start = 1; ; start++) {
    const path = join(directory, `${node}.${start}${RECORDING_SUFFIX}`)
    try {
      return [path, openSync(path, 'wx')]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || start === MOST_STARTS) throw error
    }
  }
}

/** What is left of the parts when so many bytes of them are written. */
function behind(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let rest = bytes
  for (const [index, part] of parts.entries()) {
    if (rest < part.byteLength) return [part.subarray(rest), ...parts.slice(index + 1)]
    rest -= part.byteLength
  }
  return []
}
