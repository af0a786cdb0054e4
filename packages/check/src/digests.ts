/** Whether replicas that applied the same commands hold the same state. */
import type { Verdict } from './verdict.ts'

/** What a replica says of its state after it has applied everything up to an index. */
export interface ReplicaDigest {
  readonly node: string | number
  /** Index of the last entry applied. */
  readonly applied: number
  /** The same exactly if the states are. */
  readonly digest: string | number
}

/** Replicas that applied up to the same index and differ. */
export interface Divergence {
  readonly applied: number
  /** Who holds which state: the most common first. */
  readonly groups: readonly {
    readonly digest: string | number
    readonly nodes: readonly (string | number)[]
  }[]
  /** Who differs from the majority; all of them where no state has one. */
  readonly differing: readonly (string | number)[]
}

/** What a comparison came to. */
export interface DigestResult {
  /**
   * `fail` when replicas differ at the same index; `pass` when all of them are equal at the highest index; `unknown`
   * when some have not come that far, or there are none.
   */
  readonly verdict: Verdict
  /** By index, lowest first: where the replicas parted. */
  readonly divergences: readonly Divergence[]
  /** Nodes without a digest at the highest index. */
  readonly behind: readonly (string | number)[]
}

/** Compares digests of replicas, of one index or of many: those of the same index must be the same. */
export function compareDigests(digests: Iterable<ReplicaDigest>): DigestResult {
  const all = Array.from(digests)
  const byIndex = Map.groupBy(all, ({ applied }) => applied)
  const indexes = Array.from(byIndex.keys()).sort((left, right) => left - right)
  const divergences = indexes.flatMap((applied) => divergenceAt(applied, byIndex.get(applied) ?? []))
  const highest = indexes.at(-1)
  const arrived = new Set(all.filter(({ applied }) => applied === highest).map(({ node }) => node))
  const behind = Array.from(new Set(all.map(({ node }) => node))).filter((node) => !arrived.has(node))
  const isShown = all.length > 0 && behind.length === 0
  return { verdict: divergences.length > 0 ? 'fail' : isShown ? 'pass' : 'unknown', divergences, behind }
}

function divergenceAt(applied: number, digests: readonly ReplicaDigest[]): Divergence[] {
  const byDigest = Map.groupBy(digests, ({ digest }) => digest)
  if (byDigest.size < 2) return []
  const nodesOf = (group: readonly ReplicaDigest[]): (string | number)[] =>
    Array.from(new Set(group.map(({ node }) => node)))
  const groups = Array.from(byDigest, ([digest, group]) => ({ digest, nodes: nodesOf(group) }))
  groups.sort((left, right) => right.nodes.length - left.nodes.length)
  const nodes = nodesOf(digests)
  const majority = groups.find((group) => group.nodes.length > nodes.length / 2)
  // A node with two states at one index differs even where one of them is the majority's.
  const others = new Set(groups.filter((group) => group !== majority).flatMap((group) => group.nodes))
  return [{ applied, groups, differing: nodes.filter((node) => others.has(node)) }]
}
