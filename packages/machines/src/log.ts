/**
 * The append-only log machine: commands are records, kept as they came and never decoded by the replicas.
 * Each record gets a position, from 0. The newest are kept up to `retainBytes`; of the others their count and a
 * running checksum remain, so that digests still tell two histories apart.
 */

import { invalidOption, type StateLoader } from '@troupe/core'
import { FrameReader, sizedFrame } from './chunk-frames.ts'
import {
  type Codec,
  type CommandMeta,
  type MachineContext,
  type MachineDefinition,
  reject,
  type StateMachine,
} from './machine.ts'
import { arrayLength } from './msgpack-cursor.ts'
import type { CountingResults } from './outcome.ts'

export type LogQuery = readonly [op: 'read', from: number, limit: number] | readonly [op: 'range']

export interface LogRecord {
  readonly position: number
  readonly record: unknown
}

/** Positions that can be read: `first` ≤ position < `next`. */
export interface LogAnswer {
  readonly first: number
  readonly next: number
}

/** Makes commands and queries of the `log` machine. */
export const log = {
  /** Appends a record. Result: its position. */
  append: (record: unknown): unknown => record,
  /** Answer: up to `limit` {@link LogRecord}s from position `from` on, as far as they are retained. */
  read: (from: number, limit = 1000): LogQuery => ['read', from, limit],
  /** Answer: a {@link LogAnswer}. */
  range: (): LogQuery => ['range'],
}

interface Block {
  readonly first: number
  readonly count: number
  /** Msgpack array of the records. */
  readonly payload: Uint8Array
}

const DROPPED: Block = { first: 0, count: 0, payload: new Uint8Array(0) }
const DEFAULT_RETAIN_BYTES = 16 << 20

class LogMachine implements StateMachine {
  readonly #context: MachineContext
  readonly #codec: Codec
  readonly #retainBytes: number
  #blocks: Block[] = []
  /** Blocks before this one are dropped; the array is cut when they are its larger half. */
  #head = 0
  #retainedBytes = 0
  #next = 0
  /** CRC-32 over the previous one and each block in turn. */
  #checksum = 0

  constructor(context: MachineContext) {
    this.#context = context
    this.#codec = context.codec
    const retainBytes = context.options.retainBytes ?? DEFAULT_RETAIN_BYTES
    if (!Number.isSafeInteger(retainBytes) || (retainBytes as number) < 0) {
      throw invalidOption('machineOptions.retainBytes', retainBytes, 'an integer that is not negative')
    }
    this.#retainBytes = retainBytes as number
  }

  apply(command: unknown, meta: CommandMeta): number {
    return this.applyPayload(this.#codec.encode([command]), 1, meta).results.from
  }

  applyPayload(payload: Uint8Array, count: number, _meta: CommandMeta): { results: CountingResults } {
    if (arrayLength(payload, 0) !== count) throw reject('the frame does not hold its commands')
    const from = this.#next
    this.#blocks.push({ first: from, count, payload })
    this.#next += count
    this.#retainedBytes += payload.byteLength
    this.#checksum = (Math.imul(this.#checksum, 31) + this.#context.checksum(payload)) >>> 0
    this.#dropOldest()
    return { results: { from } }
  }

  #dropOldest(): void {
    while (this.#retainedBytes > this.#retainBytes && this.#head < this.#blocks.length - 1) {
      const block = this.#blocks[this.#head] as Block
      this.#retainedBytes -= block.payload.byteLength
      this.#blocks[this.#head++] = DROPPED
    }
    if (this.#head <= this.#blocks.length / 2) return
    this.#blocks = this.#blocks.slice(this.#head)
    this.#head = 0
  }

  query(query: unknown): unknown {
    if (!Array.isArray(query)) throw reject('a log query is an array: [operation, ...]')
    const [op, from, limit] = query as readonly unknown[]
    switch (op) {
      case 'read':
        return this.#read(Number(from), Number(limit))
      case 'range':
        return { first: this.#blocks[this.#head]?.first ?? this.#next, next: this.#next }
      default:
        throw reject('unknown log query')
    }
  }

  #read(from: number, limit: number): LogRecord[] {
    if (!Number.isSafeInteger(from)) throw reject('a read begins at a position, an integer')
    if (!Number.isSafeInteger(limit) || limit < 1) throw reject('the limit of a read is a positive integer')
    const found: LogRecord[] = []
    for (const { first, count, payload } of this.#retained()) {
      if (first + count <= from) continue
      const records = this.#records(payload, count)
      for (let offset = Math.max(0, from - first); offset < count; offset++) {
        if (found.length >= limit) return found
        found.push({ position: first + offset, record: records[offset] })
      }
    }
    return found
  }

  #retained(): Block[] {
    return this.#blocks.slice(this.#head)
  }

  #records(payload: Uint8Array, count: number): readonly unknown[] {
    try {
      const records = this.#codec.decode(payload)
      if (Array.isArray(records) && records.length === count) return records
    } catch {
      // Kept as it came; whoever reads it is told.
    }
    throw reject('the record does not decode')
  }

  *save(): Iterable<Uint8Array> {
    yield* this.#view()
  }

  /** Blocks are never changed: the list of them is the view. */
  beginSave(): Iterator<Uint8Array> {
    return this.#view()
  }

  #view(): Generator<Uint8Array, undefined, undefined> {
    return framesOf(this.#codec.encode([this.#next, this.#checksum]), this.#retained())
  }

  load(chunks: Iterable<Uint8Array>): void {
    const loader = this.beginLoad()
    for (const chunk of chunks) loader.chunk(chunk)
    loader.end()
  }

  beginLoad(): StateLoader {
    let head: Uint8Array | undefined
    const blocks: Uint8Array[] = []
    const frames = new FrameReader((frame) => {
      // Not slice(): that of a Buffer is a view.
      const copy = new Uint8Array(frame)
      if (head === undefined) head = copy
      else blocks.push(copy)
    })
    return {
      chunk: (bytes) => frames.chunk(bytes),
      end: () => {
        frames.end()
        this.#restore(head === undefined ? [0, 0] : (this.#codec.decode(head) as [number, number]), blocks)
      },
    }
  }

  #restore([next, checksum]: readonly [number, number], payloads: readonly Uint8Array[]): void {
    this.#next = next
    this.#checksum = checksum
    this.#retainedBytes = 0
    this.#head = 0
    let first = next - payloads.reduce((sum, payload) => sum + arrayLength(payload, 0), 0)
    this.#blocks = payloads.map((payload) => {
      const block = { first, count: arrayLength(payload, 0), payload }
      first += block.count
      this.#retainedBytes += payload.byteLength
      return block
    })
  }
}

/** Position and checksum, then the blocks. */
function* framesOf(head: Uint8Array, blocks: readonly Block[]): Generator<Uint8Array, undefined, undefined> {
  yield sizedFrame(head)
  for (const { payload } of blocks) yield sizedFrame(payload)
  return undefined
}

export const logMachine: MachineDefinition = {
  name: 'log',
  create: (context) => new LogMachine(context),
}
