/**
 * Applies faults to a cluster: draws what they leave open, switches the effects on at the decorators of the nodes,
 * hands what only the engine can do to the engine, and heals.
 *
 *     Fault ─► draw nodes and links ─┬─► LinkRule ────► every switchboard of links
 *                                    ├─► StoreEffect ─► the stores of its nodes    (also of their later starts)
 *                                    ├─► ClockEffect ─► the clocks of its nodes
 *                                    └─► NodeOperation ► the engine
 */
import { invariant, type NodeId, type Random } from '@troupe/core'
import { describeFault } from './describe-fault.ts'
import type { LinkRule } from './link-faults.ts'
import type { Switchboard } from './ports.ts'
import { drawPartition, type Situation, selectLinks, selectNodes } from './selection.ts'
import {
  type ClockEffect,
  type DiskDamage,
  type FailpointEffect,
  type Fault,
  type HeapEffect,
  isDamage,
  type LinkEffect,
  type LinkFault,
  type MembershipChange,
  type NodeAction,
  type NodeFault,
  type PartitionFault,
  type StoreEffect,
} from './vocabulary.ts'

/** What only the engine can do to a node. */
export type NodeOperation =
  | { readonly kind: Exclude<NodeAction, 'crash'>; readonly node: NodeId }
  | { readonly kind: 'crash'; readonly node: NodeId; readonly silent: boolean }
  | { readonly kind: 'stall'; readonly node: NodeId; readonly forMs: number }
  | ({ readonly kind: 'storage'; readonly node: NodeId } & DiskDamage)
  | { readonly kind: 'membership'; readonly change: MembershipChange; readonly node: NodeId }
  /** Undefined: to the best voter. */
  | { readonly kind: 'transfer'; readonly node: NodeId | undefined }

/** A clock that effects are switched on at. */
export interface ClockSwitchboard extends Switchboard<ClockEffect> {
  settle(): void
}

/** The decorators of one start of a node. */
export interface NodeDecorators {
  readonly links?: Switchboard<LinkRule> | undefined
  readonly store?: Switchboard<StoreEffect> | undefined
  readonly clock?: ClockSwitchboard | undefined
  readonly failpoints?: Switchboard<FailpointEffect> | undefined
  readonly heap?: Switchboard<HeapEffect> | undefined
}

/** What is on at the nodes of a fault, and at which of their switchboards. */
type NodeEffect =
  | { readonly board: 'store'; readonly effect: StoreEffect }
  | { readonly board: 'clock'; readonly effect: ClockEffect }
  | { readonly board: 'failpoints'; readonly effect: FailpointEffect }
  | { readonly board: 'heap'; readonly effect: HeapEffect }

export interface FaultPlaneOptions {
  /** Who is there and who leads, asked whenever a fault is applied. */
  readonly situation: () => Situation
  readonly random: Random
  /** Does it, or begins it: called once for each node, in order. */
  readonly operate: (operation: NodeOperation) => void
  /** Links that belong to no node, as those of a network in memory. */
  readonly links?: Switchboard<LinkRule> | undefined
}

/** A fault that was applied. */
export interface AppliedFault {
  readonly id: number
  readonly fault: Fault
  /** The nodes that were drawn. Empty for faults of links. */
  readonly nodes: readonly NodeId[]
  /** One line for timelines, with what was drawn. */
  readonly text: string
}

/** One that lasts, with how it is kept up. */
interface ActiveFault extends AppliedFault {
  readonly rule?: LinkRule | undefined
  readonly on?: NodeEffect | undefined
  /** What ends it at a node that is still in it. */
  readonly undo?: 'restart' | 'resume' | undefined
}

export class FaultPlane {
  readonly #options: FaultPlaneOptions
  readonly #active = new Map<number, ActiveFault>()
  readonly #nodes = new Map<NodeId, NodeDecorators>()
  #lastId = 0

  constructor(options: FaultPlaneOptions) {
    this.#options = options
  }

