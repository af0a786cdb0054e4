/**
 * What clients and nodes say to each other. A node sends one frame a turn; a client one for its commands, and one for each batch
 * of queries.
 *
 * Client to node:
 *
 *     0  u32  group
 *     4  u32  bytes of the requests
 *     8  ...  requests: a msgpack array, see ClientRequest (absent where that length is 0)
 *        ...  command frames up to the end (command-frame.ts)
 *
 * A frame with neither requests nor commands asks who leads.
 *
 * Node to client: the msgpack array [group, replies], see NodeReply. Every request and reply is a fixed array
 * that begins with its kind.
 *
 * Queries are encoded once, many at a time, and looked at when they are answered; a machine may answer from these bytes
 * (`StateMachine.queryPayload`). Answers that are objects with the same fields come as a table of rows, and are objects again
 * when the frame is read.
 */
import { type GroupId, type NodeId, PROPOSAL_REFUSALS, type ProposalRefusal } from '@troupe/core'
import { answersOfRows, areFields } from './answer-rows.ts'
import { COMMAND_FRAME_HEADER_BYTES, type CommandFrame, writeCommandFrame } from './command-frame.ts'
import type { Codec } from './machine.ts'
import { type CommandError, isCommandError, isPackedOutcome, type PackedOutcome } from './outcome.ts'

/**
 * How fresh an answer is, and what it costs (thesis §6.4).
 * - `linearizable`: reflects every command acknowledged before the query was made. Answered by the leader, after one round of
 *   heartbeats has confirmed that it leads.
 * - `lease`: the same, without the round, from the leader's lease: right as long as no clock runs faster than another by more than
 *   `maxClockDrift`. Where the leader has no lease, the round is made after all and the answer says `linearizable`.
 * - `follower`: linearizable too, but answered by the asked replica: it asks the leader for the index to wait for.
 * - `stale`: what the asked replica has applied, which may be old.
 */
export type Consistency = 'linearizable' | 'lease' | 'follower' | 'stale'

/** All of them. */
export const consistencies: readonly Consistency[] = ['linearizable', 'lease', 'follower', 'stale']

export const RequestKind = { queries: 1 } as const

/** Queries in one request, at most: a client that asks more is expelled. */
export const MAX_QUERIES = 1024

/** A batch of queries that are granted, and answered, together. */
export type ClientRequest = readonly [
  kind: typeof RequestKind.queries,
  id: number,
  consistency: Consistency,
  /** At most {@link MAX_QUERIES}. */
  count: number,
  /** Their msgpack array: looked at when they are answered. */
  queries: Uint8Array,
]

export const ReplyKind = {
  leader: 1,
  opened: 2,
  outcomes: 3,
  refused: 4,
  gap: 5,
  stale: 6,
  answers: 7,
  failed: 8,
  protocol: 9,
  rows: 10,
} as const

/** Why a node did not take a request. Nothing happened. */
export type RefusalCode = ProposalRefusal

/**
 * Frames of `session` from `first` on were not taken; send them again, elsewhere or later. The copy of the first one that
 * is refused is in nobody's log. With NO_SPACE whoever waits for it is better told.
 */
export type RefusedReply = readonly [
  kind: typeof ReplyKind.refused,
  session: number,
  first: number,
  code: RefusalCode,
  retryAfterMs: number,
]

/**
 * An answer to each query of a batch. `served` says how they came about: never weaker than what was asked for. `errors` are
 * the machine's refusals, by the offset of their query; null where there is none.
 */
export type AnswersReply = readonly [
  kind: typeof ReplyKind.answers,
  id: number,
  served: Consistency,
  answers: unknown[],
  errors: readonly CommandError[] | null,
]

/** The same as a table (answer-rows.ts), without errors. Read as {@link AnswersReply}. */
export type RowsReply = readonly [
  kind: typeof ReplyKind.rows,
  id: number,
  served: Consistency,
  fields: readonly string[],
  rows: Uint8Array,
]

