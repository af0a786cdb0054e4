/**
 * Frames between nodes: all messages of a turn for one peer.
 *
 *     0  u32  bytes of the header
 *     4  ...  header: msgpack [group, from, incarnation, boot, to, messages]
 *        ...  the records of all appended entries, in the order of their messages
 *
 * Each message is a fixed array: [kind, toIncarnation, toBoot, term, ...fields]. An append gives the lengths of its
 * records, whose bytes are never touched: as the leader built them, so they are sent, stored and applied.
 */
import {
  decodeEntry,
  type Entry,
  entryIsIntact,
  type GroupId,
  type Message,
  type MessageKind,
  type NodeId,
  show,
} from '@troupe/core'
import { codec } from './codec.ts'
import { crc32 } from './crc32.ts'

/** A frame of more bytes is refused before anything of it is decoded. */
export const MAX_PEER_FRAME_BYTES = 256 << 20

/** The numbers stand on the wire: never reuse one. */
const KINDS: readonly MessageKind[] = [
  'preVoteRequest',
  'preVoteReply',
  'voteRequest',
  'voteReply',
  'appendRequest',
  'appendReply',
  'heartbeat',
  'heartbeatReply',
]
const numberOf = new Map(KINDS.map((kind, number) => [kind, number]))

type Packed = readonly unknown[]

/** Builds the frame of `messages`, which all go from one node to one other. It owns its memory. */
export function encodePeerFrame(group: GroupId, messages: readonly Message[]): Uint8Array {
  const head = messages[0]
  if (head === undefined) throw new RangeError('a frame without messages')
  const packed = messages.map(packMessage)
  const { from, fromIncarnation, fromBoot, to } = head
  const header = codec.encodeView([group, from, fromIncarnation, fromBoot, to, packed])
  let bytes = 4 + header.byteLength
  for (const entry of entriesOf(messages)) bytes += entry.record.byteLength
  const frame = Buffer.allocUnsafeSlow(bytes)
  frame.writeUInt32LE(header.byteLength, 0)
  frame.set(header, 4)
  let offset = 4 + header.byteLength
  for (const { record } of entriesOf(messages)) {
    frame.set(record, offset)
    offset += record.byteLength
  }
  return frame
}

function* entriesOf(messages: readonly Message[]): Iterable<Entry> {
  for (const message of messages) if (message.kind === 'appendRequest') yield* message.entries
}

function packMessage(message: Message): Packed {
  const { kind, toIncarnation, toBoot, term } = message
  return [numberOf.get(kind), toIncarnation, toBoot, term, ...packFields(message)]
}

function packFields(message: Message): Packed {
  switch (message.kind) {
    case 'preVoteRequest':
    case 'voteRequest':
      return [message.lastIndex, message.lastTerm]
    case 'preVoteReply':
    case 'voteReply':
      return [message.granted]
    case 'appendRequest': {
      const lengths = message.entries.map((entry) => entry.record.byteLength)
      return [message.prevIndex, message.prevTerm, message.commit, lengths]
    }
    case 'appendReply':
      return [message.accepted, message.matchIndex, message.rejected, message.hintIndex, message.hintTerm]
    case 'heartbeat':
      return [message.commit, message.readRound]
    case 'heartbeatReply':
      return [message.readRound]
  }
}

export interface PeerFrame {
  readonly group: GroupId
  readonly messages: readonly Message[]
}

/**
 * Reads a frame. A string is the reason why it makes no sense: the connection is to be closed. Records are views of
 * `frame`; each is checked against its checksum, its place and its term.
 */
export function decodePeerFrame(frame: Uint8Array): PeerFrame | string {
  if (frame.byteLength > MAX_PEER_FRAME_BYTES) return `a frame of ${frame.byteLength} bytes`
  if (frame.byteLength < 4) return 'a frame without a header'
  const headerEnd = 4 + new DataView(frame.buffer, frame.byteOffset, 4).getUint32(0, true)
  if (headerEnd > frame.byteLength) return `a header up to byte ${headerEnd} in ${frame.byteLength}`
  let header: unknown
  try {
    header = codec.decode(frame.subarray(4, headerEnd))
  } catch {
    return 'a header that does not decode'
  }
  if (!Array.isArray(header) || header.length !== 6 || !Array.isArray(header[5]))
    return 'a header of another shape'
  return new Reader(frame, headerEnd).read(header)
}

