/**
 * Members of a running cluster that come and go: what one call of the user takes in steps. Each step states what the
 * committed configuration is to be, and asks whoever leads until it is so: a leader that changes meanwhile, a
 * change in progress or a learner that lags only take time.
 */
import {
  type Configuration,
  type ControlCommand,
  incarnationIn,
  invalidOption,
  isJoint,
  type Member,
  type MemberChange,
  type NodeId,
  RaftError,
} from '@troupe/core'
import { drawNumber } from './identities.ts'
import type { NodeStatus } from './node-control.ts'
import { checkNodeName, positive } from './options.ts'

/** What members need of the cluster. */
export interface MembersHost {
  /** The nodes that run here. */
  ids(): readonly NodeId[]
  /** The state of the node that leads, as it says itself; undefined where none does. */
  leaderStatus(): Promise<NodeStatus | undefined>
  command(node: NodeId, command: ControlCommand, timeoutMs: number): Promise<void>
  /** Starts that member with an empty log. */
  begin(member: Member): Promise<void>
  /** Stops a node that is no member any more, for good. */
  end(id: NodeId): Promise<void>
  crash(id: NodeId): Promise<void>
}

/** Options of an operation on the members. */
export interface MemberOptions {
  /** Longest wait in ms; a learner may have a long way to go. @default 30,000 */
  readonly timeoutMs?: number
}

/** How a node is added. */
export interface AddMemberOptions extends MemberOptions {
  /** Leave it a learner: it receives the log and does not vote. @default false */
  readonly learner?: boolean
}

/** How members are changed. */
export interface ChangeOptions extends MemberOptions {
  /** Whether a joint configuration is left by itself once it is committed. @default 'auto' */
  readonly leave?: 'auto' | 'explicit'
}

const RETRY_MS = 10
const MEMBER_TIMEOUT_MS = 30_000

/** @throws RaftError INVALID_OPTIONS */
export function timeoutOf({ timeoutMs }: MemberOptions): number {
  return timeoutMs === undefined ? MEMBER_TIMEOUT_MS : positive('timeoutMs', timeoutMs)
}

/** The members of a running cluster: `cluster.members`. All its methods throw INVALID_OPTIONS for a slip. */
export class Members {
  readonly #host: MembersHost

  constructor(host: MembersHost) {
    this.#host = host
  }

  /**
   * Adds a node: with an empty directory and a new incarnation, as a learner, and once it has caught up as a voter.
   * @throws RaftError INVALID_OPTIONS for a bad or known id; TIMEOUT; what keeps it from starting
   */
  async add(id: NodeId, options: AddMemberOptions = {}): Promise<void> {
    checkNodeName('id', id)
    if (this.#host.ids().includes(id)) throw invalidOption('id', id, 'a name no other node has')
    await this.join(id, isLearner(options), timeoutOf(options))
  }

  /**
   * Removes a node from the members, then stops it. Its directory is kept, under another name.
   * @throws RaftError INVALID_OPTIONS for an unknown id; REFUSED_CHANGE for the last voter; TIMEOUT
   */
  async remove(id: NodeId, options: MemberOptions = {}): Promise<void> {
    this.#check(id)
    await this.#leave(id, timeoutOf(options))
    await this.#host.end(id)
  }

  /**
   * For a node that has lost its data, or never had any on a disk: its old incarnation leaves the members, a new one with
   * an empty log joins as a learner and becomes a voter once it has caught up.
   * @throws RaftError INVALID_OPTIONS for an unknown id; TIMEOUT, where the others are no quorum
   */
  async replace(id: NodeId, options: AddMemberOptions = {}): Promise<void> {
    this.#check(id)
    const timeoutMs = timeoutOf(options)
    const learner = isLearner(options)
    await this.#host.crash(id)
    await this.join(id, learner, timeoutMs)
  }

  /** A learner that has caught up becomes a voter. @throws RaftError REFUSED_CHANGE, TIMEOUT */
  async promote(id: NodeId, options: MemberOptions = {}): Promise<void> {
    this.#check(id)
    const isDone = ({ voters }: Configuration): boolean => voters.some((voter) => voter.id === id)
    await this.#reach(`promoting ${id}`, isDone, { kind: 'promote', id }, timeoutOf(options))
  }

  /** A voter becomes a learner. @throws RaftError REFUSED_CHANGE, TIMEOUT */
  async demote(id: NodeId, options: MemberOptions = {}): Promise<void> {
    this.#check(id)
    const isDone = ({ learners }: Configuration): boolean => learners.some((learner) => learner.id === id)
    await this.#reach(`demoting ${id}`, isDone, { kind: 'demote', id }, timeoutOf(options))
  }

  /**
   * Changes several members at once, through a joint configuration where more than one voter comes or goes. With
   * `leave: 'explicit'` the configuration stays joint until {@link leaveJoint}. Only changes the configuration: nodes
   * are started by `add`, and stopped by `remove`.
   * @throws RaftError REFUSED_CHANGE, TIMEOUT, INDETERMINATE
   */
  async change(changes: readonly MemberChange[], options: ChangeOptions = {}): Promise<void> {
    const { leave = 'auto' } = options
    if (leave !== 'auto' && leave !== 'explicit') throw invalidOption('leave', leave, "'auto' or 'explicit'")
    if (!Array.isArray(changes)) throw invalidOption('changes', changes, 'an array of changes')
    changes.forEach((change, index) => {
      checkChange(`changes[${index}]`, change)
    })
    const command = { kind: 'changeMembers', changes, leave } as const
    await this.commandLeader('changing the members', command, timeoutOf(options))
  }

  /** Leaves a joint configuration. @throws RaftError REFUSED_CHANGE, TIMEOUT, INDETERMINATE */
  async leaveJoint(options: MemberOptions = {}): Promise<void> {
    await this.commandLeader('leaving the joint configuration', { kind: 'leaveJoint' }, timeoutOf(options))
  }

  #check(id: NodeId): void {
    const ids = this.#host.ids()
    if (!ids.includes(id)) throw invalidOption('id', id, `one of ${ids.join(', ')}`)
  }

