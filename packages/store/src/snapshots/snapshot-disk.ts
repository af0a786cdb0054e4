import { close, constants, fdatasync, fsync, open, read, rename, unlink, writev } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { GivenUp } from './chunked-snapshot-store.ts'

/** What a snapshot store asks of its disk, all of it on libuv's threads. A port, so that disks can fail on purpose. */
export interface SnapshotDisk {
  /** Opens a file to be written, which is empty unless it `isKept`. */
  create(path: string, isKept: boolean): Promise<number>
  open(path: string): Promise<number>
  /** Writes all of it, or fails with some of it written. */
  write(file: number, buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Resolves to the count of bytes read; fewer than asked for at the end of the file. */
  read(file: number, buffer: Uint8Array, position: number): Promise<number>
  /** Waits until the file's bytes are on the disk. */
  flush(file: number): Promise<void>
  /** Waits until the names in a directory are on the disk. */
  flushNames(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file, which need not be there. */
  remove(path: string): Promise<void>
  close(file: number): Promise<void>
}

const calls = {
  open: promisify(open),
  writev: promisify(writev),
  read: promisify(read),
  fdatasync: promisify(fdatasync),
  fsync: promisify(fsync),
  rename: promisify(rename),
  unlink: promisify(unlink),
  close: promisify(close),
}

export const realDisk: SnapshotDisk = {
  create: (path, isKept) => calls.open(path, isKept ? 'r+' : 'w'),
  open: (path) => calls.open(path, 'r'),
  write: writeWhole,
  read: async (file, buffer, position) => {
    let filled = 0
    while (filled < buffer.byteLength) {
      const length = buffer.byteLength - filled
      const { bytesRead } = await calls.read(file, buffer, filled, length, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  },
  flush: calls.fdatasync,
  flushNames: async (directory) => {
    const file = await calls.open(directory, constants.O_RDONLY)
    try {
      await calls.fsync(file)
    } finally {
      await calls.close(file)
    }
  },
  rename: calls.rename,
  remove: async (path) => {
    await calls.unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  },
  close: calls.close,
}

/** A disk that is nearly full takes a part; the next call says why. */
async function writeWhole(file: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let rest = buffers
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await calls.writev(file, rest, at)
    at += bytesWritten
    rest = behind(rest, bytesWritten)
  }
}

/** What is left of the buffers behind their first bytes. */
function behind(buffers: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  for (const [i, buffer] of buffers.entries()) {
    if (left < buffer.byteLength) return [buffer.subarray(left), ...buffers.slice(i + 1)]
    left -= buffer.byteLength
  }
  return []
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

/**
 * Repeats a step that is refused for want of space until it is done. Only for steps that may be repeated: a flush is
 * none, the bytes that it has lost would count as flushed the second time.
 * @throws GivenUp once `signal` says so; any other error of the step
 */
export async function whenSpace<T>(step: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await step()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
    }
    if (!signal.aborted) await setTimeout(pauseMs, undefined, { ref: false, signal }).catch(() => {})
    if (signal.aborted) throw new GivenUp('no space is left, and nobody waits for it')
  }
}
