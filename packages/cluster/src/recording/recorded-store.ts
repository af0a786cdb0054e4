import {
  type Durability,
  type Entry,
  type HardState,
  type IndexRange,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  RaftError,
  type StoreMetrics,
} from '@troupe/core'
import { RecordedPort } from '@troupe/wire'
import type { Tape } from './tape.ts'

/** A log store whose answers are recorded. What it is handed stands in the account of the turn. */
export class RecordedStore implements LogStore {
  readonly #tape: Tape
  readonly #inner: LogStore

  constructor(tape: Tape, inner: LogStore) {
    this.#tape = tape
    this.#inner = inner
  }

  get base(): LogPosition {
    return this.#told(RecordedPort.base, this.#inner.base)
  }
  get lastIndex(): number {
    return this.#told(RecordedPort.lastIndex, this.#inner.lastIndex)
  }
  get damaged(): readonly IndexRange[] {
    return this.#told(RecordedPort.damaged, this.#inner.damaged)
  }
  get hardState(): HardState {
    return this.#told(RecordedPort.hardState, this.#inner.hardState)
  }
  get durability(): Durability {
    return this.#told(RecordedPort.durability, this.#inner.durability)
  }
  get metrics(): Readonly<StoreMetrics> {
    return this.#inner.metrics
  }

  #told<Answer>(port: RecordedPort, answer: Answer): Answer {
    if (this.#tape.isRunning) this.#tape.encoder.result(port, answer)
    return answer
  }

  termAt(index: number): number | undefined {
    const term = this.#inner.termAt(index)
    if (this.#tape.isRunning) this.#tape.encoder.result(RecordedPort.termAt, term, [index])
    return term
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    const { encoder, isRunning } = this.#tape
    const asked = [from, to, maxBytes]
    try {
      const entries = this.#inner.read(from, to, maxBytes)
      if (isRunning) encoder.entries(RecordedPort.read, entries, asked)
      return entries
    } catch (error) {
      if (isRunning && error instanceof RaftError) encoder.thrown(RecordedPort.read, error, asked)
      throw error
    }
  }

  persist(request: PersistRequest): void {
    this.#inner.persist(request)
  }
  forgotten(to: number): void {
    this.#inner.forgotten(to)
  }
  close(): Promise<void> {
    return this.#inner.close()
  }
}
