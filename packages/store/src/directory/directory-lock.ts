/**
 * One opener per directory, also among the worker threads of one process, and free again as soon as its
 * holder is dead, however it died. Node has no flock, and LMDB lets a second process in; SQLite's file lock
 * does it: it is the operating system's between processes, and SQLite knows its own connections within one.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { RaftError } from '@troupe/core'

/**
 * Never open this file by other means: closing any descriptor of it would drop the lock of the whole process
 * (POSIX locks). That is why the holder's pid stands in a file of its own.
 */
const LOCK_FILE = 'lock.db'
const HOLDER_FILE = 'lock.pid'
const SQLITE_BUSY = 5

/** Keeps connections from the garbage collector, which would close them and release the lock. */
const held = new Set<DatabaseSync>()

export interface DirectoryLock {
  /** Idempotent. */
  release(): void
}

/** @throws RaftError INVALID_DIRECTORY where another process or thread has the directory open */
export function lockDirectory(path: string): DirectoryLock {
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 })
    connection.exec('BEGIN EXCLUSIVE')
    writeFileSync(join(path, HOLDER_FILE), `${process.pid}\n`)
  } catch (error) {
    connection?.close()
    throw notLocked(path, error as Error & { errcode?: number })
  }
  const lock = connection
  held.add(lock)
  return {
    release: () => {
      if (held.delete(lock)) lock.close()
    },
  }
}

function notLocked(path: string, error: Error & { errcode?: number }): RaftError<'INVALID_DIRECTORY'> {
  const reason =
    error.errcode === SQLITE_BUSY ? `it is in use by ${holder(path)}` : `cannot be locked: ${error.message}`
  return new RaftError(
    'INVALID_DIRECTORY',
    `data directory ${path}: ${reason}`,
    { path, reason },
    { cause: error },
  )
}

function holder(path: string): string {
  try {
    const pid = Number.parseInt(readFileSync(join(path, HOLDER_FILE), 'utf8'), 10)
    if (pid === process.pid) return `another node in this process (pid ${pid})`
    return Number.isNaN(pid) ? 'another process' : `process ${pid}`
  } catch {
    return 'another process'
  }
}

/**
 * Whether another process or thread has the directory open. Only asks, and changes nothing.
 * @throws RaftError INVALID_DIRECTORY where that cannot be told
 */
export function isDirectoryInUse(path: string): boolean {
  const file = join(path, LOCK_FILE)
  if (!existsSync(file)) return false
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(file, { timeout: 0, readOnly: true })
    connection.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return true
    throw notLocked(path, error as Error)
  } finally {
    connection?.close()
  }
}
