import { incarnationIn } from './configuration.ts'
import { hasQuorum } from './quorum.ts'
import type { Configuration, NodeId } from './types.ts'

/** The votes of one election or pre-election. Each voter counts once (Raft §5.2), and only the incarnation that is one. */
export class Campaign {
  /** The term campaigned for: in a pre-vote one above the current term. */
  readonly term: number
  /** The persist token after which the candidate's own vote counts; 0 for a pre-vote, which promises nothing. */
  readonly selfVoteToken: number
  /** The leader itself has asked for it (thesis §3.10). */
  readonly isTransfer: boolean
  /** When those that have not answered are asked again. */
  askDueMs = Number.POSITIVE_INFINITY
  readonly #configuration: Configuration
  readonly #votes = new Map<NodeId, boolean>()

  constructor(configuration: Configuration, term: number, selfVoteToken: number, isTransfer = false) {
    this.#configuration = configuration
    this.term = term
    this.selfVoteToken = selfVoteToken
    this.isTransfer = isTransfer
  }

  /** Who has voted, and how. */
  get votes(): ReadonlyMap<NodeId, boolean> {
    return this.#votes
  }

  /** A refusal may be followed by a grant (the voter has lost its leader meanwhile), never the other way round. */
  record(id: NodeId, incarnation: number, granted: boolean): void {
    if (incarnationIn(this.#configuration, id) !== incarnation) return
    if (granted || !this.#votes.has(id)) this.#votes.set(id, granted)
  }

  get isWon(): boolean {
    return hasQuorum(this.#configuration, (id) => this.#votes.get(id) === true)
  }

  /** Whether it cannot be won any more, if those that are `gone` do not answer. */
  isLost(gone: ReadonlySet<NodeId>): boolean {
    return !hasQuorum(this.#configuration, (id) => this.#votes.get(id) ?? !gone.has(id))
  }
}
