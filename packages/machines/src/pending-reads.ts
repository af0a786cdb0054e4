/**
 * A node's side of queries: from the frame to the answers, by the consistency that was asked for (thesis §6.4). A client asks
 * them in batches: one is granted, and answered, as a whole.
 *
 *     linearizable, follower ─► read index ... granted ─► applied ─► machine ─► answers
 *     lease ─► index of the lease ─► applied ─► machine ─► clock again: still held? ─► answers
 *                                                                       └─ no ─► as linearizable
 *     stale ─► machine ─► answers
 *                 └─ not yet ─► again after each entry, for a while
 */
import type { RaftHandle, ReadGrant } from '@troupe/core'
import { type AskedQueries, answersOf, type QueriesReply } from './answers.ts'
import type { ClientConnection } from './client-connection.ts'
import { type Codec, NOT_YET } from './machine.ts'
import { type ClientRequest, type Consistency, type NodeReply, ReplyKind } from './protocol.ts'
import type { ReplicatedMachine } from './replicated-machine.ts'

/** A batch of queries that has no answers yet. */
interface PendingRead extends AskedQueries {
  readonly connection: ClientConnection
  /** How it is going to be served: a lease read that found no lease becomes a linearizable one. */
  consistency: Consistency
  /** To be answered once this is applied. */
  index: number
  /** When the core was asked. */
  askedMs: number
}

/**
 * A read that was neither granted nor refused for so long is refused: the question to the leader, or its answer, may have been
 * lost, and the client has asked again.
 */
const MAX_WAIT_MS = 10_000

/** So long a query may wait for something to happen. Shorter than clients wait for an answer. */
const MAX_PARKED_MS = 5000

type Reply = (connection: ClientConnection, reply: NodeReply) => void

export class PendingReads {
  readonly #machine: ReplicatedMachine
  readonly #codec: Codec
  readonly #maxPendingReads: number
  readonly #nowMs: () => number
  readonly #reply: Reply
  /** Queries of all batches. */
  #size = 0
  /** Not yet asked for. */
  #fresh: PendingRead[] = []
  /** Asked of the core, by the number they were asked under. */
  readonly #asked = new Map<number, PendingRead>()
  /** Granted, by rising index. */
  #granted: PendingRead[] = []
  #leased: PendingRead[] = []
  /** What they ask for is not there yet. */
  #parked: PendingRead[] = []
  /** As of which entry they were asked. */
  #parkedIndex = 0
  #lastNumber = 0

  /** @param nowMs the clock that the node's turns are timed by */
  constructor(
    machine: ReplicatedMachine,
    codec: Codec,
    maxPendingReads: number,
    nowMs: () => number,
    reply: Reply,
  ) {
    this.#machine = machine
    this.#codec = codec
    this.#maxPendingReads = maxPendingReads
    this.#nowMs = nowMs
    this.#reply = reply
  }

  /** Queries that have no answer yet. */
  get size(): number {
    return this.#size
  }

  /** Whether there are reads that `gather` would ask for. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0
  }

  /** Takes a batch of queries. Stale ones are answered at once, where they are not all to wait for something. */
  add(connection: ClientConnection, [, id, consistency, count, queries]: ClientRequest): void {
    const read: PendingRead = { connection, id, consistency, count, queries, index: 0, askedMs: 0 }
    const reply = consistency === 'stale' ? this.#answersOf(read) : undefined
    if (reply !== undefined && !isToWait(reply)) return this.#reply(connection, withoutWaiting(reply))
    if (this.#size >= this.#maxPendingReads) this.#refuseForgotten(this.#nowMs())
    if (this.#size >= this.#maxPendingReads) {
      return this.#reply(connection, [ReplyKind.failed, id, 'BUSY', 'too many reads are under way'])
    }
    this.#size += count
    if (reply === undefined) this.#fresh.push(read)
    else this.#park(read)
  }

  #park(read: PendingRead): void {
    read.askedMs = this.#nowMs()
    this.#parked.push(read)
  }

