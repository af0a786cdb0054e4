/** Makes things go wrong, at the rates of the plan, and right again after a while. */
import type { MemberChange, NodeId } from '@troupe/core'
import { isJoint } from '@troupe/core'
import {
  type DirectedLink,
  type Direction,
  drawPartition,
  type PartitionFault,
  SPLITS,
  TOPOLOGIES,
} from '@troupe/faults'
import type { Carrier } from './carrier.ts'
import type { ClientNetwork } from './client-network.ts'
import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import type { Operator } from './operator.ts'
import type { PeerNetwork } from './peer-network.ts'
import { type FaultKind, faultKinds, type Plan } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'

/** What the nemesis may do to the world. */
export interface NemesisHost {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly carrier: Carrier
  readonly nodes: readonly SimNode[]
  readonly peers: PeerNetwork
  readonly clients: ClientNetwork
  readonly operator: Operator
  readonly coverage: Coverage
  /** Takes a node down; it starts again after a while. */
  crash(node: SimNode, downMs: number): void
  /** Empties the directory of a node. False where the budget forbids it. */
  wipe(node: SimNode): boolean
  /** Whether the cluster can do without what this node holds. */
  mayLose(node: SimNode): boolean
  line(text: string): void
}

type Undo = () => void

export class Nemesis {
  readonly #host: NemesisHost
  readonly #dice: Dice
  readonly #active = new Set<Undo>()
  readonly #skewed = new Set<SimNode>()
  #isOver = false

  constructor(host: NemesisHost, dice: Dice) {
    this.#host = host
    this.#dice = dice
    for (const kind of faultKinds) this.#next(kind)
  }

