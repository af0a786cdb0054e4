import { type Entry, type Message, PROPOSAL_REFUSALS, type SnapshotMeta } from '@troupe/core'
import { crc32 } from './crc32.ts'
import { KIND_NUMBERS, VERDICTS } from './message-kinds.ts'

/**
 * A message as it stands in a frame's header: [kind, toIncarnation, toBoot, term, ...fields]. What is large is added
 * to `bulk` instead, and only its length (and checksum, where it has none of its own) stands among the fields.
 */
export function packMessage(message: Message, bulk: Uint8Array[]): readonly unknown[] {
  const packed: unknown[] = [KIND_NUMBERS[message.kind], message.toIncarnation, message.toBoot, message.term]
  switch (message.kind) {
    case 'appendRequest':
      packed.push(message.prevIndex, message.prevTerm, message.commit, packEntries(message.entries, bulk))
      break
    case 'appendReply':
      packed.push(message.accepted, message.matchIndex, message.rejected, message.hintIndex, message.hintTerm)
      break
    case 'heartbeat':
      packed.push(message.commit, message.round)
      break
    case 'heartbeatReply':
      packed.push(message.round)
      break
    default:
      packRare(message, packed, bulk)
  }
  return packed
}

type Hot = 'appendRequest' | 'appendReply' | 'heartbeat' | 'heartbeatReply'
type RareMessage = Exclude<Message, { kind: Hot }>

function packRare(message: RareMessage, packed: unknown[], bulk: Uint8Array[]): void {
  switch (message.kind) {
    case 'preVoteRequest':
      packed.push(message.lastIndex, message.lastTerm, message.priority)
      break
    case 'voteRequest':
      packed.push(message.lastIndex, message.lastTerm, message.isTransfer)
      break
    case 'preVoteReply':
    case 'voteReply':
      packed.push(message.granted)
      break
    case 'timeoutNow':
      break
    case 'readIndexRequest':
      packed.push(message.id)
      break
    case 'proposalRefused':
      packed.push(message.id, PROPOSAL_REFUSALS.indexOf(message.refusal))
      break
    case 'readIndexReply':
      packed.push(message.id, message.index)
      break
    case 'proposal':
      packed.push(message.id, message.commandCount, ...packBytes(message.payload, bulk))
      break
    case 'snapshotOffer':
      packed.push(packMeta(message.meta), message.isLeader)
      break
    case 'snapshotPull':
      packed.push(message.index, message.checksum, message.offset)
      break
    case 'snapshotChunk':
      packed.push(message.index, message.checksum, message.offset, ...packBytes(message.data, bulk))
      break
    case 'repairRequest':
      packed.push(message.range.from, message.range.to, message.prevTerm, message.nextTerm)
      break
    case 'repairReply': {
      const { range, verdict, entries } = message
      packed.push(range.from, range.to, VERDICTS.indexOf(verdict), packEntries(entries, bulk))
      break
    }
  }
}

/** Lengths only: a record has a checksum of its own. */
function packEntries(entries: readonly Entry[], bulk: Uint8Array[]): readonly number[] {
  const lengths: number[] = []
  for (const { record } of entries) {
    lengths.push(record.byteLength)
    bulk.push(record)
  }
  return lengths
}

function packBytes(bytes: Uint8Array, bulk: Uint8Array[]): readonly [length: number, checksum: number] {
  bulk.push(bytes)
  return [bytes.byteLength, crc32(bytes)]
}

function packMeta(meta: SnapshotMeta): readonly unknown[] {
  const { index, term, timeMs, configuration, configurationIndex, bytes, checksum } = meta
  return [index, term, timeMs, configuration, configurationIndex, bytes, checksum]
}
