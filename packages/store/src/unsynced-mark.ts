/**
 * What `acked-before-flush` owes to honesty. An environment that commits without flushing survives the death
 * of its process, but a power loss may lose acknowledged entries and votes, or leave the file inconsistent in
 * a way that LMDB cannot see. So a mark with the boot id of the machine stands beside it for as long as it is
 * open. When it is found under another boot id, the environment is not used again: the node starts over as a
 * new member.
 */
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { storageDamaged } from './storage-errors.ts'
import { writeFileAtomic } from './sync-files.ts'

const PREFIX = 'unsynced-'
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id'

/** Changes with each start of the machine; `unknown` where the system does not tell. */
function bootId(): string {
  try {
    return readFileSync(BOOT_ID_FILE, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

/** @throws RaftError STORAGE_DAMAGED where the machine was restarted while the environment was not flushed */
export function refuseUnsynced(path: string): void {
  if (!existsSync(path)) return
  const current = bootId()
  for (const name of readdirSync(path)) {
    if (!name.startsWith(PREFIX) || name.endsWith('.tmp')) continue
    const marked = readFileSync(join(path, name), 'utf8').trim()
    if (marked === current) continue
    const reason =
      'the machine was restarted while acked-before-flush had not flushed: acknowledged entries may be lost'
    throw storageDamaged(path, reason)
  }
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
