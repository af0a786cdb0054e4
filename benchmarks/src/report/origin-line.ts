/** Where and of what a figure was taken, in one line: it stands below every page. */
import type { Environment } from '../environment.ts'

/** `2026-01-31 12:00 UTC · 16 × AMD EPYC · Node v26 · ext4 · flush-before-ack · commit 0123456789ab`; empty without one. */
export function originLine(environment: Environment | null): string {
  if (environment === null) return ''
  const { date, cpuCount, cpuModel, nodeVersion, fileSystem, durability, gitCommit } = environment
  const parts = [
    `${date.slice(0, 16).replace('T', ' ')} UTC`,
    `${cpuCount} × ${cpuModel}`,
    `Node ${nodeVersion}`,
    fileSystem?.type ?? 'no disk',
    durability,
    `commit ${gitCommit ?? 'unknown'}`,
  ]
  return parts.join(' · ')
}
