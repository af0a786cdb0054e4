/** What a message's term means to whoever receives it. */
import type { Message, MessageKind } from './message.ts'

/** Messages that mean the same in every term: they neither raise the receiver's nor are refused for their own. */
const TERMLESS: ReadonlySet<MessageKind> = new Set([
  'readIndexRequest',
  'readIndexReply',
  'proposal',
  'proposalRefused',
  'snapshotPull',
  'snapshotChunk',
  'repairRequest',
  'repairReply',
])

/** Also an offer for repairs, which anybody may make. */
export const isTermless = (message: Message): boolean =>
  TERMLESS.has(message.kind) || (message.kind === 'snapshotOffer' && !message.isLeader)

/** Whether only the leader of its term sends such a message. */
export function isFromLeader(message: Message): boolean {
  switch (message.kind) {
    case 'appendRequest':
    case 'heartbeat':
    case 'timeoutNow':
      return true
    case 'snapshotOffer':
      return message.isLeader
    default:
      return false
  }
}
