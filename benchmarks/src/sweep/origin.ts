/** Where a figure comes from: figures of another engine or another machine are no results of this sweep. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { Environment } from '../environment.ts'
import type { SweepSettings } from './axes.ts'

export interface Origin {
  /** Of the engine's sources: the commit, and what differs from it; null outside a git checkout. */
  readonly engine: string | null
  readonly machine: string
}

/** How points are measured: figures that were measured otherwise are other figures. */
export interface MeasuringSettings {
  readonly durability: string
  readonly seconds: number
  readonly warmupSeconds: number
  readonly keys: number
  readonly seed: number
  /** Whether the nodes' ports are decorated, so that faults can be injected: it costs a little. */
  readonly hasFaults: boolean
  /** Who runs the nodes; missing for worker threads. */
  readonly engine?: string
}

export const hashOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

/** @param environment where the sweep runs */
export function originOf(environment: Environment): Origin {
  const { date: _date, gitCommit, durability: _durability, fileSystem, ...machine } = environment
  const disk = fileSystem === null ? null : { type: fileSystem.type, durable: fileSystem.durable }
  return { engine: engineOf(gitCommit), machine: hashOf({ ...machine, disk }) }
}

/** Names a measurement: the same for the same point, measured in the same way, by the same engine on the same machine. */
export function pointKey(settings: SweepSettings, measuring: MeasuringSettings, origin: Origin): string {
  return hashOf([settings, measuring, origin])
}

/** A working tree that differs from its commit is another engine for each difference. */
function engineOf(commit: string | null): string | null {
  if (commit === null || !commit.endsWith('-dirty')) return commit
  const sources = ['--', '../../../packages', '../../../benchmarks']
  const changed = git('diff', 'HEAD', '--binary', ...sources)
  const added = git('ls-files', '--others', '--exclude-standard', ...sources)
    .split('\n')
    .filter((path) => path !== '')
    .map((path) => git('hash-object', path))
  return `${commit}-${hashOf([changed, added])}`
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}