  /** What lasts, in the order it was applied. Operations and bumps are over at once. */
  get active(): readonly AppliedFault[] {
    return [...this.#active.values()].map(({ id, fault, nodes, text }) => ({ id, fault, nodes, text }))
  }

  /** Takes the decorators of a node that starts, in place of earlier ones: what is active for it is on at once. */
  attach(node: NodeId, decorators: NodeDecorators): void {
    this.#nodes.set(node, decorators)
    for (const fault of this.#active.values()) {
      if (fault.rule !== undefined) decorators.links?.add(fault.id, fault.rule)
      if (!fault.nodes.includes(node)) continue
      if (fault.on !== undefined) addTo(decorators, fault.id, fault.on)
    }
  }

  /** The node is gone; faults for it stay active for when it comes back. */
  detach(node: NodeId): void {
    this.#nodes.delete(node)
  }

  /** Applies a fault that {@link checkFault} has taken. Several may be active at the same time, also of one kind. */
  apply(fault: Fault): AppliedFault {
    const id = ++this.#lastId
    const applied = this.#apply(id, fault)
    const { nodes, text } = applied
    return { id, fault, nodes, text }
  }

  /**
   * Ends the active fault with this number, or all of them: links are whole, stores and clocks run as they should,
   * paused nodes go on and crashed ones come back. Does nothing for a fault that is over.
   */
  heal(id?: number): void {
    const faults = id === undefined ? [...this.#active.values()] : [this.#active.get(id)]
    for (const fault of faults) if (fault !== undefined) this.#end(fault)
    if (id === undefined) for (const { clock } of this.#nodes.values()) clock?.settle()
  }

  #apply(id: number, fault: Fault): AppliedFault {
    switch (fault.kind) {
      case 'partition':
        return this.#partition(id, fault)
      case 'link':
      case 'delay':
      case 'loss':
      case 'duplicate':
      case 'reorder':
      case 'corrupt':
      case 'rate':
      case 'slot':
      case 'limit':
        return this.#faultyLinks(id, fault)
      case 'transfer': {
        const [node] = fault.nodes === undefined ? [] : this.#select(fault.nodes)
        this.#options.operate({ kind: 'transfer', node })
        return applied(id, fault, node === undefined ? [] : [node])
      }
      default:
        return this.#faultyNodes(id, fault, this.#select(fault.nodes))
    }
  }

  #partition(id: number, fault: PartitionFault): AppliedFault {
    const { situation, random } = this.#options
    const { cut, text } = drawPartition(fault, situation(), random)
    const rule: LinkRule = { links: cut, effect: { kind: 'link', mode: 'drop' } }
    return this.#begin({ id, fault, nodes: [], text: `${describeFault(fault)}: ${text}`, rule })
  }

  #faultyLinks(id: number, fault: LinkFault): AppliedFault {
    const { links, ...rest } = fault
    // What remains without the links is the effect.
    const effect = rest as LinkEffect
    const { situation, random } = this.#options
    const drawn = links === undefined ? 'all' : selectLinks(links, situation(), random)
    return this.#begin({ ...applied(id, fault, []), rule: { links: drawn, effect } })
  }

