import { isJoint, type NodeId } from '@troupe/core'
import type { DirectedLink } from '@troupe/faults'
import type { ClientNetwork } from './client-network.ts'
import type { Dice } from './dice.ts'
import type { Operator } from './operator.ts'
import type { Plan } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'
import type { Stage } from './stage.ts'
import { type Deed, type NamedChange, nextMicrosecond } from './step.ts'

/** What the nemesis looks at. */
export interface NemesisHost {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly nodes: readonly SimNode[]
  readonly clients: ClientNetwork
  readonly operator: Operator
  readonly stage: Stage
}

/** Deeds to be done, in this order; undefined where nothing can be. */
export type Drawn = Deed | readonly Deed[] | undefined

/** Draws of which faults and scenes are made. */
export class Draws {
  readonly host: NemesisHost
  readonly dice: Dice

  constructor(host: NemesisHost, dice: Dice) {
    this.host = host
    this.dice = dice
  }

  get nodes(): readonly SimNode[] {
    return this.host.nodes
  }

  get up(): SimNode[] {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  /** A node, by its name. */
  any(): string {
    return this.dice.pick(this.nodes).id
  }

  /** A node that is up. */
  anyUp(draw: (node: string) => Drawn): Drawn {
    const { up } = this
    return up.length === 0 ? undefined : draw(this.dice.pick(up).id)
  }

  /** Whoever leads. */
  leader(draw: (leader: string) => Drawn): Drawn {
    const { leader } = this.host.operator
    return leader === undefined ? undefined : draw(leader.id)
  }

  /** How long a fault lasts. */
  forMs(): number {
    return nextMicrosecond(this.dice.exponential(this.host.plan.faultDurationMs))
  }

  /** Clients that see both sides soon know who leads now: some see only what one node sees, often the old leader. */
  clientCuts(cut: readonly DirectedLink[]): DirectedLink[] {
    const links: DirectedLink[] = []
    const { leader } = this.host.operator
    for (const client of this.host.clients.names) {
      if (!this.dice.chance(0.4)) continue
      const { id } = leader !== undefined && this.dice.chance(0.5) ? leader : this.dice.pick(this.nodes)
      const hidden = new Set(cut.flatMap(({ from, to }) => (from === id ? [to] : to === id ? [from] : [])))
      for (const node of hidden) links.push({ from: client, to: node }, { from: node, to: client })
    }
    return links
  }

  crash(node: string): Deed {
    return { do: 'crash', node, forMs: nextMicrosecond(this.dice.exponential(this.host.plan.downMs)) }
  }

  changeMembers(count: number, leave: 'auto' | 'explicit'): Drawn {
    const configuration = this.host.operator.leader?.life?.core.configuration
    if (configuration === undefined || isJoint(configuration)) return undefined
    const changes: NamedChange[] = []
    const touched = new Set<NodeId>()
    let voters = configuration.voters.length
    for (let at = 0; at < count; at++) {
      const change = this.drawChange(touched, voters)
      if (change === undefined) continue
      if (change.kind === 'remove' || change.kind === 'demote') voters--
      touched.add(change.id)
      changes.push(change)
    }
    if (changes.length === 0) return undefined
    // Now and then somebody else asks for something too, and does not wait for the answer to that.
    let also: NamedChange | undefined
    for (let tries = this.dice.chance(0.3) ? 5 : 0; tries > 0 && also === undefined; tries--) {
      also = this.drawChange(touched, voters)
    }
    return { do: 'changeMembers', changes, leave, ...(also === undefined ? {} : { also }) }
  }

  drawChange(touched: ReadonlySet<NodeId>, voters: number): NamedChange | undefined {
    const { id } = this.dice.pick(this.nodes)
    const configuration = this.host.operator.leader?.life?.core.configuration
    if (configuration === undefined || touched.has(id)) return undefined
    if (configuration.learners.some((member) => member.id === id)) {
      return { kind: this.dice.chance(0.7) ? 'promote' : 'remove', id }
    }
    if (configuration.voters.some((member) => member.id === id)) {
      if (voters <= Math.min(2, this.host.plan.voters)) return undefined
      return { kind: this.dice.chance(0.5) ? 'demote' : 'remove', id }
    }
    return { kind: 'addLearner', id }
  }

  others(leader: string): string[] {
    return this.nodes.flatMap(({ id }) => (id === leader ? [] : [id]))
  }

  /** Some time in proportion to the election timeout. */
  timeouts(least: number, most: number): number {
    return nextMicrosecond(this.dice.between(least, most) * this.host.plan.knobs.electionTimeoutMinMs)
  }

  later(afterMs: number, deeds: readonly Deed[]): void {
    const { scheduler, stage } = this.host
    scheduler.at(nextMicrosecond(scheduler.nowMs + afterMs), {
      run: () => {
        for (const deed of deeds) stage.perform(deed)
      },
    })
  }

  soon(afterMs: number, draw: () => readonly Deed[]): void {
    const { scheduler, stage } = this.host
    scheduler.at(nextMicrosecond(scheduler.nowMs + afterMs), {
      run: () => {
        if (stage.isOver) return
        for (const deed of draw()) stage.perform(deed)
      },
    })
  }
}
