/** Does to the world what steps say, each within the budget, and undoes what lasts. */
import { isJoint, type MemberChange } from '@troupe/core'
import type { LinkRule } from '@troupe/faults'
import type { Carrier } from './carrier.ts'
import type { ClientNetwork } from './client-network.ts'
import type { Coverage } from './coverage.ts'
import type { Operator } from './operator.ts'
import type { PeerLinks } from './peer-network.ts'
import type { Plan } from './plan.ts'
import { doWithQueue } from './queue/queue-deeds.ts'
import type { QueueUser } from './queue/queue-user.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimClient } from './sim-client.ts'
import type { SimNode } from './sim-node.ts'
import {
  type Deed,
  describeDeed,
  isOperation,
  linkEnds,
  type NamedChange,
  type OperationDeed,
  type QueueDeed,
  type TimedDeed,
} from './step.ts'
import type { FaultEdge } from './world-view.ts'

/** What the stage may do to the world. */
export interface StageHost {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly carrier: Carrier
  readonly nodes: readonly SimNode[]
  readonly simClients: readonly SimClient[]
  /** One for each client where there is a queue. */
  readonly queueUsers: readonly QueueUser[]
  readonly peers: PeerLinks
  readonly clients: ClientNetwork
  readonly operator: Operator
  readonly coverage: Coverage
  /** Takes a node down; it starts again after a while. */
  crash(node: SimNode, downMs: number): void
  /** Starts a node that is down. */
  start(node: SimNode): void
  /** Empties the directory of a node. False where the budget forbids it. */
  wipe(node: SimNode): boolean
  /** Takes a node down, and entries out of its log where the budget allows it. False where nothing was done. */
  rollBack(node: SimNode, entries: number, downMs: number): boolean
  /** Takes a node down, and writes another term into its directory. False where that is not a later one, or not allowed. */
  setTerm(node: SimNode, term: number, downMs: number): boolean
  /** Each start of the node ends in a crash, until it is undone or given up. */
  crashLoop(node: SimNode, afterMs: number): () => void
  /** Whether the cluster can do without what this node holds. */
  mayLose(node: SimNode): boolean
  line(text: string): void
  /** Something was done, or is over. */
  faulted(id: number, deed: Deed, edge: FaultEdge): void
}

type Undo = () => void

/** Done, and not to be undone. */
const over: Undo = () => {}

type DeedOf<Kind extends Deed['do']> = Extract<Deed, { readonly do: Kind }>
type Doers = { readonly [Kind in Deed['do']]: (deed: DeedOf<Kind>) => Undo | undefined }

export class Stage {
  readonly #host: StageHost
  readonly #onStep: ((step: TimedDeed) => void) | undefined
  readonly #active = new Set<Undo>()
  readonly #skewed = new Set<SimNode>()
  /** Told of the outcome of the operation that is performed now. */
  #onAnswer: () => void = over
  /** Whether everything is healed, and nothing is done any more. */
  isOver = false

  /** `onStep` is told of every step that was really done. */
  constructor(host: StageHost, onStep?: (step: TimedDeed) => void) {
    this.#host = host
    this.#onStep = onStep
  }

