import { RaftError } from '@troupe/core'

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** The store at `path` cannot go on: its node goes down. */
export function storageFailed(path: string, cause: unknown): RaftError<'STORAGE_FAILED'> {
  const reason = reasonOf(cause)
  return new RaftError(
    'STORAGE_FAILED',
    `the store at ${path} failed: ${reason}`,
    { path, reason },
    { cause },
  )
}

/** What is stored at `path` cannot be trusted. */
export function storageDamaged(path: string, cause: unknown): RaftError<'STORAGE_DAMAGED'> {
  const reason = reasonOf(cause)
  return new RaftError('STORAGE_DAMAGED', `the store at ${path} is damaged: ${reason}`, { path, reason })
}

/** What became of an attempt to read `path`: an error of the operating system as one of ours, any other as it is. */
export function readFailure(path: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (error instanceof RaftError || syscall === undefined) return error
  // The medium cannot give what was written to it.
  return code === 'EIO' ? storageDamaged(path, error) : storageFailed(path, error)
}