  #answerParked(): void {
    const { appliedIndex } = this.#machine
    if (this.#parked.length === 0 || appliedIndex === this.#parkedIndex) return
    this.#parkedIndex = appliedIndex
    this.#parked = this.#parked.filter((read) => {
      const reply = this.#answersOf(read)
      if (isToWait(reply)) return true
      this.#answered(read, reply)
      return false
    })
  }

  /** Those that wait too long get nothing. The one that waits longest comes first. */
  #releaseParked(nowMs: number): void {
    while (this.#parked.length > 0 && nowMs - (this.#parked[0] as PendingRead).askedMs >= MAX_PARKED_MS) {
      const read = this.#parked.shift() as PendingRead
      this.#answered(read, this.#answersOf(read))
    }
  }

  forget(connection: ClientConnection): void {
    const isOther = (read: PendingRead): boolean => {
      if (read.connection !== connection) return true
      this.#size -= read.count
      return false
    }
    this.#fresh = this.#fresh.filter(isOther)
    this.#granted = this.#granted.filter(isOther)
    this.#leased = this.#leased.filter(isOther)
    this.#parked = this.#parked.filter(isOther)
    for (const [number, read] of this.#asked) if (!isOther(read)) this.#asked.delete(number)
  }

  gather(raft: RaftHandle, nowMs: number): void {
    this.#releaseParked(nowMs)
    if (this.#fresh.length === 0) return
    this.#refuseForgotten(nowMs)
    const fresh = this.#fresh
    this.#fresh = []
    const leaseIndex = fresh.some(isLease) ? raft.leaseIndex(nowMs) : undefined
    for (const read of fresh) {
      if (isLease(read) && leaseIndex !== undefined) {
        read.index = leaseIndex
        this.#leased.push(read)
        continue
      }
      if (isLease(read)) read.consistency = 'linearizable'
      read.askedMs = nowMs
      this.#asked.set(++this.#lastNumber, read)
      raft.readIndex(this.#lastNumber, read.consistency === 'follower')
    }
  }

  /** What became of reads that were asked for. */
  settled(granted: readonly ReadGrant[], refused: readonly number[]): void {
    for (const { id, index } of granted) {
      const read = this.#take(id)
      if (read === undefined) continue
      read.index = index
      this.#insert(read)
    }
    for (const id of refused) {
      const read = this.#take(id)
      if (read !== undefined) this.#refuse(read)
    }
    this.answer()
  }

  #refuse({ connection, id, consistency, count }: PendingRead): void {
    const reason = consistency === 'follower' ? 'no leader has confirmed the read' : 'this node does not lead'
    this.#size -= count
    this.#reply(connection, [ReplyKind.failed, id, 'NOT_LEADER', reason])
  }

  #refuseForgotten(nowMs: number): void {
    for (const [number, read] of this.#asked) {
      if (nowMs - read.askedMs < MAX_WAIT_MS) return
      this.#asked.delete(number)
      this.#refuse(read)
    }
  }

  #take(number: number): PendingRead | undefined {
    const read = this.#asked.get(number)
    this.#asked.delete(number)
    return read
  }

  /** Nearly always at the end: only around a change of leaders grants come out of order. */
  #insert(read: PendingRead): void {
    let place = this.#granted.length
    while (place > 0 && (this.#granted[place - 1] as PendingRead).index > read.index) place--
    if (place === this.#granted.length) this.#granted.push(read)
    else this.#granted.splice(place, 0, read)
  }

  /** Answers every granted read whose index is applied. */
  answer(): void {
    this.#answerParked()
    const { appliedIndex } = this.#machine
    let count = 0
    for (const read of this.#granted) {
      if (read.index > appliedIndex) break
      this.#answered(read, this.#answersOf(read))
      count++
    }
    if (count > 0) this.#granted.splice(0, count)
  }

  #answered({ connection, count }: PendingRead, reply: QueriesReply): void {
    this.#size -= count
    this.#reply(connection, withoutWaiting(reply))
  }

  /**
   * Answers lease reads whose index is applied. The clock is sampled after the state was read: a node that was stopped
   * in between, for longer than its lease, must not answer (thesis §6.4.1).
   */
  answerFromLease(raft: RaftHandle): void {
    if (this.#leased.length === 0) return
    const { appliedIndex } = this.#machine
    const due = this.#leased.filter(({ index }) => index <= appliedIndex)
    if (due.length === 0) return
    this.#leased = this.#leased.filter(({ index }) => index > appliedIndex)
    const replies = due.map((read) => this.#answersOf(read))
    const isHeld = raft.holdsLease(this.#nowMs())
    for (const [place, read] of due.entries()) {
      if (isHeld) {
        this.#answered(read, replies[place] as QueriesReply)
      } else {
        read.consistency = 'linearizable'
        this.#fresh.push(read)
      }
    }
  }

  #answersOf(read: PendingRead): QueriesReply {
    return answersOf(this.#machine.machine, this.#codec, read)
  }
}

const isLease = ({ consistency }: PendingRead): boolean => consistency === 'lease'

/** Whether all that a batch asks for is yet to come. */
function isToWait(reply: QueriesReply): boolean {
  return reply[0] === ReplyKind.answers && reply[3].every((answer) => answer === NOT_YET)
}

/** Only what asks one replica for what it has can wait for it, and not with others that have an answer: it gets nothing. */
function withoutWaiting(reply: QueriesReply): QueriesReply {
  if (reply[0] !== ReplyKind.answers || !reply[3].includes(NOT_YET)) return reply
  const [kind, id, served, answers, errors] = reply
  return [kind, id, served, answers.map((answer) => (answer === NOT_YET ? undefined : answer)), errors]
}
