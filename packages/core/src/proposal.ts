/** Why proposals are refused, each by its number on the wire: never reuse one. */
export const PROPOSAL_REFUSALS = ['NOT_LEADER', 'BUSY', 'NO_SPACE'] as const

/**
 * Why a proposal would be refused now.
 * - `BUSY`: too much is under way, or leadership is being handed over
 * - `NO_SPACE`: the leader's disk is full
 */
export type ProposalRefusal = (typeof PROPOSAL_REFUSALS)[number]

/** A forwarded proposal that the leader did not take. It was looked at once, and is in nobody's log. */
export interface RefusedProposal {
  /** The number that `propose` gave, without its sign. */
  readonly id: number
  readonly refusal: ProposalRefusal
}
