import type { BatchResults, CommandMeta, StateMachine } from '@troupe/machines'
import { crc32 } from '@troupe/wire'

/** Told of each payload that a machine runs: how many it ran, and a digest of all of them. */
export type OnRun = (count: number, digest: number, payload: Uint8Array) => void

const HEADER_BYTES = 16

/** A machine around another one, that keeps a digest of everything that was applied, through snapshots too. */
export class CheckedMachine implements StateMachine {
  readonly #inner: StateMachine
  readonly #onRun: OnRun
  #count = 0
  #digest = 0

  constructor(inner: StateMachine, onRun: OnRun) {
    this.#inner = inner
    this.#onRun = onRun
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
    this.#onRun(this.#count, this.#digest, payload)
    return this.#inner.applyPayload?.(payload, count, meta)
  }

  query(query: unknown): unknown {
    return this.#inner.query(query)
  }

  save(): Iterable<Uint8Array> {
    const header = new Uint8Array(HEADER_BYTES)
    const view = new DataView(header.buffer)
    view.setFloat64(0, this.#count, true)
    view.setUint32(8, this.#digest, true)
    return chain(header, this.#inner.save())
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
    const view = new DataView(bytes.buffer)
    this.#count = view.getFloat64(0, true)
    this.#digest = view.getUint32(8, true)
    this.#inner.load([bytes.subarray(HEADER_BYTES)])
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
