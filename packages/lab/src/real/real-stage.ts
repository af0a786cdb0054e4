/**
 * Does to a real cluster what steps say, and undoes what lasts. Deeds are those of the simulator; what none of our engines with
 * real nodes can do is refused before the run (able.ts) and never gets here.
 */
import type { FileDamage } from '@troupe/cluster'
import type { Fault, LinkEffect, LinkRule } from '@troupe/faults'
import { type FaultDeed, type FaultEdge, linkEnds, type OperatorDeed } from '@troupe/sim'
import type { HeapDeed, LabDeed, OutOfMemoryDeed, ToxicDeed } from '../directing/directed-world.ts'
import { describeToxic } from '../proxy/toxic-of.ts'
import { CrashLoop } from './crash-loop.ts'
import { JointOperator } from './joint-operator.ts'
import { dieOfItsHeap } from './out-of-memory.ts'
import type { ClientLinkFaults, RealCluster } from './real-cluster.ts'
import { isRefusal, Refusal } from './refusal.ts'

export interface StageOptions {
  readonly cluster: RealCluster
  /** Where the cluster does not do it itself. */
  readonly clients: ClientLinkFaults
  readonly line: (text: string) => void
  /** Whether a node takes turns: one that only starts does not. */
  readonly lives: (node: string) => boolean
  readonly leads: (node: string) => boolean
  /** Told that the disk of a node stands still or is full, or no longer. */
  readonly disk: (node: string, what: 'stalled' | 'filled', isSo: boolean) => void
  /** Told that the last entries of a node that is down are taken away. */
  readonly forgot: (node: string, entries: number) => void
  /** Told of what is done, and of the end of what lasts. */
  readonly faulted: (id: number, deed: FaultDeed | OperatorDeed, edge: FaultEdge) => void
}

type Undo = () => Promise<void>
/** Told why something that was begun is not done after all. */
type Refused = (why: string) => void

interface LaterDamage {
  readonly damage: FileDamage
  readonly refused: Refused
}
type DeedOf<Kind extends LabDeed['do']> = Extract<LabDeed, { readonly do: Kind }>
type StageDeed = FaultDeed | OperatorDeed | ToxicDeed | HeapDeed | OutOfMemoryDeed

/** How long a flush takes in the simulator, about: a disk that is so many times as slow takes so much longer. */
const FLUSH_MS = 1
const NOTHING = 'nothing to do it to'
const over: Undo = async () => {}

export class RealStage {
  readonly #options: StageOptions
  readonly #active = new Map<Undo, NodeJS.Timeout>()
  readonly #restarts = new Map<string, NodeJS.Timeout>()
  readonly #background = new Set<Promise<void>>()
  readonly #joint: JointOperator
  readonly #loops = new Map<string, CrashLoop>()
  /** What happens to the files of nodes that run: at their next death. */
  readonly #damages = new Map<string, LaterDamage[]>()
  /** Files that are being changed: nobody may open them. */
  readonly #changing = new Map<string, Promise<void>>()
  #lastRule = 0
  #lastFault = 0
  #isOver = false

  constructor(options: StageOptions) {
    this.#options = options
    this.#joint = new JointOperator(options.cluster, options.line)
  }

