/** What a cluster's directory takes on the disk, by the parts of its nodes. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type DiskPart = 'log' | 'segments' | 'snapshots' | 'machine'

const PARTS: readonly string[] = ['log', 'segments', 'snapshots', 'machine'] satisfies DiskPart[]

/** Of all nodes together, in blocks: files of LMDB have holes. */
export function diskUse(directory: string): Readonly<Partial<Record<DiskPart, number>>> {
  const sums: Partial<Record<DiskPart, number>> = {}
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false })
    const [, part = ''] = name.split('/')
    if (stat?.isFile() !== true || !PARTS.includes(part)) continue
    sums[part as DiskPart] = (sums[part as DiskPart] ?? 0) + stat.blocks * 512
  }
  return sums
}

export const sumOf = (use: ReturnType<typeof diskUse>): number =>
  Object.values(use).reduce((sum, bytes) => sum + bytes, 0)

export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`

/** One line. */
export const diskText = (use: ReturnType<typeof diskUse>): string =>
  Object.entries(use)
    .map(([part, bytes]) => `${part} ${mebibytes(bytes)}`)
    .join(', ')
