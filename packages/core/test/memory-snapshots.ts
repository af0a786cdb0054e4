import type { SnapshotEvents, SnapshotMeta, SnapshotStore } from '../src/index.ts'
import { checksum } from './checksum.ts'

interface Receiving {
  readonly meta: SnapshotMeta
  readonly chunks: Uint8Array[]
  bytes: number
}

/** Snapshots in memory, which survive their owner. What is complete is told when the test says {@link tell}. */
export class MemorySnapshots implements SnapshotStore {
  /** As the test says. */
  pendingBytes = 0
  latest: SnapshotMeta | undefined
  readonly #complete = new Map<string, Uint8Array>()
  #own: Uint8Array[] = []
  #receiving: Receiving | undefined
  #untold: ((events: Pick<SnapshotEvents, 'onSnapshotSaved' | 'onSnapshotReceived'>) => void)[] = []

  /** Tells what has been completed since the last call. */
  tell(events: Pick<SnapshotEvents, 'onSnapshotSaved' | 'onSnapshotReceived'>): void {
    const untold = this.#untold
    this.#untold = []
    for (const tell of untold) tell(events)
  }

  /** Puts a snapshot there, as if it had been taken. */
  put(meta: Omit<SnapshotMeta, 'bytes' | 'checksum'>, data: Uint8Array): SnapshotMeta {
    const whole = { ...meta, bytes: data.byteLength, checksum: checksum(data) }
    this.#complete.set(keyOf(whole.index, whole.checksum), data)
    this.latest = whole
    return whole
  }

  read(index: number, sum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    return this.#complete.get(keyOf(index, sum))?.slice(offset, offset + maxBytes)
  }

  begin(): void {
    this.#own = []
  }
  write(data: Uint8Array): void {
    this.#own.push(data.slice())
  }
  finish(meta: SnapshotMeta): void {
    const saved = this.put(meta, Buffer.concat(this.#own))
    this.#own = []
    this.#untold.push((events) => events.onSnapshotSaved(saved))
  }
  abort(): void {
    this.#own = []
  }

  received(meta: SnapshotMeta): number {
    return this.#isReceiving(meta) ? (this.#receiving?.bytes ?? 0) : 0
  }

  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    if (!this.#isReceiving(meta)) this.#receiving = { meta, chunks: [], bytes: 0 }
    const receiving = this.#receiving as Receiving
    if (offset !== receiving.bytes) return
    receiving.chunks.push(data.slice())
    receiving.bytes += data.byteLength
    if (receiving.bytes < meta.bytes) return
    this.#receiving = undefined
    const whole = Buffer.concat(receiving.chunks)
    if (checksum(whole) !== meta.checksum) return
    this.put(meta, whole)
    this.#untold.push((events) => events.onSnapshotReceived(meta))
  }

  async close(): Promise<void> {}

  #isReceiving(meta: SnapshotMeta): boolean {
    const { meta: other } = this.#receiving ?? {}
    return other?.index === meta.index && other.checksum === meta.checksum
  }
}

const keyOf = (index: number, sum: number): string => `${index}/${sum}`
