/** Majorities over a configuration: of its voters and, while it is joint, of the outgoing ones too (Raft §6). */
import type { Configuration, Member, NodeId } from './types.ts'

/** The smallest number of `voters` that is a majority. */
export function majority(voters: readonly Member[]): number {
  return Math.floor(voters.length / 2) + 1
}

/** Whether the voters for which `agrees` holds are a majority; of both halves where there are two. */
export function hasQuorum({ voters, outgoing }: Configuration, agrees: (id: NodeId) => boolean): boolean {
  return hasMajority(voters, agrees) && (outgoing.length === 0 || hasMajority(outgoing, agrees))
}

function hasMajority(voters: readonly Member[], agrees: (id: NodeId) => boolean): boolean {
  let count = 0
  for (const voter of voters) if (agrees(voter.id)) count++
  return count >= majority(voters)
}

/** The highest number that a quorum has reached (Raft §5.3: the commit index by match indexes). 0 without voters. */
export function quorumIndex({ voters, outgoing }: Configuration, reached: (id: NodeId) => number): number {
  const index = majorityIndex(voters, reached)
  return outgoing.length === 0 ? index : Math.min(index, majorityIndex(outgoing, reached))
}

function majorityIndex(voters: readonly Member[], reached: (id: NodeId) => number): number {
  if (voters.length === 0) return 0
  const indexes = voters.map((voter) => reached(voter.id))
  indexes.sort((left, right) => right - left)
  return indexes[majority(voters) - 1] as number
}
