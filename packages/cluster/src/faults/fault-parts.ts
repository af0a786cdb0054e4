/**
 * What an operator and the fault desk of a node's process say to each other: a fault whose nodes and links are drawn
 * already, cut into what each node has to do for it.
 */
import { invalidOption, type NodeId, RaftError } from '@troupe/core'
import { checkFault, type DiskDamage, isDamage, type LinkEffect } from '@troupe/faults'
import { checkNodeName } from '../options.ts'
import type { EffectOrder } from './fault-orders.ts'

type Unnumbered<Order> = Order extends EffectOrder ? Omit<Order, 'kind' | 'id'> : never

/** What lasts until the fault is over. */
export type EffectPart = Unnumbered<EffectOrder>

export const PROCESS_ACTIONS = ['crash', 'pause', 'stall', 'elect', 'snapshot'] as const

/** What is done once. */
export interface ActionPart {
  readonly at: 'node'
  readonly action: (typeof PROCESS_ACTIONS)[number]
}

/** What happens to the node's files once it is down; `put-back`: the end of `lose-unflushed`. */
export interface DiskPart {
  readonly at: 'disk'
  readonly effect: DiskDamage | { readonly mode: 'wipe' | 'put-back' }
}

export type FaultPart = EffectPart | ActionPart | DiskPart

/** A fault, as one node is told of it. */
export interface FaultRequest {
  /** Drawn by whoever injects it; the same on all nodes. */
  readonly id: string
  /** One line for people, with what was drawn. */
  readonly text: string
  /** The nodes that it concerns. */
  readonly nodes: readonly NodeId[]
  readonly forMs: number
  /** Empty at a node that only has to know of it. */
  readonly parts: readonly FaultPart[]
}

/** A fault, as one node tells of it. */
export interface FaultReport extends Omit<FaultRequest, 'parts'> {
  readonly leftMs: number
  /** Whether this node has to do something for it. */
  readonly isHere: boolean
}

/** Longest that a fault may last. */
export const MAX_FAULT_MS = 3_600_000
/** Where nothing is said. */
export const DEFAULT_FAULT_MS = 30_000

const MAX_TEXT = 1000
const MAX_NODES = 100
const MAX_PARTS = 32
const MAX_LINKS = 10_000

/** @throws RaftError INVALID_OPTIONS for what is none */
export function checkRequest(given: unknown): FaultRequest {
  const { id, text, nodes, forMs, parts } = (given ?? {}) as Partial<Record<keyof FaultRequest, unknown>>
  checkFaultId('id', id)
  if (typeof text !== 'string' || text.length > MAX_TEXT)
    throw invalidOption('text', text, `a line of at most ${MAX_TEXT} characters`)
  checkNames('nodes', nodes)
  checkTime(forMs)
  if (!Array.isArray(parts) || parts.length > MAX_PARTS)
    throw invalidOption('parts', parts, `a list of at most ${MAX_PARTS}`)
  for (const part of parts) checkPart(part)
  return { id, text, nodes, forMs, parts }
}

/** @throws RaftError INVALID_OPTIONS */
export function checkFaultId(field: string, id: unknown): asserts id is string {
  if (typeof id !== 'string' || !/^f-[\w-]{1,40}$/.test(id))
    throw invalidOption(field, id, 'the id of a fault, such as f-1a2b3c4d')
}

/** @throws RaftError INVALID_OPTIONS */
export function checkTime(forMs: unknown): asserts forMs is number {
  if (typeof forMs === 'number' && forMs >= 1 && forMs <= MAX_FAULT_MS) return
  throw invalidOption('forMs', forMs, `a time from 1 to ${MAX_FAULT_MS} ms`)
}

function checkNames(field: string, names: unknown): asserts names is readonly string[] {
  if (!Array.isArray(names) || names.length > MAX_NODES)
    throw invalidOption(field, names, `at most ${MAX_NODES} names of nodes`)
  for (const name of names) checkNodeName(field, name)
}

function checkPart(given: unknown): asserts given is FaultPart {
  const { at, action, effect } = (given ?? {}) as Partial<Record<string, unknown>>
  switch (at) {
    case 'links': {
      const { links, effect: inner } = (effect ?? {}) as Partial<Record<string, unknown>>
      if (links !== 'all') checkLinks(links)
      return checkEffect(inner as LinkEffect)
    }
    case 'store':
    case 'clock':
      return checkEffect({ ...(effect as object), kind: at === 'store' ? 'storage' : at, nodes: ['n1'] })
    case 'failpoints':
      return checkEffect({ ...(effect as object), kind: 'failpoint', nodes: ['n1'] })
    case 'heap':
      return checkEffect({ ...(effect as object), kind: 'heap', nodes: ['n1'] })
    case 'disk':
      return checkDisk(effect)
    case 'node':
      if (!PROCESS_ACTIONS.includes(action as ActionPart['action']))
        throw invalidOption('parts.action', action, `one of ${PROCESS_ACTIONS.join(', ')}`)
      return
    default:
      throw invalidOption('parts.at', at, 'links, store, clock, failpoints, heap, disk or node')
  }
}

/** As part of a fault. What is over at once is no effect. */
function checkEffect(given: object): void {
  const fault = checkFault(given)
  if (fault.kind === 'storage' && isDamage(fault.mode))
    throw invalidOption('parts.mode', fault.mode, 'one of slow, stall, full, fail')
}

function checkDisk(effect: unknown): void {
  const { mode } = (effect ?? {}) as { readonly mode?: unknown }
  if (mode === 'wipe' || mode === 'put-back') return
  checkFault({ ...(effect as object), kind: 'storage', nodes: ['n1'] })
  if (!isDamage(mode as DiskDamage['mode'])) throw invalidOption('parts.mode', mode, 'damage to files')
}

function checkLinks(links: unknown): void {
  if (!Array.isArray(links) || links.length > MAX_LINKS)
    throw invalidOption('parts.links', links, `all, or at most ${MAX_LINKS} links`)
  for (const link of links) {
    const { from, to } = (link ?? {}) as Partial<Record<string, unknown>>
    checkNodeName('parts.links.from', from)
    checkNodeName('parts.links.to', to)
  }
}

/** For a node that was not started for faults. */
export function faultsNotAllowed(node: NodeId): RaftError<'INVALID_OPTIONS'> {
  const expected =
    'true: start the node with --allow-faults (the option allowFaults) to inject faults into it'
  return new RaftError('INVALID_OPTIONS', `allowFaults of ${node} is false; expected ${expected}`, {
    field: 'allowFaults',
    value: false,
    expected,
  })
}
