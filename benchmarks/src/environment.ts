/** Where a benchmark ran: without this, figures mean nothing. */
import { execFileSync } from 'node:child_process'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import type { Durability } from '@troupe/core'
import { describeFileSystem, type FileSystem } from '@troupe/store'

export interface Environment {
  readonly date: string
  readonly nodeVersion: string
  readonly platform: string
  readonly cpuModel: string
  readonly cpuCount: number
  readonly memoryBytes: number
  /** Where the logs were; null for durability `memory`. */
  readonly fileSystem: FileSystem | null
  readonly durability: Durability
  readonly uvThreadpoolSize: number
  /** Of the engine's sources; null outside a git checkout. */
  readonly gitCommit: string | null
}

const DEFAULT_THREADPOOL_SIZE = 4

/** @param directory where the logs are */
export function describeEnvironment(directory: string | undefined, durability: Durability): Environment {
  const processors = cpus()
  return {
    date: new Date().toISOString(),
    nodeVersion: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cpuModel: processors[0]?.model.trim() || 'unknown',
    cpuCount: processors.length,
    memoryBytes: totalmem(),
    fileSystem: directory === undefined ? null : describeFileSystem(directory),
    durability,
    uvThreadpoolSize: Number(process.env['UV_THREADPOOL_SIZE']) || DEFAULT_THREADPOOL_SIZE,
    gitCommit: gitCommit(),
  }
}

function gitCommit(): string | null {
  try {
    const described = execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return described.trim() || null
  } catch {
    return null
  }
}
