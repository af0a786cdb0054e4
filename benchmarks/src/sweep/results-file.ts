/**
 * Finished runs, one line of JSON each, appended as soon as each is done: what an interruption leaves is what was measured.
 * A line that was torn by it is skipped, and ended before the next is written. So is a run on a cluster that came to no
 * check: nobody knows whether it lost commands, and nobody can look any more.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { invalidOption } from '@troupe/core'
import { makeDirectory } from '@troupe/store'
import type { SweepSettings } from './axes.ts'
import type { MeasuringSettings, Origin } from './origin.ts'
import type { SweepRun } from './run.ts'

/** A line: a run, or what the check at the end of its cluster said. */
export type ResultLine =
  | {
      readonly kind: 'run'
      readonly key: string
      /** Of the cluster that it ran on. */
      readonly cluster: string
      readonly date: string
      readonly origin: Origin
      readonly measuring: MeasuringSettings
      readonly settings: SweepSettings
      readonly result: SweepRun
    }
  | { readonly kind: 'check'; readonly cluster: string; readonly verdict: 'pass' | 'fail' | 'unknown' }

/** A run that is in the file. */
export interface KeptRun {
  readonly settings: SweepSettings
  readonly result: SweepRun
  readonly cluster: string
}

export class ResultsFile {
  readonly path: string
  readonly #runs = new Map<string, KeptRun[]>()
  readonly #verdicts = new Map<string, string>()

  /**
   * @param isFresh begins an empty file
   * @throws RaftError INVALID_OPTIONS where the file cannot be read or written
   */
  constructor(path: string, { isFresh = false } = {}) {
    this.path = path
    try {
      makeDirectory(dirname(path))
      if (isFresh) writeFileSync(path, '')
      const text = readOrNothing(path)
      for (const line of text.split('\n')) this.#take(parsed(line))
      this.#forgetUnchecked()
      // Also tells before the first run whether it can be written.
      appendFileSync(path, text === '' || text.endsWith('\n') ? '' : '\n')
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      throw invalidOption('--results', path, `a file that can be written (${code})`)
    }
  }

  runsOf(key: string): readonly KeptRun[] {
    return this.#runs.get(key) ?? []
  }

  /** What was found on the cluster of a run; undefined where the sweep was interrupted before. */
  verdictOf(cluster: string): string | undefined {
    return this.#verdicts.get(cluster)
  }

  /** Whether there are runs on this cluster. */
  hasRuns(cluster: string): boolean {
    return [...this.#runs.values()].some((runs) => runs.some((run) => run.cluster === cluster))
  }

  append(line: ResultLine): void {
    appendFileSync(this.path, `${JSON.stringify(line)}\n`)
    this.#take(line)
  }

  #forgetUnchecked(): void {
    for (const [key, runs] of this.#runs) {
      const checked = runs.filter(({ cluster }) => this.#verdicts.has(cluster))
      if (checked.length > 0) this.#runs.set(key, checked)
      else this.#runs.delete(key)
    }
  }

  #take(line: ResultLine | undefined): void {
    if (line === undefined) return
    if (line.kind === 'check') {
      this.#verdicts.set(line.cluster, line.verdict)
      return
    }
    const { key, settings, result, cluster } = line
    const runs = this.#runs.get(key) ?? []
    runs.push({ settings, result, cluster })
    this.#runs.set(key, runs)
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function parsed(line: string): ResultLine | undefined {
  try {
    const value = JSON.parse(line) as Partial<ResultLine>
    return value.kind === 'run' || value.kind === 'check' ? (value as ResultLine) : undefined
  } catch {
    return undefined
  }
}
