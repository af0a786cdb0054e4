/**
 * Faults of a cluster on worker threads: a FaultPlane in the main thread, whose switchboards are in the workers.
 *
 *     inject(fault) ─► checked: can threads do that? ─► FaultPlane ─┬─► effects ─► FaultOrder ─► NodeFaults in the worker
 *                                                                   └─► operations ─► crash, restart, pause, stall, …
 *
 * What lasts is on again at a node that restarts before it does anything: it is born with it.
 */
import { type ActorState, type ExitInfo, hrtimeMs } from '@troupe/actor'
import { type ControlCommand, type NodeId, RaftError, type Random, seededRandom } from '@troupe/core'
import {
  type AppliedFault,
  checkFault,
  type Fault,
  FaultPlane,
  type NodeDecorators,
  type NodeOperation,
  type Situation,
} from '@troupe/faults'
import { GROUP } from '../identities.ts'
import { nodePath } from '../manifest.ts'
import type { Members } from '../members.ts'
import type { NodeControl } from '../node-control.ts'
import { damageLog } from './disk-damage.ts'
import type { EffectOrder, FaultBirth, FaultOrder } from './fault-orders.ts'
import { PauseGate } from './pause-gate.ts'
import { checkPossible, type FaultConditions, needsOf } from './possible-faults.ts'

/** What faults need of the cluster: what everybody can do with it. */
export interface FaultHost {
  readonly ids: readonly NodeId[]
  readonly leader: NodeId | undefined
  readonly members: Members
  /** Undefined: they keep nothing. */
  readonly directory: string | undefined
  crash(id: NodeId): Promise<ExitInfo>
  restart(id: NodeId): Promise<void>
  transferLeadership(to?: NodeId): Promise<void>
}

/** And what only its inside can. */
export interface FaultHostInside {
  readonly isInMemory: boolean
  node(id: NodeId): { readonly state: ActorState; readonly api: Pick<NodeControl, 'obey'> }
  command(id: NodeId, command: ControlCommand): Promise<void>
}

/** A fault that is in effect. */
export interface InjectedFault extends AppliedFault {
  /**
   * When it was, on the last of the nodes that it concerns, by the clock of all threads: for a crash the death of the
   * worker, for a pause the moment that its thread stood still.
   */
  readonly atMs: number
}

/** A thread that is asked to stand still finishes its turn first. */
const HOLD_TIMEOUT_MS = 10_000

export class ClusterFaults {
  readonly #host: FaultHost
  readonly #inside: FaultHostInside
  readonly #plane: FaultPlane
  readonly #random: Random
  readonly #gates = new Map<NodeId, PauseGate>()
  /** What the fault that is applied now has begun; each tells when it took effect. */
  readonly #begun: Promise<number>[] = []
  /** Who can be drawn for the fault that is applied now. */
  #candidates: readonly NodeId[] = []

