/** Arguments of commands and queries, checked: what is wrong with them is the command's result, the same on every replica. */
import { reject } from '../machine.ts'
import { SETTINGS, type Waiting } from './queue-commands.ts'
import type { QueueState } from './queue-state.ts'
import {
  BACKOFF_KINDS,
  type BackoffKind,
  type Consumer,
  defaultQueueSettings,
  type Lane,
  type Queue,
  type QueueSettings,
} from './topology.ts'

/** A hundred years. */
const MAX_MS = 100 * 366 * 86_400_000
const MAX_NAME_LENGTH = 255
/** What one command removes or revives at most: a turn stays short. */
const MAX_LIMIT = 10_000
const MAX_REASON_LENGTH = 4096

export const badCommand = (reason: string): Error => reject(`BAD_COMMAND ${reason}`)

export function integerOf(value: unknown, least: number, most: number, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number
  throw badCommand(`${what}: an integer from ${least} to ${most}`)
}

export const timeOf = (value: unknown, least: number, what: string): number =>
  integerOf(value, least, MAX_MS, what)

export const limitOf = (value: unknown): number => integerOf(value, 1, MAX_LIMIT, 'limit')

function textOf(value: unknown, most: number, what: string): string {
  if (typeof value === 'string' && value.length <= most) return value
  throw badCommand(`${what}: a string of at most ${most} characters`)
}

export const nameOf = (value: unknown): string => {
  const name = textOf(value, MAX_NAME_LENGTH, 'name')
  if (name === '') throw badCommand('name: not empty')
  return name
}

/** Longer reasons are cut: a handler's error may say much. */
export const reasonOf = (value: unknown): string => {
  if (typeof value !== 'string') throw badCommand('reason: a string')
  return value.slice(0, MAX_REASON_LENGTH)
}

export function waitingOf(value: unknown): Waiting {
  if (value === 'ready' || value === 'delayed' || value === 'dead') return value
  throw badCommand("list: 'ready', 'delayed' or 'dead'")
}

export function queueOf({ topology }: QueueState, name: unknown): Queue {
  const queue = topology.queues.get(name as string)
  if (queue === undefined) throw reject(`UNKNOWN_QUEUE ${String(name)}`)
  return queue
}

export function laneOf(state: QueueState, name: unknown, group: unknown): Lane {
  const queue = queueOf(state, name)
  const lane = queue.lanes.find((each) => each.group === group)
  if (lane === undefined) throw reject(`UNKNOWN_GROUP '${String(group)}' of ${queue.name}`)
  return lane
}

export function consumerOf({ topology }: QueueState, id: unknown): Consumer {
  const consumer = topology.consumers.get(id as number)
  if (consumer === undefined) throw reject(`UNKNOWN_CONSUMER ${String(id)}`)
  return consumer
}

/** Slot, position and delivery of each, in a row. */
export function handlesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length % 3 === 0) return value
  throw badCommand('handles: an array of slot, position, delivery, for each of them')
}

/**
 * Slot, first delivery and count of each, in a row; all together no more than a turn may take.
 * @param results one for each message, null for all, or undefined
 */
export function runsOf(value: unknown, results: unknown): readonly number[] {
  const complaint = 'runs: an array of slot, delivery, count, for each of them'
  if (!Array.isArray(value) || value.length % 3 !== 0) throw badCommand(complaint)
  let sum = 0
  for (const [place, each] of value.entries()) {
    if (!Number.isSafeInteger(each) || each < 1) throw badCommand(complaint)
    if (place % 3 === 2) sum += each
  }
  if (sum > MAX_LIMIT) throw badCommand(`runs: of ${sum} messages, of at most ${MAX_LIMIT}`)
  if (results !== undefined && results !== null && !(Array.isArray(results) && results.length === sum))
    throw badCommand('results: one for each message')
  return value
}

/** @param known those that the queue has, for what is not given */
export function settingsOf(parts: readonly unknown[], known = defaultQueueSettings): QueueSettings {
  const values = SETTINGS.map((setting, at) => parts[at] ?? known[setting])
  const [groups, maxMessages, maxBytes, attempts, backoff, backoffMs, maxBackoffMs, ...others] = values
  const [maxLosses, rateMax, ratePerMs] = others
  if (!Array.isArray(groups) || groups.length === 0 || new Set(groups).size < groups.length)
    throw badCommand('groups: at least one, each once')
  if (!BACKOFF_KINDS.includes(backoff as BackoffKind))
    throw badCommand(`backoff: ${BACKOFF_KINDS.join(' or ')}`)
  return {
    groups: groups.map((group) => textOf(group, MAX_NAME_LENGTH, 'group')),
    maxMessages: integerOf(maxMessages, 1, 2 ** 31, 'maxMessages'),
    maxBytes: integerOf(maxBytes, 1, 32 * 2 ** 30, 'maxBytes'),
    attempts: integerOf(attempts, 1, 255, 'attempts'),
    backoff: backoff as BackoffKind,
    backoffMs: timeOf(backoffMs, 0, 'backoffMs'),
    maxBackoffMs: timeOf(maxBackoffMs, 0, 'maxBackoffMs'),
    maxLosses: integerOf(maxLosses, 1, 255, 'maxLosses'),
    rateMax: integerOf(rateMax, 0, 2 ** 31, 'rateMax'),
    ratePerMs: timeOf(ratePerMs, 1, 'ratePerMs'),
  }
}
