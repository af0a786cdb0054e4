import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

export interface FileSystem {
  /** As the kernel names it: `ext4`, `xfs`, `tmpfs`, ...; `unknown` where that cannot be told. */
  readonly type: string
  /** False where a flush means nothing, because the files live in memory. */
  readonly durable: boolean
}

const IN_MEMORY = new Set(['tmpfs', 'ramfs', 'devtmpfs'])

/**
 * Tells on what kind of file system `path` is, or would be once it is created. On systems other than Linux
 * the type is `unknown` and counts as durable. Never throws.
 */
export function describeFileSystem(path: string): FileSystem {
  try {
    const type = typeOfMount(realpathSync(nearestExisting(resolve(path)))) ?? 'unknown'
    return { type, durable: !IN_MEMORY.has(type) }
  } catch {
    return { type: 'unknown', durable: true }
  }
}

function nearestExisting(path: string): string {
  let existing = path
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing)
  return existing
}

/**
 * The mount with the longest mount point above `path`; of several on one point the last one covers the
 * others.
 */
function typeOfMount(path: string): string | undefined {
  let best = ''
  let type: string | undefined
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount = '', source = ''] = line.split(' - ')
    const point = decodeOctal(mount.split(' ')[4] ?? '')
    if (point === '' || point.length < best.length || !isAbove(point, path)) continue
    best = point
    type = source.split(' ')[0]
  }
  return type
}

const isAbove = (point: string, path: string): boolean =>
  point === '/' || path === point || path.startsWith(`${point}/`)

/** mountinfo writes space, tab, newline and backslash in octal. */
const decodeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
