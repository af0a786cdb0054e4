import type { SnapshotEvents, SnapshotMeta, SnapshotStore } from '@troupe/core'
import type { Scheduler } from '../log/memory-log-store.ts'
import {
  ChunkedSnapshotStore,
  type Done,
  type FoundSnapshot,
  type SnapshotBackend,
} from './chunked-snapshot-store.ts'
import type { Completion, SnapshotId } from './snapshot-draft.ts'
import { CHUNK_BYTES, type SnapshotChunk } from './snapshot-format.ts'

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

/** Data of chunks, by snapshot, in their order. */
class MemorySnapshotBackend implements SnapshotBackend {
  readonly path = 'memory'
  readonly found: readonly FoundSnapshot[] = []
  readonly #schedule: Scheduler
  readonly #chunks = new Map<SnapshotId, Uint8Array[]>()

  constructor(schedule: Scheduler) {
    this.#schedule = schedule
  }

  write(id: SnapshotId, _meta: SnapshotMeta | undefined, chunks: readonly SnapshotChunk[], done: Done): void {
    this.#schedule(() => {
      const known = this.#chunks.get(id) ?? []
      this.#chunks.set(id, known)
      for (const { offset, data } of chunks) known[offset / CHUNK_BYTES] = data
      done()
    })
  }

  install(id: SnapshotId, _completion: Completion, done: Done): void {
    this.#schedule(() => {
      const known = this.#chunks.get(id)
      const last = known?.pop()
      // A view of a whole chunk's memory, of which nothing else is used.
      if (last !== undefined) known?.push(last.slice())
      done()
    })
  }

  remove(id: SnapshotId, done: Done): void {
    this.#schedule(() => {
      this.#chunks.delete(id)
      done()
    })
  }

  giveUp(): void {}

  read(id: SnapshotId, offset: number, size: number): Uint8Array {
    const known = this.#chunks.get(id) ?? []
    const bytes = new Uint8Array(size)
    for (let filled = 0; filled < size; ) {
      const at = offset + filled
      const chunk = known[Math.floor(at / CHUNK_BYTES)] as Uint8Array
      const piece = chunk.subarray(at % CHUNK_BYTES, (at % CHUNK_BYTES) + size - filled)
      bytes.set(piece, filled)
      filled += piece.byteLength
    }
    return bytes
  }

  async close(): Promise<void> {}
}
