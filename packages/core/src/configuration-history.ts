/**
 * The configurations along the log, so that truncation brings back the one before (Raft §6: a server uses the
 * latest configuration in its log, committed or not). The first one is the snapshot's, or the bootstrap's.
 */
import { decodeConfiguration } from './configuration.ts'
import { type Entry, entryPayload } from './entry.ts'
import { invariant } from './errors.ts'
import type { Configuration } from './types.ts'

interface Step {
  readonly index: number
  readonly configuration: Configuration
}

export class ConfigurationHistory {
  /** By rising index, never empty. */
  #steps: Step[]

  constructor(index: number, configuration: Configuration) {
    this.#steps = [{ index, configuration }]
  }

  /** The one in effect. */
  get latest(): Configuration {
    return (this.#steps.at(-1) as Step).configuration
  }

  /** The one before, as far as it is known: committed, for changes go one at a time. */
  get previous(): Configuration {
    return (this.#steps.at(-2) ?? (this.#steps.at(-1) as Step)).configuration
  }

  /** The index of the entry that brought it; 0 for the bootstrap's. */
  get latestIndex(): number {
    return (this.#steps.at(-1) as Step).index
  }

  /** The one in effect at `index`, which is not before the first step. */
  at(index: number): Step {
    const step = this.#steps.findLast((candidate) => candidate.index <= index)
    invariant(step !== undefined, `the configuration at ${index} is not known`)
    return step
  }

  /** An entry was appended; one that is there already is no news. */
  add(entry: Entry): void {
    if (entry.index <= this.latestIndex) return
    const configuration = decodeConfiguration(entryPayload(entry))
    invariant(configuration !== undefined, `entry ${entry.index} holds no configuration`)
    this.#steps.push({ index: entry.index, configuration })
  }

  truncateFrom(index: number): void {
    while (this.#steps.length > 1 && this.latestIndex >= index) this.#steps.pop()
  }

  /** Everything behind the first step is as these entries say. */
  refill(entries: readonly Entry[]): void {
    this.#steps.length = 1
    for (const entry of entries) this.add(entry)
  }

  /** A log that begins anew with this configuration. */
  restart(index: number, configuration: Configuration): void {
    this.#steps = [{ index, configuration }]
  }

  /** A snapshot knows the configuration at `index`: nothing before it matters any more. */
  startFrom(index: number, configuration: Configuration): void {
    const later = this.#steps.filter((step) => step.index > index)
    this.#steps = [{ index, configuration }, ...later]
  }
}
