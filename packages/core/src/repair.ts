/**
 * Repair of a damaged log from the peers (after "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018).
 *
 * A damaged entry may have been acknowledged, so it is never cut away like a torn tail: until it is replaced, this node
 * neither votes nor acknowledges. It asks all members, also while nobody leads, and takes
 *
 *   - from the leader of its term, whatever that has there: all that is committed is in it (Leader Completeness, §5.4);
 *     what the leader does not have was not committed, and goes;
 *   - from anybody, entries that lie between the same intact neighbours as here: by Log Matching (§5.3) they are
 *     the very ones that were lost;
 *   - from anybody, a snapshot that stands for them.
 *
 * Only when every other member has answered that it has neither, the rest is decided: what no other voter has or may
 * have had was not committed (a majority has more than one voter) and goes, from the end of the log; of several
 * candidates for a lost end the one of the highest term is it, if it was committed. Where another voter's copy is
 * damaged too, nobody has it: this node waits, and says so.
 */
import { incarnationIn, membersOf } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { Following } from './following.ts'
import type { RepairReply, RepairRequest } from './message.ts'
import { majority } from './quorum.ts'
import type { Replica } from './replica.ts'
import type { SnapshotTransfer } from './snapshot-transfer.ts'
import type { IndexRange, NodeId } from './types.ts'

type Answer = Pick<RepairReply, 'verdict' | 'entries' | 'endIndex' | 'endTerm'>

const without = (verdict: 'damaged' | 'absent'): Answer => ({ verdict, entries: [], endIndex: 0, endTerm: 0 })

export class Repair {
  readonly #replica: Replica
  readonly #following: Following
  readonly #transfer: SnapshotTransfer
  /** What the voters have said of the range that is asked for. */
  readonly #answers = new Map<NodeId, Answer>()
  #asked: IndexRange | undefined
  #dueMs: number
  #lost: IndexRange | undefined
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

  /** Damaged entries that every voter was asked for and nobody has. */
  get lost(): IndexRange | undefined {
    return this.#replica.isDamaged ? this.#lost : undefined
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
      this.#answers.clear()
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
    this.#conclude(range)
  }

  // ---- the helper

  handleRequest(message: RepairRequest): void {
    const replica = this.#replica
    const { log } = replica
    const { range } = message
    const latestIndex = replica.snapshots.latest?.index ?? 0
    if (range.from <= log.base.index || (range.from === 1 && range.to <= latestIndex)) {
      // Too old for this log, or the state itself is asked for: the snapshot stands for it.
      this.#transfer.offerTo(message.from)
      return
    }
    const answer = this.#answerTo(message)
    replica.reply({ kind: 'repairReply', ...replica.replyTo(message), range, ...answer })
  }

  #answerTo({ range, prevTerm, nextTerm }: RepairRequest): Answer {
    const { log, options } = this.#replica
    const { from, to } = range
    if (log.damage.includes(from)) return without('damaged')
    if (from > log.lastIndex) return without('absent')
    const follows = from === 1 || log.matches(from - 1, prevTerm)
    const precedes = nextTerm !== 0 && log.matches(to + 1, nextTerm)
    // A neighbour that is damaged here may be the same one.
    const mayAgree = log.damage.includes(from - 1) || (nextTerm !== 0 && log.damage.includes(to + 1))
    const sound = this.#soundThrough(from)
    const isBroken = nextTerm === 0 && sound < Math.min(to, log.lastIndex)
    if (!precedes && (mayAgree || isBroken)) return without('damaged')
    const last = Math.min(to, log.lastIndex, sound)
    const entries = precedes || follows ? log.read(from, last, options.maxAppendBytes) : []
    // At the end of the log there is no neighbour behind: these are a candidate then.
    const isIntact = precedes || (follows && nextTerm === 0)
    const end = { endIndex: last, endTerm: log.termAt(last) as number }
    return { verdict: isIntact ? 'intact' : 'other', entries, ...end }
  }

  /** Up to where the log is sound from `from` on. */
  #soundThrough(from: number): number {
    const next = this.#replica.log.damage.ranges.find((range) => range.from > from)
    return next === undefined ? Number.MAX_SAFE_INTEGER : next.from - 1
  }

  // ---- the damaged

  handleReply(message: RepairReply): void {
    const { log, leader, term, configuration } = this.#replica
    const range = log.damage.first
    if (range === undefined || this.#mending !== undefined || range.to <= log.base.index) return
    if (message.range.from !== range.from || message.range.to !== range.to) return
    const { verdict, entries } = message
    const isLeaders = leader === message.from && term === message.term
    const isMembers = incarnationIn(configuration, message.from) === message.fromIncarnation
    if (!isLeaders && !isMembers) return
    const isCertain = isLeaders || (verdict === 'intact' && range.to < log.lastIndex)
    if (isCertain && entries.length > 0) {
      // The leader does not have what stands behind the damage here: that goes, or two logs would be mixed.
      if (verdict === 'other' && range.to < log.lastIndex) this.#following.truncate(range.to + 1)
      return this.#mend(entries)
    }
    if (isLeaders && verdict !== 'damaged') return this.#cut(range.from)
    this.#answers.set(message.from, message)
    this.#conclude(range)
  }

  /** Every other voter has answered, and none of them settled it: the rules of the last resort above. */
  #conclude(range: IndexRange): void {
    const { log, configuration, self } = this.#replica
    const halves = [configuration.voters, configuration.outgoing].filter((half) => half.length > 0)
    // Learners too: what is damaged may have made them voters.
    const others = membersOf(configuration).filter(({ id }) => id !== self)
    const answers: Answer[] = []
    for (const { id } of others) {
      const answer = this.#answers.get(id)
      if (answer === undefined) return
      answers.push(answer)
    }
    // A voter that is a majority alone may have committed anything alone; so may voters that are not known here.
    const isAlone = halves.length === 0 || halves.some((half) => majority(half) === 1)
    if (
      isAlone ||
      log.hidesConfiguration ||
      range.to <= log.base.index ||
      answers.some(({ verdict }) => verdict === 'damaged')
    ) {
      this.#lost = range
      return
    }
    if (range.to < log.lastIndex) {
      // Nobody else has what stands behind the damage: that was not committed. Then the damage is the log's end.
      return this.#cut(range.to + 1)
    }
    const candidates = answers.filter(({ verdict }) => verdict === 'intact')
    // As in elections (§5.4.1): the later last term wins, and among equals the longer one.
    const best = candidates.sort((a, b) => b.endTerm - a.endTerm || b.endIndex - a.endIndex)[0]
    if (best === undefined || best.entries.length === 0) this.#cut(range.from)
    else this.#mend(best.entries)
  }

  #mend(entries: readonly Entry[]): void {
    const replica = this.#replica
    const missing = entries.filter(({ index }) => replica.log.damage.includes(index))
    for (const entry of missing) replica.repairs.push(entry)
    // A log holds no entry of a term that its node has not been in.
    const lastTerm = missing.at(-1)?.term ?? 0
    if (lastTerm > replica.term) replica.becomeFollower(lastTerm, undefined)
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

  /** Nothing from `index` on was committed. */
  #cut(index: number): void {
    this.#following.truncate(index)
    this.#goOn()
  }

  #goOn(): void {
    this.#answers.clear()
    this.#asked = undefined
    this.#lost = undefined
    this.#dueMs = this.#replica.nowMs
  }
}
