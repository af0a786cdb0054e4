import { type Configuration, decodeConfiguration, type Entry, EntryKind, entryPayload } from '@troupe/core'
import type { Ledger } from './ledger.ts'
import type { LogContent } from './log-content.ts'

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
    return this.#find(index, ledger.at(index)?.entry.term)
  }

  /** The one in effect for whoever has this log: the latest in it, committed or not. */
  latestIn(content: LogContent, ledger: Ledger): Configuration {
    const last = content.entries.at(-1) ?? ledger.at(content.base.index)?.entry
    const index = last?.configurationIndex ?? 0
    // What is compacted is committed.
    return this.#find(index, content.at(index)?.term ?? ledger.at(index)?.entry.term)
  }

  #find(index: number, term: number | undefined): Configuration {
    const found = this.#appended.find((one) => one.index === index && one.term === term)
    return found?.configuration ?? this.#bootstrap
  }

  /** That one, and all that were appended anywhere and may still be committed. */
  live(ledger: Ledger): Configuration[] {
    const later = this.#appended.filter(({ index }) => index > ledger.commitIndex)
    return [this.committed(ledger), ...later.map(({ configuration }) => configuration)]
  }
}
