/**
 * Snapshots between nodes, and what they do to the log (Raft §7, thesis §5.1).
 *
 *     leader ──offer──► follower ──pull(offset)──► leader ──chunk──► follower ... complete ──► install ──► ack
 *
 * The receiver asks for the bytes, one chunk at a time, from wherever it stands: the sender keeps no state, a lost or
 * repeated chunk changes nothing, and a transfer goes on after a restart of either side or under another leader that
 * has the same snapshot. (The paper's InstallSnapshot pushes; what is installed, and when, is the same.)
 */
import type { Following } from './following.ts'
import type { SnapshotChunk, SnapshotOffer, SnapshotPull } from './message.ts'
import type { SnapshotWrite } from './ready.ts'
import type { Replica } from './replica.ts'
import type { NodeId, SnapshotMeta } from './types.ts'

/** Received bytes on their way to the disk, above which no more are asked for. */
const MAX_PENDING_BYTES = 4 << 20

/** Pulls without an answer after which a transfer is given up: the next offer begins it again. */
const MAX_RETRIES = 8

/** A snapshot that is being fetched. */
interface Fetch {
  offer: SnapshotOffer
  offset: number
  /** When the last pull is repeated. */
  retryMs: number
  retries: number
}

export class SnapshotTransfer {
  readonly #replica: Replica
  readonly #following: Following
  #fetch: Fetch | undefined
  #writes: SnapshotWrite[] = []
  /** The snapshot that the application's state is to be replaced by. */
  #install: SnapshotMeta | undefined

  constructor(replica: Replica, following: Following) {
    this.#replica = replica
    this.#following = following
    const { latest } = replica.snapshots
    if (latest !== undefined && latest.index >= replica.log.base.index) this.#startFrom(latest)
  }

  /** A restart begins with the latest snapshot; a crash may have come between its completion and the log's reset. */
  #startFrom(meta: SnapshotMeta): void {
    const { log, isStateKept } = this.#replica
    if (!isStateKept) this.#install = meta
    this.#enterTermOf(meta)
    const isInLog = meta.index <= log.lastIndex
    const isBesideLog = !log.matches(meta.index, meta.term) && !log.damage.includes(meta.index)
    if (!isInLog || isBesideLog) this.#resetLog(meta)
    // What is damaged before it is not needed here any more.
    else if (this.#mends(meta)) this.#skipTo(meta)
  }

  get deadlineMs(): number {
    return this.#fetch?.retryMs ?? Number.POSITIVE_INFINITY
  }

  takeWrites(): readonly SnapshotWrite[] {
    const writes = this.#writes
    if (writes.length > 0) this.#writes = []
    return writes
  }

  takeInstall(): SnapshotMeta | undefined {
    const install = this.#install
    this.#install = undefined
    return install
  }

  // ---- the sender

  offerTo(id: NodeId): void {
    const replica = this.#replica
    const meta = replica.snapshots.latest
    if (meta === undefined) return
    replica.metrics.snapshotsOffered++
    const isLeader = replica.leadership !== undefined
    const offer = { kind: 'snapshotOffer', ...replica.to(id), meta, isLeader } as const
    if (isLeader) replica.outbox.sendNow(offer)
    else replica.reply(offer)
  }

  handlePull(message: SnapshotPull): void {
    const replica = this.#replica
    const { index, checksum, offset } = message
    const { snapshotChunkBytes } = replica.options
    const data = replica.snapshots.read(index, checksum, offset, snapshotChunkBytes) ?? new Uint8Array(0)
    replica.reply({ kind: 'snapshotChunk', ...replica.replyTo(message), index, checksum, offset, data })
  }

  // ---- the receiver

