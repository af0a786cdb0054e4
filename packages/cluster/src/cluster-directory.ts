import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ResolvedClusterOptions } from './options.ts'

/** Where the logs are to be: a new temporary directory where none is given; undefined for a cluster in memory. */
export function directoryOf({ durability, directory }: ResolvedClusterOptions): string | undefined {
  if (durability === 'memory') return undefined
  return directory === undefined ? mkdtempSync(join(tmpdir(), 'troupe-')) : resolve(directory)
}
