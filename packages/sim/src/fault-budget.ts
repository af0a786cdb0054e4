import { type Configuration, incarnationIn, isVoter, type Member } from '@troupe/core'
import type { LogContent } from './log-content.ts'
import type { NodeView, WorldView } from './world-view.ts'

/** What the budget asks of its world, beside what invariants see. */
export interface BudgetView extends WorldView {
  /** The configuration that was committed last, and all that were appended anywhere since. */
  readonly liveConfigurations: readonly Configuration[]
  /** The one in effect for whoever has this log. */
  configurationOf(content: LogContent): Configuration
}

/**
 * Whether the cluster can lose what is on a node's disk and still know everything it has agreed on (as TigerBeetle's
 * cluster fault atlas decides it): in each configuration that may be in effect, without that node a majority of intact
 * voters is left, and no majority is without a voter that holds all that is committed. And one of the others can lead.
 */
export function mayLose(world: BudgetView, lost: NodeView): boolean {
  // A log that was rolled back votes as if it had never been longer: until it is whole nothing else may go.
  if (world.nodes.some((node) => node !== lost && node.disk.log.isRolledBack)) return false
  const isKept = world.liveConfigurations.every(({ voters, outgoing }) =>
    [voters, outgoing].every((half) => half.length === 0 || halfMayLose(world, half, lost)),
  )
  return isKept && canElect(world, lost)
}

/**
 * Whether the log of a node may be rolled back behind its back. Unlike a lost one it goes on to vote, and the leader goes on
 * to count what it has acknowledged: so everything that it loses, committed or not, must be on a majority of others, in each
 * configuration that may be in effect, and all of them must be whole.
 */
export function mayRollBack(world: BudgetView, node: NodeView): boolean {
  const { lastIndex } = node.disk.log.flushed
  const term = node.disk.log.flushed.termAt(lastIndex)
  const holds = (member: Member): boolean => {
    const flushed = member.id === node.id ? undefined : intactNode(world, member)?.disk.log.flushed
    if (flushed === undefined) return false
    return flushed.base.index >= lastIndex || flushed.termAt(lastIndex) === term
  }
  if (!node.disk.isWhole) return false
  return world.liveConfigurations.every(({ voters, outgoing }) =>
    [voters, outgoing].every((half) => half.length === 0 || half.filter(holds).length * 2 > half.length),
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

/**
 * Whether the others can elect one of themselves. An intact majority of every configuration does not suffice: whoever has an
 * uncommitted one asks its voters alone, and one that is to become a voter, but does not know it, refuses a shorter log and
 * does not ask for votes itself (thesis §4.1). With all voters there another one wins; without one of them nobody may.
 */
function canElect(world: BudgetView, lost: NodeView): boolean {
  const others = world.nodes.filter(({ id, disk }) => id !== lost.id && disk.isWhole)
  return others.some((candidate) => wouldWin(world, candidate, others, lost))
}

function wouldWin(
  world: BudgetView,
  candidate: NodeView,
  others: readonly NodeView[],
  lost: NodeView,
): boolean {
  const own = contentOf(candidate)
  const configuration = world.configurationOf(own)
  if (!isVoterIn(configuration, candidate)) return false
  const wouldVote = (voter: NodeView): boolean => {
    if (isAhead(contentOf(voter), own)) return false
    // What it lacks of the lost one's log may be on its way to it: then it has to be a candidate itself.
    return !isAhead(contentOf(lost), own) || isVoterIn(world.configurationOf(contentOf(lost)), voter)
  }
  return [configuration.voters, configuration.outgoing].every((half) => {
    const votes = half.filter((member) => others.some((node) => isSame(node, member) && wouldVote(node)))
    return half.length === 0 || votes.length * 2 > half.length
  })
}

const contentOf = ({ disk }: NodeView): LogContent => disk.log.flushed

const isSame = (node: NodeView, { id, incarnation }: Member): boolean =>
  node.id === id && node.incarnation === incarnation

const isVoterIn = (configuration: Configuration, { id, incarnation }: NodeView): boolean =>
  isVoter(configuration, id) && incarnationIn(configuration, id) === incarnation

/** Raft §5.4.1: whether the end of `left` is later than the end of `right`. */
function isAhead(left: LogContent, right: LogContent): boolean {
  const [leftTerm, rightTerm] = [left, right].map((log) => log.termAt(log.lastIndex) ?? 0) as [number, number]
  return leftTerm === rightTerm ? left.lastIndex > right.lastIndex : leftTerm > rightTerm
}
