import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '@troupe/store'
import { checkRequest, type FaultRequest } from './fault-parts.ts'

const FILE = 'faults.json'

/** A fault that is not over, with its end by the time of day: a restart has no other clock in common with its past. */
interface Kept extends FaultRequest {
  readonly untilMs: number
}

/**
 * The faults of a process that lasts longer than it: in the node's directory, so that they are on again when it comes back, and
 * over when their time is. What cannot be read is as good as nothing.
 */
export class KeptFaults {
  readonly #file: string
  readonly #nowMs: () => number

  /** @param nowMs the time of day */
  constructor(directory: string, nowMs: () => number = Date.now) {
    this.#file = join(directory, FILE)
    this.#nowMs = nowMs
  }

  /** Those that are not over, each with the time that is left. */
  read(): readonly FaultRequest[] {
    if (!existsSync(this.#file)) return []
    try {
      const found = JSON.parse(readFileSync(this.#file, 'utf8')) as readonly Kept[]
      return found.flatMap((kept) => this.#left(kept))
    } catch {
      return []
    }
  }

  write(faults: readonly { readonly request: FaultRequest; readonly leftMs: number }[]): void {
    if (faults.length === 0) return rmSync(this.#file, { force: true })
    const nowMs = this.#nowMs()
    const kept = faults.map(({ request, leftMs }): Kept => ({ ...request, untilMs: nowMs + leftMs }))
    writeFileAtomic(this.#file, `${JSON.stringify(kept)}\n`)
  }

  /** Takes out what is over, for a node that does not run. */
  drop(ids: readonly string[]): void {
    const left = this.read().filter(({ id }) => !ids.includes(id))
    this.write(left.map((request) => ({ request, leftMs: request.forMs })))
  }

  /** The clock may have been set meanwhile: nothing lasts longer than it was to. */
  #left({ untilMs, ...request }: Kept): FaultRequest[] {
    const leftMs = Math.min(untilMs - this.#nowMs(), request.forMs)
    return leftMs >= 1 ? [checkRequest({ ...request, forMs: leftMs })] : []
  }
}
