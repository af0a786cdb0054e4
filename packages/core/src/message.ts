/**
 * The messages between the nodes of a group: one interface per kind.
 *
 * Every message names both ends with their incarnation and boot. A request is sent to whoever bears the name;
 * a reply echoes the asker's incarnation and boot, and counts for nothing when it reaches a later one.
 */
import type { Entry } from './entry.ts'
import type { NodeId } from './types.ts'

interface Envelope {
  readonly from: NodeId
  readonly fromIncarnation: number
  readonly fromBoot: number
  readonly to: NodeId
  /** In replies: the incarnation that asked. In requests: 0, anyone of that name. */
  readonly toIncarnation: number
  /** In replies: the boot that asked. In requests: 0. */
  readonly toBoot: number
  /** The sender's term; in pre-vote requests the term it would campaign in (thesis §9.6). */
  readonly term: number
}

/** Would you vote for me in `term`? Changes no state anywhere (thesis §9.6). */
export interface PreVoteRequest extends Envelope {
  readonly kind: 'preVoteRequest'
  readonly lastIndex: number
  readonly lastTerm: number
}

/** `term` is the asked-for term where granted, the voter's own where refused. */
export interface PreVoteReply extends Envelope {
  readonly kind: 'preVoteReply'
  readonly granted: boolean
}

/** RequestVote (Raft §5.2, §5.4.1). */
export interface VoteRequest extends Envelope {
  readonly kind: 'voteRequest'
  readonly lastIndex: number
  readonly lastTerm: number
}

export interface VoteReply extends Envelope {
  readonly kind: 'voteReply'
  readonly granted: boolean
}

/** AppendEntries (Raft §5.3). Empty `entries` probe for the match or carry the commit index. */
export interface AppendRequest extends Envelope {
  readonly kind: 'appendRequest'
  readonly prevIndex: number
  readonly prevTerm: number
  readonly commit: number
  readonly entries: readonly Entry[]
}

/**
 * Accepted: everything up to `matchIndex` is the leader's and is *flushed*.
 * Rejected (`rejected` is the refused `prevIndex`): `hintIndex` is the highest index of this node at which the
 * logs may still agree, `hintTerm` its term (the "conflict" optimisation of Raft §5.3, in etcd's form).
 */
export interface AppendReply extends Envelope {
  readonly kind: 'appendReply'
  readonly accepted: boolean
  readonly matchIndex: number
  readonly rejected: number
  readonly hintIndex: number
  readonly hintTerm: number
}

/** Keeps followers quiet and carries commit index and read round. Never waits for a disk. */
export interface Heartbeat extends Envelope {
  readonly kind: 'heartbeat'
  readonly commit: number
  /** The leader's latest read round (thesis §6.4); echoed by the reply. */
  readonly readRound: number
}

export interface HeartbeatReply extends Envelope {
  readonly kind: 'heartbeatReply'
  readonly readRound: number
}

export type Message =
  | PreVoteRequest
  | PreVoteReply
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Heartbeat
  | HeartbeatReply

export type MessageKind = Message['kind']
