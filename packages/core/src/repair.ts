/**
 * Repair of a damaged log from the peers (after "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018).
 *
 * A damaged entry may have been acknowledged, so it is never cut away like a torn tail: until it is replaced, this node
 * neither votes nor acknowledges. It asks all members, also while nobody leads, and takes
 *
 *   - from the leader of its term, whatever that has there: all that is committed is in it (Leader Completeness, §5.4);
 *     what the leader does not have was not committed, and goes;
 *   - from anybody, entries that lie before the same intact neighbour as here: by Log Matching (§5.3) they are
 *     the very ones that were lost;
 *   - from anybody, a snapshot that stands for them.
 *
 * Nothing else is certain. That others do not have an entry proves nothing: they may have been asked before they got
 * it. So damage at the end of the log, which has no neighbour behind, waits for a leader, whom the intact voters elect.
 */
import { incarnationIn, isVoter } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { Following } from './following.ts'
import type { RepairReply, RepairRequest } from './message.ts'
import type { Replica } from './replica.ts'
import type { SnapshotTransfer } from './snapshot-transfer.ts'
import type { IndexRange, NodeId } from './types.ts'

type Answer = Pick<RepairReply, 'verdict' | 'entries'>

export class Repair {
  readonly #replica: Replica
  readonly #following: Following
  readonly #transfer: SnapshotTransfer
  /** Who has answered that it cannot vouch for the range that is asked for. */
  readonly #without = new Set<NodeId>()
  #asked: IndexRange | undefined
  #dueMs: number
  /** Sound entries on their way to the disk: until they are there, the log cannot be read at those places. */
  #mending: { readonly token: number; readonly entries: readonly Entry[] } | undefined

  constructor(replica: Replica, following: Following, transfer: SnapshotTransfer) {
    this.#replica = replica
    this.#following = following
    this.#transfer = transfer
    this.#dueMs = replica.nowMs
  }

  get deadlineMs(): number {
    const isAsking = this.#replica.isDamaged && this.#mending === undefined
    return isAsking ? this.#dueMs : Number.POSITIVE_INFINITY
  }

  /** Damaged entries that nobody can vouch for, after every voter has answered. Only a leader can help. */
  get lost(): IndexRange | undefined {
    const { peerIds, configuration, isDamaged, log } = this.#replica
    const hasAnswered = (id: NodeId): boolean => !isVoter(configuration, id) || this.#without.has(id)
    return isDamaged && peerIds.every(hasAnswered) ? log.damage.first : undefined
  }

  tick(): void {
    const { isDamaged, nowMs, options } = this.#replica
    if (!isDamaged || nowMs < this.#dueMs || this.#mending !== undefined) return
    this.#dueMs = nowMs + options.heartbeatIntervalMs * 2
    this.#ask()
  }

  #ask(): void {
    const replica = this.#replica
    const { log } = replica
    const range = log.damage.first as IndexRange
    if (this.#asked?.from !== range.from || this.#asked.to !== range.to) {
      this.#asked = range
      this.#without.clear()
    }
    const prevTerm = range.from === 1 ? 0 : log.termAt(range.from - 1)
    const nextTerm = range.to === log.lastIndex ? 0 : log.termAt(range.to + 1)
    // A node that has lost the configuration with its snapshot knows only whom it hears.
    const asked = new Set(replica.peerIds)
    if (replica.leader !== undefined) asked.add(replica.leader)
    for (const id of asked) {
      const terms = { prevTerm: prevTerm ?? 0, nextTerm: nextTerm ?? 0 }
      replica.reply({ kind: 'repairRequest', ...replica.to(id), range, ...terms })
    }
  }

  // ---- the helper

