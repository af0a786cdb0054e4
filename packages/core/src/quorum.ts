/** Majorities over a configuration. The one place that joint configurations will extend. */
import type { Configuration, NodeId } from './types.ts'

/** The smallest number of voters that is a majority. */
export function majority(configuration: Configuration): number {
  return Math.floor(configuration.voters.length / 2) + 1
}

/** Whether `id` votes in this configuration. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.some((voter) => voter.id === id)
}

/** Whether the voters for which `agrees` holds are a majority. */
export function hasQuorum(configuration: Configuration, agrees: (id: NodeId) => boolean): boolean {
  let count = 0
  for (const voter of configuration.voters) if (agrees(voter.id)) count++
  return count >= majority(configuration)
}

/** The highest number that a majority of voters has reached (Raft §5.3: the commit index by match indexes). */
export function quorumIndex(configuration: Configuration, reached: (id: NodeId) => number): number {
  const indexes = configuration.voters.map((voter) => reached(voter.id))
  if (indexes.length === 0) return 0
  indexes.sort((left, right) => right - left)
  return indexes[majority(configuration) - 1] as number
}
