/** Draws what faults leave open, and cuts them into what each node has to do. */
import { invalidOption, type NodeId, type Random } from '@troupe/core'
import { checkFault, type Fault, FaultPlane, type NodeDecorators, type Situation } from '@troupe/faults'
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
    operate: ({ kind, ...rest }) => {
      const action = (kind === 'compact' ? 'snapshot' : kind) as ActionPart['action']
      const { node } = rest as { readonly node: NodeId }
      parts.get(node)?.push({ at: 'node', action })
    },
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
  const { kind: _kind, nodes: _nodes, ...rest } = effect as Record<string, unknown>
  return rest
}

const ELSEWHERE: Readonly<Partial<Record<Fault['kind'], string>>> = {
  restart: 'for a process another one: whoever supervises it starts it again; a crash ends after its time',
  resume: 'the end of the pause: destroy that fault',
  wipe: 'troupe remove, then troupe add of a node with an empty directory',
  membership: 'troupe add or troupe remove',
  transfer: 'troupe transfer',
}

function checkPossible(fault: Fault, known: readonly NodeId[]): void {
  const instead = ELSEWHERE[fault.kind]
  if (instead !== undefined) throw invalidOption('fault.kind', fault.kind, instead)
  const isAction = [...PROCESS_ACTIONS, 'compact'].includes(fault.kind)
  if (fault.kind === 'crash' && fault.silent === true)
    throw invalidOption('fault.silent', true, 'false: the connections of a process that dies are closed')
  if (fault.kind === 'storage' && (fault.mode === 'bit-flip' || fault.mode === 'lose-unflushed'))
    throw invalidOption('fault.mode', fault.mode, 'slow, stall, full or fail')
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
