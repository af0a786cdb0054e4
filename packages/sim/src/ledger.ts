import type { Entry } from '@troupe/core'
import { demand } from './contract.ts'
import type { LogContent } from './log-content.ts'

/** A committed entry, as the first node that committed it had it. */
export interface CommittedEntry {
  readonly entry: Entry
  readonly checksum: number
  /** Term of the leader that committed it. */
  readonly inTerm: number
}

/** The part of a node that the ledger reads. */
export interface LedgerNode {
  readonly id: string
  readonly index: number
  readonly boot: number
  readonly disk: { readonly log: { readonly seen: LogContent } }
  readonly life: { readonly core: CommitView } | undefined
}

interface CommitView {
  readonly role: string
  readonly term: number
  readonly commitIndex: number
}

interface Seen {
  boot: number
  commit: number
  /** The latest term that it was seen to lead in; 0 for none. */
  ledTerm: number
}

/** The checksum that an entry's record begins with. */
export function checksumOf({ record }: Entry): number {
  const [a = 0, b = 0, c = 0, d = 0] = record
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
}

/** What was committed anywhere, by index, from what leaders are seen to commit. Nothing is ever taken back. */
export class Ledger {
  /** Entry `i` has index `i + 1`. */
  readonly committed: CommittedEntry[] = []
  readonly #seen: Seen[] = []

  /** Highest index committed anywhere. */
  get commitIndex(): number {
    return this.committed.length
  }

  /** The committed entry at `index`. */
  at(index: number): CommittedEntry | undefined {
    return this.committed[index - 1]
  }

  /** The latest term that this life of a node was seen to lead in; 0 for none. */
  ledTerm(node: LedgerNode): number {
    return this.#of(node).ledTerm
  }

  #of(node: LedgerNode): Seen {
    let seen = this.#seen[node.index]
    if (seen === undefined || seen.boot !== node.boot) {
      seen = { boot: node.boot, commit: 0, ledTerm: 0 }
      this.#seen[node.index] = seen
    }
    return seen
  }

  /** Takes note of what `node` has committed since it was looked at last. Returns whether anything was new to all. */
  follow(node: LedgerNode): boolean {
    const core = node.life?.core
    if (core === undefined) return false
    const seen = this.#of(node)
    if (core.role === 'leader') seen.ledTerm = core.term
    if (core.commitIndex === seen.commit) return false
    const { seen: log } = node.disk.log
    const before = this.committed.length
    for (let index = Math.max(seen.commit, log.base.index) + 1; index <= core.commitIndex; index++) {
      this.#commit(node, seen, index, log.at(index))
    }
    seen.commit = core.commitIndex
    return this.committed.length > before
  }

  #commit(node: LedgerNode, seen: Seen, index: number, entry: Entry | undefined): void {
    const known = this.committed[index - 1]
    if (known !== undefined) {
      const isSame = entry?.term === known.entry.term && checksumOf(entry) === known.checksum
      demand(isSame, 'committed never changes', () => {
        return `${node.id} commits ${index} of term ${entry?.term}; committed before: term ${known.entry.term}`
      })
      return
    }
    demand(
      entry !== undefined,
      'committed on a quorum',
      () => `${node.id} commits ${index}, which it has not`,
    )
    const isNext = index === this.committed.length + 1
    demand(isNext, 'committed on a quorum', () => `${index} is committed, ${index - 1} never was`)
    demand(seen.ledTerm > 0, 'committed on a quorum', () => {
      return `${node.id} is the first to commit ${index}, and has never led`
    })
    this.committed.push({ entry, checksum: checksumOf(entry), inTerm: seen.ledTerm })
  }
}
