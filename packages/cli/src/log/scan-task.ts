/** Reads one log in a thread of its own, so that Ctrl-C and a bar have their turn meanwhile. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Configuration, RaftError, type WireError } from '@troupe/core'
import type { FoundLog, LogOwner } from '@troupe/store'

export interface ScanTask {
  readonly path: string
  readonly owner: LogOwner | undefined
  /** The entries to be listed: those in the range, the last of them where they are more than `entries`. */
  readonly from: number
  readonly to: number
  readonly entries: number
}

/** An entry as it is listed. */
export interface ListedEntry {
  readonly index: number
  readonly term: number
  readonly kind: 'noop' | 'commands' | 'configuration'
  readonly commands: number
  /** Of the record. */
  readonly bytes: number
  readonly logTimeMs: number
  readonly checksum: number
  /** Term and checksum that it says the entry before it has; undefined where its maker did not know. */
  readonly before: { readonly term: number; readonly checksum: number } | undefined
}

export interface LogScan {
  readonly found: FoundLog
  /** Ascending; damaged ones are left out. */
  readonly entries: readonly ListedEntry[]
  /** Of the entries that are whole, by index. */
  readonly configurations: ReadonlyMap<number, Configuration>
  readonly seconds: number
}

export type ScanMessage =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly scan: LogScan }
  | { readonly kind: 'failed'; readonly error: WireError | string }

/**
 * Runs a task; `onProgress` is told the record bytes read so far.
 * @throws what scanLog throws; an AbortError when `signal` aborts
 */
export async function scanInThread(
  task: ScanTask,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<LogScan> {
  const worker = new Worker(fileURLToPath(import.meta.resolve('@troupe/cli/log-scan-worker')), {
    workerData: task,
  })
  const ended = Promise.withResolvers<LogScan>()
  const abort = (): void => ended.reject(signal.reason)
  worker.on('error', ended.reject)
  worker.on('message', (message: ScanMessage) => {
    if (message.kind === 'progress') onProgress(message.bytes)
    else if (message.kind === 'done') ended.resolve(message.scan)
    else ended.reject(errorOf(message.error))
  })
  worker.on('exit', (code) => ended.reject(new Error(`the thread that reads a log ended with ${code}`)))
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  try {
    return await ended.promise
  } finally {
    signal.removeEventListener('abort', abort)
    // It has no environment of LMDB open.
    await worker.terminate()
  }
}

const errorOf = (error: WireError | string): Error =>
  typeof error === 'string' ? new Error(error) : RaftError.fromWire(error)
