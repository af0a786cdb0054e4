/** A node of a real cluster as it told of itself: for invariants, situations and figures of the simulator. */
import type { Configuration, Entry, NodeDriver, RaftCore, SnapshotMeta } from '@troupe/core'
import { EMPTY_CONFIGURATION } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import { type DiskView, type Life, type LogContent, MemoryLog, type NodeView } from '@troupe/sim'
import type { CoreState, NodeRecord, PeerProgress } from './records.ts'

/** The part of a core that its state tells of. What it does not, nobody may look at: `unobservable` has what would. */
class MirrorCore {
  state: CoreState
  configuration: Configuration = EMPTY_CONFIGURATION
  progress: ReadonlyMap<string, PeerProgress> = new Map()
  readonly metrics = { persistStalls: 0 }
  readonly #log: () => LogContent

  constructor(state: CoreState, log: () => LogContent) {
    this.state = state
    this.#log = log
    this.take(state)
  }

  take(state: CoreState): void {
    this.state = state
    if (state.configuration !== undefined) this.configuration = state.configuration
    this.metrics.persistStalls = state.persistStalls
    this.progress = new Map(state.progress.map((peer) => [peer.id, peer]))
  }

  get role(): CoreState['role'] {
    return this.state.role
  }
  get term(): number {
    return this.state.term
  }
  get vote(): string {
    return this.state.vote
  }
  get leader(): string | undefined {
    return this.state.leader
  }
  get commitIndex(): number {
    return this.state.commitIndex
  }
  get lastIndex(): number {
    return this.state.lastIndex
  }
  get stableIndex(): number {
    return this.state.stableIndex
  }
  get configurationIndex(): number {
    return this.state.configurationIndex
  }
  get damaged(): CoreState['damaged'] {
    return this.state.damaged
  }
  get lost(): CoreState['lost'] {
    return this.state.lost
  }
  get proposalRefusal(): CoreState['proposalRefusal'] {
    return this.state.proposalRefusal
  }
  get transferTarget(): string | undefined {
    return this.state.transferTarget
  }

  termAt(index: number): number | undefined {
    if (this.state.damaged.some(({ from, to }) => index >= from && index <= to)) return undefined
    return this.#log().termAt(index)
  }

  leaseIndex(): number | undefined {
    return this.state.leaseIndex
  }

  holdsLease(): never {
    throw new Error('whether a lease is held at some time is not told')
  }
}

class MirrorDisk implements DiskView {
  readonly log = new MemoryLog()
  readonly snapshots: { latest: SnapshotMeta | undefined } = { latest: undefined }
  readonly isWhole = true
  isStalled = false
  /** By a fault, and as the node was told: that only comes with a write. */
  isFilled = false
  isRefused = false

  get isFull(): boolean {
    return this.isFilled || this.isRefused
  }
}

interface MirrorLife extends Life {
  readonly mirrored: MirrorCore
  readonly applying: { applied: number }
}

type Started = Extract<NodeRecord, { kind: 'started' }>

export class MirrorNode implements NodeView {
  readonly id: string
  readonly index: number
  readonly clock: { nowMs(): number }
  incarnation = 0
  boot = 0
  disk = new MirrorDisk()
  life: MirrorLife | undefined
  framesLost = 0
  /** What it held under earlier incarnations. */
  readonly graves = new Map<number, LogContent>()
  /** Frames lost in earlier lives. */
  #lostBefore = 0
  /** What its log held when it was down the last times: what is damaged then nobody can read any more. */
  readonly #remembered = new Map<number, Entry>()
  /** Entries that were taken away while it was down. */
  #forgotten = 0

  constructor(id: string, index: number, clock: { nowMs(): number }) {
    this.id = id
    this.index = index
    this.clock = clock
  }

  /** A life begins with what its disk holds. False where something is damaged there that nobody has ever seen. */
  begin({ incarnation, boot, hardState, base, entries = [], damaged }: Started, state: CoreState): boolean {
    if (incarnation !== this.incarnation) {
      this.graves.set(this.incarnation, this.disk.log.flushed)
      this.disk = new MirrorDisk()
      this.#remembered.clear()
      this.#forgotten = 0
    }
    this.incarnation = incarnation
    this.boot = boot
    this.#lostBefore = this.framesLost
    const { log, snapshots } = this.disk
    const holes = damaged.flatMap(({ from, to }) =>
      Array.from({ length: to - from + 1 }, (_, at) => from + at),
    )
    const hidden = holes.filter((index) => index > base.index)
    const known = hidden.flatMap((index) => this.#remembered.get(index) ?? [])
    if (known.length < hidden.length) return false
    this.#rollBack()
    log.flushed.hardState = hardState
    log.flushed.base = base
    log.flushed.entries = [...entries, ...known].toSorted((left, right) => left.index - right.index)
    // As in the simulator: those who watch see what was written, the node does not.
    log.flipped.clear()
    for (const index of hidden) log.flip(index)
    log.open()
    log.seen = log.flushed.copy()
    snapshots.latest = state.snapshot
    const mirrored = new MirrorCore(state, () => log.seen)
    const applying = { applied: state.applied }
    this.life = {
      ...{ mirrored, applying },
      core: mirrored as unknown as RaftCore,
      driver: applying as unknown as NodeDriver<ClientEvent>,
    }
    return true
  }

  /** Of what its log was before: what it is now is told. */
  #rollBack(): void {
    const { log } = this.disk
    const { snapshotIndex } = log
    // What snapshots cover has been spared on the real disk.
    log.snapshotIndex = () => 0
    if (this.#forgotten > 0) log.rollBack(this.#forgotten)
    log.snapshotIndex = snapshotIndex
    this.#forgotten = 0
  }

  /** While it is down its last entries are taken away, as if they had never been flushed. */
  forget(count: number): void {
    this.#forgotten += count
  }

  /** What it is now. */
  take(state: CoreState): void {
    if (this.life === undefined) return
    this.life.mirrored.take(state)
    this.life.applying.applied = state.applied
    this.disk.snapshots.latest = state.snapshot
    this.disk.isRefused = state.isDiskFull
    this.framesLost = this.#lostBefore + state.framesLost
  }

  end(): void {
    this.life = undefined
    const { log } = this.disk
    for (const entry of log.seen.entries) this.#remembered.set(entry.index, entry)
    if (log.isOpen) log.crash(0)
  }

  get isLeader(): boolean {
    return this.life?.core.role === 'leader'
  }
}