  /** Does it now, where it makes sense. `onAnswer` is called when an operation has its outcome. */
  perform(deed: Deed, onAnswer: () => void = over): boolean {
    if (this.isOver) return false
    this.#onAnswer = onAnswer
    const undo = (this.#doers[deed.do] as (deed: Deed) => Undo | undefined)(deed)
    if (undo === undefined) return false
    const { nowMs } = this.#host.scheduler
    this.#onStep?.({ atMs: nowMs, ...deed })
    if (isOperation(deed)) return true
    this.#host.coverage.faults++
    const text = describeDeed(deed)
    this.#host.line(`fault: ${text}`)
    const id = ++this.#lastFault
    const isLasting = 'forMs' in deed && undo !== over
    this.#host.faulted(id, deed, isLasting ? 'begin' : 'once')
    if (isLasting) {
      const end = (): void => {
        undo()
        this.#host.faulted(id, deed, 'end')
      }
      this.#undoLater(deed.forMs, end, text)
    }
    return true
  }
  #lastFault = 0
  #lastFailpoint = 0

  #undoLater(forMs: number, undo: Undo, text: string): void {
    this.#active.add(undo)
    this.#host.scheduler.after(forMs, {
      run: () => {
        if (!this.#active.delete(undo)) return
        undo()
        this.#host.line(`fault over: ${text}`)
      },
    })
  }

  /** Ends all faults at once, for good. */
  heal(): void {
    this.isOver = true
    for (const undo of this.#active) undo()
    this.#active.clear()
  }

  /** The node of this name where it is up. */
  #up(id: string): SimNode | undefined {
    const node = this.#node(id)
    return node?.isUp ? node : undefined
  }

  #node(id: string): SimNode | undefined {
    return this.#host.nodes.find((node) => node.id === id)
  }

  #client(name: string): SimClient | undefined {
    return this.#host.simClients.find((client) => client.name === name)
  }

  /** Does something lasting to a node that is up. */
  #toNode(id: string, begin: (node: SimNode) => Undo): Undo | undefined {
    const node = this.#up(id)
    return node === undefined ? undefined : begin(node)
  }

  readonly #doers: Doers = {
    cut: ({ links }) => this.#rule({ links: links.map(linkEnds), effect: { kind: 'link', mode: 'drop' } }),
    jam: ({ links }) => this.#rule({ links: links.map(linkEnds), effect: { kind: 'link', mode: 'jam' } }),
    weather: ({ effects, links }) => {
      const where = links === undefined ? 'all' : links.map(linkEnds)
      const undos = effects.map((effect) => this.#host.carrier.add({ links: where, effect }))
      return () => {
        for (const undo of undos) undo()
      }
    },
    flap: ({ nodes }) => {
      const [left, right] = nodes.map((id) => this.#node(id))
      if (left === undefined || right === undefined || left === right) return undefined
      this.#host.peers.flap(left, right)
      return over
    },
    hangUp: ({ client, node }) => (this.#host.clients.hangUp(client, node) ? over : undefined),
    crash: ({ node, forMs, isSilent = false }) =>
      this.#toNode(node, (found) => {
        found.diesSilently = isSilent
        this.#host.crash(found, forMs)
        return over
      }),
    start: ({ node }) => {
      const found = this.#node(node)
      if (found === undefined || found.isUp) return undefined
      found.supervisor.forget()
      this.#host.start(found)
      return over
    },
    recover: () => {
      for (const undo of [...this.#active]) undo()
      this.#active.clear()
      for (const node of this.#host.nodes) {
        node.settleClock()
        if (!node.isUp) this.#host.start(node)
      }
      return over
    },
    wipe: ({ node }) => {
      const found = this.#node(node)
      return found !== undefined && this.#host.wipe(found) ? over : undefined
    },
    flipEntry: (deed) => this.#flipEntry(deed),
    flipSnapshot: ({ node }) => {
      const found = this.#node(node)
      if (found === undefined || !this.#host.mayLose(found) || !found.disk.snapshots.flip()) return undefined
      this.#host.coverage.flips++
      return over
    },
    rollBack: ({ node, entries, forMs }) => {
      const found = this.#node(node)
      return found !== undefined && this.#host.rollBack(found, entries, forMs) ? over : undefined
    },
    setTerm: ({ node, term, forMs }) => {
      const found = this.#node(node)
      return found !== undefined && this.#host.setTerm(found, term, forMs) ? over : undefined
    },
    crashLoop: ({ node, afterMs }) => this.#toNode(node, (found) => this.#host.crashLoop(found, afterMs)),
    failpoint: ({ node, name, term }) => {
      const { failpoints } = this.#node(node) ?? {}
      const id = ++this.#lastFailpoint
      failpoints?.add(id, { name, term })
      return failpoints && (() => failpoints.remove(id))
    },
    lieDisk: ({ node }) =>
      this.#toNode(node, ({ disk }) => {
        disk.lyingFrom ??= disk.log.flushed.lastIndex
        return () => (disk.lyingFrom = undefined)
      }),
    slowDisk: ({ node, by }) =>
      this.#toNode(node, ({ disk }) => {
        disk.slowness = by
        return () => (disk.slowness = 1)
      }),
    stallDisk: ({ node }) =>
      this.#toNode(node, ({ disk }) => {
        disk.stall()
        return () => disk.release()
      }),
    fullDisk: ({ node }) =>
      this.#toNode(node, ({ disk }) => {
        disk.fill()
        return () => disk.makeRoom()
      }),
    failDisk: ({ node }) =>
      this.#toNode(node, ({ disk }) => {
        disk.isFailing = true
        return () => (disk.isFailing = false)
      }),
    pause: ({ node }) =>
      this.#toNode(node, (found) => {
        found.pause()
        return () => found.resume()
      }),
    skew: (deed) => this.#skew(deed),
    jump: (deed) => this.#jump(deed),
    changeMembers: (deed) => this.#changeMembers(deed),
    transfer: ({ to }) => {
      this.#host.coverage.transfers++
      return this.#host.operator.ask({ kind: 'transferLeadership', to }) ? over : undefined
    },
    takeSnapshot: ({ node }) => this.#tell(node, 'takeSnapshot'),
    campaign: ({ node }) => this.#tell(node, 'campaign'),
    write: ({ client, key, conditional, withinMs, bytes }) => {
      if (this.#host.plan.queue.isOn) return undefined
      const found = this.#client(client)
      found?.write(key, withinMs, this.#onAnswer, conditional, bytes)
      found?.turn()
      return found === undefined ? undefined : over
    },
    read: (deed) => {
      if (this.#host.plan.queue.isOn) return this.#withQueue(deed)
      const { client, key, consistency, node, withinMs } = deed
      const found = this.#client(client)
      found?.read(key, consistency, withinMs, this.#onAnswer, node)
      found?.turn()
      return found === undefined ? undefined : over
    },
    send: (deed) => this.#withQueue(deed),
    sendAgain: (deed) => this.#withQueue(deed),
    fetch: (deed) => this.#withQueue(deed),
    settle: (deed) => this.#withQueue(deed),
    leave: (deed) => this.#withQueue(deed),
    redrive: (deed) => this.#withQueue(deed),
  }

  /** Has a client do something with the queue. */
  #withQueue(deed: QueueDeed | OperationDeed): Undo | undefined {
    const user = this.#host.queueUsers.find(({ client }) => client.name === deed.client)
    const isDone = user !== undefined && doWithQueue(user, deed, this.#onAnswer)
    user?.client.turn()
    return isDone ? over : undefined
  }

  #rule(rule: LinkRule): Undo | undefined {
    return rule.links.length === 0 ? undefined : this.#host.carrier.add(rule)
  }

  #tell(id: string, kind: 'takeSnapshot' | 'campaign'): Undo | undefined {
    return this.#toNode(id, (node) => {
      node.control({ kind }, () => {})
      return over
    })
  }

  /** The rate of the fastest and the slowest clock must differ by less than what leases allow for, within the budget. */
  #skew({ node: id, rate }: DeedOf<'skew'>): Undo | undefined {
    const node = this.#up(id)
    // Two skews of one clock would multiply.
    if (node === undefined || this.#skewed.has(node)) return undefined
    const { leaseReads, maxClockDrift } = this.#host.plan.knobs
    const isBeyond = rate < 1 || rate >= 1 + maxClockDrift
    if (leaseReads && isBeyond && !this.#host.plan.exceedBudget) return undefined
    this.#skewed.add(node)
    node.clock.add(1, { mode: 'rate', rate })
    node.rearm()
    return () => {
      this.#skewed.delete(node)
      node.clock.remove(1)
      node.rearm()
    }
  }

  /** A lease is only as good as the bound on the clocks. */
  #jump({ node: id, byMs }: DeedOf<'jump'>): Undo | undefined {
    const node = this.#up(id)
    const { knobs, exceedBudget } = this.#host.plan
    if (node === undefined || (knobs.leaseReads && !exceedBudget)) return undefined
    node.clock.add(0, { mode: 'bump', byMs })
    node.rearm()
    return over
  }

  #flipEntry({ node: id, back }: DeedOf<'flipEntry'>): Undo | undefined {
    const node = this.#node(id)
    if (node === undefined || !this.#host.mayLose(node)) return undefined
    const { log } = node.disk
    const { base, lastIndex } = log.flushed
    if (lastIndex - back <= base.index) return undefined
    log.flip(lastIndex - back)
    this.#host.coverage.flips++
    return over
  }

  #changeMembers({ changes, leave, also }: DeedOf<'changeMembers'>): Undo | undefined {
    if (!this.#mayChangeMembers(changes)) return undefined
    const { operator } = this.#host
    const ask = (wanted: readonly NamedChange[]) =>
      ({ kind: 'changeMembers', changes: wanted.map((one) => this.#change(one)), leave }) as const
    if (!operator.ask(ask(changes))) return undefined
    if (also !== undefined) operator.insist({ ...ask([also]), leave: 'auto' })
    return over
  }

  #mayChangeMembers(changes: readonly NamedChange[]): boolean {
    const { operator, plan, nodes } = this.#host
    const configuration = operator.leader?.life?.core.configuration
    // A member without its log cannot help to commit a change: it has to be replaced first.
    if (configuration === undefined || isJoint(configuration) || !operator.isIdle) return false
    // Nor can one that waits for repair: what was decided about its damage was decided for the members of then.
    if (!nodes.every(({ disk }) => disk.isWhole)) return false
    const fewer = changes.filter(({ kind }) => kind === 'remove' || kind === 'demote').length
    return configuration.voters.length - fewer >= Math.min(plan.voters, 2)
  }

  #change({ kind, id }: NamedChange): MemberChange {
    if (kind !== 'addLearner') return { kind, id }
    return { kind, member: { id, incarnation: this.#node(id)?.incarnation ?? 0 } }
  }
}
