import { resolve } from 'node:path'
import { invalidOption } from '@troupe/core'
import type { RecordingOptions } from './recording-file.ts'

/** Where turns are recorded, and how much of them. */
export type RecordOption =
  | string
  | {
      readonly directory: string
      /** Of each start of a node, in bytes; then its recording ends, and the node goes on. @default 1 GiB */
      readonly maxBytes?: number
    }

const DEFAULT_MAX_BYTES = 1 << 30
/** Below it there is no room for what a node begins with. */
const LEAST_BYTES = 64 << 10

/** @throws RaftError INVALID_OPTIONS */
export function resolveRecord(given: RecordOption | undefined): RecordingOptions | undefined {
  if (given === undefined) return undefined
  const { directory, maxBytes = DEFAULT_MAX_BYTES } = typeof given === 'string' ? { directory: given } : given
  if (typeof directory !== 'string' || directory === '')
    throw invalidOption('record', given, 'a directory, or { directory, maxBytes }')
  if (!Number.isSafeInteger(maxBytes) || maxBytes < LEAST_BYTES)
    throw invalidOption('record.maxBytes', maxBytes, `an integer of at least ${LEAST_BYTES}`)
  return Object.freeze({ directory: resolve(directory), maxBytes })
}
