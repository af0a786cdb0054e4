/**
 * What clients and nodes say to each other. One frame a turn each way.
 *
 * Client to node:
 *
 *     0  u32  group
 *     4  u32  bytes of the requests
 *     8  ...  requests: a msgpack array, see ClientRequest (absent where that length is 0)
 *        ...  command frames up to the end (command-frame.ts)
 *
 * Node to client: the msgpack array [group, replies], see NodeReply. Every request and reply is a fixed array
 * that begins with its kind.
 */
import type { GroupId, NodeId } from '@troupe/core'
import { COMMAND_FRAME_HEADER_BYTES, type CommandFrame, writeCommandFrame } from './command-frame.ts'
import type { Codec } from './machine.ts'
import type { PackedOutcome } from './outcome.ts'

/**
 * How fresh an answer is. `linearizable`: reflects every command acknowledged before the query was made, confirmed by
 * a round of heartbeats. `stale`: what the asked replica has applied, which may be old.
 */
export type Consistency = 'linearizable' | 'stale'

export const RequestKind = { query: 1 } as const

export type ClientRequest = readonly [
  kind: typeof RequestKind.query,
  id: number,
  consistency: Consistency,
  query: unknown,
]

export const ReplyKind = {
  leader: 1,
  opened: 2,
  outcomes: 3,
  refused: 4,
  gap: 5,
  stale: 6,
  answer: 7,
  failed: 8,
  protocol: 9,
} as const

/** Why a node did not take a request. Nothing happened. */
export type RefusalCode = 'NOT_LEADER' | 'BUSY'

export type NodeReply =
  /** Who leads, as far as this node knows: sent first on a connection and whenever it changes. */
  | readonly [kind: typeof ReplyKind.leader, term: number, leader: NodeId | null]
  | readonly [kind: typeof ReplyKind.opened, nonce: number, session: number]
  | readonly [kind: typeof ReplyKind.outcomes, session: number, outcomes: readonly PackedOutcome[]]
  /** Frames of `session` from `first` on were not taken; send them again, elsewhere or later. */
  | readonly [
      kind: typeof ReplyKind.refused,
      session: number,
      first: number,
      code: RefusalCode,
      retryAfterMs: number,
    ]
  | readonly [kind: typeof ReplyKind.gap, session: number, expected: number]
  | readonly [kind: typeof ReplyKind.stale, session: number]
  | readonly [kind: typeof ReplyKind.answer, id: number, answer: unknown]
  /** `code` REJECTED is the machine's word; the others mean that the query was not looked at. */
  | readonly [kind: typeof ReplyKind.failed, id: number, code: RefusalCode | 'REJECTED', reason: string]
  /** The frame made no sense; the node closes the connection. */
  | readonly [kind: typeof ReplyKind.protocol, reason: string]

const PREFIX_BYTES = 8

/**
 * Bytes of the command frames in one client frame, and so of an entry that must not be cut: far below what peers accept
 * in one frame. A client that sends more is expelled.
 */
export const MAX_COMMANDS_BYTES = 32 << 20

/** Builds a client's frame of one turn. It owns its memory exactly, so that it can be transferred. */
export function encodeClientFrame(
  group: GroupId,
  requests: readonly ClientRequest[],
  commands: readonly CommandFrame[],
  codec: Codec,
): Uint8Array {
  const packed = requests.length === 0 ? undefined : codec.encode(requests)
  const requestBytes = packed?.byteLength ?? 0
  let bytes = PREFIX_BYTES + requestBytes
  for (const { payload } of commands) bytes += COMMAND_FRAME_HEADER_BYTES + payload.byteLength
  const frame = new Uint8Array(bytes)
  const view = new DataView(frame.buffer)
  view.setUint32(0, group, true)
  view.setUint32(4, requestBytes, true)
  if (packed !== undefined) frame.set(packed, PREFIX_BYTES)
  let offset = PREFIX_BYTES + requestBytes
  for (const command of commands) offset = writeCommandFrame(frame, offset, command)
  return frame
}

export interface ClientFrame {
  readonly group: GroupId
  readonly requests: readonly ClientRequest[]
  /** Command frames, not looked at. */
  readonly commands: Uint8Array
}

/** Reads a client's frame. A string is the reason why it makes no sense. */
export function decodeClientFrame(bytes: Uint8Array, codec: Codec): ClientFrame | string {
  if (bytes.byteLength < PREFIX_BYTES) return `a client frame of ${bytes.byteLength} bytes`
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const group = view.getUint32(0, true)
  const end = PREFIX_BYTES + view.getUint32(4, true)
  if (end > bytes.byteLength) return `requests up to byte ${end} in a frame of ${bytes.byteLength}`
  const commands = bytes.subarray(end)
  if (end === PREFIX_BYTES) return { group, requests: [], commands }
  try {
    const requests = codec.decode(bytes.subarray(PREFIX_BYTES, end))
    if (Array.isArray(requests) && requests.every(isRequest)) return { group, requests, commands }
  } catch {
    // Told below: bad bytes and a bad shape are the same to the sender.
  }
  return 'requests that do not decode'
}

function isRequest(request: unknown): request is ClientRequest {
  if (!Array.isArray(request) || request.length !== 4) return false
  const [kind, id, consistency] = request as readonly unknown[]
  const isConsistency = consistency === 'linearizable' || consistency === 'stale'
  return kind === RequestKind.query && Number.isSafeInteger(id) && isConsistency
}

export function encodeReplies(group: GroupId, replies: readonly NodeReply[], codec: Codec): Uint8Array {
  return codec.encode([group, replies])
}

/** Nodes are trusted by clients: what does not decode throws. */
export function decodeReplies(bytes: Uint8Array, codec: Codec): { group: GroupId; replies: NodeReply[] } {
  const [group, replies] = codec.decode(bytes) as [GroupId, NodeReply[]]
  return { group, replies }
}
