import { accessSync, closeSync, constants, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { storageDamaged, storageFailed } from './storage-errors.ts'

/** In the first meta page: 16 bytes of page header and 8 of checksum come before them. */
const MAGIC_OFFSET = 24
const MAGIC = 0xbeefc0de
const VERSION_OFFSET = 28
const DATA_VERSION = 2

/**
 * Refuses what LMDB would refuse to open: lmdb 3.5.6 does not throw then, it crashes the process
 * (a segmentation fault, seen with a file of garbage; by its env.cpp any failed open ends so).
 * @throws RaftError STORAGE_DAMAGED where data.mdb is no LMDB file of this version;
 *   STORAGE_FAILED where permissions lack
 */
export function checkLmdbFiles(path: string): void {
  const { R_OK, W_OK, X_OK } = constants
  try {
    accessSync(path, R_OK | W_OK | X_OK)
    for (const name of ['data.mdb', 'lock.mdb']) {
      if (existsSync(join(path, name))) accessSync(join(path, name), R_OK | W_OK)
    }
  } catch (error) {
    throw storageFailed(path, error)
  }
  const file = join(path, 'data.mdb')
  if (existsSync(file)) checkHeader(path, file)
}

function checkHeader(path: string, file: string): void {
  const header = Buffer.alloc(VERSION_OFFSET + 4)
  const descriptor = openSync(file, 'r')
  try {
    // An empty file is a new environment: its first opener died before it wrote.
    if (readSync(descriptor, header) === 0) return
  } finally {
    closeSync(descriptor)
  }
  if (header.readUInt32LE(MAGIC_OFFSET) !== MAGIC) throw storageDamaged(path, 'data.mdb is not an LMDB file')
  const version = header.readUInt32LE(VERSION_OFFSET) & 0xffff
  if (version !== DATA_VERSION) throw storageDamaged(path, `data.mdb has LMDB format ${version}`)
}
