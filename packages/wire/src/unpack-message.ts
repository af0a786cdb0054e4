import { type Message, type NodeId, PROPOSAL_REFUSALS } from '@troupe/core'
import type { BulkReader } from './bulk-reader.ts'
import { BadFrame, flag, integer, list, oneOf, range, real, snapshotMeta, uint32 } from './fields.ts'
import { KINDS, VERDICTS } from './message-kinds.ts'

/** Where bulk bytes come from. */
type Bulk = Pick<BulkReader, 'bytes' | 'entries'>

/** What all messages of a frame have in common. */
export interface Ends {
  readonly from: NodeId
  readonly fromIncarnation: number
  readonly fromBoot: number
  readonly to: NodeId
}

interface Envelope extends Ends {
  readonly toIncarnation: number
  readonly toBoot: number
  readonly term: number
}

/** Fields of every message, before its own. */
const ENVELOPE_FIELDS = 4
const MAX_PRIORITY = 100

/**
 * Reads what `packMessage` wrote, in the same order, so that `bulk` is taken in its order.
 * @throws BadFrame where a field does not fit, Damage where bulk bytes do not
 */
export function unpackMessage(value: unknown, ends: Ends, bulk: Bulk): Message {
  const packed = list(value)
  const kind = oneOf(KINDS, packed[0])
  const envelope: Envelope = {
    from: ends.from,
    fromIncarnation: ends.fromIncarnation,
    fromBoot: ends.fromBoot,
    to: ends.to,
    toIncarnation: integer(packed[1]),
    toBoot: integer(packed[2]),
    term: integer(packed[3]),
  }
  switch (kind) {
    case 'appendRequest': {
      expectFields(packed, 4)
      const prevIndex = integer(packed[4])
      const entries = bulk.entries(packed[7], prevIndex + 1, envelope.term)
      return {
        kind,
        ...envelope,
        prevIndex,
        prevTerm: integer(packed[5]),
        commit: integer(packed[6]),
        entries,
      }
    }
    case 'appendReply': {
      expectFields(packed, 5)
      return {
        kind,
        ...envelope,
        accepted: flag(packed[4]),
        matchIndex: integer(packed[5]),
        rejected: integer(packed[6]),
        hintIndex: integer(packed[7]),
        hintTerm: integer(packed[8]),
      }
    }
    case 'heartbeat': {
      expectFields(packed, 2)
      return { kind, ...envelope, commit: integer(packed[4]), round: integer(packed[5]) }
    }
    case 'heartbeatReply':
      expectFields(packed, 1)
      return { kind, ...envelope, round: integer(packed[4]) }
    default:
      return unpackRare(kind, envelope, packed, bulk)
  }
}

type Hot = 'appendRequest' | 'appendReply' | 'heartbeat' | 'heartbeatReply'
type RareKind = Exclude<(typeof KINDS)[number], Hot>

function unpackRare(kind: RareKind, envelope: Envelope, packed: readonly unknown[], bulk: Bulk): Message {
  switch (kind) {
    case 'preVoteRequest': {
      const [a, b, priority] = fieldsOf(packed, 3)
      const [lastIndex, lastTerm] = [integer(a), integer(b)]
      return { kind, ...envelope, lastIndex, lastTerm, priority: real(priority, MAX_PRIORITY) }
    }
    case 'voteRequest': {
      const [a, b, isTransfer] = fieldsOf(packed, 3)
      return { kind, ...envelope, lastIndex: integer(a), lastTerm: integer(b), isTransfer: flag(isTransfer) }
    }
    case 'preVoteReply':
    case 'voteReply':
      return { kind, ...envelope, granted: flag(fieldsOf(packed, 1)[0]) }
    case 'timeoutNow':
      fieldsOf(packed, 0)
      return { kind, ...envelope }
    case 'readIndexRequest':
      return { kind, ...envelope, id: integer(fieldsOf(packed, 1)[0]) }
    case 'proposalRefused': {
      const [id, refusal] = fieldsOf(packed, 2)
      return { kind, ...envelope, id: integer(id), refusal: oneOf(PROPOSAL_REFUSALS, refusal) }
    }
    case 'readIndexReply': {
      const [id, index] = fieldsOf(packed, 2)
      return { kind, ...envelope, id: integer(id), index: integer(index) }
    }
    case 'proposal': {
      const [id, commandCount, length, checksum] = fieldsOf(packed, 4)
      const payload = bulk.bytes(length, checksum)
      return { kind, ...envelope, id: integer(id), commandCount: uint32(commandCount), payload }
    }
    default:
      return unpackRecovery(kind, envelope, packed, bulk)
  }
}

type RecoveryKind = Extract<RareKind, `snapshot${string}` | `repair${string}`>

/** Snapshots and repairs. */
function unpackRecovery(
  kind: RecoveryKind,
  envelope: Envelope,
  packed: readonly unknown[],
  bulk: Bulk,
): Message {
  switch (kind) {
    case 'snapshotOffer': {
      const [meta, isLeader] = fieldsOf(packed, 2)
      return { kind, ...envelope, meta: snapshotMeta(meta), isLeader: flag(isLeader) }
    }
    case 'snapshotPull': {
      const [index, checksum, offset] = fieldsOf(packed, 3)
      return { kind, ...envelope, index: integer(index), checksum: uint32(checksum), offset: integer(offset) }
    }
    case 'snapshotChunk': {
      const [a, b, c, length, checksumOfData] = fieldsOf(packed, 5)
      const [index, checksum, offset] = [integer(a), uint32(b), integer(c)]
      return { kind, ...envelope, index, checksum, offset, data: bulk.bytes(length, checksumOfData) }
    }
    case 'repairRequest': {
      const [from, to, prevTerm, nextTerm] = fieldsOf(packed, 4)
      const [before, behind] = [integer(prevTerm), integer(nextTerm)]
      return { kind, ...envelope, range: range(from, to), prevTerm: before, nextTerm: behind }
    }
    case 'repairReply': {
      const [from, to, number, lengths] = fieldsOf(packed, 4)
      const asked = range(from, to)
      const verdict = oneOf(VERDICTS, number)
      const entries = bulk.entries(lengths, asked.from, envelope.term)
      if (entries.length > asked.to - asked.from + 1) {
        throw new BadFrame(`${entries.length} entries for ${asked.from} to ${asked.to}`)
      }
      return { kind, ...envelope, range: asked, verdict, entries }
    }
  }
}

/** The fields behind the envelope, exactly `count` of them. */
function fieldsOf(packed: readonly unknown[], count: number): readonly unknown[] {
  expectFields(packed, count)
  return packed.slice(ENVELOPE_FIELDS)
}

/** For the kinds of the hot path, which take their fields without a copy of the list. */
function expectFields(packed: readonly unknown[], count: number): void {
  if (packed.length !== ENVELOPE_FIELDS + count) throw new BadFrame(`a message of ${packed.length} fields`)
}
