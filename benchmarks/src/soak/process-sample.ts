/** What this process holds of the system: memory, open files, threads. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { privateBytes } from '../memory/memory-sampler.ts'
import type { ProcessSample } from './soak-sample.ts'

const OWN_FILES = '/proc/self/fd'
/** Everywhere but on Linux; it tells how many there are, not what they are. */
const OWN_FILES_ELSEWHERE = '/dev/fd'
const UNLINKED = / \(deleted\)$/
const BLOCK_BYTES = 512

export function sampleProcess(): ProcessSample {
  return { privateBytes: privateBytes(), threads: threadCount(), ...openFiles() }
}

type FileFigures = Pick<ProcessSample, 'openFiles' | 'unlinkedFiles' | 'unlinkedBytes'>

function openFiles(): FileFigures {
  const names = namesIn(OWN_FILES)
  if (names === undefined) {
    const count = namesIn(OWN_FILES_ELSEWHERE)?.length ?? null
    return { openFiles: count, unlinkedFiles: null, unlinkedBytes: null }
  }
  const unlinked = names.map((name) => `${OWN_FILES}/${name}`).filter(isUnlinked)
  const unlinkedBytes = unlinked.reduce((sum, path) => sum + blocksOf(path) * BLOCK_BYTES, 0)
  // One of them was opened to look.
  return { openFiles: names.length - 1, unlinkedFiles: unlinked.length, unlinkedBytes }
}

function namesIn(directory: string): string[] | undefined {
  try {
    return readdirSync(directory)
  } catch {
    return undefined
  }
}

function isUnlinked(path: string): boolean {
  try {
    return UNLINKED.test(readlinkSync(path))
  } catch {
    // Closed meanwhile.
    return false
  }
}

function blocksOf(path: string): number {
  try {
    return statSync(path).blocks
  } catch {
    return 0
  }
}

function threadCount(): number | null {
  try {
    const found = /^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    return found === null ? null : Number(found[1])
  } catch {
    return null
  }
}