  /** @internal A node with an empty log becomes a member; an earlier incarnation of it leaves first. */
  async join(id: NodeId, learner: boolean, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    const rest = (): number => Math.max(1, deadlineMs - performance.now())
    await this.#leave(id, rest())
    const member: Member = { id, incarnation: drawNumber() }
    await this.#host.begin(member)
    await this.#enter(member, rest())
    if (!learner) await this.promote(id, { timeoutMs: rest() })
  }

  /** @internal A node that runs and waits becomes a learner, then a voter; what it is already it stays. */
  async admit(member: Member, timeoutMs: number): Promise<void> {
    const { id } = member
    const deadlineMs = performance.now() + timeoutMs
    await this.#enter(member, timeoutMs)
    try {
      await this.promote(id, { timeoutMs: Math.max(1, deadlineMs - performance.now()) })
    } catch (error) {
      if (!RaftError.is(error, 'TIMEOUT')) throw error
      throw new RaftError('TIMEOUT', `${id} is a learner, and no voter yet: ${error.message}`, error.data)
    }
  }

  /** @internal @throws RaftError INVALID_OPTIONS where another node of that name is a member; TIMEOUT where nobody leads */
  async refuseNamesake({ id, incarnation }: Member, timeoutMs: number): Promise<void> {
    await this.#retry(`adding ${id}`, timeoutMs, async ({ configuration }) => {
      const known = incarnationIn(configuration, id) ?? incarnation
      if (known === incarnation) return true
      throw invalidOption('id', id, 'a name no member has: another node of this name has to be removed first')
    })
  }

  async #enter(member: Member, timeoutMs: number): Promise<void> {
    const isMember = (configuration: Configuration): boolean =>
      incarnationIn(configuration, member.id) === member.incarnation
    await this.#reach(`adding ${member.id}`, isMember, { kind: 'addLearner', member }, timeoutMs)
  }

  async #leave(id: NodeId, timeoutMs: number): Promise<void> {
    const isDone = (configuration: Configuration): boolean => incarnationIn(configuration, id) === undefined
    await this.#reach(`removing ${id}`, isDone, { kind: 'remove', id }, timeoutMs)
  }

  /** Asks until the configuration is committed, not joint, and as wanted. */
  async #reach(
    what: string,
    isDone: (configuration: Configuration) => boolean,
    change: MemberChange,
    timeoutMs: number,
  ): Promise<void> {
    const command: ControlCommand = { kind: 'changeMembers', changes: [change], leave: 'auto' }
    await this.#retry(what, timeoutMs, async (leader, restMs) => {
      const { configuration, isConfigurationCommitted } = leader
      if (isDone(configuration)) return isConfigurationCommitted && !isJoint(configuration)
      await this.#host.command(leader.id, command, restMs)
      return false
    })
  }

  /** @internal Gives `command` to whoever leads, until one takes it. */
  async commandLeader(what: string, command: ControlCommand, timeoutMs: number): Promise<void> {
    await this.#retry(what, timeoutMs, async (leader, restMs) => {
      await this.#host.command(leader.id, command, restMs)
      return true
    })
  }

  async #retry(
    what: string,
    timeoutMs: number,
    attempt: (leader: NodeStatus, restMs: number) => Promise<boolean>,
  ): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    let reason = 'there is no leader'
    for (;;) {
      const restMs = deadlineMs - performance.now()
      if (restMs <= 0)
        throw new RaftError('TIMEOUT', `${what}: ${reason}, for ${timeoutMs} ms`, { timeoutMs })
      try {
        const leader = await this.#host.leaderStatus()
        if (leader !== undefined && (await attempt(leader, restMs))) return
      } catch (error) {
        if (!isPassing(error)) throw error
        reason = error.message
      }
      await new Promise((resume) => setTimeout(resume, RETRY_MS))
    }
  }
}

function isLearner({ learner = false }: AddMemberOptions): boolean {
  if (typeof learner !== 'boolean') throw invalidOption('learner', learner, 'true or false')
  return learner
}

function checkChange(field: string, change: MemberChange): void {
  const kinds = ['addLearner', 'promote', 'demote', 'remove']
  if (!kinds.includes(change?.kind)) throw invalidOption(`${field}.kind`, change?.kind, kinds.join(', '))
  checkNodeName(`${field}.id`, change.kind === 'addLearner' ? change.member?.id : change.id)
  if (change.kind !== 'addLearner' || Number.isSafeInteger(change.member.incarnation)) return
  throw invalidOption(`${field}.member.incarnation`, change.member.incarnation, 'an integer')
}

/** Whether the same may succeed a little later. */
function isPassing(error: unknown): error is RaftError {
  if (RaftError.is(error, 'REFUSED_CHANGE')) {
    return ['NOT_READY', 'IN_PROGRESS', 'NOT_CAUGHT_UP', 'NO_QUORUM'].includes(error.data.reason)
  }
  return (
    RaftError.is(error, 'NOT_LEADER') ||
    RaftError.is(error, 'NODE_UNAVAILABLE') ||
    RaftError.is(error, 'INDETERMINATE')
  )
}
