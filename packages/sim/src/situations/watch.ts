import {
  type Entry,
  EntryKind,
  type Message,
  type MessageKind,
  type NodeEvent,
  type PersistRequest,
  type RaftCore,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { ClientEvent } from '@troupe/machines'
import type { NodeView, SimEvent, SimEventKind, Watcher, WorldView } from '../world-view.ts'
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

  /** A configuration comes and goes with what is stored. */
  hasStored = false

  /** The turn is over, and everybody has looked. */
  settle(nowMs: number): void {
    const { core, before } = this
    before.commitIndex = core.commitIndex
    before.lastIndex = core.lastIndex
    before.atMs = nowMs
    if (this.isOther) {
      before.role = core.role
      before.term = core.term
      before.leader = core.leader
      before.persistStalls = core.metrics.persistStalls
    }
    if (!this.hasStored) return
    this.hasStored = false
    before.configuration = core.configuration
    before.configurationIndex = core.configurationIndex
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
      strayed: all('strayed'),
      event: all('event'),
      clientFrame: all('clientFrame'),
      truncating: all('truncating'),
      configuring: all('configuring'),
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

  /** What looks at the simulation for them: one for each kind of event. */
  get watchers(): readonly Watcher[] {
    return [
      on('sent', ({ node, message }) => this.#sentMessage(node, message)),
      on('turned', ({ node, events }) => this.#turned(node, events)),
      on('persisting', ({ node, request }) => this.#persisting(node, request)),
      on('flushing', ({ node, request }) => {
        for (const handle of this.#handlers.flushing) handle(request, node)
      }),
      on('started', ({ node }) => this.#started(node)),
      on('crashed', ({ node, at }) => this.#crashed(node, at)),
      on('readGranted', ({ node, read }) => {
        const actor = read === undefined ? this.#lives[node.index] : undefined
        if (actor) for (const handle of this.#handlers.leaseRead) handle(actor)
      }),
      on('frameRefused', () => {
        for (const handle of this.#handlers.frameRefused) handle()
      }),
      on('operated', ({ command, outcome }) => {
        for (const handle of this.#handlers.operated) handle(command, outcome)
      }),
    ]
  }

  #sentMessage(node: NodeView, message: Message): void {
    const handlers = this.#sent.get(message.kind)
    const actor = handlers && this.#lives[node.index]
    if (actor) for (const handle of handlers) handle(message, actor)
  }

  #persisting(node: NodeView, request: PersistRequest): void {
    const actor = this.#lives[node.index]
    if (actor === undefined) return
    actor.hasStored = true
    for (const handle of this.#handlers.persisting) handle(request, actor)
    const { truncateFrom, token, entries } = request
    if (truncateFrom !== undefined) {
      for (const handle of this.#handlers.truncating) handle(truncateFrom, actor, token)
    }
    if (actor.core.role === 'leader' && entries.some(isConfiguration)) {
      for (const handle of this.#handlers.configuring) handle(actor)
    }
  }

  #started(node: NodeView): void {
    if (node.life === undefined) return
    const actor = new Watched(node, node.life.core, this.#world.nowMs)
    this.#lives[node.index] = actor
    for (const handle of this.#handlers.started) handle(actor)
  }

  #crashed(node: NodeView, at: FailpointName | undefined): void {
    const actor = this.#lives[node.index]
    if (actor === undefined) return
    for (const handle of this.#handlers.crashed) handle(node, actor.before, at)
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
    // A boot is never used again, under another incarnation either.
    const { toBoot } = message
    if (toBoot !== 0 && toBoot !== actor.node.boot) {
      for (const handle of this.#handlers.strayed) handle(message, actor)
    }
    for (const handle of this.#got.get(message.kind) ?? NONE) handle(message, actor)
  }

  #clientEvent(event: ClientEvent, actor: Actor): void {
    if (event.kind !== 'frame') return
    for (const handle of this.#handlers.clientFrame) handle(event.bytes, actor)
  }
}

const NONE: readonly never[] = []

const isConfiguration = ({ kind }: Entry): boolean => kind === EntryKind.configuration

function on<Kind extends SimEventKind>(
  kind: Kind,
  look: (event: Extract<SimEvent, { kind: Kind }>) => void,
): Watcher {
  return { on: [kind], check: (_, event) => look(event as Extract<SimEvent, { kind: Kind }>) }
}

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
