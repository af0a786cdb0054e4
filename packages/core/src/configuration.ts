/**
 * Configurations: how they follow from each other, and their encoding.
 *
 *     simple ──one voter more or less──────────────────────────────► simple          (thesis §4.1)
 *     simple ──several changes──► joint: voters + outgoing ──leave──► simple          (Raft §6)
 *
 * A configuration takes effect when its entry is appended, and ceases to when that entry is truncated.
 */
import type { ChangeRefusal } from './errors.ts'
import type { MemberChange } from './event.ts'
import type { Configuration, Member, NodeId } from './types.ts'

/** A configuration that is not joint. */
export function simpleConfiguration(
  voters: readonly Member[],
  learners: readonly Member[] = [],
): Configuration {
  return { voters, outgoing: [], learners, learnersNext: [], autoLeave: false }
}

/** The configuration of a node that has not been told of one: it waits for a leader. */
export const EMPTY_CONFIGURATION: Configuration = Object.freeze(simpleConfiguration([]))

export const isJoint = (configuration: Configuration): boolean => configuration.outgoing.length > 0

/** Whether `id` votes, in either half of a joint configuration. */
export function isVoter({ voters, outgoing }: Configuration, id: NodeId): boolean {
  return voters.some((voter) => voter.id === id) || outgoing.some((voter) => voter.id === id)
}

/** All members, each once: voters, outgoing voters, learners. */
export function membersOf({ voters, outgoing, learners }: Configuration): readonly Member[] {
  const members = [...voters]
  for (const member of [...outgoing, ...learners]) {
    if (!members.some(({ id }) => id === member.id)) members.push(member)
  }
  return members
}

/** The incarnation that `id` has in this configuration; undefined where it is no member. */
export function incarnationIn(configuration: Configuration, id: NodeId): number | undefined {
  return membersOf(configuration).find((member) => member.id === id)?.incarnation
}

/** A change that makes no sense, and why. */
export interface RefusedChange {
  readonly reason: ChangeRefusal
  readonly detail: string
}

const invalid = (detail: string): RefusedChange => ({ reason: 'INVALID', detail })

/**
 * The configuration that `changes` lead to: a simple one where at most one voter comes or goes and leaving is
 * automatic, a joint one otherwise.
 * @param isCaughtUp whether a learner's log is close enough to the leader's end
 */
export function changeConfiguration(
  before: Configuration,
  changes: readonly MemberChange[],
  leave: 'auto' | 'explicit',
  isCaughtUp: (id: NodeId) => boolean,
): Configuration | RefusedChange {
  if (isJoint(before)) return { reason: 'IN_PROGRESS', detail: 'the configuration is joint' }
  if (changes.length === 0) return invalid('no change is asked for')
  const voters = new Map(before.voters.map((member) => [member.id, member]))
  const learners = new Map(before.learners.map((member) => [member.id, member]))
  const touched = new Set<NodeId>()
  for (const change of changes) {
    const id = change.kind === 'addLearner' ? change.member.id : change.id
    if (touched.has(id)) return invalid(`${id} is changed twice`)
    touched.add(id)
    const refusal = applyChange(change, voters, learners, isCaughtUp)
    if (refusal !== undefined) return refusal
  }
  if (voters.size === 0) return invalid('no voter would be left')
  return combine(before, [...voters.values()], [...learners.values()], leave)
}

function applyChange(
  change: MemberChange,
  voters: Map<NodeId, Member>,
  learners: Map<NodeId, Member>,
  isCaughtUp: (id: NodeId) => boolean,
): RefusedChange | undefined {
  if (change.kind === 'addLearner') {
    const { id } = change.member
    if (voters.has(id) || learners.has(id)) return invalid(`${id} is a member already`)
    learners.set(id, change.member)
    return undefined
  }
  const { id } = change
  const [voter, learner] = [voters.get(id), learners.get(id)]
  switch (change.kind) {
    case 'promote':
      if (learner === undefined) return invalid(`${id} is no learner`)
      if (!isCaughtUp(id)) return { reason: 'NOT_CAUGHT_UP', detail: `${id} lags behind` }
      learners.delete(id)
      voters.set(id, learner)
      return undefined
    case 'demote':
      if (voter === undefined) return invalid(`${id} is no voter`)
      voters.delete(id)
      learners.set(id, voter)
      return undefined
    case 'remove':
      if (!voters.delete(id) && !learners.delete(id)) return invalid(`${id} is no member`)
      return undefined
  }
}

function combine(
  before: Configuration,
  voters: readonly Member[],
  learners: readonly Member[],
  leave: 'auto' | 'explicit',
): Configuration {
  const ids = new Set(voters.map(({ id }) => id))
  const left = before.voters.filter(({ id }) => !ids.has(id)).length
  const joined = voters.length - (before.voters.length - left)
  // One voter more or less: any majority before and any after have a voter in common.
  if (leave === 'auto' && left + joined <= 1) return simpleConfiguration(voters, learners)
  const isOutgoing = ({ id }: Member): boolean => before.voters.some((voter) => voter.id === id)
  return {
    voters,
    outgoing: before.voters,
    learners: learners.filter((member) => !isOutgoing(member)),
    learnersNext: learners.filter(isOutgoing),
    autoLeave: leave === 'auto',
  }
}

/** The configuration after leaving a joint one. */
export function leaveJoint({ voters, learners, learnersNext }: Configuration): Configuration {
  return simpleConfiguration(voters, [...learners, ...learnersNext])
}

/** As an entry's payload: JSON in ASCII. Configurations are few and small: readable beats compact. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  const text = JSON.stringify(configuration).replace(/[^ -~]/g, escaped)
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** Undefined where the payload is no configuration. */
export function decodeConfiguration(payload: Uint8Array): Configuration | undefined {
  let text = ''
  for (const byte of payload) text += String.fromCharCode(byte)
  try {
    return checkConfiguration(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** A configuration as it came from outside, or undefined. Unknown fields are left out. */
export function checkConfiguration(value: unknown): Configuration | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { voters, outgoing, learners, learnersNext, autoLeave } = value as Record<string, unknown>
  const lists = [voters, outgoing, learners, learnersNext].map(checkMembers)
  const [a, b, c, d] = lists
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
  return { voters: a, outgoing: b, learners: c, learnersNext: d, autoLeave: autoLeave === true }
}

function checkMembers(value: unknown): readonly Member[] | undefined {
  if (!Array.isArray(value)) return undefined
  const members: Member[] = []
  for (const member of value) {
    const { id, incarnation } = (member ?? {}) as { id?: unknown; incarnation?: unknown }
    if (typeof id !== 'string' || id === '') return undefined
    if (!Number.isSafeInteger(incarnation) || (incarnation as number) < 0) return undefined
    members.push({ id, incarnation: incarnation as number })
  }
  return members
}
