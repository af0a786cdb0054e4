import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { storageFailed } from '../storage-errors.ts'

/** A file open for reading. What the file system throws comes out as RaftError STORAGE_FAILED. */
export class InputFile {
  readonly #path: string
  readonly #descriptor: number

  /** @throws RaftError STORAGE_FAILED, also where it is a directory, a pipe, a device */
  constructor(path: string) {
    this.#path = path
    // A pipe without a writer would block.
    this.#descriptor = this.#guard(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK))
    if (this.#guard(() => fstatSync(this.#descriptor)).isFile()) return
    this.close()
    throw storageFailed(path, 'it is not a file')
  }

  get bytes(): number {
    return this.#guard(() => fstatSync(this.#descriptor).size)
  }

  /**
   * A read may end early without being at the end of the file; this one does not.
   * @returns bytes read: fewer where the file ends
   */
  read(target: Uint8Array, length: number, position: number): number {
    let done = 0
    while (done < length) {
      const rest = { offset: done, length: length - done, position: position + done }
      const count = this.#guard(() => readSync(this.#descriptor, target, rest))
      if (count === 0) break
      done += count
    }
    return done
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw storageFailed(this.#path, error)
    }
  }
}
