/** What a follower asks of the leader on behalf of its own clients: indexes for reads (thesis §6.4), and proposals. */
import { invariant } from './errors.ts'
import type { ProposalRefused, ReadIndexReply } from './message.ts'
import type { Replica } from './replica.ts'

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
  #proposalsRefused: number[] = []

  constructor(replica: Replica) {
    this.#replica = replica
  }

  takeProposalsRefused(): readonly number[] {
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
    replica.reply({ kind: 'proposal', ...replica.to(leader), id, commandCount, payload })
    return id
  }

  handleRefusal(message: ProposalRefused): void {
    this.#proposalsRefused.push(message.id)
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
