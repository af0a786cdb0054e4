import assert from 'node:assert/strict'
import type { Entry, HardState, LogStore, PersistRequest } from '../src/index.ts'

/** What a disk holds. Arrays start at index 1: `entries[0]` is the entry with index 1. */
export interface DiskContent {
  hardState: HardState
  entries: Entry[]
}

/**
 * A disk that knows what is flushed. Requests wait in a queue until the test says {@link write}; a
 * {@link crash} loses what waits. Holds its caller to the contract of LogStore and LogReader.
 */
export class MemoryDisk implements LogStore {
  readonly durability = 'flush-before-ack'
  readonly metrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  readonly firstIndex = 1
  /** What survives a crash. */
  readonly flushed: DiskContent
  /** What will be there once everything that waits is written: the log as its owner sees it. */
  seen: DiskContent
  #waiting: PersistRequest[] = []
  #lastToken = 0

  constructor(content: DiskContent = { hardState: { term: 0, vote: '' }, entries: [] }) {
    this.flushed = content
    this.seen = copyOf(content)
  }

  get hardState(): HardState {
    return this.flushed.hardState
  }
  get lastIndex(): number {
    return this.flushed.entries.length
  }
  /** How many requests wait to be written. */
  get waiting(): readonly PersistRequest[] {
    return this.#waiting
  }

  termAt(index: number): number | undefined {
    this.#assertReadable(index)
    return this.flushed.entries[index - 1]?.term
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    assert.ok(from >= 1 && from <= to && to <= this.lastIndex, `read of ${from}..${to} of ${this.lastIndex}`)
    this.#assertReadable(to)
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of this.flushed.entries.slice(from - 1, to)) {
      bytes += entry.record.byteLength
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return entries
  }

  persist(request: PersistRequest): void {
    assert.equal(request.token, this.#lastToken + 1, 'tokens rise by one')
    this.#lastToken = request.token
    this.#waiting.push(request)
    applyTo(this.seen, request)
  }

  /** Writes the next `count` requests as one flush. Returns the last token, 0 where none waits. */
  write(count = this.#waiting.length): number {
    const requests = this.#waiting.splice(0, count)
    for (const request of requests) applyTo(this.flushed, request)
    return requests.at(-1)?.token ?? 0
  }

  /** Loses what waits; the first `written` requests reached the disk without anyone being told. */
  crash(written = 0): void {
    this.write(written)
    this.#waiting = []
    this.#lastToken = 0
    this.seen = copyOf(this.flushed)
  }

  async close(): Promise<void> {}

  #assertReadable(index: number): void {
    for (const { truncateFrom } of this.#waiting) {
      assert.ok(truncateFrom === undefined || index < truncateFrom, `${index} is read, but truncated`)
    }
  }
}

function applyTo(content: DiskContent, { hardState, truncateFrom, entries }: PersistRequest): void {
  if (hardState !== undefined) content.hardState = hardState
  if (truncateFrom !== undefined) {
    assert.ok(
      truncateFrom >= 1 && truncateFrom <= content.entries.length + 1,
      `truncation at ${truncateFrom}`,
    )
    content.entries.length = truncateFrom - 1
  }
  for (const entry of entries) {
    assert.equal(entry.index, content.entries.length + 1, 'entries are consecutive')
    content.entries.push(entry)
  }
}

function copyOf(content: DiskContent): DiskContent {
  return { hardState: content.hardState, entries: [...content.entries] }
}