export type NodeReply =
  /** Who leads, as far as this node knows: sent first on a connection and whenever it changes. */
  | readonly [kind: typeof ReplyKind.leader, term: number, leader: NodeId | null]
  | readonly [kind: typeof ReplyKind.opened, nonce: number, session: number]
  | readonly [kind: typeof ReplyKind.outcomes, session: number, outcomes: readonly PackedOutcome[]]
  | RefusedReply
  | readonly [kind: typeof ReplyKind.gap, session: number, expected: number]
  /**
   * The session is unknown, or no more. The frame that began with command `first` was looked at and refused; 0: a frame was,
   * but earlier replies were lost, so that nothing follows from it.
   */
  | readonly [kind: typeof ReplyKind.stale, session: number, first: number]
  | AnswersReply
  | RowsReply
  /** The queries were not looked at. */
  | readonly [kind: typeof ReplyKind.failed, id: number, code: RefusalCode, reason: string]
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
  if (!Array.isArray(request) || request.length !== 5) return false
  const [kind, id, consistency, count, queries] = request as readonly unknown[]
  const isCounted = isCount(count) && count >= 1 && count <= MAX_QUERIES
  return (
    kind === RequestKind.queries &&
    Number.isSafeInteger(id) &&
    isConsistency(consistency) &&
    isCounted &&
    queries instanceof Uint8Array
  )
}

export function encodeReplies(group: GroupId, replies: readonly NodeReply[], codec: Codec): Uint8Array {
  return codec.encode([group, replies])
}

export interface ReplyFrame {
  readonly group: GroupId
  readonly replies: readonly NodeReply[]
}

/** Reads a node's frame: none of the replies is a {@link RowsReply}. A string is the reason why it makes no sense. */
export function decodeReplies(bytes: Uint8Array, codec: Codec): ReplyFrame | string {
  let frame: unknown
  try {
    frame = codec.decode(bytes)
  } catch {
    return 'a frame that does not decode'
  }
  if (!Array.isArray(frame) || frame.length !== 2) return 'a frame that is no pair of group and replies'
  const [group, replies] = frame as readonly unknown[]
  if (!isCount(group) || !Array.isArray(replies)) return 'a frame that is no pair of group and replies'
  const read: NodeReply[] = []
  for (const reply of replies) {
    const sound = isReply(reply) ? withoutRows(reply, codec) : undefined
    if (sound === undefined) return 'a reply that is none'
    read.push(sound)
  }
  return { group, replies: read }
}

function withoutRows(reply: NodeReply, codec: Codec): NodeReply | undefined {
  if (reply[0] !== ReplyKind.rows) return reply
  const [, id, served, fields, rows] = reply
  const answers = answersOfRows({ fields, rows }, codec)
  return answers && [ReplyKind.answers, id, served, answers, null]
}

function isReply(reply: unknown): reply is NodeReply {
  if (!Array.isArray(reply)) return false
  const [kind, one, two, three, four] = reply as readonly unknown[]
  switch (kind) {
    case ReplyKind.leader:
      return isCount(one) && (two === null || typeof two === 'string')
    case ReplyKind.opened:
    case ReplyKind.gap:
    case ReplyKind.stale:
      return isCount(one) && isCount(two)
    case ReplyKind.outcomes:
      return isCount(one) && Array.isArray(two) && two.every(isPackedOutcome)
    case ReplyKind.refused:
      return isCount(one) && isCount(two) && isRefusal(three) && typeof four === 'number' && four >= 0
    case ReplyKind.answers:
      return isCount(one) && isConsistency(two) && Array.isArray(three) && isErrorList(four, three.length)
    case ReplyKind.rows:
      return isCount(one) && isConsistency(two) && areFields(three) && four instanceof Uint8Array
    case ReplyKind.failed:
      return isCount(one) && isRefusal(two) && typeof three === 'string'
    case ReplyKind.protocol:
      return typeof one === 'string'
    default:
      return false
  }
}

const isErrorList = (errors: unknown, count: number): boolean =>
  errors === null || (Array.isArray(errors) && errors.every((error) => isCommandError(error, count)))
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isRefusal = (value: unknown): value is RefusalCode =>
  (PROPOSAL_REFUSALS as readonly unknown[]).includes(value)
const isConsistency = (value: unknown): value is Consistency =>
  (consistencies as readonly unknown[]).includes(value)
