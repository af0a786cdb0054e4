import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Waits until the bytes of a file, or the names in a directory, are on the disk. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Writes a file so that after a power loss it is there whole or not at all: temporary file beside it, fsync,
 * rename, fsync of the directory.
 */
export function writeFileAtomic(path: string, text: string): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, text)
  syncPath(temporary)
  renameSync(temporary, path)
  syncPath(dirname(path))
}

/**
 * Makes a directory and those above it. Not `mkdirSync` with `recursive`: below /proc that never returns (Node 26).
 * @throws what mkdir throws
 */
export function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (!existsSync(dirname(path))) makeDirectory(dirname(path))
  mkdirSync(path)
}
