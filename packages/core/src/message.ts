/**
 * The messages between the nodes of a group: one interface per kind.
 *
 * Every message says which incarnation and start of a node it comes from. A request is for whoever bears the name; a
 * reply echoes the asker's incarnation and boot, and counts for nothing when it reaches a later one.
 */
import type { Entry } from './entry.ts'
import type { ProposalRefusal } from './proposal.ts'
import type { IndexRange, NodeId, SnapshotMeta } from './types.ts'

interface Envelope {
  readonly from: NodeId
  readonly fromIncarnation: number
  readonly fromBoot: number
  readonly to: NodeId
  /** In replies: the incarnation that asked. In heartbeats: the member's. In other requests: 0. */
  readonly toIncarnation: number
  /** In replies: the boot that asked. In proposals: the one that was heard to lead. In other requests: 0. */
  readonly toBoot: number
  /** The sender's term; in pre-vote requests the term it would campaign in (thesis §9.6). */
  readonly term: number
}

/** Would you vote for me in `term`? Changes no state anywhere (thesis §9.6). */
export interface PreVoteRequest extends Envelope {
  readonly kind: 'preVoteRequest'
  readonly lastIndex: number
  readonly lastTerm: number
  /** Of two that ask at the same time the one with the higher priority goes first. */
  readonly priority: number
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
  /** The leader itself has asked for this election (thesis §3.10): nobody protects it. */
  readonly isTransfer: boolean
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

/** Keeps followers quiet and carries the commit index, up to what the member has acknowledged. Never waits for a disk. */
export interface Heartbeat extends Envelope {
  readonly kind: 'heartbeat'
  readonly commit: number
  /** Rises with each broadcast: what confirms reads (thesis §6.4) and extends the lease. Echoed by the reply. */
  readonly round: number
}

export interface HeartbeatReply extends Envelope {
  readonly kind: 'heartbeatReply'
  readonly round: number
}

/** Campaign at once: the leader hands over (thesis §3.10). */
export interface TimeoutNow extends Envelope {
  readonly kind: 'timeoutNow'
}

/** A follower's reads ask the leader for an index to wait for (thesis §6.4). `id` is the asker's. */
export interface ReadIndexRequest extends Envelope {
  readonly kind: 'readIndexRequest'
  readonly id: number
}

export interface ReadIndexReply extends Envelope {
  readonly kind: 'readIndexReply'
  readonly id: number
  /** 0: refused, the asked node does not lead. */
  readonly index: number
}

/** A follower hands what clients have proposed to it to the leader. */
export interface Proposal extends Envelope {
  readonly kind: 'proposal'
  readonly id: number
  readonly commandCount: number
  readonly payload: Uint8Array
}

/** The leader did not take a forwarded proposal. (What it took is answered by its being applied.) */
export interface ProposalRefused extends Envelope {
  readonly kind: 'proposalRefused'
  readonly id: number
  readonly refusal: ProposalRefusal
}

/**
 * "Take my snapshot": to a follower that needs entries no longer in the log (Raft §7), or in answer to a repair request.
 * The receiver fetches the bytes at its own pace, so that nobody keeps a transfer's state for it.
 */
export interface SnapshotOffer extends Envelope {
  readonly kind: 'snapshotOffer'
  readonly meta: SnapshotMeta
  /** Whether the sender leads its term: then the offer is its heartbeat too. */
  readonly isLeader: boolean
}

/** Give me bytes of the snapshot you offered. */
export interface SnapshotPull extends Envelope {
  readonly kind: 'snapshotPull'
  readonly index: number
  readonly checksum: number
  readonly offset: number
}

export interface SnapshotChunk extends Envelope {
  readonly kind: 'snapshotChunk'
  readonly index: number
  readonly checksum: number
  readonly offset: number
  /** Empty where the sender no longer has that snapshot. */
  readonly data: Uint8Array
}

/** Entries in `range` are damaged here: who has them? `prevTerm` and `nextTerm` are those of the intact neighbours. */
export interface RepairRequest extends Envelope {
  readonly kind: 'repairRequest'
  readonly range: IndexRange
  readonly prevTerm: number
  /** 0: the damage reaches the end of the log. */
  readonly nextTerm: number
}

/**
 * What a peer has of a damaged range: `intact` entries from its beginning on (as many as fit one message) that lie before
 * the asker's neighbour; `other` ones, of which only the leader's count; `damaged`; or none (`absent`: its log ends
 * before).
 */
export interface RepairReply extends Envelope {
  readonly kind: 'repairReply'
  readonly range: IndexRange
  readonly verdict: 'intact' | 'other' | 'damaged' | 'absent'
  readonly entries: readonly Entry[]
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
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexReply
  | Proposal
  | ProposalRefused
  | SnapshotOffer
  | SnapshotPull
  | SnapshotChunk
  | RepairRequest
  | RepairReply

export type MessageKind = Message['kind']
export type MessageOf<K extends MessageKind> = Extract<Message, { kind: K }>
