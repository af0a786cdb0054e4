import type { MachineStorage, StateLoader } from '@troupe/core'
import type { AnswerRows, BatchResults, CommandMeta, StateMachine } from '@troupe/machines'
import { codec, crc32 } from '@troupe/wire'

/** Told of each payload that a machine runs: how many it ran, a digest of all of them, and the index of its entry. */
export type OnRun = (count: number, digest: number, payload: Uint8Array, index: number) => void

export interface CheckedOptions {
  /** Whether it is saved and loaded over many turns. */
  readonly inPieces: boolean
  /** Whether the digest is of the results too. */
  readonly withResults: boolean
}

const HEADER_BYTES = 16

/** A machine around another one, that keeps a digest of everything that was applied, through snapshots too. */
export class CheckedMachine implements StateMachine {
  readonly #inner: StateMachine
  readonly #onRun: OnRun
  readonly connectionClosed?: (meta: CommandMeta) => void
  readonly #withResults: boolean
  /** Where it is `inPieces` only: otherwise the ways without them are run. */
  readonly beginSave?: () => Iterator<Uint8Array>
  readonly beginLoad?: (draft?: MachineStorage) => StateLoader
  #count = 0
  #digest = 0

  constructor(inner: StateMachine, onRun: OnRun, { inPieces, withResults }: CheckedOptions) {
    this.#inner = inner
    this.#onRun = onRun
    if (inner.connectionClosed !== undefined) this.connectionClosed = (meta) => inner.connectionClosed?.(meta)
    this.#withResults = withResults
    if (!inPieces) return
    this.beginSave = () => this.#beginSave()
    this.beginLoad = (draft) => this.#beginLoad(draft)
  }

  /** Payloads run. */
  get count(): number {
    return this.#count
  }
  get digest(): number {
    return this.#digest
  }

  apply(command: unknown, meta: CommandMeta): unknown {
    return this.#inner.apply(command, meta)
  }

  applyPayload(payload: Uint8Array, count: number, meta: CommandMeta): BatchResults | undefined {
    this.#count++
    this.#digest = mix(mix(mix(this.#digest, crc32(payload)), count), meta.index)
    if (this.#withResults) return this.#runWithResults(payload, count, meta)
    this.#onRun(this.#count, this.#digest, payload, meta.index)
    return this.#inner.applyPayload?.(payload, count, meta)
  }

  #runWithResults(payload: Uint8Array, count: number, meta: CommandMeta): BatchResults | undefined {
    const results = this.#inner.applyPayload?.(payload, count, meta)
    this.#digest = mix(this.#digest, crc32(codec.encode(results ?? null)))
    this.#onRun(this.#count, this.#digest, payload, meta.index)
    return results
  }

  get dueMs(): number {
    return this.#inner.dueMs ?? Number.POSITIVE_INFINITY
  }

  passTime(meta: CommandMeta): void {
    this.#inner.passTime?.(meta)
  }

  query(query: unknown): unknown {
    return this.#inner.query(query)
  }

  queryPayload(payload: Uint8Array, count: number): AnswerRows | undefined {
    return this.#inner.queryPayload?.(payload, count)
  }

  /** How many and the digest, as bytes. */
  header(): Uint8Array {
    const header = new Uint8Array(HEADER_BYTES)
    const view = new DataView(header.buffer)
    view.setFloat64(0, this.#count, true)
    view.setUint32(8, this.#digest, true)
    return header
  }

  /** What {@link header} gave; nothing in a new machine. */
  restore(header: Uint8Array = new Uint8Array(HEADER_BYTES)): void {
    const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES)
    this.#count = view.getFloat64(0, true)
    this.#digest = view.getUint32(8, true)
  }

  save(): Iterable<Uint8Array> {
    return chain(this.header(), this.#inner.save())
  }

  load(chunks: Iterable<Uint8Array>): void {
    const all = [...chunks]
    let length = 0
    for (const { byteLength } of all) length += byteLength
    const bytes = new Uint8Array(length)
    let offset = 0
    for (const chunk of all) {
      bytes.set(chunk, offset)
      offset += chunk.byteLength
    }
    this.restore(bytes)
    this.#inner.load([bytes.subarray(HEADER_BYTES)])
  }

  #beginSave(): Iterator<Uint8Array> {
    const inner = this.#inner.beginSave?.() as Iterator<Uint8Array>
    let header: Uint8Array | undefined = this.header()
    return {
      next: () => {
        if (header === undefined) return inner.next()
        const value = header
        header = undefined
        return { done: false, value }
      },
      return: () => inner.return?.() ?? { done: true, value: undefined },
    }
  }

  /** The header may come in pieces. */
  #beginLoad(draft: MachineStorage | undefined): StateLoader {
    const inner = this.#inner.beginLoad?.(draft) as StateLoader
    const header = new Uint8Array(HEADER_BYTES)
    let headerBytes = 0
    return {
      chunk: (bytes) => {
        const taken = bytes.subarray(0, HEADER_BYTES - headerBytes)
        header.set(taken, headerBytes)
        headerBytes += taken.byteLength
        if (bytes.byteLength > taken.byteLength) inner.chunk(bytes.subarray(taken.byteLength))
      },
      end: () => {
        inner.end()
        this.restore(header)
      },
    }
  }
}

function* chain(header: Uint8Array, rest: Iterable<Uint8Array>): Iterable<Uint8Array> {
  yield header
  yield* rest
}

/** A step of a 32-bit hash. */
export function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x9e3779b1)
  mixed ^= mixed >>> 15
  mixed = Math.imul(mixed, 0x85ebca77)
  return (mixed ^ (mixed >>> 13)) >>> 0
}
