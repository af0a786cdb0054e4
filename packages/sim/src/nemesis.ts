/** Draws what goes wrong, at the rates of the plan. */
import type { NodeId } from '@troupe/core'
import { isJoint } from '@troupe/core'
import {
  type DirectedLink,
  type Direction,
  drawPartition,
  type PartitionFault,
  SPLITS,
  TOPOLOGIES,
} from '@troupe/faults'
import type { ClientNetwork } from './client-network.ts'
import type { Dice } from './dice.ts'
import type { Operator } from './operator.ts'
import { type FaultKind, faultKinds, type Plan } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'
import type { Stage } from './stage.ts'
import { type Deed, linkName, type NamedChange, nextMicrosecond } from './step.ts'

/** What the nemesis looks at. */
export interface NemesisHost {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly nodes: readonly SimNode[]
  readonly clients: ClientNetwork
  readonly operator: Operator
  readonly stage: Stage
}

export class Nemesis {
  readonly #host: NemesisHost
  readonly #dice: Dice

  constructor(host: NemesisHost, dice: Dice) {
    this.#host = host
    this.#dice = dice
  }

  /** Begins its work. It ends when the stage is healed. */
  start(): void {
    for (const kind of faultKinds) this.#next(kind)
  }

  #next(kind: FaultKind): void {
    const { plan, scheduler, stage } = this.#host
    const rate = plan.rates[kind]
    if (rate === 0) return
    scheduler.at(nextMicrosecond(scheduler.nowMs + this.#dice.exponential(1000 / rate)), {
      run: () => {
        if (stage.isOver) return
        for (const deed of this.#draw(kind)) stage.perform(deed)
        this.#next(kind)
      },
    })
  }

