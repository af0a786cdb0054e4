/** The disk of a scripted node: nothing reaches it but by a command. */
import { crc32 } from 'node:zlib'
import {
  type Entry,
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  type LogPosition,
  type LogReader,
  type PersistRequest,
  type SnapshotMeta,
  type SnapshotStore,
} from '../../src/index.ts'

export const checksum = (bytes: Uint8Array, previous = 0): number => crc32(bytes, previous)

interface Content {
  readonly hardState: HardState
  readonly base: LogPosition
  readonly entries: readonly Entry[]
}

/** Hard state and log. Requests wait until {@link write}; a {@link crash} loses those that still do. */
export class ScriptedDisk implements LogReader {
  damaged: readonly IndexRange[] = []
  waiting: PersistRequest[] = []
  #lost: readonly Entry[] = []
  #content: Content = { hardState: INITIAL_HARD_STATE, base: { index: 0, term: 0 }, entries: [] }

  get hardState(): HardState {
    return this.#content.hardState
  }
  get base(): LogPosition {
    return this.#content.base
  }
  get lastIndex(): number {
    return this.base.index + this.#content.entries.length
  }
  /** The log as its node sees it: as if all that waits were written. */
  get seen(): Pick<Content, 'base' | 'entries'> {
    return this.waiting.reduce(after, this.#content)
  }

  /** Puts things there before the node is started. */
  prepare(content: Partial<Content>): void {
    this.#content = { ...this.#content, ...content }
  }

  termAt(index: number): number | undefined {
    if (index === this.base.index) return this.base.term
    return this.#isDamaged(index) ? undefined : this.#content.entries[index - this.base.index - 1]?.term
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index++) {
      const entry = this.#content.entries[index - this.base.index - 1]
      if (entry === undefined || this.#isDamaged(index)) throw new Error(`a read of ${index} at the disk`)
      bytes += entry.record.byteLength
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return entries
  }

  /** Writes the oldest `count` requests and gives them. */
  write(count: number): PersistRequest[] {
    const written = this.waiting.splice(0, count)
    for (const request of written) {
      this.#content = after(this.#content, request)
      for (const { index } of request.repairs) this.#mend(index)
      if (request.truncateFrom !== undefined || request.reset !== undefined) this.#dropDamage(request)
    }
    return written
  }

  /** An older state takes the place of this one: the last `count` entries are gone. */
  rollBack(count: number): void {
    const { entries } = this.#content
    this.#lost = entries.slice(-count)
    this.#content = { ...this.#content, entries: entries.slice(0, -count) }
  }

  /** What is proven to be missing up to `to` stands there as damage. */
  forgotten(to: number): void {
    const found = this.#lost.filter(({ index }) => index > this.lastIndex && index <= to)
    this.damaged = [...this.damaged, { from: this.lastIndex + 1, to }]
    this.#content = { ...this.#content, entries: [...this.#content.entries, ...found] }
  }

  /** Loses what waits, but for the oldest `written` requests, of which nobody was told. */
  crash(written: number): void {
    this.write(written)
    this.waiting = []
  }

  #isDamaged(index: number): boolean {
    return this.damaged.some(({ from, to }) => from <= index && index <= to)
  }

  #mend(index: number): void {
    this.damaged = this.damaged.flatMap(({ from, to }) => {
      if (index < from || index > to) return [{ from, to }]
      const parts = [
        { from, to: index - 1 },
        { from: index + 1, to },
      ]
      return parts.filter((part) => part.from <= part.to)
    })
  }

  #dropDamage({ truncateFrom, reset }: PersistRequest): void {
    const end = reset === undefined ? (truncateFrom as number) - 1 : 0
    const cut = this.damaged.map(({ from, to }) => ({ from, to: Math.min(to, end) }))
    this.damaged = cut.filter(({ from, to }) => from <= to)
  }
}

/** What a request makes of a disk, in the order that ready.ts gives. */
function after(content: Content, request: PersistRequest): Content {
  const { hardState = content.hardState, reset, truncateFrom, repairs, compactTo } = request
  let base = reset ?? content.base
  let entries = reset === undefined ? [...content.entries] : []
  if (truncateFrom !== undefined) entries.length = truncateFrom - base.index - 1
  for (const entry of repairs) entries[entry.index - base.index - 1] = entry
  for (const entry of request.entries) {
    const next = base.index + entries.length + 1
    if (entry.index !== next) throw new Error(`entry ${entry.index} is written where ${next} is due`)
    entries.push(entry)
  }
  if (compactTo !== undefined) {
    entries = entries.slice(compactTo.index - base.index)
    base = compactTo
  }
  return { hardState, base, entries }
}

interface Complete {
  readonly meta: SnapshotMeta
  readonly data: Uint8Array
}

export type SnapshotNews = { readonly kind: 'saved' | 'received'; readonly meta: SnapshotMeta }

/** Snapshots. They are on the disk at once, but their node hears of it only when the script says so. */
export class ScriptedSnapshots implements SnapshotStore {
  readonly pendingBytes = 0
  news: SnapshotNews[] = []
  #complete: Complete[] = []
  #own: Uint8Array[] = []
  #receiving: Complete | undefined

  get latest(): SnapshotMeta | undefined {
    return this.#complete.at(-1)?.meta
  }

  read(index: number, sum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    const found = this.#complete.find(({ meta }) => meta.index === index && meta.checksum === sum)
    return found?.data.slice(offset, offset + maxBytes)
  }

  begin(): void {
    this.#own = []
  }
  write(data: Uint8Array): void {
    this.#own.push(data)
  }
  finish(meta: SnapshotMeta): void {
    this.#add({ meta, data: Buffer.concat(this.#own) })
    this.news.push({ kind: 'saved', meta })
  }
  abort(): void {
    this.#own = []
  }

  received(meta: SnapshotMeta): number {
    return this.#isReceiving(meta) ? (this.#receiving?.data.byteLength ?? 0) : 0
  }

  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    const before = this.#isReceiving(meta) ? (this.#receiving as Complete).data : new Uint8Array(0)
    if (offset !== before.byteLength) return
    const all = Buffer.concat([before, data])
    this.#receiving = { meta, data: all }
    if (all.byteLength < meta.bytes) return
    this.#receiving = undefined
    if (checksum(all) !== meta.checksum) return
    this.#add({ meta, data: all })
    this.news.push({ kind: 'received', meta })
  }

  async close(): Promise<void> {}

  #add(snapshot: Complete): void {
    this.#complete = [...this.#complete, snapshot].slice(-2)
  }

  #isReceiving(meta: SnapshotMeta): boolean {
    const other = this.#receiving?.meta
    return other?.index === meta.index && other.checksum === meta.checksum
  }
}
