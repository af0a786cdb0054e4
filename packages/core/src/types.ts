/** The name of a node, unique in its cluster: what operators type and what certificates carry. */
export type NodeId = string

/** A Raft group. Several groups may share a worker, a connection and a directory. */
export type GroupId = number

/** The roles of Raft §5.1, with the pre-candidate of the thesis's §9.6 beside them. */
export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/**
 * One member of a configuration. The incarnation is drawn when the node's directory is created: a node that
 * comes back with an empty directory is a different member, although it has the same name.
 */
export interface Member {
  readonly id: NodeId
  readonly incarnation: number
}

/**
 * Who belongs to a group. While it is joint (`outgoing` is not empty) a majority of `voters` and one of `outgoing` must
 * agree (Raft §6). A name stands for one incarnation only, wherever it appears.
 */
export interface Configuration {
  readonly voters: readonly Member[]
  /** The voters that are being left, while the configuration is joint. */
  readonly outgoing: readonly Member[]
  /** Receive the log, do not vote (thesis §4.2.1). While joint, a voter that is to become one is not listed yet. */
  readonly learners: readonly Member[]
  /** Voters that are to be learners once the joint configuration is left. */
  readonly learnersNext: readonly Member[]
  /** Whether the leader leaves the joint configuration by itself, once it is committed. */
  readonly autoLeave: boolean
}

/** Who a running node is: its name, its directory (`incarnation`) and this very start of it (`boot`). */
export interface Identity {
  readonly clusterId: string
  readonly group: GroupId
  readonly id: NodeId
  readonly incarnation: number
  readonly boot: number
}

/**
 * What must survive a crash beside the log (Raft, figure 2).
 * `vote` is the empty string while no vote was given in `term`; the incarnation tells a node that came back with
 * an empty directory from the one that the vote was given to.
 */
export interface HardState {
  readonly term: number
  readonly vote: NodeId
  readonly voteIncarnation: number
}

export const INITIAL_HARD_STATE: HardState = Object.freeze({ term: 0, vote: '', voteIncarnation: 0 })

/**
 * The last term. Nobody gets there by elections: a directory that says a later one is damaged, a message that does is not looked
 * at, and who is in it asks for no votes. Far enough from 2^53 that no sum of terms is ever inexact.
 */
export const MAX_TERM = 2 ** 52

/** Whether a number can be a term that a node has been in. */
export const isTerm = (term: unknown): term is number =>
  Number.isSafeInteger(term) && (term as number) >= 0 && (term as number) <= MAX_TERM

/** What a snapshot stands for: the state after applying everything up to `index` (Raft §7). */
export interface SnapshotMeta {
  readonly index: number
  readonly term: number
  /** Log time of the entry at `index`. */
  readonly timeMs: number
  /** The configuration in effect at `index`, and the index of the entry that brought it (0: the bootstrap's). */
  readonly configuration: Configuration
  readonly configurationIndex: number
  /** Size and CRC-32 of the state: two nodes' snapshots at one index may differ in bytes. */
  readonly bytes: number
  readonly checksum: number
}

/** Consecutive entries, both ends included. */
export interface IndexRange {
  readonly from: number
  readonly to: number
}

/**
 * When a persist request counts as done.
 * - `flush-before-ack`: after the flush to the disk (default; survives power loss).
 * - `acked-before-flush`: when the operating system has it (survives a crash of the process, not power loss).
 * - `memory`: at once, nothing is kept.
 */
export type Durability = 'flush-before-ack' | 'acked-before-flush' | 'memory'
