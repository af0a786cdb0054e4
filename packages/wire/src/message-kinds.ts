import type { MessageKind } from '@troupe/core'

/** By their number in a frame. The numbers stand on the wire: never reuse one. */
export const KINDS = [
  'preVoteRequest',
  'preVoteReply',
  'voteRequest',
  'voteReply',
  'appendRequest',
  'appendReply',
  'heartbeat',
  'heartbeatReply',
  'timeoutNow',
  'readIndexRequest',
  'readIndexReply',
  'proposal',
  'proposalRefused',
  'snapshotOffer',
  'snapshotPull',
  'snapshotChunk',
  'repairRequest',
  'repairReply',
] as const satisfies readonly MessageKind[]

/** Numbers by kind: a kind without one does not compile. */
export const KIND_NUMBERS = Object.fromEntries(KINDS.map((kind, number) => [kind, number])) as Record<
  (typeof KINDS)[number],
  number
> satisfies Record<MessageKind, number>

/** What a repair reply says, by its number on the wire: never reuse one. */
export const VERDICTS = ['intact', 'other', 'damaged', 'absent'] as const
