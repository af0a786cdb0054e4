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

/** The numbers of the voters seen so far, falling: kept from call to call, for this runs with every acknowledgement. */
const falling: number[] = []

function majorityIndex(voters: readonly Member[], reached: (id: NodeId) => number): number {
  if (voters.length === 0) return 0
  let count = 0
  for (const { id } of voters) {
    const index = reached(id)
    let place = count++
    for (; place > 0 && (falling[place - 1] as number) < index; place--)
      falling[place] = falling[place - 1] as number
    falling[place] = index
  }
  return falling[majority(voters) - 1] as number
}
