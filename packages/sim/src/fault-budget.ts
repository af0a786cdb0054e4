import type { Configuration, Member } from '@troupe/core'
import type { NodeView, WorldView } from './world-view.ts'

/** What the budget asks of its world, beside what invariants see. */
export interface BudgetView extends WorldView {
  /** The configuration that was committed last, and all that were appended anywhere since. */
  readonly liveConfigurations: readonly Configuration[]
}

/**
 * Whether the cluster can lose what is on a node's disk and still know everything it has agreed on (as TigerBeetle's
 * cluster fault atlas decides it): in each configuration that may be in effect, without that node a majority of intact
 * voters is left, and no majority is without a voter that holds all that is committed.
 */
export function mayLose(world: BudgetView, lost: NodeView): boolean {
  return world.liveConfigurations.every(({ voters, outgoing }) =>
    [voters, outgoing].every((half) => half.length === 0 || halfMayLose(world, half, lost)),
  )
}

function halfMayLose(world: BudgetView, half: readonly Member[], lost: NodeView): boolean {
  const isVoter = half.some(({ id, incarnation }) => id === lost.id && incarnation === lost.incarnation)
  if (!isVoter) return true
  const rest = half.filter(({ id }) => id !== lost.id).map((member) => intactNode(world, member))
  const intact = rest.filter((node) => node !== undefined)
  if (intact.length * 2 <= half.length) return false
  const lacking = intact.filter((node) => !holdsAll(world, node))
  return lacking.length * 2 <= half.length
}

/** The node that is this member, where its directory is what it was. */
function intactNode(world: WorldView, { id, incarnation }: Member): NodeView | undefined {
  const node = world.nodes.find((candidate) => candidate.id === id)
  if (node === undefined || node.incarnation !== incarnation) return undefined
  return node.disk.isWhole ? node : undefined
}

function holdsAll({ ledger }: WorldView, { disk }: NodeView): boolean {
  const { commitIndex } = ledger
  const { flushed } = disk.log
  if (commitIndex <= flushed.base.index) return true
  return flushed.termAt(commitIndex) === ledger.at(commitIndex)?.entry.term
}