  #faultyNodes(
    id: number,
    fault: Exclude<NodeFault, { kind: 'transfer' }>,
    nodes: readonly NodeId[],
  ): AppliedFault {
    const { operate } = this.#options
    const now = applied(id, fault, nodes)
    switch (fault.kind) {
      case 'clock': {
        if (fault.mode !== 'bump') return this.#begin({ ...now, on: { board: 'clock', effect: fault } })
        for (const node of nodes) this.#nodes.get(node)?.clock?.add(id, fault)
        return now
      }
      case 'storage': {
        if (!isDamage(fault.mode))
          return this.#begin({ ...now, on: { board: 'store', effect: fault as StoreEffect } })
        for (const node of nodes) operate({ ...fault, node } as NodeOperation)
        return now
      }
      case 'failpoint': {
        const { name, term } = fault
        return this.#begin({ ...now, on: { board: 'failpoints', effect: { name, term } } })
      }
      case 'heap':
        return this.#begin({ ...now, on: { board: 'heap', effect: { percent: fault.percent } } })
      case 'membership':
        for (const node of nodes) operate({ kind: 'membership', change: fault.change, node })
        return now
      case 'stall':
        for (const node of nodes) operate({ kind: 'stall', node, forMs: fault.forMs })
        return now
      case 'crash':
        for (const node of nodes) operate({ kind: 'crash', node, silent: fault.silent ?? false })
        return this.#acted('crash', now)
      default: {
        const { kind } = fault
        for (const node of nodes) operate({ kind, node })
        return this.#acted(kind, now)
      }
    }
  }

  /** A crash or a pause lasts until the node is told otherwise. */
  #acted(kind: NodeAction, now: AppliedFault): AppliedFault {
    if (kind === 'restart' || kind === 'wipe') this.#over(['restart', 'resume'], now.nodes)
    // What is dead is not paused any more.
    if (kind === 'crash') this.#over(['resume'], now.nodes)
    if (kind === 'resume') this.#over(['resume'], now.nodes)
    if (kind === 'crash') return this.#begin({ ...now, undo: 'restart' })
    return kind === 'pause' ? this.#begin({ ...now, undo: 'resume' }) : now
  }

  /** These nodes are no longer in faults that end so. */
  #over(undone: readonly ActiveFault['undo'][], nodes: readonly NodeId[]): void {
    for (const fault of [...this.#active.values()]) {
      if (fault.undo === undefined || !undone.includes(fault.undo)) continue
      const left = fault.nodes.filter((node) => !nodes.includes(node))
      if (left.length === 0) this.#active.delete(fault.id)
      else this.#active.set(fault.id, { ...fault, nodes: left })
    }
  }

  #begin(fault: ActiveFault): AppliedFault {
    invariant(!this.#active.has(fault.id), `fault ${fault.id} is active already`)
    this.#active.set(fault.id, fault)
    const { id, rule, on } = fault
    if (rule !== undefined) for (const links of this.#switchboards()) links.add(id, rule)
    for (const node of fault.nodes) if (on !== undefined) addTo(this.#nodes.get(node), id, on)
    return fault
  }

  #end(fault: ActiveFault): void {
    const { id, rule, on, undo, nodes } = fault
    this.#active.delete(id)
    if (rule !== undefined) for (const links of this.#switchboards()) links.remove(id)
    for (const node of nodes) {
      if (on !== undefined) this.#nodes.get(node)?.[on.board]?.remove(id)
      if (undo === undefined) continue
      // Another fault may hold it down too.
      const isHeld = [...this.#active.values()].some(
        (other) => other.undo === undo && other.nodes.includes(node),
      )
      if (!isHeld) this.#options.operate({ kind: undo, node })
    }
  }

  *#switchboards(): Iterable<Switchboard<LinkRule>> {
    if (this.#options.links !== undefined) yield this.#options.links
    for (const { links } of this.#nodes.values()) if (links !== undefined) yield links
  }

  #select(selector: Parameters<typeof selectNodes>[0]): readonly NodeId[] {
    return selectNodes(selector, this.#options.situation(), this.#options.random)
  }
}

function addTo(node: NodeDecorators | undefined, id: number, { board, effect }: NodeEffect): void {
  const to: Switchboard<never> | undefined = node?.[board]
  to?.add(id, effect as never)
}

function applied(id: number, fault: Fault, nodes: readonly NodeId[]): AppliedFault {
  const isNamed = !('nodes' in fault) || typeof fault.nodes !== 'string'
  const drawn = isNamed ? '' : `: ${nodes.length === 0 ? 'none' : nodes.join(' ')}`
  return { id, fault, nodes, text: `${describeFault(fault)}${drawn}` }
}