  handleRequest(message: RepairRequest): void {
    const replica = this.#replica
    const { log, snapshots } = replica
    const { range } = message
    const latestIndex = snapshots.latest?.index ?? 0
    // Too old for this log, or the state itself is asked for: a snapshot stands for it.
    const isState = range.from <= log.base.index || (range.from === 1 && range.to < log.handedOut)
    if (isState && latestIndex < range.to && range.to <= log.handedOut) replica.snapshotWanted = true
    if (range.from <= log.base.index || (range.from === 1 && range.to <= latestIndex)) {
      return this.#transfer.offerTo(message.from)
    }
    replica.reply({ kind: 'repairReply', ...replica.replyTo(message), range, ...this.#answerTo(message) })
  }

  #answerTo({ range, prevTerm, nextTerm }: RepairRequest): Answer {
    const { log, options } = this.#replica
    const { from, to } = range
    if (log.damage.includes(from)) return { verdict: 'damaged', entries: [] }
    if (from > log.lastIndex) return { verdict: 'absent', entries: [] }
    const follows = from === 1 || log.matches(from - 1, prevTerm)
    const precedes = nextTerm !== 0 && log.matches(to + 1, nextTerm)
    if (!precedes && !follows) return { verdict: 'other', entries: [] }
    const last = Math.min(to, log.lastIndex, this.#soundThrough(from))
    // Without the neighbour behind they count only if this node leads.
    return { verdict: precedes ? 'intact' : 'other', entries: log.read(from, last, options.maxAppendBytes) }
  }

  /** Up to where the log is sound from `from` on. */
  #soundThrough(from: number): number {
    const next = this.#replica.log.damage.ranges.find((range) => range.from > from)
    return next === undefined ? Number.MAX_SAFE_INTEGER : next.from - 1
  }

  // ---- the damaged

  handleReply(message: RepairReply): void {
    const { log, configuration } = this.#replica
    const range = log.damage.first
    if (range === undefined || this.#mending !== undefined || range.to <= log.base.index) return
    if (message.range.from !== range.from || message.range.to !== range.to) return
    if (this.#isLeaders(message)) return this.#takeLeaders(message, range)
    if (incarnationIn(configuration, message.from) !== message.fromIncarnation) return
    if (message.verdict === 'intact' && message.entries.length > 0) this.#mend(message.entries)
    else this.#without.add(message.from)
  }

  /** Of the very start of it that was heard to lead this term: another start may have lost what was not flushed. */
  #isLeaders(message: RepairReply): boolean {
    const { leader, leaderBoot, term } = this.#replica
    return leader === message.from && leaderBoot === message.fromBoot && term === message.term
  }

  #takeLeaders({ verdict, entries }: RepairReply, range: IndexRange): void {
    if (verdict === 'damaged') return
    // What stands behind the damage and is not the leader's goes, or two logs would be mixed.
    if (verdict === 'other' && entries.length > 0 && range.to < this.#replica.log.lastIndex) {
      this.#following.truncate(range.to + 1)
    }
    if (entries.length > 0) return this.#mend(entries)
    // The leader does not have it: it was not committed.
    this.#following.truncate(range.from)
    this.#goOn()
  }

  #mend(entries: readonly Entry[]): void {
    const replica = this.#replica
    const missing = entries.filter(({ index }) => replica.log.damage.includes(index))
    for (const entry of missing) replica.repairs.push(entry)
    this.#mending = { token: replica.outbox.nextToken, entries: missing }
  }

  /** The store has flushed everything up to `token`. */
  persisted(token: number): void {
    const mending = this.#mending
    if (mending === undefined || mending.token > token) return
    this.#mending = undefined
    const { log, metrics } = this.#replica
    // A snapshot that was installed meanwhile has taken the place of some, or of all.
    const mended = mending.entries.filter(({ index }) => log.damage.includes(index))
    for (const { index } of mended) log.damage.mend(index)
    metrics.entriesRepaired += mended.length
    if (mended.length > 0) log.findConfigurations()
    this.#goOn()
  }

  #goOn(): void {
    this.#without.clear()
    this.#asked = undefined
    this.#dueMs = this.#replica.nowMs
  }
}