  handleOffer(message: SnapshotOffer): void {
    const { log } = this.#replica
    const { meta, isLeader } = message
    if (isLeader) this.#following.followLeader(message)
    if (!this.#mends(meta)) {
      // An offer of somebody who does not lead is for repairs only.
      if (!isLeader || this.#replica.isDamaged) return
      if (meta.index <= log.committed) return this.#following.acknowledge(message, log.committed)
      if (log.matches(meta.index, meta.term)) {
        // The log has it all, and the snapshot proves that it is committed.
        log.commitTo(meta.index)
        return this.#following.acknowledge(message, meta.index)
      }
    }
    this.#begin(message)
  }

  /** Whether the snapshot stands for damaged entries. */
  #mends(meta: SnapshotMeta): boolean {
    const { damage, base } = this.#replica.log
    const { first } = damage
    return first !== undefined && meta.index >= first.from && meta.index >= base.index
  }

  #begin(offer: SnapshotOffer): void {
    const { meta } = offer
    const fetch = this.#fetch
    const { snapshots } = this.#replica
    if (fetch !== undefined && isSame(fetch.offer.meta, meta)) {
      // Repeated: it is on its way, unless the bytes turned out wrong and were dropped.
      fetch.offer = offer
      const isWhole = fetch.offset >= meta.bytes && this.#writes.length === 0
      if (!isWhole || snapshots.received(meta) > 0 || this.#isThere(meta)) return
    } else if (
      fetch !== undefined &&
      !this.#isOvertaken(fetch.offer.meta) &&
      !this.#displaces(offer, fetch)
    ) {
      // Of several offers one is taken to its end, or given up: two would displace each other for ever, at each chunk that is late.
      return
    }
    this.#fetch = { offer, offset: snapshots.received(meta), retryMs: 0, retries: 0 }
    // Its own snapshot of that index, byte for byte, or one that was complete before a crash.
    if (this.#isThere(meta)) this.received(meta)
    else this.#pull(this.#fetch)
  }

  /** Another leader's, where what comes from elsewhere is late: a term has one leader, so no two do so to each other. */
  #displaces({ isLeader, term }: SnapshotOffer, fetch: Fetch): boolean {
    const isOfItsLeader = fetch.offer.isLeader && fetch.offer.term === term
    return isLeader && !isOfItsLeader && fetch.retries > 0 && !this.#isWriting(fetch)
  }

  /** Whether the disk has the word: what was received is not on it yet, all of it perhaps. */
  #isWriting({ offer, offset }: Fetch): boolean {
    const { snapshots } = this.#replica
    if (this.#writes.length > 0 || snapshots.pendingBytes > 0) return true
    return offset >= offer.meta.bytes && snapshots.received(offer.meta) > 0
  }

