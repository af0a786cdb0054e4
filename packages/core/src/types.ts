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

/** The voters of a group. */
export interface Configuration {
  readonly voters: readonly Member[]
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
 * `vote` is the empty string while no vote was given in `term`.
 */
export interface HardState {
  readonly term: number
  readonly vote: NodeId
}

/**
 * When a persist request counts as done.
 * - `flush-before-ack`: after the flush to the disk (default; survives power loss).
 * - `acked-before-flush`: when the operating system has it (survives a crash of the process, not power loss).
 * - `memory`: at once, nothing is kept.
 */
export type Durability = 'flush-before-ack' | 'acked-before-flush' | 'memory'