  /**
   * Resolves when it is in effect; false where it makes no sense now. What was only begun may be `refused` later.
   * @throws Refusal where there is nothing to do it to, and what the cluster throws
   */
  async do(deed: StageDeed, refused: Refused = () => {}): Promise<boolean> {
    if (this.#isOver) return false
    const undo = await this.#begin(deed, refused)
    if (undo === undefined) return false
    const id = ++this.#lastFault
    const isLasting = undo !== over && 'forMs' in deed
    const told = toldDeed(deed)
    this.#options.faulted(id, told, isLasting ? 'begin' : 'once')
    if (isLasting) {
      this.#later(deed.forMs, async () => {
        this.#options.faulted(id, told, 'end')
        await undo()
      })
    }
    return true
  }

  /** Ends all faults, and starts whoever is down. */
  async recover(): Promise<void> {
    for (const timer of [...this.#active.values(), ...this.#restarts.values()]) clearTimeout(timer)
    const undos = [...this.#active.keys()]
    this.#active.clear()
    this.#restarts.clear()
    const { cluster } = this.#options
    await this.#settled('healing', [...undos.map((undo) => undo()), cluster.heal()])
    // Damage that nobody has come upon shows now: else it would not have happened at all.
    const hidden = [...this.#damages.keys()].filter((node) => cluster.isUp(node))
    await this.#settled(
      'damage',
      hidden.map((node) => this.#takeDown(node)),
    )
    await this.#settled(
      'start',
      cluster.ids.map((id) => this.#start(id)),
    )
  }

  /** Who dies meanwhile cannot be healed; whether all are well in the end, others look. */
  async #settled(what: string, work: readonly Promise<unknown>[]): Promise<void> {
    for (const one of work) this.#beside(what, one)
    await Promise.allSettled(work)
  }

  /** The same, for good. What was begun beside is over, or given up. */
  async heal(): Promise<void> {
    this.#isOver = true
    await this.recover()
    await Promise.all([...this.#background, this.#joint.close()])
  }

  /** Nothing happens any more. */
  async close(): Promise<void> {
    this.#isOver = true
    for (const timer of [...this.#active.values(), ...this.#restarts.values()]) clearTimeout(timer)
    const loops = [...this.#loops.values()].map((loop) => loop.end())
    await Promise.all([...loops, ...this.#background, this.#joint.close()])
  }

  get #clients(): ClientLinkFaults {
    const { cluster, clients } = this.#options
    return cluster.clientLinks ?? clients
  }

  #later(forMs: number, undo: Undo): void {
    const timer = setTimeout(() => {
      this.#active.delete(undo)
      this.#beside('healing', undo())
    }, forMs)
    this.#active.set(undo, timer)
  }

  async #begin(deed: StageDeed, refused: Refused): Promise<Undo | undefined> {
    const { cluster } = this.#options
    switch (deed.do) {
      case 'cut':
        return this.#onLinks(deed.links, [{ kind: 'link', mode: 'drop' }])
      case 'jam':
        return this.#onLinks(deed.links, [{ kind: 'link', mode: 'jam' }])
      case 'weather':
        return this.#onLinks(deed.links, deed.effects)
      case 'hangUp':
        return this.#clients.hangUp(deed.client, deed.node) ? over : undefined
      case 'flap':
        return cluster.flap?.(...deed.nodes) === true ? over : undefined
      case 'toxic': {
        const remove = cluster.poison?.(deed.links.map(linkEnds), deed.order)
        return remove === undefined ? undefined : async () => remove()
      }
      case 'crash':
        return this.#crash(deed)
      case 'start':
        return (await this.#start(deed.node)) ? over : undefined
      case 'recover':
        await this.recover()
        return over
      case 'flipEntry':
        return this.#damage(deed.node, { kind: 'flip-entry', back: deed.back }, refused)
      case 'flipSnapshot':
        return this.#damage(deed.node, { kind: 'flip-snapshot' }, refused)
      case 'rollBack':
        return this.#dieChanged(deed, { kind: 'forget', entries: deed.entries })
      case 'setTerm':
        return this.#dieChanged(deed, { kind: 'set-term', term: deed.term })
      case 'outOfMemory':
        return this.#outOfMemory(deed)
      case 'crashLoop':
        return this.#crashLoop(deed)
      case 'wipe':
        return this.#wipe(deed.node, refused)
      case 'changeMembers':
      case 'transfer':
      case 'takeSnapshot':
      case 'campaign':
        return this.#operate(deed, refused)
      default:
        return this.#onNode(deed)
    }
  }

  async #onNode(deed: FaultDeed | HeapDeed): Promise<Undo | undefined> {
    const { cluster, disk } = this.#options
    if (!('node' in deed) || !cluster.isUp(deed.node)) return undefined
    const { node } = deed
    const fault = faultOf(deed)
    if (fault === undefined) throw new Error(`${deed.do}: not refused before the run`)
    const id = await cluster.inject(fault)
    // What is over by itself is not healed.
    if (deed.do === 'jump' || fault.kind === 'stall') return over
    const what = deed.do === 'stallDisk' ? 'stalled' : deed.do === 'fullDisk' ? 'filled' : undefined
    if (what !== undefined) disk(node, what, true)
    return async () => {
      if (what !== undefined) disk(node, what, false)
      await cluster.heal(id)
    }
  }

  /** Between nodes by the cluster, of clients at the clients. */
  async #onLinks(
    names: readonly string[] | undefined,
    effects: readonly LinkEffect[],
  ): Promise<Undo | undefined> {
    const { cluster } = this.#options
    const links = names?.map(linkEnds)
    const isOfClient = ({ from, to }: { from: string; to: string }): boolean =>
      from.startsWith('c') || to.startsWith('c')
    const ofClients = links?.filter(isOfClient) ?? 'all'
    const rules = effects.map((effect): LinkRule => ({ links: ofClients, effect }))
    const ruleIds = ofClients.length === 0 ? [] : rules.map((rule) => this.#addRule(rule))
    const ofNodes = links?.filter((link) => !isOfClient(link))
    const faults = effects.flatMap((effect) => linkFaults(effect, ofNodes, cluster.ids))
    const ids = await Promise.all(faults.map((fault) => cluster.inject(fault)))
    if (ids.length === 0 && ruleIds.length === 0) return undefined
    return async () => {
      for (const id of ruleIds) this.#clients.remove(id)
      await Promise.all(ids.map((id) => cluster.heal(id)))
    }
  }

  #addRule(rule: LinkRule): number {
    const id = ++this.#lastRule
    this.#clients.add(id, rule)
    return id
  }

  async #crash({ node, forMs, isSilent }: DeedOf<'crash'>): Promise<Undo | undefined> {
    const { cluster } = this.#options
    if (!cluster.isUp(node)) return undefined
    await this.#takeDown(node, isSilent === true)
    this.#startLater(node, forMs)
    return over
  }

  /** It dies, and what was to happen to its files happens. */
  async #takeDown(node: string, isSilent = false): Promise<void> {
    await this.#options.cluster.crash(node, isSilent)
    await this.#changeDead(node)
  }

  /** What was to happen to the files of a node that is dead now. */
  async #changeDead(node: string): Promise<void> {
    const damages = this.#damages.get(node) ?? []
    this.#damages.delete(node)
    await this.#change(node, damages)
  }

  #startLater(node: string, forMs: number): void {
    clearTimeout(this.#restarts.get(node))
    const timer = setTimeout(() => {
      this.#restarts.delete(node)
      this.#beside('restart', this.#start(node))
    }, forMs)
    this.#restarts.set(node, timer)
  }

  #wipe(node: string, refused: Refused): Undo {
    const replaced = this.#options.cluster.inject({ kind: 'membership', change: 'replace', nodes: [node] })
    this.#beside('wipe', replaced, refused)
    return over
  }

  /** While somebody has the files open nothing can be done to them: it waits for the next death. */
  async #damage(node: string, damage: FileDamage, refused: Refused): Promise<Undo | undefined> {
    const { cluster } = this.#options
    if (!cluster.ids.includes(node)) return undefined
    if (!cluster.isUp(node)) return this.#changeNow(node, damage)
    this.#damages.set(node, [...(this.#damages.get(node) ?? []), { damage, refused }])
    return over
  }

  /** It dies, and comes back over files that say something else. */
  async #dieChanged(
    { node, forMs }: { readonly node: string; readonly forMs: number },
    damage: FileDamage,
  ): Promise<Undo | undefined> {
    if (!this.#options.cluster.isUp(node)) return undefined
    await this.#takeDown(node)
    try {
      return await this.#changeNow(node, damage)
    } finally {
      this.#startLater(node, forMs)
    }
  }

  async #outOfMemory({ node, forMs }: OutOfMemoryDeed): Promise<Undo | undefined> {
    const { cluster } = this.#options
    if (!cluster.isUp(node)) return undefined
    await dieOfItsHeap(cluster, node)
    await this.#changeDead(node)
    this.#startLater(node, forMs)
    return over
  }

  async #crashLoop({ node, afterMs }: DeedOf<'crashLoop'>): Promise<Undo | undefined> {
    const { cluster, lives, line } = this.#options
    if (!cluster.isUp(node) || this.#loops.has(node)) return undefined
    const loop = new CrashLoop({ ...{ cluster, node, afterMs, line }, lives: () => lives(node) })
    this.#loops.set(node, loop)
    await loop.begin()
    return async () => {
      this.#loops.delete(node)
      await loop.end()
    }
  }

  /** Its supervisor starts a node no more: whoever does has no loop to go on. */
  givenUp(node: string): void {
    void this.#loops.get(node)?.end()
  }

  /** @throws Refusal */
  async #changeNow(node: string, damage: FileDamage): Promise<Undo> {
    let why: string | undefined
    await this.#change(node, [{ damage, refused: (told) => (why = told) }])
    if (why !== undefined) throw new Refusal(why)
    return over
  }

  /** Changes the files of a node that is down; it is not started meanwhile. */
  async #change(node: string, damages: readonly LaterDamage[]): Promise<void> {
    if (damages.length === 0) return
    const { cluster, forgot, line } = this.#options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#changing.set(node, promise)
    try {
      for (const { damage, refused } of damages) {
        const isDone = await cluster.damage(node, damage)
        line(`${node}: ${JSON.stringify(damage)}: ${isDone ? 'done' : NOTHING}`)
        if (!isDone) refused(`${node} has ${NOTHING}`)
        else if (damage.kind === 'forget') forgot(node, damage.entries)
      }
    } finally {
      this.#changing.delete(node)
      resolve()
    }
  }

  async #start(node: string): Promise<boolean> {
    const { cluster } = this.#options
    clearTimeout(this.#restarts.get(node))
    this.#restarts.delete(node)
    await this.#changing.get(node)
    if (cluster.isUp(node)) return false
    await cluster.start(node)
    return true
  }

  /** Begins it: an operator does not hold up what happens meanwhile. */
  #operate(deed: OperatorDeed, refused: Refused): Undo | undefined {
    const { cluster, leads } = this.#options
    if ('node' in deed && !cluster.isUp(deed.node)) return undefined
    // Whoever leads already was elected before it was asked for: nothing is refused, and all is as it was to be.
    if (deed.do === 'transfer' && deed.to !== undefined && leads(deed.to)) return undefined
    this.#beside(deed.do, this.#operated(deed), refused)
    return over
  }

  async #operated(deed: OperatorDeed): Promise<void> {
    const { cluster } = this.#options
    switch (deed.do) {
      case 'transfer':
        return cluster.transfer(deed.to)
      case 'campaign':
        return cluster.elect(deed.node)
      case 'takeSnapshot':
        return cluster.snapshot(deed.node)
      case 'changeMembers':
        // Before it is answered: it may never be.
        if (deed.leave === 'explicit') this.#joint.begin()
        return cluster.changeMembers(deed.changes, deed.leave)
    }
  }

  /** What fails beside is told: operators are refused, nodes die as they are asked. */
  #beside(what: string, work: Promise<unknown>, refused?: Refused): void {
    const { line } = this.#options
    const noted = work.then(
      () => {},
      (error: unknown) => {
        const why = error instanceof Error ? error.message : `${error}`
        line(`${what}: ${why}`)
        if (isRefusal(error)) refused?.(why)
      },
    )
    this.#background.add(noted)
    void noted.then(() => this.#background.delete(noted))
  }
}

