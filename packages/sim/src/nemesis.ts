/** Draws what goes wrong, at the rates of the plan. */
import { type Direction, drawPartition, type PartitionFault, SPLITS, TOPOLOGIES } from '@troupe/faults'
import type { Dice } from './dice.ts'
import { type Drawn, Draws, type NemesisHost } from './draws.ts'
import { type FaultKind, faultKinds, isScene, type SceneKind } from './plan.ts'
import { Scenes } from './scenes.ts'
import { type Deed, linkName, nextMicrosecond } from './step.ts'

export class Nemesis {
  readonly #host: NemesisHost
  readonly #dice: Dice
  readonly #draws: Draws
  readonly #scenes: Scenes

  constructor(host: NemesisHost, dice: Dice) {
    this.#host = host
    this.#dice = dice
    this.#draws = new Draws(host, dice)
    this.#scenes = new Scenes(this.#draws)
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
    const drawn = isScene(kind) ? this.#scenes.draw(kind) : this.#singles[kind]()
    if (drawn === undefined) return []
    return Array.isArray(drawn) ? (drawn as readonly Deed[]) : [drawn as Deed]
  }

  readonly #singles: Readonly<Record<Exclude<FaultKind, SceneKind>, () => Drawn>> = {
    weather: () => {
      const { weather: effects } = this.#host.plan
      return effects.length === 0 ? undefined : { do: 'weather', effects, forMs: this.#draws.forMs() }
    },
    partition: () => this.#partition(this.#drawPartition()),
    isolateLeader: () =>
      this.#draws.leader(() =>
        this.#partition({ kind: 'partition', split: 'primaries', direction: this.#direction() }),
      ),
    oneWay: () => {
      const [from, to] = [this.#draws.any(), this.#draws.any()]
      return from === to ? undefined : { do: 'cut', links: [linkName(from, to)], forMs: this.#draws.forMs() }
    },
    clog: () => this.#clog(),
    flap: () => {
      const nodes = [this.#draws.any(), this.#draws.any()] as const
      return nodes[0] === nodes[1] ? undefined : { do: 'flap', nodes }
    },
    breakClient: () => {
      const open = this.#host.clients.connected
      return open.length === 0 ? undefined : { do: 'hangUp', ...this.#dice.pick(open) }
    },
    crash: () => this.#draws.anyUp((node) => this.#draws.crash(node)),
    crashLeader: () => this.#draws.leader((node) => this.#draws.crash(node)),
    restartStorm: () =>
      this.#draws.up.filter(() => this.#dice.chance(0.8)).map(({ id }) => this.#draws.crash(id)),
    wipe: () => ({ do: 'wipe', node: this.#draws.any() }),
    flipEntry: () => this.#flipEntry(),
    flipSnapshot: () => ({ do: 'flipSnapshot', node: this.#draws.any() }),
    rollBack: () => {
      const [entries, forMs] = [1 + Math.floor(this.#dice.exponential(3)), this.#draws.timeouts(0.02, 2)]
      return { do: 'rollBack', node: this.#draws.any(), entries, forMs }
    },
    slowDisk: () =>
      this.#draws.anyUp((node) => ({
        do: 'slowDisk',
        node,
        by: Math.round(this.#dice.magnitude(2, 200)),
        forMs: this.#draws.forMs(),
      })),
    stallDisk: () => this.#draws.anyUp((node) => ({ do: 'stallDisk', node, forMs: this.#draws.forMs() })),
    fullDisk: () => this.#draws.anyUp((node) => ({ do: 'fullDisk', node, forMs: this.#draws.forMs() })),
    failDisk: () => this.#draws.anyUp((node) => ({ do: 'failDisk', node, forMs: this.#draws.forMs() })),
    pause: () => this.#draws.anyUp((node) => ({ do: 'pause', node, forMs: this.#draws.forMs() })),
    skew: () =>
      this.#draws.anyUp((node) => ({ do: 'skew', node, rate: this.#rate(), forMs: this.#draws.forMs() })),
    jump: () =>
      this.#draws.anyUp((node) => ({
        do: 'jump',
        node,
        byMs: nextMicrosecond(this.#dice.magnitude(1, 5000)),
      })),
    memberChange: () => this.#draws.changeMembers(1, 'auto'),
    jointChange: () =>
      this.#draws.changeMembers(this.#dice.integer(1, 3), this.#dice.chance(0.5) ? 'auto' : 'explicit'),
    transfer: () => (this.#dice.chance(0.3) ? { do: 'transfer' } : { do: 'transfer', to: this.#draws.any() }),
    takeSnapshot: () => this.#draws.anyUp((node) => ({ do: 'takeSnapshot', node })),
    campaign: () => this.#draws.anyUp((node) => ({ do: 'campaign', node })),
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
    const nodes = this.#draws.nodes.map(({ id }) => id)
    const primaries = this.#draws.up.filter(({ life }) => life?.core.role === 'leader').map(({ id }) => id)
    const { cut } = drawPartition(fault, { nodes, primaries }, this.#dice)
    if (cut.length === 0) return undefined
    const links = [...cut, ...this.#draws.clientCuts(cut)].map(({ from, to }) => linkName(from, to))
    return { do: 'cut', links, forMs: this.#draws.forMs() }
  }

  /** Holds back what passes some links. */
  #clog(): Drawn {
    const links: string[] = []
    for (const { id: from } of this.#draws.nodes) {
      for (const { id: to } of this.#draws.nodes)
        if (from !== to && this.#dice.chance(0.3)) links.push(linkName(from, to))
    }
    return { do: 'jam', links, forMs: this.#draws.forMs() }
  }

  // ---- nodes

  /** The rate of the fastest and the slowest clock differ by less than what leases allow for. */
  #rate(): number {
    const { leaseReads, maxClockDrift } = this.#host.plan.knobs
    if (!leaseReads) return this.#dice.pick([0.5, 0.9, 1.1, 1.5, 2])
    return 1 + Math.round(this.#dice.next() * maxClockDrift * 0.95 * 1000) / 1000
  }

  #flipEntry(): Drawn {
    const { id: node, isUp } = this.#dice.pick(this.#draws.nodes)
    const deeds: Deed[] = []
    for (let count = this.#dice.integer(1, 3); count > 0; count--) {
      // Towards the end of the log, where it hurts most.
      deeds.push({ do: 'flipEntry', node, back: Math.floor(this.#dice.exponential(5)) })
    }
    // Damage is found when the log is opened.
    if (isUp && this.#dice.chance(0.7)) deeds.push(this.#draws.crash(node))
    return deeds
  }
}
