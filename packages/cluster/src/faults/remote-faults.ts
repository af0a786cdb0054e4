/**
 * Faults by hand, as an operator sees them: one id for what several nodes do.
 *
 *     inject ─► drawn here (who leads? which links?) ─► a part for each node that has one
 *                                                   └─► all others are told of it: whoever asks them can see it
 */
import { randomBytes } from 'node:crypto'
import { type NodeId, RaftError, seededRandom } from '@troupe/core'
import type { Fault } from '@troupe/faults'
import type { ClusterStatus } from '../cluster-status.ts'
import { drawNumber } from '../identities.ts'
import { checkFaultId, checkTime, DEFAULT_FAULT_MS, type FaultPart, type FaultReport } from './fault-parts.ts'
import { type FaultPlan, planFaults } from './plan-faults.ts'

/** What these faults need of the cluster. */
export interface FaultedCluster {
  status(): Promise<ClusterStatus>
  ask(id: NodeId, method: string, argument: unknown): Promise<unknown>
}

/** A node that did not answer. */
export interface Unheard {
  readonly node: NodeId
  readonly reason: string
}

/** A fault in a cluster of processes. */
export interface RemoteFault {
  readonly id: string
  /** One line for people, with what was drawn. */
  readonly text: string
  readonly nodes: readonly NodeId[]
  readonly forMs: number
  /** 0 where it was over at once. */
  readonly leftMs: number
}

export interface InjectedRemoteFault extends RemoteFault {
  /** Nodes whose links it concerns too and that do not run or do not answer: what they send is whole. */
  readonly missing: readonly Unheard[]
}

export interface InjectOptions {
  /** It is over after this time, whatever happens. @default 30,000; at most an hour */
  readonly forMs?: number
  /** Draws what is left open. @default by chance */
  readonly seed?: number
}

export class RemoteFaults {
  readonly #cluster: FaultedCluster

  constructor(cluster: FaultedCluster) {
    this.#cluster = cluster
  }

  /**
   * Injects faults, all under one id: resolves when they are in effect. Whatever becomes of this process, each node ends its
   * part at its time; also a restart of the node does not end it earlier.
   * @throws RaftError INVALID_OPTIONS for what is no fault, what a process cannot do to itself, and nodes that were not started
   *   with `allowFaults`; NODE_UNAVAILABLE where a node that it is for is not reached. Then nothing is left of it
   */
  async inject(
    fault: Fault | readonly Fault[],
    { forMs = DEFAULT_FAULT_MS, seed = drawNumber() }: InjectOptions = {},
  ): Promise<InjectedRemoteFault> {
    checkTime(forMs)
    const { leader, nodes: reports } = await this.#cluster.status()
    const nodes = reports.map(({ id }) => id)
    const situation = { nodes, primaries: leader === undefined ? [] : [leader] }
    const given = Array.isArray(fault) ? fault : [fault]
    const plan = planFaults(given, situation, seededRandom(seed))
    const missing = await this.#missing(plan)
    const there = new Map([...plan.parts].filter(([id]) => missing.every(({ node }) => node !== id)))
    const id = `f-${randomBytes(4).toString('hex')}`
    const leftMs = await this.#tell(id, { ...plan, parts: there }, forMs)
    if (leftMs > 0) await this.#tellOthers(id, plan, forMs, nodes)
    return { id, text: plan.text, nodes: plan.nodes, forMs, leftMs, missing }
  }