  constructor(host: FaultHost, inside: FaultHostInside, seed: number) {
    this.#host = host
    this.#inside = inside
    this.#random = seededRandom(seed + 1)
    this.#plane = new FaultPlane({
      situation: () => this.#situation(),
      random: seededRandom(seed),
      operate: (operation) => this.#begun.push(this.#operate(operation)),
    })
  }

  /** What lasts. */
  get active(): readonly AppliedFault[] {
    return this.#plane.active
  }

  isPaused(id: NodeId): boolean {
    return this.#gates.get(id)?.isOpen === false
  }

  /** Resolves when the fault is in effect. One that fails in the middle is healed before this rejects. */
  async inject(given: Fault): Promise<InjectedFault> {
    const fault = checkFault(given)
    checkPossible(fault, this.#conditions)
    const { isMet } = needsOf(fault, this.#conditions)
    this.#candidates = this.#host.ids.filter(isMet)
    const applied = this.#plane.apply(fault)
    try {
      const atMs = await this.#settled()
      return { ...applied, atMs }
    } catch (error) {
      await this.heal(applied.id).catch(() => {})
      throw error
    }
  }

  /** Resolves when it is healed on all nodes that run; rejects with what one of them said against it. */
  async heal(id?: number): Promise<void> {
    this.#plane.heal(id)
    await this.#settled()
  }

  /** For a node that starts: what it is born with. */
  birth(id: NodeId, seed: number): FaultBirth {
    const gate = new PauseGate()
    this.#gates.set(id, gate)
    const effects: EffectOrder[] = []
    let take = (order: FaultOrder): void => void effects.push(order as EffectOrder)
    this.#plane.attach(
      id,
      decorators((order) => take(order)),
    )
    take = (order) => this.#begun.push(this.#order(id, order))
    return { gate: gate.cell, effects, seed }
  }

  /** Its worker is gone. */
  exited(id: NodeId): void {
    this.#plane.detach(id)
    this.#gates.delete(id)
  }

  /** Before a node is crashed or stopped by whomever: a thread that stands still does neither. */
  letDie(id: NodeId): void {
    const gate = this.#gates.get(id)
    if (gate?.isOpen === false) gate.letDie()
  }

  /** Before all are stopped: they shall close what they have open. */
  openAll(): void {
    for (const gate of this.#gates.values()) gate.open()
  }

  get #conditions(): FaultConditions {
    const { isInMemory } = this.#inside
    return { ids: this.#host.ids, isInMemory, state: (id) => this.#state(id) }
  }

  #state(id: NodeId): ActorState {
    return this.#inside.node(id).state
  }

  #situation(): Situation {
    const { leader } = this.#host
    const nodes = this.#candidates
    return { nodes, primaries: leader !== undefined && nodes.includes(leader) ? [leader] : [] }
  }

  /** All that was begun has ended: when the last took effect, or the first error. */
  async #settled(): Promise<number> {
    const results = await Promise.allSettled(this.#begun.splice(0))
    let atMs = 0
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason
      atMs = Math.max(atMs, result.value)
    }
    return atMs === 0 ? hrtimeMs() : atMs
  }

  #isUp(id: NodeId): boolean {
    return this.#state(id) === 'running' || this.#state(id) === 'starting'
  }

  /** A node that stands still obeys when it goes on; nobody waits for that, nor for one that dies. */
  #order(id: NodeId, order: FaultOrder): Promise<number> {
    const done = this.#inside.node(id).api.obey(order)
    if (this.#state(id) === 'running' && !this.isPaused(id)) return done
    done.catch(() => {})
    return Promise.resolve(hrtimeMs())
  }

  async #operate(operation: NodeOperation): Promise<number> {
    const host = this.#host
    switch (operation.kind) {
      case 'crash':
        return this.#crash(operation.node, operation.silent)
      case 'restart':
        // Healed after somebody has restarted it.
        if (!this.#isUp(operation.node)) await host.restart(operation.node)
        break
      case 'pause':
        return this.#pause(operation.node)
      case 'resume':
        this.#gates.get(operation.node)?.open()
        break
      case 'stall':
        return this.#inside.node(operation.node).api.obey({ kind: 'stall', forMs: operation.forMs })
      case 'storage':
        return this.#damage(operation)
      case 'elect':
        await this.#inside.command(operation.node, { kind: 'campaign' })
        break
      case 'snapshot':
      case 'compact':
        await this.#inside.command(operation.node, { kind: 'takeSnapshot' })
        break
      case 'transfer':
        await host.transferLeadership(operation.node)
        break
      case 'membership':
        await host.members[operation.change](operation.node)
        break
      default:
        throw new Error(`not refused: ${operation.kind}`)
    }
    return hrtimeMs()
  }

  async #crash(id: NodeId, silent: boolean): Promise<number> {
    const others = silent ? this.#host.ids.filter((other) => other !== id && this.#isUp(other)) : []
    await Promise.all(others.map((other) => this.#order(other, { kind: 'silence', peer: id })))
    const { diedAtMs, atMs } = await this.#host.crash(id)
    return diedAtMs ?? atMs
  }

  /** Files are damaged while nobody has them open: the node dies, and comes back over them. */
  async #damage({ node, ...damage }: Extract<NodeOperation, { kind: 'storage' }>): Promise<number> {
    const wasUp = this.#isUp(node)
    const atMs = wasUp ? await this.#crash(node, false) : hrtimeMs()
    damageLog(nodePath(this.#host.directory as string, node), GROUP, damage, this.#random)
    if (wasUp) await this.#host.restart(node)
    return atMs
  }

  async #pause(id: NodeId): Promise<number> {
    const gate = this.#gates.get(id)
    if (gate === undefined || !gate.ask()) return hrtimeMs()
    try {
      await this.#inside.node(id).api.obey({ kind: 'pause' })
      const atMs = await gate.held(HOLD_TIMEOUT_MS)
      if (atMs !== undefined) return atMs
    } catch (error) {
      gate.open()
      throw error
    }
    const reason = 'it did not come to a halt'
    throw new RaftError('NODE_UNAVAILABLE', `node ${id}: ${reason}`, { node: id, reason })
  }
}

/** The switchboards of a node in another thread. */
function decorators(order: (order: FaultOrder) => void): Required<NodeDecorators> {
  const board = (at: EffectOrder['at']) => ({
    add: (id: number, effect: unknown) => order({ kind: 'add', at, id, effect } as EffectOrder),
    remove: (id: number) => order({ kind: 'remove', at, id }),
  })
  return {
    links: board('links'),
    store: board('store'),
    clock: { ...board('clock'), settle: () => order({ kind: 'settle' }) },
    failpoints: board('failpoints'),
    heap: board('heap'),
  }
}
