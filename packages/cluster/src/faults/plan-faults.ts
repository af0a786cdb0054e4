/** Draws what faults leave open, and cuts them into what each node has to do. */
import { invalidOption, type NodeId, type Random } from '@troupe/core'
import {
  checkFault,
  type DiskDamage,
  type Fault,
  FaultPlane,
  type NodeDecorators,
  type NodeOperation,
  type Situation,
} from '@troupe/faults'
import { type ActionPart, type FaultPart, PROCESS_ACTIONS } from './fault-parts.ts'

export interface FaultPlan {
  /** One line for people. */
  readonly text: string
  /** Drawn; those that a link begins at, where no nodes are. */
  readonly nodes: readonly NodeId[]
  readonly parts: ReadonlyMap<NodeId, readonly FaultPart[]>
}

/** @throws RaftError INVALID_OPTIONS for what is no fault, what a process cannot do to itself, and nodes that nobody knows */
export function planFaults(given: readonly unknown[], situation: Situation, random: Random): FaultPlan {
  const faults = given.map(checkFault)
  for (const fault of faults) checkPossible(fault, situation.nodes)
  const parts = new Map<NodeId, FaultPart[]>(situation.nodes.map((id) => [id, []]))
  const plane = new FaultPlane({
    situation: () => situation,
    random,
    operate: (operation) => parts.get(operation.node ?? '')?.push(partOf(operation)),
  })
  for (const id of situation.nodes)
    plane.attach(
      id,
      collector(id, (part) => parts.get(id)?.push(part)),
    )
  const applied = faults.map((fault) => plane.apply(fault))
  const busy = [...parts].filter(([, own]) => own.length > 0).map(([id]) => id)
  if (busy.length === 0) {
    const texts = applied.map(({ text }) => text).join('; ')
    throw invalidOption('fault', texts, 'one that concerns some node: nobody was drawn')
  }
  return {
    text: applied.map(({ text }) => text).join('; '),
    nodes: busy,
    parts: new Map(busy.map((id) => [id, parts.get(id) ?? []])),
  }
}

/** What a node does once. */
function partOf(operation: NodeOperation): FaultPart {
  const { kind } = operation
  if (kind === 'storage') return { at: 'disk', effect: effectOf(operation) as DiskDamage }
  if (kind === 'wipe') return { at: 'disk', effect: { mode: kind } }
  return { at: 'node', action: (kind === 'compact' ? 'snapshot' : kind) as ActionPart['action'] }
}

/** Writes down what is switched on at a node. */
function collector(id: NodeId, take: (part: FaultPart) => void): NodeDecorators {
  const board = (at: 'store' | 'clock' | 'failpoints' | 'heap') => ({
    add: (_: number, effect: unknown) => take({ at, effect: effectOf(effect) } as FaultPart),
    remove: () => {},
  })
  return {
    links: {
      // A node does what happens to what it sends.
      add: (_, { links, effect }) => {
        const own = links === 'all' ? links : links.filter(({ from }) => from === id)
        if (own.length > 0) take({ at: 'links', effect: { links: own, effect } })
      },
      remove: () => {},
    },
    store: board('store'),
    clock: { ...board('clock'), settle: () => {} },
    failpoints: board('failpoints'),
    heap: board('heap'),
  }
}

/** Without what says where it is. */
function effectOf(effect: unknown): object {
  const { kind: _kind, nodes: _nodes, node: _node, ...rest } = effect as Record<string, unknown>
  return rest
}

const ELSEWHERE: Readonly<Partial<Record<Fault['kind'], string>>> = {
  restart: 'for a process another one: whoever supervises it starts it again; a crash ends after its time',
  resume: 'the end of the pause: destroy that fault',
  membership: 'troupe add or troupe remove',
  transfer: 'troupe transfer',
}

function checkPossible(fault: Fault, known: readonly NodeId[]): void {
  const instead = ELSEWHERE[fault.kind]
  if (instead !== undefined) throw invalidOption('fault.kind', fault.kind, instead)
  const isAction = [...PROCESS_ACTIONS, 'compact', 'wipe'].includes(fault.kind)
  if (fault.kind === 'crash' && fault.silent === true)
    throw invalidOption('fault.silent', true, 'false: the connections of a process that dies are closed')
  for (const id of namesOf(fault)) {
    if (!known.includes(id))
      throw invalidOption(isAction ? 'node' : 'nodes', id, `one of ${known.join(', ')}`)
  }
}

function namesOf(fault: Fault): readonly NodeId[] {
  const names = (selector: unknown): readonly NodeId[] => (Array.isArray(selector) ? selector : [])
  if ('groups' in fault) return fault.groups.flat()
  if ('nodes' in fault) return names(fault.nodes)
  return 'links' in fault && fault.links !== undefined
    ? [...names(fault.links.from), ...names(fault.links.to)]
    : []
}
