/**
 * The stages that a command goes through, in their order; each ends where the next begins, so that they sum up to its
 * latency. The sampled commands are the first ones of the client's frames.
 *
 *     client      queued ──┐                                                            ┌── returned
 *     leader               └─ mailbox ─ waiting ─ stepped ─┐            ┌ acknowledged ─ committed ─ applied ─ replied
 *     quorum's last                                        └ replicated ─ diskQueue ─ flushed
 *
 * "Quorum's last" is the node whose flush completed the quorum: the leader itself or a follower. What other nodes did
 * meanwhile costs a command nothing, and is told beside the stages.
 */

/** Each by what ends it. */
export const stages = {
  /** The client sends its frame: until then it makes others of the same turn, or has no leader. */
  queued: 'client: proposed → its frame leaves',
  /** The leader looks at it: a port, a wake-up, and the turn before. */
  mailbox: 'port and mailbox → the leader looks at it',
  /** The turn that makes its entry begins: it lingered, or the log had no room. */
  waiting: 'linger, or no room in the log → the turn that makes its entry',
  /** The entry is made, with the disk, and with the peers. */
  stepped: 'turn → with the disk and the peers',
  /** The quorum's last node has given it to its own disk; 0 where that is the leader. */
  replicated: 'port, mailbox and turn of the follower → with its disk',
  /** The flush before it is done. */
  diskQueue: 'behind the flush before',
  /** It is flushed, and that node's thread knows. */
  flushed: 'flush → told',
  /** The leader's turn that commits it begins. */
  acknowledged: 'port and mailbox → the turn that commits it',
  /** The leader is done with what else that turn has to do before it applies. */
  committed: 'what that turn does before it applies',
  /** What was committed is applied. */
  applied: 'sessions and state machine',
  /** The replies of the turn have left. */
  replied: 'replies encoded and sent',
  /** The client takes the answer. */
  returned: "port and the client's other work → answered",
} as const

export type Stage = keyof typeof stages

export const stageNames = Object.keys(stages) as readonly Stage[]

/** Milliseconds of one command in each stage. */
export type StageTimes = Readonly<Record<Stage, number>>

/** One sampled command, which stands for those of its frame. */
export interface StageSample {
  readonly commandCount: number
  /** Of its entry. */
  readonly index: number
  readonly totalMs: number
  readonly times: StageTimes
  /** The node whose flush completed the quorum. */
  readonly completedBy: string
  /** What each node did with its entry. */
  readonly nodes: readonly NodeTimes[]
}

export interface NodeTimes {
  readonly id: string
  readonly isLeader: boolean
  /** After the leader had given it to its own disk. */
  readonly handedAfterMs: number
  readonly diskQueueMs: number
  readonly flushMs: number
}
