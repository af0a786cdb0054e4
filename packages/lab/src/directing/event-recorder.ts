/** Tells of a run as events (events/run-event.ts). Looks at what happens and changes nothing. */
import type { Message, RaftCore } from '@troupe/core'
import {
  type Deed,
  describeDeed,
  type NodeView,
  type SimEvent,
  type Watcher,
  type WorldView,
} from '@troupe/sim'
import type { NodeRole, OnRunEvent, RunEvent, RunIdentity, RunPhase } from '../events/run-event.ts'
import { CausalOrder } from './causal-order.ts'
import { factsOf } from './message-facts.ts'
import { termRanges } from './term-ranges.ts'

/** What is asked of the world that is recorded. */
export interface RecordedWorld {
  readonly nowMs: number
  readonly nodes: readonly NodeView[]
  readonly members: readonly { readonly id: string }[]
  readonly situations: { readonly situations: readonly { readonly name: string; readonly count: number }[] }
  /** Numbers messages, where somebody does. */
  readonly messageIds?: { of(message: Message): number } | undefined
}

/** What was told of a node last. */
interface Told {
  role: string
  term: number
  leader: string | undefined
  last: number
  commit: number
  applied: number
}

const NOTHING: Told = { role: '', term: 0, leader: undefined, last: -1, commit: -1, applied: -1 }

/** A place that is reached all the time says nothing by the hundredth time. */
const MAX_REACHED = 20

const MAX_LOGS = 50

export class EventRecorder implements Watcher {
  readonly on = [
    'started',
    'crashed',
    'turned',
    'sent',
    'persisting',
    'settled',
    'fault',
    'healed',
  ] as const satisfies readonly SimEvent['kind'][]
  readonly #tell: OnRunEvent
  readonly #phaseNow: () => RunPhase
  #world: RecordedWorld | undefined
  #phase: RunPhase = 'before'
  #members = ''
  readonly #told = new Map<string, Told>()
  /** What a turn has sent and cut stands behind what it has received. */
  readonly #order: CausalOrder
  readonly #reached = new Map<string, number>()
  #logsTold = 0

  /** @param phaseNow whether the faults have begun, and are over */
  constructor(tell: OnRunEvent, phaseNow: () => RunPhase) {
    this.#tell = tell
    this.#order = new CausalOrder(tell)
    this.#phaseNow = phaseNow
  }

  /** To be called before anything happens. */
  attach(world: RecordedWorld, identity: Omit<RunIdentity, 'version'>): void {
    this.#world = world
    this.#tell({ atMs: 0, kind: 'run', version: 1, ...identity })
    this.#tell({ atMs: 0, kind: 'phase', phase: 'before' })
  }

  check({ nowMs: atMs }: WorldView, event: SimEvent): void {
    // The logs as the faults have left them: as soon as they are healed they mend.
    if (event.kind === 'healed') this.#logs(atMs)
    this.#turnPhase(atMs)
    switch (event.kind) {
      case 'started':
      case 'crashed': {
        const { id: node, boot } = event.node
        this.#told.delete(node)
        const kind = event.kind === 'started' ? 'started' : 'stopped'
        return this.#order.turned(node, [], [{ atMs, kind, node, boot }], atMs)
      }
      case 'turned':
        return this.#turned(event, atMs)
      case 'sent': {
        const { node, message } = event
        const id = this.#idOf(message)
        const sent: RunEvent = {
          atMs,
          kind: 'sent',
          node: node.id,
          to: message.to,
          ...id,
          ...factsOf(message),
        }
        return this.#order.amid(node.id, sent)
      }
      case 'persisting':
        return this.#persisting(event, atMs)
      case 'settled': {
        const { client, isWrite, calledMs, code } = event
        const outcome = code === undefined ? 'ok' : code === 'INDETERMINATE' ? 'open' : 'refused'
        const what = isWrite ? 'write' : 'read'
        const why = code === undefined ? {} : { code }
        return this.#tell({ atMs, kind: 'operation', client, what, outcome, tookMs: atMs - calledMs, ...why })
      }
      case 'fault':
        return this.#fault(event, atMs)
    }
  }

  #turnPhase(atMs: number): void {
    const phase = this.#phaseNow()
    if (phase === this.#phase) return
    this.#phase = phase
    this.#tell({ atMs, kind: 'phase', phase })
  }

