/** Reads the records of recording.ts, in their order. */
import { decodeEntry, type Entry, type Message, type NodeId, type WireError } from '@troupe/core'
import { BulkReader, Damage } from '../bulk-reader.ts'
import { codec } from '../codec.ts'
import { BadFrame, integer, list } from '../fields.ts'
import { StreamReader } from '../stream-frame.ts'
import { unpackMessage } from '../unpack-message.ts'
import { EventCode } from './record-encoder.ts'
import {
  type KeptRows,
  MAX_RECORD_BYTES,
  type PortResult,
  RECORD_PREFIX_BYTES,
  RECORDING_FORMAT,
  type Recorded,
  type RecordedBirth,
  type RecordedEvent,
  RecordedPort,
  type RecordedSettings,
  type RecordedTurn,
  RecordKind,
} from './recording.ts'

type Ends = readonly [
  from: NodeId,
  fromIncarnation: number,
  fromBoot: number,
  to: NodeId,
  toIncarnation: number,
  toBoot: number,
]

/** Why a recording cannot be read on. */
export interface RecordingDamage {
  readonly reason: string
  /** Where the record begins that is no good. */
  readonly offset: number
}

/** Takes the bytes of a recording, cut anywhere, and gives its records. */
export class RecordDecoder {
  readonly #ends: Ends[] = []
  readonly #reader: StreamReader
  #found: Recorded[] = []
  #damage: RecordingDamage | undefined
  #offset = 0
  #isBorn = false

  constructor() {
    this.#reader = new StreamReader(MAX_RECORD_BYTES, (payload) => this.#take(payload))
  }

  /** Whether what was taken ends within a record: as the death of a process leaves it. */
  get isCutOff(): boolean {
    return this.#reader.isInsideFrame
  }

  /** Set once something made no sense: nothing is read behind it. */
  get damage(): RecordingDamage | undefined {
    return this.#damage
  }

  /** Bytes of whole records that were read. */
  get bytesRead(): number {
    return this.#offset
  }

  /** The records that are whole now. Their bytes are views of `chunk`, which must not be used again. */
  push(chunk: Uint8Array): readonly Recorded[] {
    const damage = this.#damage === undefined ? this.#reader.push(chunk) : undefined
    if (damage !== undefined) this.#spoilt(damage.reason)
    const found = this.#found
    this.#found = []
    return found
  }

  #spoilt(reason: string): void {
    this.#damage ??= { reason, offset: this.#offset }
    this.#reader.stop()
  }

  #take(payload: Uint8Array): void {
    try {
      const record = this.#decode(payload)
      if (this.#isBorn === (record.kind === 'birth')) throw new BadFrame(`a ${record.kind} out of its place`)
      this.#isBorn = true
      this.#found.push(record)
      this.#offset += payload.byteLength + 12
    } catch (error) {
      if (!(error instanceof Damage || error instanceof BadFrame)) throw error
      this.#spoilt(error instanceof BadFrame ? error.message : 'a record that is no longer what was written')
    }
  }

  #decode(payload: Uint8Array): Recorded {
    if (payload.byteLength < RECORD_PREFIX_BYTES) throw new Damage()
    const view = new DataView(payload.buffer, payload.byteOffset, RECORD_PREFIX_BYTES)
    const headEnd = RECORD_PREFIX_BYTES + view.getUint32(1, true)
    const accountEnd = headEnd + view.getUint32(5, true)
    if (accountEnd > payload.byteLength) throw new Damage()
    const head = headOf(payload.subarray(RECORD_PREFIX_BYTES, headEnd))
    const bulk = new BulkReader(payload, accountEnd)
    switch (view.getUint8(0)) {
      case RecordKind.birth:
        return birthOf(head, bulk)
      case RecordKind.turn:
        return this.#turn(head, payload.subarray(headEnd, accountEnd), bulk)
      case RecordKind.end:
        return { kind: 'end', reason: String(head[0]) }
      default:
        throw new BadFrame(`a record of kind ${view.getUint8(0)}`)
    }
  }

  #turn(head: readonly unknown[], account: Uint8Array, bulk: BulkReader): RecordedTurn {
    const [timesMs, events, results, refusedSends, hash] = head
    return {
      kind: 'turn',
      timesMs: list(timesMs) as readonly number[],
      events: list(events).map((event) => this.#event(list(event), bulk)),
      results: list(results).map((result) => resultOf(result, bulk)),
      refusedSends: list(refusedSends) as readonly number[],
      account,
      hash: integer(hash),
    }
  }

  #event(event: readonly unknown[], bulk: BulkReader): RecordedEvent {
    const [code, first, second] = event
    switch (code) {
      case EventCode.peer:
        return { kind: 'peer', message: this.#message(event, bulk) }
      case EventCode.persisted:
        return { kind: 'persisted', token: integer(first) }
      case EventCode.opened:
        return { kind: 'client', event: { kind: 'opened', connection: integer(first) } }
      case EventCode.closed:
        return { kind: 'client', event: { kind: 'closed', connection: integer(first) } }
      case EventCode.frame: {
        const bytes = bulk.raw(integer(second))
        return { kind: 'client', event: { kind: 'frame', connection: integer(first), bytes } }
      }
      case EventCode.other:
        return first as RecordedEvent
      default:
        throw new BadFrame(`an event of kind ${code}`)
    }
  }

  #message([, ends, kind, ...fields]: readonly unknown[], bulk: BulkReader): Message {
    if (typeof ends !== 'number') this.#ends.push(list(ends) as unknown as Ends)
    const known = typeof ends === 'number' ? this.#ends[ends] : this.#ends.at(-1)
    if (known === undefined) throw new BadFrame(`the ends ${ends} of a message were not named before`)
    const [from, fromIncarnation, fromBoot, to, toIncarnation, toBoot] = known
    const packed = [kind, toIncarnation, toBoot, ...fields]
    return unpackMessage(packed, { from, fromIncarnation, fromBoot, to }, bulk)
  }
}

function headOf(bytes: Uint8Array): readonly unknown[] {
  let head: unknown
  try {
    head = codec.decode(bytes)
  } catch {
    throw new BadFrame('a head that does not decode')
  }
  return list(head)
}

function birthOf(head: readonly unknown[], bulk: BulkReader): RecordedBirth {
  const [format, settings, kept, timesMs, results] = head
  if (format !== RECORDING_FORMAT)
    throw new BadFrame(`format ${format}; this release reads ${RECORDING_FORMAT}`)
  return {
    kind: 'birth',
    format,
    settings: settings as RecordedSettings,
    kept: (kept ?? undefined) as KeptRows | undefined,
    timesMs: list(timesMs) as readonly number[],
    results: list(results).map((result) => resultOf(result, bulk)),
  }
}

function resultOf(result: unknown, bulk: BulkReader): PortResult {
  const [port, args, value, thrown] = list(result)
  const known = {
    port: port as RecordedPort,
    args: list(args) as readonly number[],
    thrown: thrown as WireError | undefined,
  }
  if (thrown !== undefined || value === null) return { ...known, value: undefined }
  if (port === RecordedPort.read)
    return { ...known, value: list(value).map((length) => entryOf(bulk.raw(integer(length)))) }
  if (port === RecordedPort.snapshotRead) return { ...known, value: bulk.raw(integer(value)) }
  return { ...known, value }
}

function entryOf(record: Uint8Array): Entry {
  const entry = decodeEntry(record)
  if (entry === undefined) throw new Damage()
  return entry
}