  #next(kind: FaultKind): void {
    const rate = this.#host.plan.rates[kind]
    if (rate === 0) return
    this.#host.scheduler.after(this.#dice.exponential(1000 / rate), {
      run: () => {
        if (this.#isOver) return
        this.#inject(kind)
        this.#next(kind)
      },
    })
  }

  /** Ends all faults at once, for good. */
  heal(): void {
    this.#isOver = true
    for (const undo of this.#active) undo()
    this.#active.clear()
  }

  #inject(kind: FaultKind): void {
    const outcome = this.#faults[kind]()
    if (outcome === undefined) return
    const [what, undo] = outcome
    this.#host.coverage.faults++
    this.#host.line(`fault: ${kind} ${what}`)
    if (undo === undefined) return
    this.#active.add(undo)
    this.#host.scheduler.after(this.#dice.exponential(this.#host.plan.faultDurationMs), {
      run: () => {
        if (!this.#active.delete(undo)) return
        undo()
        this.#host.line(`fault over: ${kind} ${what}`)
      },
    })
  }

  get #nodes(): readonly SimNode[] {
    return this.#host.nodes
  }
  get #up(): SimNode[] {
    return this.#nodes.filter(({ isUp }) => isUp)
  }
  #anyUp(act: (node: SimNode) => Outcome): Outcome {
    const up = this.#up
    return up.length === 0 ? undefined : act(this.#dice.pick(up))
  }
  #leaderOrAny(act: (node: SimNode) => Outcome): Outcome {
    const leader = this.#host.operator.leader
    return leader === undefined ? undefined : act(leader)
  }

  readonly #faults: Readonly<Record<FaultKind, () => Outcome>> = {
    weather: () => {
      const { carrier, plan } = this.#host
      const undos = plan.weather.map((effect) => carrier.add({ links: 'all', effect }))
      if (undos.length === 0) return undefined
      const undo = (): void => {
        for (const each of undos) each()
      }
      return [plan.weather.map(({ kind }) => kind).join(' '), undo]
    },
    partition: () => this.#partition(this.#drawPartition()),
    isolateLeader: () =>
      this.#leaderOrAny(() =>
        this.#partition({ kind: 'partition', split: 'primaries', direction: this.#direction() }),
      ),
    oneWay: () => {
      const [from, to] = [this.#dice.pick(this.#nodes).id, this.#dice.pick(this.#nodes).id]
      return from === to ? undefined : this.#cut([{ from, to }], `${from}>${to}`)
    },
    clog: () => this.#clog(),
    flap: () => {
      const [left, right] = [this.#dice.pick(this.#nodes), this.#dice.pick(this.#nodes)]
      if (left === right) return undefined
      this.#host.peers.flap(left, right)
      return [`${left.id} ${right.id}`]
    },
    breakClient: () => {
      this.#host.clients.breakOne()
      return ['']
    },
    crash: () => this.#anyUp((node) => this.#crash(node)),
    crashLeader: () => this.#leaderOrAny((node) => this.#crash(node)),
    restartStorm: () => {
      for (const node of this.#up) if (this.#dice.chance(0.8)) this.#crash(node)
      return ['']
    },
    wipe: () => {
      const node = this.#dice.pick(this.#nodes)
      return this.#host.wipe(node) ? [node.id] : undefined
    },
    flipEntry: () => this.#flipEntry(),
    flipSnapshot: () => {
      const node = this.#dice.pick(this.#nodes)
      if (!this.#host.mayLose(node) || !node.disk.snapshots.flip()) return undefined
      this.#host.coverage.flips++
      return [node.id]
    },
    slowDisk: () =>
      this.#anyUp(({ id, disk }) => {
        disk.slowness = this.#dice.magnitude(2, 200)
        return [`${id} by ${disk.slowness.toFixed(0)}`, () => (disk.slowness = 1)]
      }),
    stallDisk: () =>
      this.#anyUp(({ id, disk }) => {
        disk.stall()
        return [id, () => disk.release()]
      }),
    fullDisk: () =>
      this.#anyUp(({ id, disk }) => {
        disk.fill()
        return [id, () => disk.makeRoom()]
      }),
    failDisk: () =>
      this.#anyUp(({ id, disk }) => {
        disk.isFailing = true
        return [id, () => (disk.isFailing = false)]
      }),
    pause: () =>
      this.#anyUp((node) => {
        node.pause()
        return [node.id, () => node.resume()]
      }),
    skew: () => this.#anyUp((node) => this.#skew(node)),
    jump: () =>
      this.#anyUp((node) => {
        const aheadMs = this.#dice.magnitude(1, 5000)
        node.clock.add(0, { mode: 'bump', byMs: aheadMs })
        node.rearm()
        return [`${node.id} by ${aheadMs.toFixed(0)} ms`]
      }),
    memberChange: () => this.#changeMembers(1, 'auto'),
    jointChange: () =>
      this.#changeMembers(this.#dice.integer(1, 3), this.#dice.chance(0.5) ? 'auto' : 'explicit'),
    transfer: () => {
      const to = this.#dice.chance(0.3) ? undefined : this.#dice.pick(this.#nodes).id
      this.#host.coverage.transfers++
      return this.#host.operator.ask({ kind: 'transferLeadership', to }) ? [to ?? 'anyone'] : undefined
    },
    takeSnapshot: () =>
      this.#anyUp((node) => {
        node.control({ kind: 'takeSnapshot' }, () => {})
        return [node.id]
      }),
    campaign: () =>
      this.#anyUp((node) => {
        node.control({ kind: 'campaign' }, () => {})
        return [node.id]
      }),
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

  #partition(fault: PartitionFault): Outcome {
    const nodes = this.#nodes.map(({ id }) => id)
    const primaries = this.#up.filter(({ life }) => life?.core.role === 'leader').map(({ id }) => id)
    const { cut, text } = drawPartition(fault, { nodes, primaries }, this.#dice)
    if (cut.length === 0) return undefined
    const links = [...cut, ...this.#clientCuts(cut)]
    const how = 'topology' in fault ? fault.topology : (fault.direction ?? 'both')
    return this.#cut(links, `${how} ${text}`)
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

  #cut(links: readonly DirectedLink[], text: string): Outcome {
    return [text, this.#host.carrier.add({ links, effect: { kind: 'link', mode: 'drop' } })]
  }

  /** Holds back what passes some links. */
  #clog(): Outcome {
    const links: DirectedLink[] = []
    for (const { id: from } of this.#nodes) {
      for (const { id: to } of this.#nodes)
        if (from !== to && this.#dice.chance(0.3)) links.push({ from, to })
    }
    const undo = this.#host.carrier.add({ links, effect: { kind: 'link', mode: 'jam' } })
    return [links.map(({ from, to }) => `${from}>${to}`).join(' '), undo]
  }

  // ---- nodes

  #crash(node: SimNode): Outcome {
    const downMs = this.#dice.exponential(this.#host.plan.downMs)
    this.#host.crash(node, downMs)
    return [`${node.id} for ${downMs.toFixed(0)} ms`]
  }

  /** The rate of the fastest and the slowest clock differ by less than what leases allow for. */
  #skew(node: SimNode): Outcome {
    const { leaseReads, maxClockDrift } = this.#host.plan.knobs
    const rate = leaseReads
      ? 1 + this.#dice.next() * maxClockDrift * 0.95
      : this.#dice.pick([0.5, 0.9, 1.1, 1.5, 2])
    // Two skews of one clock would multiply.
    if (this.#skewed.has(node)) return undefined
    this.#skewed.add(node)
    node.clock.add(1, { mode: 'rate', rate })
    node.rearm()
    const undo = (): void => {
      this.#skewed.delete(node)
      node.clock.remove(1)
      node.rearm()
    }
    return [`${node.id} by ${rate.toFixed(3)}`, undo]
  }

  #flipEntry(): Outcome {
    const node = this.#dice.pick(this.#nodes)
    const { log } = node.disk
    const { base, lastIndex } = log.flushed
    if (lastIndex === base.index || !this.#host.mayLose(node)) return undefined
    const indexes: number[] = []
    for (let count = this.#dice.integer(1, 3); count > 0; count--) {
      // Towards the end of the log, where it hurts most.
      const back = Math.min(lastIndex - base.index - 1, Math.floor(this.#dice.exponential(5)))
      indexes.push(lastIndex - back)
      log.flip(lastIndex - back, this.#dice)
    }
    this.#host.coverage.flips++
    // Damage is found when the log is opened.
    if (node.isUp && this.#dice.chance(0.7)) this.#crash(node)
    return [`${node.id} at ${indexes.join(' ')}`]
  }

  // ---- members

  #changeMembers(count: number, leave: 'auto' | 'explicit'): Outcome {
    const { operator, plan } = this.#host
    const configuration = operator.leader?.life?.core.configuration
    // A member without its log cannot help to commit a change: it has to be replaced first.
    if (configuration === undefined || isJoint(configuration) || !operator.isIdle) return undefined
    // Nor can one that waits for repair: what was decided about its damage was decided for the members of then.
    if (!this.#nodes.every(({ disk }) => disk.isWhole)) return undefined
    const changes: MemberChange[] = []
    const touched = new Set<NodeId>()
    let voters = configuration.voters.length
    for (let at = 0; at < count; at++) {
      const change = this.#drawChange(touched, voters)
      if (change === undefined) continue
      if (change.kind === 'remove' || change.kind === 'demote') voters--
      touched.add(change.kind === 'addLearner' ? change.member.id : change.id)
      changes.push(change)
    }
    if (changes.length === 0 || voters < Math.min(plan.voters, 2)) return undefined
    if (!operator.ask({ kind: 'changeMembers', changes, leave })) return undefined
    // Now and then somebody else asks for something too, and does not wait for the answer to that.
    for (let tries = this.#dice.chance(0.3) ? 5 : 0; tries > 0; tries--) {
      const other = this.#drawChange(touched, voters)
      if (other === undefined) continue
      operator.insist({ kind: 'changeMembers', changes: [other], leave: 'auto' })
      break
    }
    return [`${changes.length} ${leave}`]
  }

  #drawChange(touched: ReadonlySet<NodeId>, voters: number): MemberChange | undefined {
    const node = this.#dice.pick(this.#nodes)
    const { id, incarnation } = node
    const configuration = this.#host.operator.leader?.life?.core.configuration
    if (configuration === undefined || touched.has(id)) return undefined
    if (configuration.learners.some((member) => member.id === id)) {
      return this.#dice.chance(0.7) ? { kind: 'promote', id } : { kind: 'remove', id }
    }
    if (configuration.voters.some((member) => member.id === id)) {
      if (voters <= Math.min(2, this.#host.plan.voters)) return undefined
      return this.#dice.chance(0.5) ? { kind: 'demote', id } : { kind: 'remove', id }
    }
    return { kind: 'addLearner', member: { id, incarnation } }
  }
}

/** What was done, for the timeline, and how it ends; undefined where nothing could be done. */
type Outcome = readonly [what: string, undo?: Undo] | undefined
