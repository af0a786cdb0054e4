import { type Configuration, decodeConfiguration, type Entry, EntryKind, entryPayload } from '@troupe/core'
import type { Ledger } from './ledger.ts'

interface Appended {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

/** The configurations that were appended anywhere: which of them may be in effect. */
export class Configurations {
  readonly #bootstrap: Configuration
  readonly #appended: Appended[] = []

  constructor(bootstrap: Configuration) {
    this.#bootstrap = bootstrap
  }

  /** An entry was handed to a store. */
  note(entry: Entry): void {
    if (entry.kind !== EntryKind.configuration) return
    const { index, term } = entry
    if (this.#appended.some((other) => other.index === index && other.term === term)) return
    const configuration = decodeConfiguration(entryPayload(entry))
    if (configuration !== undefined) this.#appended.push({ index, term, configuration })
  }

  /** The one that was committed last. */
  committed(ledger: Ledger): Configuration {
    const index = ledger.at(ledger.commitIndex)?.entry.configurationIndex ?? 0
    if (index === 0) return this.#bootstrap
    const term = ledger.at(index)?.entry.term
    const found = this.#appended.find((one) => one.index === index && one.term === term)
    return found?.configuration ?? this.#bootstrap
  }

  /** That one, and all that were appended anywhere and may still be committed. */
  live(ledger: Ledger): Configuration[] {
    const later = this.#appended.filter(({ index }) => index > ledger.commitIndex)
    return [this.committed(ledger), ...later.map(({ configuration }) => configuration)]
  }
}