  #turned({ node, events }: Extract<SimEvent, { kind: 'turned' }>, atMs: number): void {
    const { life } = node
    if (life === undefined) return
    const { core, driver } = life
    const received = events.flatMap((event): RunEvent[] =>
      event.kind === 'peer' ? [this.#received(node.id, event.message, core, atMs)] : [],
    )
    const told = this.#told.get(node.id) ?? { ...NOTHING }
    this.#told.set(node.id, told)
    const first = [...received, ...roleOf(node.id, core, told, atMs)]
    const last = [...this.#log(node.id, core, driver.applied, told, atMs), ...this.#situations(atMs)]
    this.#order.turned(node.id, first, last, atMs)
  }

  #received(node: string, message: Message, core: RaftCore, atMs: number): RunEvent {
    const stale = message.term < core.term ? { isStale: true as const } : {}
    const id = this.#idOf(message)
    return { atMs, kind: 'received', node, from: message.from, ...id, ...stale, ...factsOf(message) }
  }

  #log(node: string, core: RaftCore, applied: number, told: Told, atMs: number): RunEvent[] {
    const { lastIndex: last, commitIndex: commit } = core
    if (last === told.last && commit === told.commit && applied === told.applied) return []
    const members = commit === told.commit ? [] : this.#membersNow(atMs)
    Object.assign(told, { last, commit, applied })
    return [...members, { atMs, kind: 'log', node, last, lastTerm: core.termAt(last) ?? 0, commit, applied }]
  }

  #membersNow(atMs: number): RunEvent[] {
    const nodes = this.#world?.members.map(({ id }) => id) ?? []
    const names = nodes.join()
    if (names === this.#members || nodes.length === 0) return []
    this.#members = names
    return [{ atMs, kind: 'members', nodes }]
  }

  #situations(atMs: number): RunEvent[] {
    return (this.#world?.situations.situations ?? []).flatMap(({ name, count }): RunEvent[] => {
      const seen = this.#reached.get(name) ?? 0
      if (count === seen || seen >= MAX_REACHED) return []
      this.#reached.set(name, count)
      return [{ atMs, kind: 'situation', name }]
    })
  }

  #persisting({ node, request }: Extract<SimEvent, { kind: 'persisting' }>, atMs: number): void {
    const { truncateFrom: index } = request
    if (index === undefined) return
    const { seen } = node.disk.log
    const cut = seen.entries.slice(Math.max(0, index - seen.base.index - 1))
    const term = node.life?.core.term ?? 0
    const [entries, terms] = [cut.length, termRanges(cut)]
    this.#order.amid(node.id, { atMs, kind: 'cut', node: node.id, index, entries, terms, term })
  }

  #fault({ id, deed, edge }: Extract<SimEvent, { kind: 'fault' }>, atMs: number): void {
    // What a fault has done to the logs shows at its end, before anybody mends it.
    if (edge === 'end' && this.#logsTold++ < MAX_LOGS) this.#logs(atMs)
    const lasting = edge === 'once' ? {} : { id: `${id}`, edge }
    this.#tell({ atMs, kind: 'fault', what: describeDeed(deed), nodes: nodesOf(deed), ...lasting })
  }

  #logs(atMs: number): void {
    for (const { id: node, disk, life } of this.#world?.nodes ?? []) {
      const { base, entries } = disk.log.seen
      const commit = life?.core.commitIndex ?? 0
      const terms = termRanges(entries)
      this.#tell({ atMs, kind: 'terms', node, base: base.index, baseTerm: base.term, terms, commit })
    }
  }

  #idOf(message: Message): { readonly message?: string } {
    const id = this.#world?.messageIds?.of(message)
    return id === undefined ? {} : { message: `${id}` }
  }

  /** The run is over. */
  finish(
    verdict: 'pass' | 'fail' | 'unknown',
    failure: { readonly invariant: string; readonly message: string } | undefined,
    reason: string | undefined,
  ): void {
    const atMs = this.#world?.nowMs ?? 0
    this.#order.flush()
    this.#logs(atMs)
    if (failure !== undefined) {
      this.#tell({ atMs, kind: 'broken', invariant: failure.invariant, message: failure.message })
    }
    const end: RunEvent = { atMs, kind: 'end', verdict, ...(reason === undefined ? {} : { reason }) }
    this.#tell(end)
  }
}

function roleOf(node: string, { role, term, leader }: RaftCore, told: Told, atMs: number): RunEvent[] {
  if (role === told.role && term === told.term && leader === told.leader) return []
  Object.assign(told, { role, term, leader })
  const followed = leader === undefined ? {} : { leader }
  return [{ atMs, kind: 'role', node, role: role as NodeRole, term, ...followed }]
}

/** Whom a deed is done to, as well as it says so. */
function nodesOf(deed: Deed): readonly string[] {
  if ('node' in deed && deed.node !== undefined) return [deed.node]
  if ('nodes' in deed) return deed.nodes
  if ('links' in deed) return [...new Set((deed.links ?? []).flatMap((link) => link.split('>')))]
  if ('changes' in deed) return deed.changes.map(({ id }) => id)
  return 'to' in deed && deed.to !== undefined ? [deed.to] : []
}
