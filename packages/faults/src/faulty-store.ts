/**
 * A LogStore whose disk is slow, stalls, is full or fails. What is written stays whole: the store inside writes it.
 *
 *     persist ─► failing? ─► full: waits, in order ─► store inside ─► completion ─► slow, stalled: waits ─► onPersisted
 *
 * A completion that is held is one of a flush that took place: after a crash the entries may be there.
 */
import {
  type Clock,
  type Durability,
  type Entry,
  type HardState,
  type IndexRange,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  RaftError,
  type Random,
  type StoreEvents,
  type StoreMetrics,
} from '@troupe/core'
import { drawLatencyMs, happens } from './chance.ts'
import type { Scheduler, Switchboard } from './ports.ts'
import type { StoreEffect } from './vocabulary.ts'

export interface FaultyStoreOptions {
  /** The true one, not the node's. */
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  /** Where reports go. */
  readonly events: StoreEvents
}

export class FaultyStore implements LogStore, Switchboard<StoreEffect> {
  readonly #inner: LogStore
  readonly #options: FaultyStoreOptions
  readonly #effects = new Map<number, StoreEffect>()
  /** Refused for space, in token order. */
  readonly #waiting: PersistRequest[] = []
  /** The last token whose completion is held by a stall. */
  #stalledToken: number | undefined
  /** No completion is reported before this, and none while earlier ones are on their way. */
  #reportAtMs = Number.NEGATIVE_INFINITY
  #underWay = 0
  /** Whether the store inside is refused space, and what was reported last. */
  #isInnerFull = false
  #toldFull = false
  #hasFailed = false
  #isClosed = false

  /** @param open opens the store inside, with the events it is to report to */
  constructor(open: (events: StoreEvents) => LogStore, options: FaultyStoreOptions) {
    this.#options = options
    this.#inner = open({
      onPersisted: (token) => this.#completed(token),
      onFailed: (error) => this.#fail(error),
      onSpace: (isFull) => {
        this.#isInnerFull = isFull
        this.#tellSpace()
      },
    })
  }

  get base(): LogPosition {
    return this.#inner.base
  }

  get lastIndex(): number {
    return this.#inner.lastIndex
  }

  get damaged(): readonly IndexRange[] {
    return this.#inner.damaged
  }

  get hardState(): HardState {
    return this.#inner.hardState
  }

  get durability(): Durability {
    return this.#inner.durability
  }

  get metrics(): Readonly<StoreMetrics> {
    return this.#inner.metrics
  }

  /** Requests that wait for space. Bounded by what a core has under way. */
  get waitingRequests(): number {
    return this.#waiting.length
  }

  termAt(index: number): number | undefined {
    return this.#inner.termAt(index)
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    return this.#inner.read(from, to, maxBytes)
  }

  persist(request: PersistRequest): void {
    if (this.#hasFailed) return
    if (this.#isOn('fail')) this.#failLater()
    else if (this.#isOn('full')) this.#refuse(request)
    else this.#inner.persist(request)
  }

  forgotten(to: number): void {
    this.#inner.forgotten(to)
  }

  add(id: number, effect: StoreEffect): void {
    this.#effects.set(id, effect)
  }

  remove(id: number): void {
    if (!this.#effects.delete(id) || this.#hasFailed || this.#isClosed) return
    if (!this.#isOn('full') && this.#waiting.length > 0) {
      for (const request of this.#waiting.splice(0)) this.persist(request)
      this.#tellSpace()
    }
    const token = this.#stalledToken
    if (token === undefined || this.#isOn('stall')) return
    this.#stalledToken = undefined
    this.#report(token, true)
  }

  /** What waits for space or is held is never reported. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#inner.close()
  }

  #refuse(request: PersistRequest): void {
    this.#waiting.push(request)
    const { clock, scheduler } = this.#options
    // Nothing is reported from within `persist`.
    if (this.#waiting.length === 1) scheduler.schedule(clock.nowMs(), () => this.#tellSpace())
  }

  /** At each change; there may be space again by the time that it is told. */
  #tellSpace(): void {
    const isFull = this.#isInnerFull || this.#waiting.length > 0
    if (isFull === this.#toldFull || this.#hasFailed || this.#isClosed) return
    this.#toldFull = isFull
    this.#options.events.onSpace(isFull)
  }

  #completed(token: number): void {
    if (this.#isOn('stall')) this.#stalledToken = token
    else this.#report(token, false)
  }

  /** @param isLater even where nothing slows it down: the caller is not the store inside */
  #report(token: number, isLater: boolean): void {
    const { clock, scheduler } = this.#options
    const nowMs = clock.nowMs()
    this.#reportAtMs = Math.max(this.#reportAtMs, nowMs + this.#delayMs())
    if (!isLater && this.#underWay === 0 && this.#reportAtMs <= nowMs) {
      this.#persisted(token)
      return
    }
    this.#underWay++
    scheduler.schedule(this.#reportAtMs, () => {
      this.#underWay--
      this.#persisted(token)
    })
  }

  #persisted(token: number): void {
    if (this.#hasFailed || this.#isClosed) return
    this.#options.events.onPersisted(token)
  }

  #delayMs(): number {
    const { random } = this.#options
    let delayMs = 0
    for (const effect of this.#effects.values()) {
      if (effect.mode !== 'slow' || !happens(effect.percent ?? 100, random)) continue
      delayMs += drawLatencyMs(effect, random)
    }
    return delayMs
  }

  #failLater(): void {
    const reason = 'an injected fault: the write failed'
    const error = new RaftError('STORAGE_FAILED', reason, { path: '', reason })
    const { clock, scheduler } = this.#options
    scheduler.schedule(clock.nowMs(), () => this.#fail(error))
    // Nothing that is still under way may be reported between now and then.
    this.#hasFailed = true
  }

  #fail(error: RaftError<'STORAGE_FAILED'>): void {
    this.#hasFailed = true
    if (!this.#isClosed) this.#options.events.onFailed(error)
  }

  #isOn(mode: StoreEffect['mode']): boolean {
    for (const effect of this.#effects.values()) if (effect.mode === mode) return true
    return false
  }
}