  #isThere(meta: SnapshotMeta): boolean {
    const { latest } = this.#replica.snapshots
    return latest !== undefined && isSame(latest, meta)
  }

  #pull(fetch: Fetch): void {
    const replica = this.#replica
    const { offer, offset } = fetch
    const { index, checksum, bytes } = offer.meta
    fetch.retryMs = replica.nowMs + replica.options.heartbeatIntervalMs
    if (offset >= bytes || replica.snapshots.pendingBytes > MAX_PENDING_BYTES) return
    replica.reply({ kind: 'snapshotPull', ...replica.to(offer.from), index, checksum, offset })
  }

  handleChunk(message: SnapshotChunk): void {
    const fetch = this.#fetch
    if (fetch === undefined) return
    const { meta } = fetch.offer
    const { index, checksum, offset, data } = message
    if (this.#isOvertaken(meta)) return this.#giveUp()
    if (index !== meta.index || checksum !== meta.checksum || offset !== fetch.offset) return
    if (data.byteLength === 0 || offset + data.byteLength > meta.bytes) {
      // It is no longer there: the next offer will name another one.
      return this.#giveUp()
    }
    this.#writes.push({ meta, offset, data })
    fetch.offset += data.byteLength
    fetch.retries = 0
    this.#pull(fetch)
  }

  tick(): void {
    const fetch = this.#fetch
    if (fetch === undefined || this.#replica.nowMs < fetch.retryMs) return
    if (this.#isOvertaken(fetch.offer.meta)) return this.#giveUp()
    if (!this.#isWriting(fetch) && ++fetch.retries > MAX_RETRIES) return this.#giveUp()
    this.#pull(fetch)
  }

  /** The log has come further by itself. */
  #isOvertaken(meta: SnapshotMeta): boolean {
    return meta.index <= this.#replica.log.committed && !this.#mends(meta)
  }

  #giveUp(): void {
    this.#fetch = undefined
  }

  /** A received snapshot is complete and on the disk. */
  received(meta: SnapshotMeta): void {
    const { log } = this.#replica
    const offer = this.#fetch?.offer
    const isExpected = offer !== undefined && isSame(offer.meta, meta)
    if (isExpected) this.#fetch = undefined
    const mends = this.#mends(meta)
    if (mends || meta.index > log.committed) this.#installSnapshot(meta, mends)
    if (isExpected && offer.isLeader && this.#isOfTheLeader(offer) && !this.#replica.isDamaged) {
      this.#following.acknowledge(offer, log.committed)
    }
  }

  #isOfTheLeader(offer: SnapshotOffer): boolean {
    const { leader, term } = this.#replica
    return leader === offer.from && term === offer.term
  }

  /** Raft §7: what follows the snapshot in the log is kept where the log agrees with it, else the log is discarded. */
  #installSnapshot(meta: SnapshotMeta, mends: boolean): void {
    const replica = this.#replica
    const { log } = replica
    const agrees = log.matches(meta.index, meta.term)
    if (agrees && !mends) return log.commitTo(meta.index)
    replica.metrics.snapshotsInstalled++
    // A state that was kept may be ahead of damage: then the snapshot only stands for the log.
    const isApplied = replica.isStateKept && meta.index <= log.handedOut
    if (!isApplied) this.#install = meta
    this.#enterTermOf(meta)
    // A damaged entry agrees with everything: what follows it was acknowledged, and must not be cut (see repair.ts).
    if (agrees || (log.damage.includes(meta.index) && meta.index <= log.lastIndex)) {
      this.#skipTo(meta)
    } else {
      this.#resetLog(meta)
    }
  }

  /** A snapshot for repairs may come from a later term than this node has been in. */
  #enterTermOf({ term }: SnapshotMeta): void {
    if (term > this.#replica.term) this.#replica.becomeFollower(term, undefined)
  }

  #skipTo(meta: SnapshotMeta): void {
    const { log } = this.#replica
    const isNews = meta.index > log.base.index
    log.skipTo(meta)
    if (isNews) this.#replica.compactTo = { index: meta.index, term: meta.term }
    // Behind a damaged place there may stand what was never committed: terms do not fall along a log.
    const next = log.termAt(meta.index + 1)
    if (next !== undefined && next < meta.term) this.#following.truncate(meta.index + 1)
  }

  #resetLog(meta: SnapshotMeta): void {
    const replica = this.#replica
    replica.unpersisted = []
    replica.repairs = []
    replica.truncateFrom = undefined
    replica.compactTo = undefined
    replica.reset = { index: meta.index, term: meta.term }
    replica.outbox.truncated(meta.index + 1)
    replica.log.resetTo(meta)
  }

  // ---- own snapshots

  /** An own snapshot is on the disk: the log need not go back further, but for a tail that laggards may want. */
  saved(meta: SnapshotMeta): void {
    const replica = this.#replica
    const { log } = replica
    if (replica.isDamaged || meta.index <= log.base.index) return
    const index = Math.min(meta.index - replica.options.keepEntries, log.stable)
    if (index <= log.base.index) return
    const to = { index, term: log.termAt(index) as number }
    log.compactTo(to)
    log.configurations.startFrom(meta.configurationIndex, meta.configuration)
    replica.compactTo = to
    replica.metrics.compactions++
  }
}

const isSame = (left: SnapshotMeta, right: SnapshotMeta): boolean =>
  left.index === right.index && left.checksum === right.checksum && left.bytes === right.bytes