/** One pass over a decoded header. Whatever does not fit throws a BadFrame, caught at the one entry. */
class Reader {
  readonly #frame: Uint8Array
  #offset: number

  constructor(frame: Uint8Array, offset: number) {
    this.#frame = frame
    this.#offset = offset
  }

  read([group, from, incarnation, boot, to, packed]: unknown[]): PeerFrame | string {
    try {
      const ends: Ends = {
        from: text(from),
        fromIncarnation: integer(incarnation),
        fromBoot: integer(boot),
        to: text(to),
      }
      const messages = (packed as unknown[]).map((message) => this.#message(ends, message))
      if (this.#offset !== this.#frame.byteLength) return 'bytes are left behind the last record'
      return { group: integer(group), messages }
    } catch (error) {
      if (error instanceof BadFrame) return error.message
      throw error
    }
  }

  #message(ends: Ends, packed: unknown): Message {
    if (!Array.isArray(packed)) throw new BadFrame('a message that is no array')
    const [number, toIncarnation, toBoot, term, ...fields] = packed as unknown[]
    const kind = KINDS[integer(number)]
    if (kind === undefined) throw new BadFrame(`message kind ${show(number)}`)
    const envelope = {
      ...ends,
      toIncarnation: integer(toIncarnation),
      toBoot: integer(toBoot),
      term: integer(term),
    }
    return this.#unpack(kind, envelope, fields)
  }

  #unpack(kind: MessageKind, envelope: EnvelopeFields, fields: readonly unknown[]): Message {
    const [a, b, c, d, e] = fields
    switch (kind) {
      case 'preVoteRequest':
      case 'voteRequest':
        return { kind, ...envelope, lastIndex: integer(a), lastTerm: integer(b) }
      case 'preVoteReply':
      case 'voteReply':
        return { kind, ...envelope, granted: a === true }
      case 'appendRequest': {
        const prevIndex = integer(a)
        const entries = this.#entries(prevIndex, envelope.term, d)
        return { kind, ...envelope, prevIndex, prevTerm: integer(b), commit: integer(c), entries }
      }
      case 'appendReply':
        return {
          kind,
          ...envelope,
          accepted: a === true,
          matchIndex: integer(b),
          rejected: integer(c),
          hintIndex: integer(d),
          hintTerm: integer(e),
        }
      case 'heartbeat':
        return { kind, ...envelope, commit: integer(a), readRound: integer(b) }
      case 'heartbeatReply':
        return { kind, ...envelope, readRound: integer(a) }
    }
  }

  #entries(prevIndex: number, term: number, lengths: unknown): Entry[] {
    if (!Array.isArray(lengths)) throw new BadFrame('an append without lengths')
    return lengths.map((length, position) => this.#entry(integer(length), prevIndex + 1 + position, term))
  }

  #entry(bytes: number, index: number, maxTerm: number): Entry {
    const end = this.#offset + bytes
    if (end > this.#frame.byteLength) throw new BadFrame(`a record of ${bytes} bytes beyond the frame`)
    const record = this.#frame.subarray(this.#offset, end)
    this.#offset = end
    const entry = decodeEntry(record)
    if (entry === undefined || !entryIsIntact(record, crc32)) throw new BadFrame(`entry ${index} is damaged`)
    if (entry.index !== index) throw new BadFrame(`entry ${entry.index} in the place of ${index}`)
    if (!Number.isSafeInteger(entry.term) || entry.term < 1 || entry.term > maxTerm) {
      throw new BadFrame(`entry ${index} of term ${entry.term} from a leader of ${maxTerm}`)
    }
    return entry
  }
}

interface Ends {
  readonly from: NodeId
  readonly fromIncarnation: number
  readonly fromBoot: number
  readonly to: NodeId
}

interface EnvelopeFields extends Ends {
  readonly toIncarnation: number
  readonly toBoot: number
  readonly term: number
}

class BadFrame extends Error {}

function integer(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new BadFrame(`${show(value)} as a number`)
  return value as number
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new BadFrame('a name that is no string')
  return value
}
