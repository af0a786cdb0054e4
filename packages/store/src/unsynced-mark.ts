/**
 * What `acked-before-flush` owes to honesty. An environment that commits without flushing survives the death
 * of its process, but a power loss may lose acknowledged entries and votes, or leave the file inconsistent in
 * a way that LMDB cannot see. So a mark with the boot id of the machine stands beside it for as long as it is
 * open. When it is found under another boot id, the environment is not used again: the node starts over as a
 * new member. A machine's state (lmdb-machine-storage.ts) has the same mark, and is built again.
 */
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { storageDamaged } from './storage-errors.ts'
import { writeFileAtomic } from './sync-files.ts'

const PREFIX = 'unsynced-'
/** The boot id of a system that does not tell its starts apart. */
export const UNKNOWN_BOOT = 'unknown'
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id'

/** Changes with each start of the machine; `unknown` where the system does not tell. */
export function bootId(): string {
  try {
    return readFileSync(BOOT_ID_FILE, 'utf8').trim()
  } catch {
    return UNKNOWN_BOOT
  }
}

/** @throws RaftError STORAGE_DAMAGED where the machine was restarted while the environment was not flushed */
export function refuseUnsynced(path: string): void {
  const current = bootId()
  if (boots(path).every((marked) => marked === current)) return
  const reason =
    'the machine was restarted while acked-before-flush had not flushed: acknowledged entries may be lost'
  throw storageDamaged(path, reason)
}

/** Whether the machine was restarted while something at `path` was not flushed, or may have been. */
export function isUnsyncedSinceBoot(path: string): boolean {
  const current = bootId()
  return boots(path).some((marked) => marked !== current || marked === UNKNOWN_BOOT)
}

/** The boot ids of the marks at `path`. */
function boots(path: string): string[] {
  if (!existsSync(path)) return []
  const marks = readdirSync(path).filter((name) => name.startsWith(PREFIX) && !name.endsWith('.tmp'))
  return marks.map((name) => readFileSync(join(path, name), 'utf8').trim())
}

/** Marks the environment as not flushed. The mark is on the disk when this returns. */
export function markUnsynced(path: string, group: number): void {
  writeFileAtomic(join(path, `${PREFIX}${group}`), `${bootId()}\n`)
}

/** Takes the mark away; everything must be flushed by then. */
export function unmarkUnsynced(path: string, group: number): void {
  const mark = join(path, `${PREFIX}${group}`)
  if (existsSync(mark)) unlinkSync(mark)
}
