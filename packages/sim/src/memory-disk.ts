import type { Checksum, PersistRequest, SnapshotMeta } from '@troupe/core'
import type { MemoryState } from '@troupe/machines'
import { demand } from './contract.ts'
import type { Dice } from './dice.ts'
import { MemoryLog } from './memory-log.ts'
import { MemorySnapshots } from './memory-snapshots.ts'
import type { DiskSpeed } from './plan.ts'
import type { Scheduler, Task } from './scheduler.ts'

/** Who is told of completions; not called after a crash, until the next open. */
export interface DiskOwner {
  persisted(token: number): void
  /** What is handed over waits for space, or does no longer. */
  spaceChanged(isFull: boolean): void
  snapshotSaved(meta: SnapshotMeta): void
  snapshotReceived(meta: SnapshotMeta): void
  /** A flush failed: fatal to the node. */
  storageFailed(): void
}

/** The disk of one directory of one node: log and snapshots, with flushes that take time, and what may go wrong. */
export class MemoryDisk {
  readonly log = new MemoryLog()
  readonly snapshots: MemorySnapshots
  /** What a machine on the disk has committed: not flushed, but there unless the computer itself was restarted. */
  state: MemoryState | undefined
  /** How many times slower than usual. */
  slowness = 1
  /** The next flush fails, and every one after it. */
  isFailing = false
  /** Since when flushes are only said to be done: up to where the log is really on the disk. Undefined: they are done. */
  lyingFrom: number | undefined
  readonly #scheduler: Scheduler
  readonly #dice: Dice
  readonly #speed: DiskSpeed
  readonly #owner: DiskOwner
  /** Requests in the flush that is under way; 0 where none is. */
  #flushing = 0
  /** Flushes begun before a crash are not completed after it. */
  #life = 0
  #isStalled = false
  #isFull = false
  /** Whether anything was refused since there was space, and somebody will be told. */
  #hasRefused = false
  /** What would have completed while it was stalled. */
  #held: Task[] = []
  #snapshotsDoneMs = 0

  constructor(scheduler: Scheduler, dice: Dice, speed: DiskSpeed, checksum: Checksum, owner: DiskOwner) {
    this.#scheduler = scheduler
    this.#dice = dice
    this.#speed = speed
    this.#owner = owner
    const flushLater = (bytes: number, done: () => void): void => this.#flushSnapshot(bytes, done)
    this.snapshots = new MemorySnapshots(checksum, flushLater, {
      saved: (meta) => owner.snapshotSaved(meta),
      received: (meta) => owner.snapshotReceived(meta),
    })
    this.log.snapshotIndex = () => this.snapshots.latest?.index ?? 0
  }

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** Opens for a new life: finds out what is damaged. */
  open(): void {
    this.snapshots.open()
    this.log.open()
  }

  /** Whether nothing is damaged, and the state can be made from what is there. */
  get isWhole(): boolean {
    const { log, snapshots } = this
    if (log.isRolledBack || log.flipped.size > 0 || snapshots.isDamaged) return false
    return (snapshots.latest?.index ?? 0) >= log.flushed.base.index
  }

  /** To be called when requests may have been handed over: the end of a turn. */
  kick(): void {
    if (this.#flushing > 0 || this.log.waiting.length === 0) return
    const requests = this.#isFull ? this.#fitting() : this.log.waiting
    if (requests.length < this.log.waiting.length) this.#tellFull()
    if (requests.length === 0) return
    this.#flushing = requests.length
    let bytes = 0
    let isEmpty = true
    for (const { hardState, reset, truncateFrom, repairs, entries } of requests) {
      if (hardState !== undefined || reset !== undefined || truncateFrom !== undefined) isEmpty = false
      if (repairs.length > 0 || entries.length > 0) isEmpty = false
      for (const { record } of entries) bytes += record.byteLength
    }
    const life = this.#life
    const done: Task = {
      run: () => {
        if (life !== this.#life) return
        if (this.#isStalled) this.#held.push(done)
        else this.#flushed()
      },
    }
    // What carries nothing to store completes without a flush.
    this.#scheduler.after(isEmpty ? 0 : this.#flushTime(bytes), done)
  }

  #flushed(): void {
    if (this.isFailing) return this.#owner.storageFailed()
    const token = this.log.write(this.#flushing)
    demand(token > 0, 'memory disk', () => 'a flush of nothing')
    this.#flushing = 0
    this.#owner.persisted(token)
    this.kick()
  }

  #flushSnapshot(bytes: number, done: () => void): void {
    const life = this.#life
    const task: Task = {
      run: () => {
        if (life !== this.#life) return
        if (this.#isStalled || this.#isFull) this.#held.push(task)
        else if (this.isFailing) this.#owner.storageFailed()
        else done()
      },
    }
    this.#snapshotsDoneMs = Math.max(this.#snapshotsDoneMs, this.#scheduler.nowMs) + this.#flushTime(bytes)
    this.#scheduler.at(this.#snapshotsDoneMs, task)
  }

  #flushTime(bytes: number): number {
    const { flushMs, jitterMs, bytesPerMs } = this.#speed
    return (flushMs + this.#dice.exponential(jitterMs) + bytes / bytesPerMs) * this.slowness
  }

  /** What a full disk still takes, in token order: term and vote overwrite their like, entries find no room. */
  #fitting(): readonly PersistRequest[] {
    const { waiting } = this.log
    const first = waiting.findIndex(({ entries }) => entries.length > 0)
    return first < 0 ? waiting : waiting.slice(0, first)
  }

  /** Not from within the turn that has handed it over. */
  #tellFull(): void {
    if (this.#hasRefused) return
    this.#hasRefused = true
    const life = this.#life
    this.#scheduler.after(0, {
      run: () => {
        if (life === this.#life && this.#hasRefused) this.#owner.spaceChanged(true)
      },
    })
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** Refused for space before the flush: entries and snapshots wait, and are tried again in order by {@link makeRoom}. */
  fill(): void {
    this.#isFull = true
  }

  makeRoom(): void {
    this.#isFull = false
    if (this.#hasRefused) this.#owner.spaceChanged(false)
    this.#hasRefused = false
    if (!this.#isStalled) this.release()
    this.kick()
  }

  /** Nothing completes until {@link release}. */
  stall(): void {
    this.#isStalled = true
  }

  release(): void {
    this.#isStalled = false
    const held = this.#held
    this.#held = []
    for (const task of held) this.#scheduler.after(this.#flushTime(0), task)
  }

  /** Loses what is not flushed; a prefix of what was waiting may be on the disk all the same. */
  crash(): void {
    this.#life++
    this.#hasRefused = false
    this.#flushing = 0
    this.#held = []
    this.#snapshotsDoneMs = 0
    const { length } = this.log.waiting
    this.log.crash(length === 0 ? 0 : this.#dice.below(length + 1))
    this.snapshots.crash()
  }
}
