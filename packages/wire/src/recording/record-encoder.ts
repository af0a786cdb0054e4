/** Writes the records of recording.ts. What is large is copied once, when it is noted. */
import type { Entry, Message, RaftError, WireError } from '@troupe/core'
import { codec } from '../codec.ts'
import { crc32 } from '../crc32.ts'
import { packMessage } from '../pack-message.ts'
import { STREAM_HEADER_BYTES } from '../stream-frame.ts'
import {
  type KeptRows,
  RECORD_PREFIX_BYTES,
  RECORDING_FORMAT,
  type RecordedEvent,
  type RecordedPort,
  type RecordedSettings,
  RecordKind,
} from './recording.ts'
import { hashOf } from './turn-account.ts'

/** How an event stands in the head of a turn. Never reuse a number. */
export const EventCode = { peer: 0, persisted: 1, opened: 2, frame: 3, closed: 4, other: 5 } as const

const FIRST_BULK_BYTES = 64 << 10
/** A larger buffer is not kept for the next turn. */
const MOST_KEPT_BYTES = 4 << 20

const NO_ARGS: readonly number[] = []

/** Bytes one behind the other, in memory that is used again. */
class Bulk {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BULK_BYTES)
  #length = 0

  add(part: Uint8Array): void {
    const end = this.#length + part.byteLength
    if (end > this.#bytes.byteLength) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.#bytes.byteLength))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(part, this.#length)
    this.#length = end
  }

  get all(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
    if (this.#bytes.byteLength > MOST_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BULK_BYTES)
  }
}

/** Gathers what happens between two records, and makes the next one of it. */
export class RecordEncoder {
  readonly #bulk = new Bulk()
  readonly #account = new Bulk()
  #timesMs: number[] = []
  #events: unknown[] = []
  #results: unknown[] = []
  #refusedSends: number[] = []
  /** Ends of messages that were named before, by the number that stands for them. */
  readonly #ends = new Map<string, number>()
  #hash = 0

  time(nowMs: number): number {
    this.#timesMs.push(nowMs)
    return nowMs
  }

  event(event: RecordedEvent): void {
    switch (event.kind) {
      case 'peer':
        return this.#peer(event.message)
      case 'persisted':
        return this.#add(EventCode.persisted, event.token)
      case 'client': {
        const { kind, connection } = event.event
        if (kind !== 'frame') return this.#add(EventCode[kind], connection)
        this.#bulk.add(event.event.bytes)
        return this.#add(EventCode.frame, connection, event.event.bytes.byteLength)
      }
      default:
        this.#add(EventCode.other, event)
    }
  }

  #add(...event: unknown[]): void {
    this.#events.push(event)
  }

  #peer(message: Message): void {
    const bulk: Uint8Array[] = []
    const [kind, , , ...fields] = packMessage(message, bulk)
    for (const part of bulk) this.#bulk.add(part)
    this.#add(EventCode.peer, this.#endsOf(message), kind, ...fields)
  }

  /** The number of these ends, or, the first time, they themselves: they take the next number. */
  #endsOf(message: Message): number | readonly unknown[] {
    const { from, fromIncarnation, fromBoot, to, toIncarnation, toBoot } = message
    const key = `${from} ${fromIncarnation} ${fromBoot} ${to} ${toIncarnation} ${toBoot}`
    const known = this.#ends.get(key)
    if (known !== undefined) return known
    this.#ends.set(key, this.#ends.size)
    return [from, fromIncarnation, fromBoot, to, toIncarnation, toBoot]
  }

  /** What a port answered: a plain value. */
  result(port: RecordedPort, value: unknown, args: readonly number[] = NO_ARGS): void {
    this.#results.push([port, args, value ?? null])
  }

  bytes(port: RecordedPort, bytes: Uint8Array, args: readonly number[]): void {
    this.#bulk.add(bytes)
    this.#results.push([port, args, bytes.byteLength])
  }

  entries(port: RecordedPort, entries: readonly Entry[], args: readonly number[]): void {
    for (const { record } of entries) this.#bulk.add(record)
    this.#results.push([port, args, entries.map(({ record }) => record.byteLength)])
  }

  /** It threw instead. */
  thrown(port: RecordedPort, error: RaftError, args: readonly number[]): void {
    this.#results.push([port, args, null, error.toWire() satisfies WireError])
  }

  refusedSend(place: number): void {
    this.#refusedSends.push(place)
  }

  /** The parts of the record of a birth. Valid until the next call of anything here. */
  birth(settings: RecordedSettings, kept: KeptRows | undefined): readonly Uint8Array[] {
    const head = [RECORDING_FORMAT, settings, kept ?? null, this.#timesMs, this.#results]
    return this.#record(RecordKind.birth, codec.encodeView(head))
  }

  /** The parts of the record of a turn. @param account what it did, encoded */
  turn(account: Uint8Array): readonly Uint8Array[] {
    this.#hash = hashOf(account, this.#hash)
    this.#account.add(account)
    const head = [this.#timesMs, this.#events, this.#results, this.#refusedSends, this.#hash]
    return this.#record(RecordKind.turn, codec.encodeView(head))
  }

  end(reason: string): readonly Uint8Array[] {
    this.#forget()
    return this.#record(RecordKind.end, codec.encodeView([reason]))
  }

  #record(kind: number, head: Uint8Array): readonly Uint8Array[] {
    const account = this.#account.all
    const bulk = this.#bulk.all
    const prefix = Buffer.allocUnsafe(STREAM_HEADER_BYTES + RECORD_PREFIX_BYTES)
    const at = STREAM_HEADER_BYTES
    prefix[at] = kind
    prefix.writeUInt32LE(head.byteLength, at + 1)
    prefix.writeUInt32LE(account.byteLength, at + 5)
    const parts = [prefix.subarray(at), head, account, bulk]
    let bytes = 0
    let checksum = 0
    for (const part of parts) {
      bytes += part.byteLength
      checksum = crc32(part, checksum)
    }
    prefix.writeUInt32LE(bytes, 0)
    prefix.writeUInt32LE(checksum, 4)
    prefix.writeUInt32LE(crc32(prefix.subarray(0, 8)), 8)
    this.#forget()
    return [prefix, head, account, bulk].filter((part) => part.byteLength > 0)
  }

  /** The views that were given out stay as they are until something is added. */
  #forget(): void {
    this.#timesMs = []
    this.#events = []
    this.#results = []
    this.#refusedSends = []
    this.#account.clear()
    this.#bulk.clear()
  }
}
