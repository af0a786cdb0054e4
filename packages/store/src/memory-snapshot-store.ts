import type { SnapshotEvents, SnapshotStore } from '@troupe/core'
import { ChunkedSnapshotStore, type SnapshotBackend, type SnapshotBatch } from './chunked-snapshot-store.ts'
import type { Scheduler } from './memory-log-store.ts'
import type { SnapshotId, SnapshotRecord, StoredChunk } from './snapshot-records.ts'

export interface MemorySnapshotStoreOptions {
  readonly events: SnapshotEvents
  /** When a "flush" begins, and when it ends. @default queueMicrotask */
  readonly schedule?: Scheduler | undefined
}

/** Opens a SnapshotStore that keeps everything in memory and nothing beyond it. Never fails. */
export function openMemorySnapshotStore(options: MemorySnapshotStoreOptions): SnapshotStore {
  const { events, schedule = queueMicrotask } = options
  return new ChunkedSnapshotStore(new MemorySnapshotBackend(schedule), events, schedule)
}

/** Chunks and records in memory. */
export class MemorySnapshotBackend implements SnapshotBackend {
  readonly path = 'memory'
  readonly #schedule: Scheduler
  readonly #records = new Map<SnapshotId, SnapshotRecord>()
  /** Ascending in their offset. */
  readonly #chunks = new Map<SnapshotId, StoredChunk[]>()

  constructor(schedule: Scheduler) {
    this.#schedule = schedule
  }

  records(): Iterable<readonly [SnapshotId, SnapshotRecord]> {
    return this.#records
  }

  chunkIds(): readonly SnapshotId[] {
    return [...this.#chunks.keys()].sort((a, b) => a - b)
  }

  chunkOffsets(id: SnapshotId, limit: number): readonly number[] {
    return (this.#chunks.get(id) ?? []).slice(0, limit).map(({ offset }) => offset)
  }

  chunkAt(id: SnapshotId, offset: number): StoredChunk | undefined {
    const chunks = this.#chunks.get(id) ?? []
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((chunks[middle] as StoredChunk).offset <= offset) low = middle + 1
      else high = middle
    }
    return chunks[low - 1]
  }

  commit(batch: SnapshotBatch, done: (error?: unknown) => void): void {
    this.#schedule(() => {
      this.apply(batch)
      done()
    })
  }

  /** What a commit does. */
  apply({ chunks, records, removed }: SnapshotBatch): void {
    for (const chunk of chunks) {
      const known = this.#chunks.get(chunk.id)
      if (known === undefined) this.#chunks.set(chunk.id, [chunk])
      else known.push(chunk)
    }
    for (const [id, record] of records) {
      if (record === undefined) this.#records.delete(id)
      else this.#records.set(id, record)
    }
    const gone = Map.groupBy(removed, ({ id }) => id)
    for (const [id, places] of gone) {
      const offsets = new Set(places.map(({ offset }) => offset))
      const rest = (this.#chunks.get(id) ?? []).filter(({ offset }) => !offsets.has(offset))
      if (rest.length === 0) this.#chunks.delete(id)
      else this.#chunks.set(id, rest)
    }
  }

  async close(): Promise<void> {}
}
