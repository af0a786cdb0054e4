/**
 * A node's side of queries: from the frame to the answer, by the consistency that was asked for (thesis §6.4).
 *
 *     linearizable, follower ─► read index ... granted ─► applied ─► machine.query ─► answer
 *     lease ─► index of the lease ─► applied ─► machine.query ─► clock again: still held? ─► answer
 *                                                                             └─ no ─► as linearizable
 *     stale ─► machine.query ─► answer
 *                        └─ not yet ─► again after each entry, for a while
 */
import type { RaftHandle, ReadGrant } from '@troupe/core'
import type { ClientConnection } from './client-connection.ts'
import { NOT_YET, refusalReason } from './machine.ts'
import { type ClientRequest, type Consistency, type NodeReply, ReplyKind } from './protocol.ts'
import type { ReplicatedMachine } from './replicated-machine.ts'

interface PendingRead {
  readonly connection: ClientConnection
  readonly id: number
  readonly query: unknown
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
  readonly #maxPendingReads: number
  readonly #nowMs: () => number
  readonly #reply: Reply
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
  constructor(machine: ReplicatedMachine, maxPendingReads: number, nowMs: () => number, reply: Reply) {
    this.#machine = machine
    this.#maxPendingReads = maxPendingReads
    this.#nowMs = nowMs
    this.#reply = reply
  }

  /** Reads that have no answer yet. */
  get size(): number {
    return (
      this.#fresh.length + this.#asked.size + this.#granted.length + this.#leased.length + this.#parked.length
    )
  }

  /** Whether there are reads that `gather` would ask for. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0
  }

  /** Takes a query. Stale ones are answered at once. */
  add(connection: ClientConnection, [, id, consistency, query]: ClientRequest): void {
    const read: PendingRead = { connection, id, query, consistency, index: 0, askedMs: 0 }
    if (consistency === 'stale' && this.#answerNow(read)) return
    if (this.size >= this.#maxPendingReads) this.#refuseForgotten(this.#nowMs())
    if (this.size >= this.#maxPendingReads) {
      return this.#reply(connection, [ReplyKind.failed, id, 'BUSY', 'too many reads are under way'])
    }
    if (consistency === 'stale') this.#park(read)
    else this.#fresh.push(read)
  }

  /** Whether there is an answer already. */
  #answerNow(read: PendingRead): boolean {
    const reply = this.#answerOf(read)
    if (reply[0] === ReplyKind.answer && reply[2] === NOT_YET) return false
    this.#reply(read.connection, reply)
    return true
  }

  #park(read: PendingRead): void {
    read.askedMs = this.#nowMs()
    this.#parked.push(read)
  }

  #answerParked(): void {
    const { appliedIndex } = this.#machine
    if (this.#parked.length === 0 || appliedIndex === this.#parkedIndex) return
    this.#parkedIndex = appliedIndex
    this.#parked = this.#parked.filter((read) => !this.#answerNow(read))
  }

  /** Those that wait too long get nothing. The one that waits longest comes first. */
  #releaseParked(nowMs: number): void {
    while (this.#parked.length > 0 && nowMs - (this.#parked[0] as PendingRead).askedMs >= MAX_PARKED_MS) {
      const { connection, id } = this.#parked.shift() as PendingRead
      this.#reply(connection, [ReplyKind.answer, id, undefined, 'stale'])
    }
  }

  forget(connection: ClientConnection): void {
    const isOther = (read: PendingRead): boolean => read.connection !== connection
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

  #refuse({ connection, id, consistency }: PendingRead): void {
    const reason = consistency === 'follower' ? 'no leader has confirmed the read' : 'this node does not lead'
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
      this.#reply(read.connection, withoutWaiting(this.#answerOf(read)))
      count++
    }
    if (count > 0) this.#granted.splice(0, count)
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
    const answers = due.map((read) => this.#answerOf(read))
    const isHeld = raft.holdsLease(this.#nowMs())
    for (const [index, read] of due.entries()) {
      if (isHeld) {
        this.#reply(read.connection, withoutWaiting(answers[index] as NodeReply))
      } else {
        read.consistency = 'linearizable'
        this.#fresh.push(read)
      }
    }
  }

  #answerOf({ id, query, consistency }: PendingRead): NodeReply {
    try {
      return [ReplyKind.answer, id, this.#machine.machine.query(query), consistency]
    } catch (error) {
      return [ReplyKind.failed, id, 'REJECTED', refusalReason(error)]
    }
  }
}

const isLease = ({ consistency }: PendingRead): boolean => consistency === 'lease'

/** Only what asks one replica for what it has can wait for it. */
function withoutWaiting(reply: NodeReply): NodeReply {
  if (reply[0] !== ReplyKind.answer || reply[2] !== NOT_YET) return reply
  return [ReplyKind.answer, reply[1], undefined, reply[3]]
}