/** The events of a run are those of the simulator, which knows no toxics and no heaps: there these are what they are called. */
function toldDeed(deed: StageDeed): FaultDeed | OperatorDeed {
  if (deed.do === 'fillHeap' || deed.do === 'outOfMemory') return deed as unknown as FaultDeed
  if (deed.do !== 'toxic') return deed
  const { order, links, forMs } = deed
  return { do: describeToxic(order.toxic), links, forMs } as unknown as FaultDeed
}

function faultOf(deed: (FaultDeed | HeapDeed) & { readonly node: string }): Fault | undefined {
  const nodes = [deed.node]
  switch (deed.do) {
    case 'slowDisk':
      return { kind: 'storage', nodes, mode: 'slow', timeMs: deed.by * FLUSH_MS }
    case 'stallDisk':
      return { kind: 'storage', nodes, mode: 'stall' }
    case 'fullDisk':
      return { kind: 'storage', nodes, mode: 'full' }
    case 'failDisk':
      return { kind: 'storage', nodes, mode: 'fail' }
    case 'pause':
      return deed.isBlocked ? { kind: 'stall', nodes, forMs: deed.forMs } : { kind: 'pause', nodes }
    case 'failpoint':
      return { kind: 'failpoint', nodes, name: deed.name, term: deed.term }
    case 'fillHeap':
      return { kind: 'heap', nodes, percent: deed.percent }
    case 'skew':
      return { kind: 'clock', nodes, mode: 'rate', rate: deed.rate }
    case 'jump':
      return { kind: 'clock', nodes, mode: 'bump', byMs: deed.byMs }
    default:
      return undefined
  }
}

/** One for each sender: a fault names links by the nodes on either side. */
function linkFaults(
  effect: LinkEffect,
  links: readonly { readonly from: string; readonly to: string }[] | undefined,
  ids: readonly string[],
): Fault[] {
  if (links === undefined) return [effect]
  const known = links.filter(({ from, to }) => ids.includes(from) && ids.includes(to))
  const bySender = Map.groupBy(known, ({ from }) => from)
  return Array.from(bySender, ([from, ways]): Fault => {
    return { ...effect, links: { from: [from], to: ways.map(({ to }) => to), direction: 'outbound' } }
  })
}
