/** Entries to store, what a test is given, and somebody to hand them over and to wait for them: what tests of log stores work with. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  type Entry,
  EntryKind,
  encodeEntry,
  type HardState,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  type RaftError,
  type StoreEvents,
} from '@troupe/core'

/** A store under test. */
export interface OpenedStore {
  readonly store: LogStore
  /** Closes what is open and opens the same data again; leave it out where nothing outlives a close. */
  readonly reopen?: ((events: StoreEvents) => Promise<LogStore>) | undefined
  /** Closes and removes everything. */
  cleanup(): Promise<void>
}

export interface Bench extends OpenedStore {
  readonly probe: StoreProbe
}

export type Case = (bench: Bench, t: TestContext) => Promise<void>

/** An entry with `bytes` bytes of payload, all of them `fill`; it does not know what stands before it. */
export function sampleEntry(index: number, term: number, bytes = 10, fill = index % 251): Entry {
  return entryBehind(undefined, index, term, bytes, fill)
}

function entryBehind(
  previous: Entry | undefined,
  index: number,
  term: number,
  bytes: number,
  fill = index % 251,
): Entry {
  const kind = EntryKind.commands
  const header = { index, term, kind, timeMs: index * 2, commandCount: 1, configurationIndex: 0 }
  return encodeEntry(header, [new Uint8Array(bytes).fill(fill)], crc32, previous)
}

/** Entries `from..to`, all of one term; none knows what stands before it. */
export function sampleEntries(from: number, to: number, term: number, bytes = 10): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => sampleEntry(from + i, term, bytes))
}

/** The same, each behind the one before it: the first, too, where that is given. */
export function chainedEntries(
  from: number,
  to: number,
  term: number,
  bytes = 10,
  previous?: Entry,
): Entry[] {
  const entries: Entry[] = []
  for (let index = from; index <= to; index++) {
    entries.push(entryBehind(entries.at(-1) ?? previous, index, term, bytes))
  }
  return entries
}

/** A hard state; of a vote's incarnation nothing depends on but its being kept. */
export function sampleHardState(term: number, vote = '', voteIncarnation = vote === '' ? 0 : 77): HardState {
  return { term, vote, voteIncarnation }
}

/** What a request may carry. */
export type RequestContent = Partial<Omit<PersistRequest, 'token'>>

/** Hands out requests with rising tokens and records what comes back. */
export class StoreProbe implements StoreEvents {
  readonly persisted: number[] = []
  readonly failures: RaftError<'STORAGE_FAILED'>[] = []
  /** Whether the disk was full, at each change. */
  readonly space: boolean[] = []
  #token = 0
  readonly #spaceWaits: (() => void)[] = []
  readonly #waiting: { token: number; ended: PromiseWithResolvers<void> }[] = []

  onPersisted(token: number): void {
    this.persisted.push(token)
    for (const { token: wanted, ended } of this.#waiting) if (wanted <= token) ended.resolve()
  }

  onFailed(error: RaftError<'STORAGE_FAILED'>): void {
    this.failures.push(error)
    for (const { ended } of this.#waiting) ended.reject(error)
  }

  onSpace(isFull: boolean): void {
    this.space.push(isFull)
    for (const wait of this.#spaceWaits.splice(0)) wait()
  }

  /** Waits until the store has said that it is full, or that it no longer is. */
  async untilSpace(isFull: boolean): Promise<void> {
    while (this.space.at(-1) !== isFull) {
      await new Promise<void>((resolve) => this.#spaceWaits.push(resolve))
    }
  }

  /** A request that carries what is given and nothing else. */
  request(content: RequestContent = {}): PersistRequest {
    this.#token += 1
    return {
      token: this.#token,
      hardState: undefined,
      reset: undefined,
      truncateFrom: undefined,
      repairs: [],
      entries: [],
      compactTo: undefined,
      messages: [],
      ...content,
    }
  }

  /** Persists a request without waiting. */
  hand(store: LogStore, content: RequestContent = {}): PersistRequest {
    const request = this.request(content)
    store.persist(request)
    return request
  }

  /** Persists a request and waits until it is complete. */
  async write(store: LogStore, content: RequestContent = {}): Promise<void> {
    await this.until(this.hand(store, content).token)
  }

  /** Waits until `token` is complete. @throws RaftError STORAGE_FAILED where the store fails first */
  async until(token: number): Promise<void> {
    if (this.persisted.some((done) => done >= token)) return
    const ended = Promise.withResolvers<void>()
    this.#waiting.push({ token, ended })
    await ended.promise
  }
}

/** The whole log, as index and term; checks that `termAt` agrees with `read`, and both with the base. */
export function contentOf(store: LogStore): LogPosition[] {
  const { base, lastIndex } = store
  assert.equal(store.termAt(base.index), base.term)
  assert.equal(store.termAt(lastIndex + 1), undefined)
  if (base.index > 0) assert.equal(store.termAt(base.index - 1), undefined)
  if (lastIndex === base.index) return []
  const entries = store.read(base.index + 1, lastIndex, Number.POSITIVE_INFINITY)
  for (const entry of entries) assert.equal(store.termAt(entry.index), entry.term)
  return placesOf(entries)
}

export const placesOf = (entries: readonly Entry[]): LogPosition[] =>
  entries.map(({ index, term }) => ({ index, term }))
