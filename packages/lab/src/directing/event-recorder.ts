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
  /** What the turn that goes on has sent and cut: told behind what it has received. */
  #doing: RunEvent[] = []
  readonly #reached = new Map<string, number>()
  #logsTold = 0

  /** @param phaseNow whether the faults have begun, and are over */
  constructor(tell: OnRunEvent, phaseNow: () => RunPhase) {
    this.#tell = tell
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
        this.#flush()
        return this.#tell({ atMs, kind: event.kind === 'started' ? 'started' : 'stopped', node, boot })
      }
      case 'turned':
        return this.#turned(event, atMs)
      case 'sent': {
        const { node, message } = event
        const id = this.#idOf(message)
        this.#doing.push({ atMs, kind: 'sent', node: node.id, to: message.to, ...id, ...factsOf(message) })
        return
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
    for (const event of events) {
      if (event.kind === 'peer') this.#received(node.id, event.message, life.core, atMs)
    }
    const told = this.#told.get(node.id) ?? { ...NOTHING }
    this.#told.set(node.id, told)
    this.#role(node.id, life.core, told, atMs)
    this.#flush()
    this.#log(node.id, life.core, life.driver.applied, told, atMs)
    this.#situations(atMs)
  }

  #flush(): void {
    const doing = this.#doing
    this.#doing = []
    for (const event of doing) this.#tell(event)
  }

  #received(node: string, message: Message, core: RaftCore, atMs: number): void {
    const stale = message.term < core.term ? { isStale: true as const } : {}
    const id = this.#idOf(message)
    this.#tell({ atMs, kind: 'received', node, from: message.from, ...id, ...stale, ...factsOf(message) })
  }

  #role(node: string, { role, term, leader }: RaftCore, told: Told, atMs: number): void {
    if (role === told.role && term === told.term && leader === told.leader) return
    Object.assign(told, { role, term, leader })
    const followed = leader === undefined ? {} : { leader }
    this.#tell({ atMs, kind: 'role', node, role: role as NodeRole, term, ...followed })
  }

  #log(node: string, core: RaftCore, applied: number, told: Told, atMs: number): void {
    const { lastIndex: last, commitIndex: commit } = core
    if (last === told.last && commit === told.commit && applied === told.applied) return
    if (commit !== told.commit) this.#membersNow(atMs)
    Object.assign(told, { last, commit, applied })
    this.#tell({ atMs, kind: 'log', node, last, lastTerm: core.termAt(last) ?? 0, commit, applied })
  }

  #membersNow(atMs: number): void {
    const nodes = this.#world?.members.map(({ id }) => id) ?? []
    const names = nodes.join()
    if (names === this.#members || nodes.length === 0) return
    this.#members = names
    this.#tell({ atMs, kind: 'members', nodes })
  }

  #situations(atMs: number): void {
    for (const { name, count } of this.#world?.situations.situations ?? []) {
      const seen = this.#reached.get(name) ?? 0
      if (count === seen || seen >= MAX_REACHED) continue
      this.#reached.set(name, count)
      this.#tell({ atMs, kind: 'situation', name })
    }
  }

  #persisting({ node, request }: Extract<SimEvent, { kind: 'persisting' }>, atMs: number): void {
    const { truncateFrom: index } = request
    if (index === undefined) return
    const { seen } = node.disk.log
    const cut = seen.entries.slice(Math.max(0, index - seen.base.index - 1))
    const term = node.life?.core.term ?? 0
    const [entries, terms] = [cut.length, termRanges(cut)]
    this.#doing.push({ atMs, kind: 'cut', node: node.id, index, entries, terms, term })
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
    this.#flush()
    this.#logs(atMs)
    if (failure !== undefined) {
      this.#tell({ atMs, kind: 'broken', invariant: failure.invariant, message: failure.message })
    }
    const end: RunEvent = { atMs, kind: 'end', verdict, ...(reason === undefined ? {} : { reason }) }
    this.#tell(end)
  }
}

/** Whom a deed is done to, as well as it says so. */
function nodesOf(deed: Deed): readonly string[] {
  if ('node' in deed && deed.node !== undefined) return [deed.node]
  if ('nodes' in deed) return deed.nodes
  if ('links' in deed) return [...new Set((deed.links ?? []).flatMap((link) => link.split('>')))]
  if ('changes' in deed) return deed.changes.map(({ id }) => id)
  return 'to' in deed && deed.to !== undefined ? [deed.to] : []
}
