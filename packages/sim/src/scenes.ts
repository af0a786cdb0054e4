/**
 * Scenes: several deeds that together lead to a place where single faults seldom do. Each is what a bug that somebody made, in
 * some engine, needs to show.
 */
import { isJoint } from '@troupe/core'
import type { DirectedLink, Direction } from '@troupe/faults'
import type { Dice } from './dice.ts'
import type { Drawn, Draws, NemesisHost } from './draws.ts'
import type { SceneKind } from './plan.ts'
import type { SimNode } from './sim-node.ts'
import { type Deed, linkName, nextMicrosecond } from './step.ts'

export class Scenes {
  readonly #draws: Draws
  readonly #host: NemesisHost
  readonly #dice: Dice

  constructor(draws: Draws) {
    this.#draws = draws
    this.#host = draws.host
    this.#dice = draws.dice
  }

  /** What is to be done first; the rest follows by itself. */
  draw(kind: SceneKind): Drawn {
    return this.#draws.leader((leader) => this.#scenes[kind](leader))
  }

  readonly #scenes: Readonly<Record<SceneKind, (leader: string) => Drawn>> = {
    usurp: (leader) => this.#usurp(leader),
    lagLeader: (leader) => this.#lagLeader(leader),
    stallLeader: (leader) => this.#stallLeader(leader),
    slowElection: (leader) => this.#slowElection(leader),
    splitJoint: (leader) => this.#splitJoint(leader),
    damageNearLaggard: (leader) => this.#damageNearLaggard(leader),
    damageNearOldTail: (leader) => this.#damageNearOldTail(leader),
    lateAnswers: (leader) => this.#lateAnswers(leader),
    lateSnapshot: (leader) => this.#lateSnapshot(leader),
    crashReceiver: () => this.#crashReceiver(),
    flipUncommitted: () => this.#flipUncommitted(),
    replaceMidAnswer: (leader) => this.#replaceMidAnswer(leader),
  }

  /** Hides the cluster from its leader and some clients, at once; for so many election timeouts. */
  #hide(leader: string, ways: Direction, forMs: number): Deed {
    const cut: DirectedLink[] = []
    for (const other of this.#draws.others(leader)) {
      if (ways !== 'outbound') cut.push({ from: other, to: leader })
      if (ways !== 'inbound') cut.push({ from: leader, to: other })
    }
    const links = [...cut, ...this.#draws.clientCuts(cut)].map(({ from, to }) => linkName(from, to))
    return { do: 'cut', links, forMs }
  }

  /** Clients ask the old leader meanwhile: it may answer only as long as nobody else leads. */
  #askMeanwhile(leader: string, withinMs: number): void {
    const { plan, clients } = this.#host
    // The first one counts, before the next heartbeats are sent and not answered.
    const soonMs = this.#dice.chance(0.6) ? plan.knobs.heartbeatIntervalMs : withinMs
    for (let count = this.#dice.pick([0, 1, 1, 3]); count > 0; count--) {
      const client = this.#dice.pick(clients.names)
      const key = `k${this.#dice.below(plan.workload.keys)}`
      const read = { do: 'read', client, key, consistency: 'follower', node: leader, withinMs: 5000 } as const
      this.#draws.later(this.#dice.magnitude(0.5, Math.max(1, soonMs)), [read])
    }
  }

  /** Others want to lead, more than one at more than one time. */
  #campaigns(others: readonly string[], least: number, most: number): void {
    for (let count = this.#dice.integer(1, 4); count > 0; count--)
      this.#draws.later(this.#draws.timeouts(least, most), [
        { do: 'campaign', node: this.#dice.pick(others) },
      ])
  }

  /** Somebody else is to lead, and the leader does not hear of it. */
  #usurp(leader: string): Drawn {
    const others = this.#draws.others(leader)
    if (others.length === 0) return undefined
    const { leaseReads, maxClockDrift } = this.#host.plan.knobs
    const forMs = this.#draws.timeouts(0.5, 4)
    this.#askMeanwhile(leader, forMs)
    // Without leases only these bring another leader before the old one's next heartbeat.
    const ways = leaseReads
      ? (['transfer', 'campaign', 'restart', 'restart', 'flap', 'skew', 'skew'] as const)
      : (['transfer', 'flap'] as const)
    const how = this.#dice.pick<(typeof ways)[number]>(ways)
    if (how === 'skew') this.#campaigns(others, 0.7, 1.05)
    else if (how !== 'transfer') this.#campaigns(others, 0, 1.1)
    switch (how) {
      case 'transfer':
        // What it says still arrives.
        this.#draws.later(this.#dice.magnitude(0.02, forMs / 10), [this.#hide(leader, 'inbound', forMs)])
        return { do: 'transfer' }
      case 'campaign':
        return this.#hide(leader, this.#dice.pick(['inbound', 'both']), forMs)
      case 'restart':
        return [
          this.#hide(leader, 'both', forMs),
          ...others.map((node): Deed => ({ do: 'crash', node, forMs: this.#draws.timeouts(0.01, 0.3) })),
        ]
      case 'flap':
        return [
          this.#hide(leader, 'both', forMs),
          ...others.map((node): Deed => ({ do: 'flap', nodes: [leader, node] })),
        ]
      case 'skew': {
        // As fast as leases allow for.
        const rate = leaseReads ? 1 + Math.floor(maxClockDrift * 0.95 * 1000) / 1000 : 2
        return [
          this.#hide(leader, 'both', forMs),
          ...others.map((node): Deed => ({ do: 'skew', node, rate, forMs })),
        ]
      }
    }
  }

  /** Answers reach the leader late, after it is not heard any more; then none do. */
  #lagLeader(leader: string): Drawn {
    const others = this.#draws.others(leader)
    if (others.length === 0) return undefined
    const lateMs = this.#draws.timeouts(0.3, 2.5)
    this.#askMeanwhile(leader, lateMs)
    this.#campaigns(others, 0.5, 2)
    this.#draws.later(lateMs, [this.#hide(leader, 'inbound', this.#draws.timeouts(1, 4))])
    const outbound = this.#hide(leader, 'outbound', lateMs + this.#draws.timeouts(1, 4))
    this.#draws.later(this.#draws.timeouts(0.02, 0.5), [outbound])
    return { do: 'jam', links: others.map((other) => linkName(other, leader)), forMs: lateMs }
  }

  /** What a leader writes alone, on a disk that does not answer, and has to give up before it does. */
  #stallLeader(leader: string): Drawn {
    const forMs = this.#draws.timeouts(0.5, 6)
    return [
      { do: 'stallDisk', node: leader, forMs: forMs + this.#draws.timeouts(0.2, 4) },
      this.#hide(leader, 'both', forMs),
    ]
  }

  /** Another leader, whose first entry takes long to be flushed anywhere: longer than its heartbeats are answered. */
  #slowElection(leader: string): Drawn {
    const { disk } = this.#host.plan
    const by = Math.max(2, Math.round(this.#draws.timeouts(0.1, 0.5) / (disk.flushMs + disk.jitterMs)))
    const forMs = this.#draws.timeouts(3, 8)
    const { plan, clients } = this.#host
    for (let count = plan.knobs.leaseReads ? this.#dice.integer(0, 12) : 0; count > 0; count--) {
      const client = this.#dice.pick(clients.names)
      const key = `k${this.#dice.below(plan.workload.keys)}`
      this.#draws.later(this.#dice.between(0, forMs), [
        { do: 'read', client, key, consistency: 'lease', withinMs: 5000 },
      ])
    }
    const slow = this.#draws.nodes.map(({ id: node }): Deed => ({ do: 'slowDisk', node, by, forMs }))
    return [...slow, this.#dice.chance(0.5) ? { do: 'transfer' } : this.#draws.crash(leader)]
  }

  /** A majority of the new half of a joint configuration is alone with itself. */
  #splitJoint(leader: string): Drawn {
    this.#draws.soon(this.#draws.timeouts(0.05, 1), () => {
      const configuration = this.#host.operator.leader?.life?.core.configuration
      if (configuration === undefined || !isJoint(configuration)) return []
      const { voters } = configuration
      const names = voters.map(({ id }) => id).filter((id) => id !== leader || this.#dice.chance(0.3))
      const alone = new Set<string>()
      while (alone.size < Math.min(names.length, Math.floor(voters.length / 2) + 1))
        alone.add(this.#dice.pick(names))
      const links: string[] = []
      for (const { id: other } of this.#draws.nodes) {
        if (alone.has(other)) continue
        for (const one of alone) links.push(linkName(one, other), linkName(other, one))
      }
      return [{ do: 'cut', links, forMs: this.#draws.timeouts(2, 6) }]
    })
    return this.#draws.changeMembers(this.#dice.integer(2, 3), 'explicit')
  }

  /** Damage on one node, and another one that does not have what is damaged, or has a snapshot of the very place. */
  #damageNearLaggard(leader: string): Drawn {
    const others = this.#draws.others(leader)
    const [laggard, damaged] = [this.#dice.pick(others), this.#dice.pick(others)]
    if (laggard === undefined || laggard === damaged) return undefined
    const lagMs = this.#draws.timeouts(0.2, 4)
    const isAimed = this.#dice.chance(0.4)
    this.#draws.soon(lagMs * this.#dice.between(0.5, 1.1), () => {
      const [found, helper] = [damaged, isAimed ? laggard : leader].map((name) =>
        this.#draws.nodes.find(({ id }) => id === name),
      )
      const { lastIndex } = (found as SimNode).disk.log.flushed
      const taken = helper?.disk.snapshots.latest?.index
      const crash: Deed = { do: 'crash', node: damaged, forMs: this.#draws.timeouts(0.01, 0.5) }
      if (isAimed) {
        if (taken === undefined || taken > lastIndex) return []
        return [{ do: 'flipEntry', node: damaged, back: lastIndex - taken }, crash]
      }
      const back = this.#dice.integer(0, 2)
      return [{ do: 'flipEntry', node: damaged, back: 0 }, { do: 'flipEntry', node: damaged, back }, crash]
    })
    if (isAimed) return { do: 'takeSnapshot', node: laggard }
    // It hears everybody but the leader.
    return { do: 'cut', links: [linkName(leader, laggard)], forMs: lagMs }
  }

  /** What was replaced where nobody saw it stands beside damage in what has replaced it. */
  #damageNearOldTail(old: string): Drawn {
    const awayMs = this.#draws.timeouts(2, 6)
    this.#draws.soon(awayMs, () => {
      const { leader } = this.#host.operator
      const others = this.#draws.others(old).filter((id) => id !== leader?.id)
      const former = this.#draws.nodes.find(({ id }) => id === old)
      if (leader === undefined || leader.id === old || others.length === 0 || former === undefined) return []
      const node = this.#dice.pick(others)
      const damaged = this.#draws.nodes.find(({ id }) => id === node) as SimNode
      const index = former.disk.log.flushed.lastIndex - this.#dice.integer(0, 1)
      const back = damaged.disk.log.flushed.lastIndex - index
      if (back < 0) return []
      return [
        {
          do: 'cut',
          links: [linkName(old, leader.id), linkName(leader.id, old)],
          forMs: this.#draws.timeouts(2, 5),
        },
        { do: 'flipEntry', node, back },
        { do: 'crash', node, forMs: this.#draws.timeouts(0.01, 0.5) },
      ]
    })
    return this.#hide(old, 'both', awayMs)
  }

  /** A follower asks, starts again and asks the same numbers again, while answers take long. */
  #lateAnswers(leader: string): Drawn {
    const others = this.#draws.others(leader)
    if (others.length === 0) return undefined
    const { plan, clients } = this.#host
    const node = this.#dice.pick(others)
    const jitterMs = this.#draws.timeouts(0.05, 0.4)
    let atMs = 0
    for (let life = this.#dice.integer(2, 4); life > 0; life--) {
      this.#draws.later(atMs, [{ do: 'crash', node, forMs: this.#draws.timeouts(0.01, 0.1) }])
      const untilMs = atMs + this.#draws.timeouts(0.2, 1)
      for (let count = this.#dice.integer(1, 6); count > 0; count--) {
        const client = this.#dice.pick(clients.names)
        const key = `k${this.#dice.below(plan.workload.keys)}`
        this.#draws.later(this.#dice.between(atMs, untilMs), [
          { do: 'read', client, key, consistency: 'follower', node, withinMs: 5000 },
        ])
      }
      atMs = untilMs
    }
    const effects = [{ kind: 'delay', timeMs: 0.1, jitterMs, distribution: 'exponential' }] as const
    return { do: 'weather', effects, forMs: atMs }
  }

  /** A snapshot is on its way to the disk of somebody who gets its entries from the next leader meanwhile. */
  #lateSnapshot(leader: string): Drawn {
    const others = this.#draws.others(leader)
    if (others.length === 0) return undefined
    const node = this.#dice.pick(others)
    const awayMs = this.#draws.timeouts(1, 5)
    this.#draws.later(awayMs * 0.9, [{ do: 'takeSnapshot', node: leader }])
    const stallMs = awayMs * 0.97
    this.#draws.later(stallMs, [{ do: 'stallDisk', node, forMs: this.#draws.timeouts(1, 6) }])
    this.#draws.later(stallMs + this.#draws.timeouts(0, 1), [{ do: 'transfer' }])
    const links = others.flatMap((other) =>
      other === node ? [] : [linkName(other, node), linkName(node, other)],
    )
    return { do: 'cut', links: [...links, linkName(leader, node), linkName(node, leader)], forMs: awayMs }
  }

  /** What a member has acknowledged arrives when another one has its name, and an empty directory. */
  #replaceMidAnswer(leader: string): Drawn {
    const others = this.#draws.others(leader)
    if (others.length === 0) return undefined
    const node = this.#dice.pick(others)
    this.#draws.later(this.#dice.between(5, 60), [{ do: 'wipe', node }])
    return { do: 'jam', links: [linkName(node, leader)], forMs: this.#dice.between(150, 1000) }
  }

  /** Whoever has a part of a snapshot, or one that is ahead of its log, goes down for a moment. */
  #crashReceiver(): Drawn {
    const isAhead = ({ disk: { snapshots, log } }: SimNode): boolean =>
      snapshots.isReceiving || (snapshots.latest?.index ?? 0) > log.flushed.lastIndex
    const receivers = this.#draws.up.filter(isAhead)
    if (receivers.length === 0) return undefined
    const { id: node } = this.#dice.pick(receivers)
    return { do: 'crash', node, forMs: nextMicrosecond(this.#dice.exponential(50)) }
  }

  /** Damage where nothing stands behind it, in an entry that nobody may have committed. */
  #flipUncommitted(): Drawn {
    const found = this.#draws.up.filter(
      ({ life }) => (life?.core.lastIndex ?? 0) > (life?.core.commitIndex ?? 0),
    )
    if (found.length === 0) return undefined
    const { id: node } = this.#dice.pick(found)
    return [{ do: 'flipEntry', node, back: 0 }, this.#draws.crash(node)]
  }
}
