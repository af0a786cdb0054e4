/**
 * What a follower asks of the leader on behalf of its own clients: indexes for reads (thesis §6.4), and proposals.
 *
 * A refusal proves that a proposal is in no log. So one is for the very start of the leader that was heard, which looks
 * at it once at most: what comes again, or after a later one, is dropped.
 */
import { invariant } from './errors.ts'
import type { Proposal, ProposalRefused, ReadIndexReply } from './message.ts'
import type { RefusedProposal } from './proposal.ts'
import type { Replica } from './replica.ts'

/** Starts of peers whose proposals are remembered: what an earlier one has sent no longer arrives. */
const MAX_STARTS = 64

interface AskedReads {
  readonly reads: readonly number[]
  readonly sinceMs: number
}

export class Forwarding {
  readonly #replica: Replica
  #lastId = 0
  #waiting: number[] = []
  /** By the number of the request that asks for them. */
  readonly #asked = new Map<number, AskedReads>()
  #proposalsRefused: RefusedProposal[] = []
  /** The latest proposal of each start of a peer, the start that came last at the end. */
  readonly #seen = new Map<string, number>()

  constructor(replica: Replica) {
    this.#replica = replica
  }

  takeProposalsRefused(): readonly RefusedProposal[] {
    const refused = this.#proposalsRefused
    if (refused.length > 0) this.#proposalsRefused = []
    return refused
  }

  /** Hands a proposal to the leader. Returns its number. */
  propose(parts: readonly Uint8Array[], commandCount: number): number {
    const replica = this.#replica
    const { leader } = replica
    invariant(leader !== undefined, 'a proposal is forwarded, but there is no leader')
    const payload = new Uint8Array(parts.reduce((bytes, part) => bytes + part.byteLength, 0))
    let offset = 0
    for (const part of parts) {
      payload.set(part, offset)
      offset += part.byteLength
    }
    const id = ++this.#lastId
    const { leaderBoot: toBoot } = replica
    replica.reply({ kind: 'proposal', ...replica.to(leader), toBoot, id, commandCount, payload })
    return id
  }

  handleRefusal({ id, refusal }: ProposalRefused): void {
    this.#proposalsRefused.push({ id, refusal })
  }

  /** Whether neither this proposal of a follower nor a later one has come before. */
  isFirst({ from, fromBoot, id }: Proposal): boolean {
    const seen = this.#seen
    const start = `${from} ${fromBoot}`
    const latest = seen.get(start)
    if (latest !== undefined && latest >= id) return false
    seen.set(start, id)
    const [oldest] = seen.keys()
    if (seen.size > MAX_STARTS && oldest !== undefined) seen.delete(oldest)
    return true
  }

  read(id: number): void {
    if (this.#replica.leader === undefined) this.#replica.readsRefused.push(id)
    else this.#waiting.push(id)
  }

  /** One request for all reads of a drain. */
  ask(): void {
    if (this.#waiting.length === 0) return
    const replica = this.#replica
    const reads = this.#waiting
    this.#waiting = []
    const { leader, self } = replica
    if (leader === undefined || leader === self) {
      replica.readsRefused.push(...reads)
      return
    }
    const id = ++this.#lastId
    this.#asked.set(id, { reads, sinceMs: replica.nowMs })
    replica.reply({ kind: 'readIndexRequest', ...replica.to(leader), id })
  }

  /** Whoever answered was confirmed as leader after it was asked: its term does not matter. */
  handleReply(message: ReadIndexReply): void {
    const asked = this.#asked.get(message.id)
    if (asked === undefined) return
    this.#asked.delete(message.id)
    const { index } = message
    if (index === 0) this.#replica.readsRefused.push(...asked.reads)
    else for (const id of asked.reads) this.#replica.reads.push({ id, index })
  }

  /** A question or an answer can be lost: what waits for too long is refused, and asked again by the client. */
  tick(): void {
    if (this.#asked.size === 0) return
    const replica = this.#replica
    for (const [id, { reads, sinceMs }] of this.#asked) {
      if (replica.nowMs - sinceMs < replica.options.electionTimeoutMaxMs) return
      this.#asked.delete(id)
      replica.readsRefused.push(...reads)
    }
  }
}
