import type { Message, MessageKind, NodeEvent, RaftCore } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import type { NodeView, SimEvent, WorldView } from '../world-view.ts'
import type { Actor, Hooks, Situation, Stance } from './situation.ts'

type Handler<Key extends keyof Hooks> = NonNullable<Hooks[Key]>
type OfMessage = (message: Message, actor: Actor) => void
type OfEvent = (event: NodeEvent<ClientEvent>, actor: Actor) => void

/** What the watch remembers of one life of a node: the actor that situations are told of. */
class Watched implements Actor {
  readonly node: NodeView
  readonly core: RaftCore
  readonly before: { -readonly [Key in keyof Stance]: Stance[Key] }

  constructor(node: NodeView, core: RaftCore, nowMs: number) {
    this.node = node
    this.core = core
    const { role, term, leader, commitIndex, lastIndex, configuration, configurationIndex } = core
    this.before = {
      ...{ role, term, leader, commitIndex, lastIndex, configuration, configurationIndex },
      persistStalls: 0,
      atMs: nowMs,
    }
  }

  get isOther(): boolean {
    const { core, before } = this
    return core.role !== before.role || core.term !== before.term || core.leader !== before.leader
  }

  /** The turn is over, and everybody has looked. */
  settle(nowMs: number): void {
    const { core, before } = this
    before.role = core.role
    before.term = core.term
    before.leader = core.leader
    before.commitIndex = core.commitIndex
    before.lastIndex = core.lastIndex
    before.configuration = core.configuration
    before.configurationIndex = core.configurationIndex
    before.persistStalls = core.metrics.persistStalls
    before.atMs = nowMs
  }
}

/** Shows the situations what happens, each only what it looks at, and what it was before. */
export class SituationWatch {
  readonly situations: readonly Situation[]
  readonly #world: WorldView
  /** By the index of the node. */
  readonly #lives: (Watched | undefined)[] = []
  readonly #handlers: { readonly [Key in keyof Hooks]-?: readonly Handler<Key>[] }
  readonly #sent: ReadonlyMap<string, readonly OfMessage[]>
  readonly #got: ReadonlyMap<string, readonly OfMessage[]>
  readonly #events: ReadonlyMap<string, readonly OfEvent[]>
  #committed = 0

  constructor(world: WorldView, situations: readonly Situation[]) {
    this.#world = world
    this.situations = situations
    const all = <Key extends keyof Hooks>(key: Key): Handler<Key>[] =>
      situations.flatMap(({ hooks }) => hooks[key] ?? []) as Handler<Key>[]
    this.#handlers = {
      started: all('started'),
      crashed: all('crashed'),
      became: all('became'),
      led: all('led'),
      sent: all('sent'),
      got: all('got'),
      gotAny: all('gotAny'),
      event: all('event'),
      clientFrame: all('clientFrame'),
      persisting: all('persisting'),
      flushing: all('flushing'),
      committed: all('committed'),
      leaseRead: all('leaseRead'),
      frameRefused: all('frameRefused'),
      operated: all('operated'),
    }
    this.#sent = byKind<OfMessage>(this.#handlers.sent)
    this.#got = byKind<OfMessage>(this.#handlers.got)
    this.#events = byKind<OfEvent>(this.#handlers.event)
  }

  /** How often each was reached, by name. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.situations.map(({ name, count }) => [name, count]))
  }

  /** To be called with every event of the simulation, in order. */
  note(event: SimEvent): void {
    switch (event.kind) {
      case 'turned':
        return this.#turned(event.node, event.events)
      case 'sent': {
        const { message } = event
        const handlers = this.#sent.get(message.kind)
        const actor = handlers && this.#lives[event.node.index]
        if (actor) for (const handle of handlers) handle(message, actor)
        return
      }
      case 'persisting': {
        const actor = this.#lives[event.node.index]
        if (actor) for (const handle of this.#handlers.persisting) handle(event.request, actor)
        return
      }
      case 'flushing':
        for (const handle of this.#handlers.flushing) handle(event.request, event.node)
        return
      case 'started':
        return this.#started(event.node)
      case 'crashed':
        return this.#crashed(event.node)
      case 'readGranted': {
        const actor = event.read === undefined ? this.#lives[event.node.index] : undefined
        if (actor) for (const handle of this.#handlers.leaseRead) handle(actor)
        return
      }
      case 'frameRefused':
        for (const handle of this.#handlers.frameRefused) handle()
        return
      case 'operated':
        for (const handle of this.#handlers.operated) handle(event.command, event.outcome)
        return
    }
  }

  #started(node: NodeView): void {
    if (node.life === undefined) return
    const actor = new Watched(node, node.life.core, this.#world.nowMs)
    this.#lives[node.index] = actor
    for (const handle of this.#handlers.started) handle(actor)
  }

  #crashed(node: NodeView): void {
    const actor = this.#lives[node.index]
    if (actor === undefined) return
    for (const handle of this.#handlers.crashed) handle(node, actor.before)
    this.#lives[node.index] = undefined
  }

  #turned(node: NodeView, events: readonly NodeEvent<ClientEvent>[]): void {
    const actor = this.#lives[node.index]
    if (actor === undefined) return
    for (const event of events) {
      if (event.kind === 'peer') this.#gotMessage(event.message, actor)
      else if (event.kind === 'client') this.#clientEvent(event.event, actor)
      else for (const handle of this.#events.get(event.kind) ?? NONE) handle(event, actor)
    }
    if (actor.isOther) for (const handle of this.#handlers.became) handle(actor)
    if (actor.core.role === 'leader') for (const handle of this.#handlers.led) handle(actor)
    const { ledger } = this.#world
    while (this.#committed < ledger.commitIndex) {
      const committed = ledger.at(++this.#committed)
      if (committed !== undefined) for (const handle of this.#handlers.committed) handle(committed, actor)
    }
    actor.settle(this.#world.nowMs)
  }

  #gotMessage(message: Message, actor: Actor): void {
    for (const handle of this.#handlers.gotAny) handle(message, actor)
    for (const handle of this.#got.get(message.kind) ?? NONE) handle(message, actor)
  }

  #clientEvent(event: ClientEvent, actor: Actor): void {
    if (event.kind !== 'frame') return
    for (const handle of this.#handlers.clientFrame) handle(event.bytes, actor)
  }
}

const NONE: readonly never[] = []

/** What is looked for, by the kind it is looked for in. The kind of a handler is that of its key. */
function byKind<Handle>(tables: readonly object[]): Map<MessageKind | string, Handle[]> {
  const found = new Map<string, Handle[]>()
  for (const table of tables) {
    for (const [kind, handle] of Object.entries(table)) {
      found.set(kind, [...(found.get(kind) ?? []), handle as Handle])
    }
  }
  return found
}
