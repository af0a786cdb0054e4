import assert from 'node:assert/strict'
import {
  type Entry,
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  type LogPosition,
  type LogStore,
  type PersistRequest,
} from '../src/index.ts'

/** What a disk holds: the entries behind `base`. */
export interface DiskContent {
  hardState: HardState
  base: LogPosition
  entries: Entry[]
}

/** A disk with a log that was never compacted. */
export const contentOf = (hardState: HardState, entries: Entry[]): DiskContent => ({
  hardState,
  base: { index: 0, term: 0 },
  entries,
})

/**
 * A disk that knows what is flushed. Requests wait in a queue until the test says {@link write}; a
 * {@link crash} loses what waits. Holds its caller to the contract of LogStore and LogReader.
 */
export class MemoryDisk implements LogStore {
  readonly durability = 'flush-before-ack'
  readonly metrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  /** What survives a crash. */
  readonly flushed: DiskContent
  /** What will be there once everything that waits is written: the log as its owner sees it. */
  seen: DiskContent
  /** What a restart finds damaged; see {@link LogStore.damaged}. */
  damaged: IndexRange[] = []
  #waiting: PersistRequest[] = []
  #lastToken = 0
  /** What was rolled back, and up to where its owner knows of it. */
  #lost: Entry[] = []
  #forgottenTo = 0

  constructor(content: DiskContent = contentOf(INITIAL_HARD_STATE, [])) {
    this.flushed = content
    this.seen = copyOf(content)
  }

  get hardState(): HardState {
    return this.flushed.hardState
  }
  get base(): LogPosition {
    return this.flushed.base
  }
  get lastIndex(): number {
    return this.flushed.base.index + this.flushed.entries.length
  }
  /** How many requests wait to be written. */
  get waiting(): readonly PersistRequest[] {
    return this.#waiting
  }

  termAt(index: number): number | undefined {
    this.#assertReadable(index)
    const { base, entries } = this.flushed
    if (index === base.index) return base.term
    return this.#isDamaged(index) ? undefined : entries[index - base.index - 1]?.term
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    const { index: base } = this.base
    assert.ok(
      from > base && from <= to && to <= this.lastIndex,
      `read of ${from}..${to} of ${base}..${this.lastIndex}`,
    )
    this.#assertReadable(to)
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of this.flushed.entries.slice(from - base - 1, to - base)) {
      assert.ok(!this.#isDamaged(entry.index), `read of ${entry.index}, which is damaged`)
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
    for (const request of requests) {
      applyTo(this.flushed, request)
      for (const { index } of request.repairs) this.#mend(index)
    }
    return requests.at(-1)?.token ?? 0
  }

  /** Loses what waits; the first `written` requests reached the disk without anyone being told. */
  crash(written = 0): void {
    this.write(written)
    this.#waiting = []
    this.#lastToken = 0
    this.#findForgotten()
    this.seen = copyOf(this.flushed)
  }

  /** Somebody puts an older state in its place, which lacks the last `count` entries. Shows after a {@link crash}. */
  rollBack(count: number): void {
    this.#lost = this.flushed.entries.splice(-count)
  }

  forgotten(to: number): void {
    this.#forgottenTo = to
  }

  /** What its owner knows to be missing stands in its place, as damage. */
  #findForgotten(): void {
    const found = this.#lost.filter(({ index }) => index > this.lastIndex && index <= this.#forgottenTo)
    const [first, last] = [found[0], found.at(-1)]
    if (first === undefined || last === undefined) return
    this.flushed.entries.push(...found)
    this.damaged = [...this.damaged, { from: first.index, to: last.index }]
  }

  async close(): Promise<void> {}

  #isDamaged(index: number): boolean {
    return this.damaged.some(({ from, to }) => from <= index && index <= to)
  }

  #mend(index: number): void {
    this.damaged = this.damaged.flatMap((range) => {
      if (index < range.from || index > range.to) return [range]
      const parts = [
        { from: range.from, to: index - 1 },
        { from: index + 1, to: range.to },
      ]
      return parts.filter(({ from, to }) => from <= to)
    })
  }

  #assertReadable(index: number): void {
    for (const { truncateFrom } of this.#waiting) {
      assert.ok(truncateFrom === undefined || index < truncateFrom, `${index} is read, but truncated`)
    }
  }
}

function applyTo(content: DiskContent, request: PersistRequest): void {
  const { hardState, reset, truncateFrom, repairs, entries, compactTo } = request
  if (hardState !== undefined) content.hardState = hardState
  if (reset !== undefined) {
    content.base = reset
    content.entries.length = 0
  }
  const { index: base } = content.base
  if (truncateFrom !== undefined) {
    const isThere = truncateFrom > base && truncateFrom <= base + content.entries.length + 1
    assert.ok(isThere, `truncation at ${truncateFrom}`)
    content.entries.length = truncateFrom - base - 1
  }
  for (const entry of repairs) {
    const place = entry.index - base - 1
    assert.ok(place >= 0 && place < content.entries.length, `repair of ${entry.index}`)
    content.entries[place] = entry
  }
  for (const entry of entries) {
    assert.equal(entry.index, base + content.entries.length + 1, 'entries are consecutive')
    content.entries.push(entry)
  }
  if (compactTo === undefined) return
  assert.ok(compactTo.index > base && compactTo.index <= base + content.entries.length, 'compaction')
  content.entries.splice(0, compactTo.index - base)
  content.base = compactTo
}

function copyOf(content: DiskContent): DiskContent {
  return { hardState: content.hardState, base: content.base, entries: [...content.entries] }
}
