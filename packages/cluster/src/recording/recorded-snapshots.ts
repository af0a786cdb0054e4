import { RaftError, type SnapshotMeta, type SnapshotStore } from '@troupe/core'
import { RecordedPort } from '@troupe/wire'
import type { Tape } from './tape.ts'

/** A snapshot store whose answers are recorded, and what it is handed of this node's own state. */
export class RecordedSnapshots implements SnapshotStore {
  readonly #tape: Tape
  readonly #inner: SnapshotStore

  constructor(tape: Tape, inner: SnapshotStore) {
    this.#tape = tape
    this.#inner = inner
  }

  get latest(): SnapshotMeta | undefined {
    const { latest } = this.#inner
    if (this.#tape.isRunning) this.#tape.encoder.result(RecordedPort.latest, latest)
    return latest
  }
  get pendingBytes(): number {
    const { pendingBytes } = this.#inner
    if (this.#tape.isRunning) this.#tape.encoder.result(RecordedPort.pendingBytes, pendingBytes)
    return pendingBytes
  }

  read(index: number, checksum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    const { encoder, isRunning } = this.#tape
    const asked = [index, checksum, offset, maxBytes]
    try {
      const bytes = this.#inner.read(index, checksum, offset, maxBytes)
      if (isRunning && bytes === undefined) encoder.result(RecordedPort.snapshotRead, undefined, asked)
      if (isRunning && bytes !== undefined) encoder.bytes(RecordedPort.snapshotRead, bytes, asked)
      return bytes
    } catch (error) {
      if (isRunning && error instanceof RaftError) encoder.thrown(RecordedPort.snapshotRead, error, asked)
      throw error
    }
  }

  received(meta: SnapshotMeta): number {
    const bytes = this.#inner.received(meta)
    if (this.#tape.isRunning) this.#tape.encoder.result(RecordedPort.received, bytes, [meta.index])
    return bytes
  }

  begin(): void {
    this.#tape.account.snapshot('begin')
    this.#inner.begin()
  }
  write(data: Uint8Array): void {
    this.#tape.account.snapshot('write', data)
    this.#inner.write(data)
  }
  finish(meta: SnapshotMeta): void {
    this.#tape.account.snapshot('finish', meta)
    this.#inner.finish(meta)
  }
  abort(): void {
    this.#tape.account.snapshot('abort')
    this.#inner.abort()
  }
  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    this.#inner.receive(meta, offset, data)
  }
  close(): Promise<void> {
    return this.#inner.close()
  }
}
