/**
 * Changes of the members (Raft §6, thesis §4): entries that take effect when they are appended.
 *
 * A new one is begun only when the one before is committed, and not before the leader has committed an entry of its own
 * term: otherwise two leaders could each have changed one voter of the same configuration, and commit apart (Ongaro's
 * correction of 2015 to the single-server change).
 */
import {
  changeConfiguration,
  encodeConfiguration,
  isJoint,
  leaveJoint,
  type RefusedChange,
} from './configuration.ts'
import { EntryKind } from './entry.ts'
import type { MemberChange } from './event.ts'
import type { Leadership } from './leadership.ts'
import type { Leading } from './leading.ts'
import { hasQuorum } from './quorum.ts'
import type { Replica } from './replica.ts'
import type { Configuration, NodeId } from './types.ts'

export class Membership {
  readonly #replica: Replica
  readonly #leading: Leading

  constructor(replica: Replica, leading: Leading) {
    this.#replica = replica
    this.#leading = leading
  }

  /** Whether the configuration in effect is committed. */
  get isSettled(): boolean {
    const { log } = this.#replica
    return log.configurations.latestIndex <= log.committed
  }

  /** Appends the configuration that `changes` lead to. Returns its index, or why not. */
  change(
    leadership: Leadership,
    changes: readonly MemberChange[],
    leave: 'auto' | 'explicit',
  ): number | RefusedChange {
    const refusal = this.#refusal(leadership)
    if (refusal !== undefined) return refusal
    const isCaughtUp = (id: NodeId): boolean => this.#isCaughtUp(leadership, id)
    const next = changeConfiguration(this.#replica.configuration, changes, leave, isCaughtUp)
    if ('reason' in next) return next
    // It would be in effect at once, and could neither be committed nor taken back.
    if (!this.#hearsQuorumOf(leadership, next)) {
      return { reason: 'NO_QUORUM', detail: 'no quorum of the new configuration is heard' }
    }
    return this.#append(leadership, next)
  }

  #hearsQuorumOf(leadership: Leadership, next: Configuration): boolean {
    const { self, nowMs, options } = this.#replica
    return hasQuorum(next, (id) => {
      const heardMs = id === self ? nowMs : (leadership.peers.get(id)?.heardMs ?? Number.NEGATIVE_INFINITY)
      return nowMs - heardMs <= options.electionTimeoutMaxMs
    })
  }

  leave(leadership: Leadership): number | RefusedChange {
    const { configuration } = this.#replica
    if (!isJoint(configuration)) return { reason: 'NOT_JOINT', detail: 'the configuration is not joint' }
    return this.#refusal(leadership) ?? this.#append(leadership, leaveJoint(configuration))
  }

  #refusal(leadership: Leadership): RefusedChange | undefined {
    if (!this.#replica.hasCommittedInTerm) {
      return { reason: 'NOT_READY', detail: 'the leader has not committed an entry of its term yet' }
    }
    if (!this.isSettled) return { reason: 'IN_PROGRESS', detail: 'the change before is not committed yet' }
    if (leadership.transfer !== undefined) {
      return { reason: 'IN_PROGRESS', detail: 'leadership is being transferred' }
    }
    return undefined
  }

  /** Thesis §4.2.1: there, and close enough that the voters need not wait for it. */
  #isCaughtUp(leadership: Leadership, id: NodeId): boolean {
    const { log, options, nowMs } = this.#replica
    const progress = leadership.peers.get(id)
    if (progress === undefined || nowMs - progress.heardMs > options.electionTimeoutMaxMs) return false
    return progress.match > 0 && progress.match + options.maxUncommittedEntries >= log.lastIndex
  }

  #append(leadership: Leadership, configuration: Configuration): number {
    const index = this.#leading.append(
      leadership,
      EntryKind.configuration,
      [encodeConfiguration(configuration)],
      0,
    )
    leadership.followConfiguration(this.#replica.nowMs, index)
    return index
  }

  /**
   * The commit index has risen. A joint configuration that leaves by itself does so once it is committed, under
   * whichever leader; a leader that is no voter any more has done its work when that is committed (thesis §4.2.2).
   * Returns whether this node is to step down.
   */
  committed(leadership: Leadership): boolean {
    const replica = this.#replica
    if (!this.isSettled) return false
    const { configuration } = replica
    if (isJoint(configuration)) {
      if (configuration.autoLeave) this.#append(leadership, leaveJoint(configuration))
      return false
    }
    return !replica.isVoter
  }
}
