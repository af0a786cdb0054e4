/** Snapshots to store, and somebody to wait for them: what tests of snapshot stores work with. */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import {
  type RaftError,
  type SnapshotEvents,
  type SnapshotMeta,
  type SnapshotStore,
  simpleConfiguration,
} from '@troupe/core'

export interface SampleSnapshot {
  readonly meta: SnapshotMeta
  readonly data: Buffer
}

/** A snapshot of `bytes` bytes that is told from any other by its content. */
export function sampleSnapshot(index: number, bytes: number): SampleSnapshot {
  const data = Buffer.alloc(bytes)
  let state = (index * 2_654_435_761 + bytes) >>> 0
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    data[at] = state >>> 24
  }
  const configuration = simpleConfiguration([{ id: 'a', incarnation: 2 ** 50 + index }])
  const place = { index, term: 3, timeMs: index * 2.5, configuration, configurationIndex: 0 }
  return { meta: { ...place, bytes, checksum: crc32(data) }, data }
}

/** Records what a snapshot store reports. */
export class SnapshotProbe implements SnapshotEvents {
  /** What happened to the snapshot of which index. */
  readonly events: (readonly ['saved' | 'received', number])[] = []
  readonly failures: RaftError<'STORAGE_FAILED'>[] = []
  #waiting: (() => void)[] = []

  onSnapshotSaved(meta: SnapshotMeta): void {
    this.events.push(['saved', meta.index])
    this.#wake()
  }

  onSnapshotReceived(meta: SnapshotMeta): void {
    this.events.push(['received', meta.index])
    this.#wake()
  }

  onFailed(error: RaftError<'STORAGE_FAILED'>): void {
    this.failures.push(error)
    this.#wake()
  }

  /** Waits until an own snapshot is reported. @throws RaftError STORAGE_FAILED where the store fails first */
  async saved({ index }: SnapshotMeta): Promise<void> {
    await this.#until(() => this.events.some(([what, which]) => what === 'saved' && which === index))
  }

  /** Waits until a received snapshot is reported. @throws RaftError STORAGE_FAILED where the store fails first */
  async received({ index }: SnapshotMeta): Promise<void> {
    await this.#until(() => this.events.some(([what, which]) => what === 'received' && which === index))
  }

  /** Waits until as many are reported. @throws RaftError STORAGE_FAILED where the store fails first */
  async reported(count: number): Promise<void> {
    await this.#until(() => this.events.length >= count)
  }

  /** Waits until the store fails. */
  async failed(): Promise<void> {
    while (this.failures.length === 0) await this.#next()
  }

  async #until(isReached: () => boolean): Promise<void> {
    for (;;) {
      if (this.failures[0] !== undefined) throw this.failures[0]
      if (isReached()) return
      await this.#next()
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** Takes a whole snapshot of this node's own. */
export function writeAll(store: SnapshotStore, { meta, data }: SampleSnapshot, pieceBytes = 40_000): void {
  store.begin()
  for (let from = 0; from < data.byteLength; from += pieceBytes) {
    store.write(data.subarray(from, from + pieceBytes))
  }
  store.finish(meta)
}

/** Receives a whole snapshot. */
export function receiveAll(store: SnapshotStore, { meta, data }: SampleSnapshot, pieceBytes = 60_000): void {
  for (let from = 0; from < data.byteLength; from += pieceBytes) {
    store.receive(meta, from, data.subarray(from, from + pieceBytes))
  }
}

/** All bytes of a complete snapshot, read in pieces; undefined where it is not kept. */
export function wholeOf(store: SnapshotStore, { index, checksum, bytes }: SnapshotMeta): Buffer | undefined {
  const pieces: Uint8Array[] = []
  for (let offset = 0; offset < bytes; ) {
    const piece = store.read(index, checksum, offset, 99_991)
    if (piece === undefined) return undefined
    assert.ok(piece.byteLength > 0 && piece.byteLength <= 99_991)
    pieces.push(piece)
    offset += piece.byteLength
  }
  const end = store.read(index, checksum, bytes, 10)
  if (end === undefined) return undefined
  assert.equal(end.byteLength, 0)
  return Buffer.concat(pieces)
}

/** Waits until everything handed over is on the disk, or the store has failed. */
export async function quiescent(store: SnapshotStore, hasFailed = (): boolean => false): Promise<void> {
  while (store.pendingBytes > 0 && !hasFailed()) await new Promise((resolve) => setImmediate(resolve))
}
