import type { Ledger } from './ledger.ts'
import type { Oracle } from './oracle.ts'
import type { NodeView } from './world-view.ts'

/** What is asked of a world whose losses are counted. */
export interface LossView {
  readonly nodes: readonly NodeView[]
  readonly ledger: Ledger
  readonly oracle: Oracle
}

/**
 * How many writes of the kv were acknowledged and are gone: they stand in entries that were committed, and that whoever leads in
 * the latest term does not have. Everybody else will do as that leader says. 0 while nobody leads.
 */
export function acknowledgedLost({ nodes, ledger, oracle }: LossView): number {
  let latest: NodeView | undefined
  for (const node of nodes) {
    const { role, term = 0 } = node.life?.core ?? {}
    if (role === 'leader' && term > (latest?.life?.core.term ?? 0)) latest = node
  }
  if (latest === undefined) return 0
  const { seen } = latest.disk.log
  let lost = 0
  for (let index = seen.base.index + 1; index <= ledger.commitIndex; index++) {
    const isThere = seen.termAt(index) === ledger.at(index)?.entry.term
    if (!isThere) lost += oracle.acknowledgedAt(index)
  }
  return lost
}
