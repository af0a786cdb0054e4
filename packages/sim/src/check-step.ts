/** Steps as they come from files. */
import { invalidOption } from '@troupe/core'
import { FAILPOINTS, type FailpointName, parseFailpoint } from '@troupe/faults'
import type { Deed, FrameDeed } from './step.ts'

interface Kind {
  readonly expected: string
  readonly holds: (value: unknown) => boolean
}

const kind = (expected: string, holds: (value: unknown) => boolean): Kind => ({ expected, holds })
const optional = ({ expected, holds }: Kind): Kind =>
  kind(`${expected}, or nothing`, (value) => value === undefined || holds(value))

const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < 1e12
const isName = (value: unknown): boolean => typeof value === 'string' && /^[nc]\d+$/.test(value)
const isLink = (value: unknown): boolean => typeof value === 'string' && /^[nc]\d+>[nc]\d+$/.test(value)
const isChange = (value: unknown): boolean => {
  const { kind: what, id } = (value ?? {}) as { readonly kind?: unknown; readonly id?: unknown }
  return isName(id) && ['addLearner', 'promote', 'demote', 'remove'].includes(what as string)
}
const isTerms = (value: unknown): boolean => {
  try {
    return parseFailpoint('term', value).every(({ action }) => action.kind !== 'sleep')
  } catch {
    return false
  }
}
const isList =
  (holds: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(holds)

const name = kind('the name of a node or client, such as n1', isName)
const time = kind('a time in ms of at least 0', isTime)
const shift = kind('a time in ms', (value) => typeof value === 'number' && Math.abs(value) < 1e12)
const factor = kind('a number above 0', (value) => typeof value === 'number' && value > 0)
const count = kind(
  'an integer of at least 0',
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
)
const flag = kind('true or false', (value) => typeof value === 'boolean')
const link = kind('a link such as n1>n2', isLink)
const change = kind('a change of a member', isChange)
const effects = kind(
  'a list of effects, each with its kind',
  isList((value) => typeof (value as { readonly kind?: unknown } | null)?.kind === 'string'),
)
const place = kind(`one of ${FAILPOINTS.join(', ')}`, (value) => FAILPOINTS.includes(value as FailpointName))
const term = kind('terms of gofail', isTerms)
const leave = kind('auto or explicit', (value) => value === 'auto' || value === 'explicit')
const consistency = kind('linearizable, lease, follower or stale', (value) =>
  ['linearizable', 'lease', 'follower', 'stale'].includes(value as string),
)
const key = kind('a key', (value) => typeof value === 'string')
const how = kind('ack, nack, term or extend', (value) =>
  ['ack', 'nack', 'term', 'extend'].includes(value as string),
)

const links = { links: kind('a list of links such as n1>n2', isList(isLink)), forMs: time }
const atNode = { node: name }
const whileAtNode = { node: name, forMs: time }
const frame = { link, frame: count }

/** The fields of each deed. */
const fields: Readonly<Record<(Deed | FrameDeed)['do'], Readonly<Record<string, Kind>>>> = {
  cut: links,
  jam: links,
  weather: { effects, links: optional(kind('a list of links such as n1>n2', isList(isLink))), forMs: time },
  flap: { nodes: kind('two nodes', (value) => isList(isName)(value) && (value as unknown[]).length === 2) },
  hangUp: { client: name, node: name },
  crash: { ...whileAtNode, isSilent: optional(flag) },
  start: atNode,
  recover: {},
  wipe: atNode,
  flipEntry: { node: name, back: count },
  flipSnapshot: atNode,
  rollBack: { ...whileAtNode, entries: count },
  setTerm: { ...whileAtNode, term: count },
  crashLoop: { ...whileAtNode, afterMs: time },
  failpoint: { ...whileAtNode, name: place, term },
  lieDisk: whileAtNode,
  slowDisk: { ...whileAtNode, by: factor },
  stallDisk: whileAtNode,
  fullDisk: whileAtNode,
  failDisk: whileAtNode,
  pause: { ...whileAtNode, isBlocked: optional(flag) },
  skew: { ...whileAtNode, rate: factor },
  jump: { node: name, byMs: shift },
  changeMembers: { changes: kind('a list of changes', isList(isChange)), leave, also: optional(change) },
  transfer: { to: optional(name) },
  takeSnapshot: atNode,
  campaign: atNode,
  write: { client: name, key, conditional: flag, withinMs: time, bytes: optional(count) },
  read: { client: name, key, consistency, node: optional(name), withinMs: time },
  send: { client: name, key, named: flag, count, delayMs: time, withinMs: time },
  sendAgain: { client: name, withinMs: time },
  fetch: { client: name, consistency, node: optional(name), withinMs: time },
  settle: { client: name, how, most: count, withinMs: time },
  leave: { client: name, silently: flag, withinMs: time },
  redrive: { client: name, withinMs: time },
  lose: frame,
  repeat: frame,
  spoil: frame,
  delay: { ...frame, byMs: time },
}

/**
 * Checks a step that should not come before `lastMs`; returns its time.
 * @throws RaftError INVALID_OPTIONS that names the field below `path`, its value and what is expected
 */
export function checkStep(step: unknown, path: string, lastMs: number): number {
  const { atMs, do: what, ...rest } = (step ?? {}) as Record<string, unknown>
  if (!isTime(atMs)) throw invalidOption(`${path}.atMs`, atMs, time.expected)
  if ((atMs as number) < lastMs)
    throw invalidOption(`${path}.atMs`, atMs, `at least ${lastMs}, of the one before`)
  if (typeof what !== 'string' || !Object.hasOwn(fields, what)) {
    throw invalidOption(`${path}.do`, what, `one of ${Object.keys(fields).join(', ')}`)
  }
  const known = fields[what as Deed['do']]
  for (const [field, { expected, holds }] of Object.entries(known)) {
    if (!holds(rest[field])) throw invalidOption(`${path}.${field}`, rest[field], expected)
  }
  for (const field of Object.keys(rest)) {
    if (!Object.hasOwn(known, field)) throw invalidOption(`${path}.${field}`, rest[field], 'no such field')
  }
  return atMs as number
}