  /** All that last, as those who answer tell; in the order of their ends. */
  async list(): Promise<{ readonly faults: readonly RemoteFault[]; readonly missing: readonly Unheard[] }> {
    const faults = new Map<string, RemoteFault>()
    const missing = await this.#askAll('listFaults', {}, (answer) => {
      for (const { isHere, ...report } of answer as readonly FaultReport[]) {
        // Whoever has to do something for it knows best.
        if (isHere || !faults.has(report.id)) faults.set(report.id, report)
      }
    })
    return { faults: [...faults.values()].sort((one, other) => one.leftMs - other.leftMs), missing }
  }

  /**
   * Ends a fault, or all. Gives the ids of those that were there; a node that does not answer, as one that is paused, ends its
   * part at its time.
   * @throws RaftError INVALID_OPTIONS for what is no id
   */
  async destroy(
    id?: string,
  ): Promise<{ readonly ended: readonly string[]; readonly missing: readonly Unheard[] }> {
    if (id !== undefined) checkFaultId('id', id)
    const ended = new Set<string>()
    const missing = await this.#askAll('destroyFault', id === undefined ? {} : { id }, (answer) => {
      for (const each of answer as readonly string[]) ended.add(each)
    })
    return { ended: [...ended], missing }
  }

  /** @throws RaftError where one of them does not answer whose own fault it is */
  async #missing(plan: FaultPlan): Promise<readonly Unheard[]> {
    const missing: Unheard[] = []
    const ask = async (node: NodeId, parts: readonly FaultPart[]): Promise<void> => {
      try {
        await this.#cluster.ask(node, 'listFaults', {})
      } catch (error) {
        const isOfLinks = parts.every(({ at }) => at === 'links')
        if (!RaftError.is(error, 'NODE_UNAVAILABLE') || !isOfLinks) throw error
        missing.push({ node, reason: error.message })
      }
    }
    await Promise.all(Array.from(plan.parts, ([node, parts]) => ask(node, parts)))
    return missing
  }

  /** Gives the longest time that is left on any of them; where one refuses, the others end it again. */
  async #tell(id: string, { text, nodes, parts }: FaultPlan, forMs: number): Promise<number> {
    const tell = async ([node, own]: [NodeId, readonly FaultPart[]]): Promise<number> => {
      try {
        const request = { id, text, nodes, forMs, parts: own }
        return ((await this.#cluster.ask(node, 'injectFault', request)) as FaultReport).leftMs
      } catch (error) {
        // It died before its answer was on its way.
        if (own.some(kills) && RaftError.is(error, 'NODE_UNAVAILABLE')) return forMs
        throw error
      }
    }
    const told = await Promise.allSettled([...parts].map(tell))
    const refusal = told.find((each) => each.status === 'rejected')
    if (refusal !== undefined) {
      await this.destroy(id)
      throw refusal.reason
    }
    return Math.max(0, ...told.map((each) => (each.status === 'fulfilled' ? each.value : 0)))
  }

  /** They need not do anything, and need not be there. */
  async #tellOthers(
    id: string,
    { text, nodes, parts }: FaultPlan,
    forMs: number,
    all: readonly NodeId[],
  ): Promise<void> {
    const others = all.filter((node) => !parts.has(node))
    const request = { id, text, nodes, forMs, parts: [] }
    await Promise.allSettled(others.map((node) => this.#cluster.ask(node, 'injectFault', request)))
  }

  /** Gives those that did not answer. @throws RaftError INVALID_OPTIONS where no node may have faults */
  async #askAll(
    method: string,
    argument: object,
    take: (answer: unknown) => void,
  ): Promise<readonly Unheard[]> {
    const { nodes } = await this.#cluster.status()
    const missing: Unheard[] = []
    let refusal: unknown
    let answers = 0
    const ask = async (node: NodeId): Promise<void> => {
      try {
        take(await this.#cluster.ask(node, method, argument))
        answers++
      } catch (error) {
        refusal ??= RaftError.is(error, 'INVALID_OPTIONS') ? error : undefined
        missing.push({ node, reason: error instanceof Error ? error.message : String(error) })
      }
    }
    await Promise.all(nodes.map(({ id }) => ask(id)))
    if (answers === 0 && refusal !== undefined) throw refusal
    return missing.sort((one, other) => one.node.localeCompare(other.node))
  }
}

const kills = (part: FaultPart): boolean =>
  part.at === 'node' ? part.action === 'crash' : part.at === 'disk' && part.effect.mode !== 'lose-unflushed'
