/** Telling a full disk, where one waits, from a failing one, where one stops. */
import { statfsSync } from 'node:fs'
import { constants } from 'node:os'

/** Room that a write needs beside its own bytes: LMDB's tree pages, the file system's own blocks. */
const MARGIN_BYTES = 1 << 20

/** Thrown before anything is tried for which there is no room. */
export class OutOfSpace extends Error {
  constructor(path: string) {
    super(`no space left for ${path}`)
  }
}

/** Bytes that a write to `path` may still take; infinite where the file system does not tell. */
export function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** LMDB ends the process where it cannot write a new environment, so there is a look first. @throws OutOfSpace */
export function demandSpace(path: string): void {
  if (freeBytes(path) < MARGIN_BYTES) throw new OutOfSpace(path)
}

/**
 * Whether a commit of `bytes` failed for want of space, before its flush: then it was aborted whole and may be tried
 * again. LMDB makes an I/O error (EIO) of a write that the file system cut short, so that one counts as full where
 * there is in fact no room for it. Should it have been a flush that failed on a full disk: the next try writes all of
 * the transaction's pages anew, none is taken to be there already.
 */
export function isOutOfSpace(cause: unknown, path: string, bytes: number): boolean {
  if (cause instanceof OutOfSpace) return true
  const code = (cause as { code?: unknown } | undefined)?.code
  const { ENOSPC, EDQUOT, EIO } = constants.errno
  if (code === ENOSPC || code === EDQUOT || code === 'ENOSPC' || code === 'EDQUOT') return true
  return code === EIO && freeBytes(path) < bytes + MARGIN_BYTES
}