  /** Nothing where nothing can be done. */
  #draw(kind: FaultKind): readonly Deed[] {
    const drawn = this.#draws[kind]()
    if (drawn === undefined) return []
    return Array.isArray(drawn) ? (drawn as readonly Deed[]) : [drawn as Deed]
  }

  get #nodes(): readonly SimNode[] {
    return this.#host.nodes
  }
  get #up(): SimNode[] {
    return this.#nodes.filter(({ isUp }) => isUp)
  }
  /** A node that is up, by its name. */
  #anyUp(draw: (node: string) => Drawn): Drawn {
    const up = this.#up
    return up.length === 0 ? undefined : draw(this.#dice.pick(up).id)
  }
  #any(): string {
    return this.#dice.pick(this.#nodes).id
  }
  #leader(draw: (leader: string) => Drawn): Drawn {
    const { leader } = this.#host.operator
    return leader === undefined ? undefined : draw(leader.id)
  }
  /** How long a fault lasts. */
  #forMs(): number {
    return nextMicrosecond(this.#dice.exponential(this.#host.plan.faultDurationMs))
  }

  readonly #draws: Readonly<Record<FaultKind, () => Drawn>> = {
    weather: () => {
      const { weather: effects } = this.#host.plan
      return effects.length === 0 ? undefined : { do: 'weather', effects, forMs: this.#forMs() }
    },
    partition: () => this.#partition(this.#drawPartition()),
    isolateLeader: () =>
      this.#leader(() =>
        this.#partition({ kind: 'partition', split: 'primaries', direction: this.#direction() }),
      ),
    oneWay: () => {
      const [from, to] = [this.#any(), this.#any()]
      return from === to ? undefined : { do: 'cut', links: [linkName(from, to)], forMs: this.#forMs() }
    },
    clog: () => this.#clog(),
    flap: () => {
      const nodes = [this.#any(), this.#any()] as const
      return nodes[0] === nodes[1] ? undefined : { do: 'flap', nodes }
    },
    breakClient: () => {
      const open = this.#host.clients.connected
      return open.length === 0 ? undefined : { do: 'hangUp', ...this.#dice.pick(open) }
    },
    crash: () => this.#anyUp((node) => this.#crash(node)),
    crashLeader: () => this.#leader((node) => this.#crash(node)),
    restartStorm: () => this.#up.filter(() => this.#dice.chance(0.8)).map(({ id }) => this.#crash(id)),
    wipe: () => ({ do: 'wipe', node: this.#any() }),
    flipEntry: () => this.#flipEntry(),
    flipSnapshot: () => ({ do: 'flipSnapshot', node: this.#any() }),
    slowDisk: () =>
      this.#anyUp((node) => ({
        do: 'slowDisk',
        node,
        by: Math.round(this.#dice.magnitude(2, 200)),
        forMs: this.#forMs(),
      })),
    stallDisk: () => this.#anyUp((node) => ({ do: 'stallDisk', node, forMs: this.#forMs() })),
    fullDisk: () => this.#anyUp((node) => ({ do: 'fullDisk', node, forMs: this.#forMs() })),
    failDisk: () => this.#anyUp((node) => ({ do: 'failDisk', node, forMs: this.#forMs() })),
    pause: () => this.#anyUp((node) => ({ do: 'pause', node, forMs: this.#forMs() })),
    skew: () => this.#anyUp((node) => ({ do: 'skew', node, rate: this.#rate(), forMs: this.#forMs() })),
    jump: () =>
      this.#anyUp((node) => ({ do: 'jump', node, byMs: nextMicrosecond(this.#dice.magnitude(1, 5000)) })),
    memberChange: () => this.#changeMembers(1, 'auto'),
    jointChange: () =>
      this.#changeMembers(this.#dice.integer(1, 3), this.#dice.chance(0.5) ? 'auto' : 'explicit'),
    transfer: () => (this.#dice.chance(0.3) ? { do: 'transfer' } : { do: 'transfer', to: this.#any() }),
    takeSnapshot: () => this.#anyUp((node) => ({ do: 'takeSnapshot', node })),
    campaign: () => this.#anyUp((node) => ({ do: 'campaign', node })),
  }

  // ---- network

  #direction(): Direction {
    return this.#dice.pick(['both', 'both', 'inbound', 'outbound'] as const)
  }

  #drawPartition(): PartitionFault {
    const kind = 'partition'
    if (this.#dice.chance(0.3)) return { kind, topology: this.#dice.pick(TOPOLOGIES) }
    return { kind, split: this.#dice.pick(SPLITS), direction: this.#direction() }
  }

  #partition(fault: PartitionFault): Drawn {
    const nodes = this.#nodes.map(({ id }) => id)
    const primaries = this.#up.filter(({ life }) => life?.core.role === 'leader').map(({ id }) => id)
    const { cut } = drawPartition(fault, { nodes, primaries }, this.#dice)
    if (cut.length === 0) return undefined
    const links = [...cut, ...this.#clientCuts(cut)].map(({ from, to }) => linkName(from, to))
    return { do: 'cut', links, forMs: this.#forMs() }
  }

  /** Clients that see both sides soon know who leads now: some see only what one node sees, often the old leader. */
  #clientCuts(cut: readonly DirectedLink[]): DirectedLink[] {
    const links: DirectedLink[] = []
    const { leader } = this.#host.operator
    for (const client of this.#host.clients.names) {
      if (!this.#dice.chance(0.4)) continue
      const { id } = leader !== undefined && this.#dice.chance(0.5) ? leader : this.#dice.pick(this.#nodes)
      const hidden = new Set(cut.flatMap(({ from, to }) => (from === id ? [to] : to === id ? [from] : [])))
      for (const node of hidden) links.push({ from: client, to: node }, { from: node, to: client })
    }
    return links
  }

  /** Holds back what passes some links. */
  #clog(): Drawn {
    const links: string[] = []
    for (const { id: from } of this.#nodes) {
      for (const { id: to } of this.#nodes)
        if (from !== to && this.#dice.chance(0.3)) links.push(linkName(from, to))
    }
    return { do: 'jam', links, forMs: this.#forMs() }
  }

  // ---- nodes

  #crash(node: string): Deed {
    return { do: 'crash', node, forMs: nextMicrosecond(this.#dice.exponential(this.#host.plan.downMs)) }
  }

  /** The rate of the fastest and the slowest clock differ by less than what leases allow for. */
  #rate(): number {
    const { leaseReads, maxClockDrift } = this.#host.plan.knobs
    if (!leaseReads) return this.#dice.pick([0.5, 0.9, 1.1, 1.5, 2])
    return 1 + Math.round(this.#dice.next() * maxClockDrift * 0.95 * 1000) / 1000
  }

  #flipEntry(): Drawn {
    const { id: node, isUp } = this.#dice.pick(this.#nodes)
    const deeds: Deed[] = []
    for (let count = this.#dice.integer(1, 3); count > 0; count--) {
      // Towards the end of the log, where it hurts most.
      deeds.push({ do: 'flipEntry', node, back: Math.floor(this.#dice.exponential(5)) })
    }
    // Damage is found when the log is opened.
    if (isUp && this.#dice.chance(0.7)) deeds.push(this.#crash(node))
    return deeds
  }

  // ---- members

  #changeMembers(count: number, leave: 'auto' | 'explicit'): Drawn {
    const configuration = this.#host.operator.leader?.life?.core.configuration
    if (configuration === undefined || isJoint(configuration)) return undefined
    const changes: NamedChange[] = []
    const touched = new Set<NodeId>()
    let voters = configuration.voters.length
    for (let at = 0; at < count; at++) {
      const change = this.#drawChange(touched, voters)
      if (change === undefined) continue
      if (change.kind === 'remove' || change.kind === 'demote') voters--
      touched.add(change.id)
      changes.push(change)
    }
    if (changes.length === 0) return undefined
    // Now and then somebody else asks for something too, and does not wait for the answer to that.
    let also: NamedChange | undefined
    for (let tries = this.#dice.chance(0.3) ? 5 : 0; tries > 0 && also === undefined; tries--) {
      also = this.#drawChange(touched, voters)
    }
    return { do: 'changeMembers', changes, leave, ...(also === undefined ? {} : { also }) }
  }

  #drawChange(touched: ReadonlySet<NodeId>, voters: number): NamedChange | undefined {
    const { id } = this.#dice.pick(this.#nodes)
    const configuration = this.#host.operator.leader?.life?.core.configuration
    if (configuration === undefined || touched.has(id)) return undefined
    if (configuration.learners.some((member) => member.id === id)) {
      return { kind: this.#dice.chance(0.7) ? 'promote' : 'remove', id }
    }
    if (configuration.voters.some((member) => member.id === id)) {
      if (voters <= Math.min(2, this.#host.plan.voters)) return undefined
      return { kind: this.#dice.chance(0.5) ? 'demote' : 'remove', id }
    }
    return { kind: 'addLearner', id }
  }
}

/** What is to be done, in this order; undefined where nothing can be. */
type Drawn = Deed | readonly Deed[] | undefined
