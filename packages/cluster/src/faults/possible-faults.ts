/** Which faults nodes on threads can have, and when. Found out before anything happens. */
import type { ActorState } from '@troupe/actor'
import { invalidOption, type NodeId } from '@troupe/core'
import { type Fault, isDamage } from '@troupe/faults'

/** What the answer depends on. */
export interface FaultConditions {
  readonly ids: readonly NodeId[]
  readonly isInMemory: boolean
  state(id: NodeId): ActorState
}

/** What a node must be like for a fault. */
interface Needs {
  readonly isMet: (id: NodeId) => boolean
  readonly text: string
}

const RUNNING: readonly Fault['kind'][] = ['crash', 'pause', 'stall', 'elect', 'snapshot', 'compact']

export function needsOf({ kind }: Fault, { state }: FaultConditions): Needs {
  if (RUNNING.includes(kind)) return { isMet: (id) => state(id) === 'running', text: 'that run' }
  if (kind !== 'restart') return { isMet: () => true, text: '' }
  const isMet = (id: NodeId): boolean => state(id) === 'down' || state(id) === 'quarantined'
  return { isMet, text: 'that are down' }
}

/** @throws RaftError INVALID_OPTIONS saying what threads cannot do, or which node is not there or not in that state */
export function checkPossible(fault: Fault, conditions: FaultConditions): void {
  const { kind } = fault
  if (kind === 'wipe') {
    throw invalidOption('fault.kind', kind, "on threads membership with the change 'replace' instead")
  }
  if (kind === 'storage' && fault.mode === 'lose-unflushed')
    throw invalidOption('fault.mode', fault.mode, 'on threads one of slow, stall, full, fail, bit-flip, torn')
  if (kind === 'storage' && isDamage(fault.mode) && conditions.isInMemory)
    throw invalidOption('fault.mode', fault.mode, "nodes with a directory: durability 'memory' has no files")
  if (kind === 'restart' && conditions.isInMemory) {
    throw invalidOption(
      'fault.kind',
      kind,
      "nodes with a directory: durability 'memory' leaves nothing to restart from",
    )
  }
  if (kind === 'membership' && fault.change === 'add') return
  const needs = needsOf(fault, conditions)
  for (const [field, id] of namesIn(fault)) {
    if (!conditions.ids.includes(id)) throw invalidOption(field, id, `one of ${conditions.ids.join(', ')}`)
    if (!needs.isMet(id)) throw invalidOption(field, id, `nodes ${needs.text}`)
  }
}

function* namesIn(fault: Fault): Iterable<[field: string, id: NodeId]> {
  if ('nodes' in fault && Array.isArray(fault.nodes)) for (const id of fault.nodes) yield ['fault.nodes', id]
  if ('groups' in fault) for (const id of fault.groups.flat()) yield ['fault.groups', id]
  if (!('links' in fault) || fault.links === undefined) return
  const { from, to } = fault.links
  if (typeof from !== 'string') for (const id of from) yield ['fault.links.from', id]
  if (typeof to !== 'string') for (const id of to) yield ['fault.links.to', id]
}
