/**
 * A real cluster as the simulator sees its own: chunks of what nodes tell, taken in the order of cause and effect, become the
 * events of the simulator. So its invariants, situations and figures are those of real clusters too, by the same names.
 *
 *     chunks of all nodes ─► ChunkOrder ─► MirrorNode ─► SimEvent ─► invariants │ situations │ figures │ triggers
 *
 * Names of what cannot be seen on a real cluster are in `unobservable`.
 */
import {
  type Configuration,
  EntryKind,
  type Member,
  type Message,
  membersOf,
  RaftError,
  type RaftKnobs,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { SessionLimits } from '@troupe/machines'
import {
  allInvariants,
  allSituations,
  Configurations,
  type Coverage,
  type Deed,
  directedSituations,
  type FaultEdge,
  Ledger,
  type LogContent,
  noCoverage,
  type SettledOperation,
  type SimEvent,
  type SimEventKind,
  type Situation,
  SituationWatch,
  Violation,
  type Watcher,
  type WorldView,
} from '@troupe/sim'
import type { RunFailure } from '../engine.ts'
import { MessageNumbers } from './message-numbers.ts'
import { MirrorNode } from './mirror-node.ts'
import { unobservable, unobservableInvariants } from './observable.ts'
import { OUT_OF_MEMORY } from './out-of-memory.ts'
import type { Chunk, CoreState, NodeRecord, ToldEvent } from './records.ts'

export interface MirrorOptions {
  readonly nodeIds: readonly string[]
  readonly knobs: RaftKnobs
  readonly sessions: SessionLimits
  /** By the clock of the chunks: time 0 of the run. */
  readonly originMs: number
  /** Time of the run. */
  readonly nowMs: () => number
  readonly onFailure: (failure: RunFailure) => void
  readonly onLine: (line: string) => void
}

export class Mirror implements WorldView {
  readonly plan: { readonly knobs: RaftKnobs; readonly sessions: SessionLimits }
  readonly nodes: readonly MirrorNode[]
  readonly ledger = new Ledger()
  readonly coverage: Coverage = noCoverage()
  readonly situations: readonly Situation[]
  /** Time of the event that is looked at. */
  nowMs = 0
  failure: RunFailure | undefined
  /** Why nothing can be said of what its nodes do any more. */
  blindness: string | undefined
  /** The run is over: nodes that stop now have not crashed. */
  isOver = false
  readonly #options: MirrorOptions
  readonly #byKind = new Map<SimEventKind, Watcher[]>()
  readonly #numbers = new MessageNumbers()
  readonly #ids = new WeakMap<object, number>()
  /** The same number for a message where it is sent and where it comes. */
  readonly messageIds = { of: (message: Message): number => this.#ids.get(message) ?? 0 }
  #configurations: Configurations | undefined

  constructor(options: MirrorOptions) {
    const { knobs, sessions, nodeIds } = options
    this.#options = options
    this.plan = { knobs, sessions }
    this.nodes = nodeIds.map((id, index) => new MirrorNode(id, index, { nowMs: () => this.nowMs }))
    const { invariants } = allInvariants(this.coverage)
    const watch = new SituationWatch(
      this,
      [...allSituations(this), ...directedSituations(this)].filter(({ name }) => !unobservable.has(name)),
    )
    this.situations = watch.situations
    this.listen(invariants.filter(({ name }) => !unobservableInvariants.has(name)))
    this.listen(watch.watchers)
  }

  listen(watchers: readonly Watcher[]): void {
    for (const watcher of watchers) {
      for (const kind of watcher.on) this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), watcher])
    }
  }

  /** The members, as last committed. */
  get members(): readonly Member[] {
    const { ledger } = this
    return this.#configurations === undefined ? [] : membersOf(this.#configurations.committed(ledger))
  }

  contentOf({ id, incarnation }: Member): LogContent | undefined {
    const node = this.node(id)
    return node?.incarnation === incarnation ? node.disk.log.flushed : node?.graves.get(incarnation)
  }

  node(id: string): MirrorNode | undefined {
    return this.nodes.find((node) => node.id === id)
  }

  /** Who leads in the latest term. */
  get leader(): MirrorNode | undefined {
    let latest: MirrorNode | undefined
    for (const node of this.nodes) {
      if (node.isLeader && (node.life?.core.term ?? 0) > (latest?.life?.core.term ?? 0)) latest = node
    }
    return latest
  }

  /** How often each situation was reached; those that were not are left out. */
  get counts(): Record<string, number> {
    return Object.fromEntries(
      this.situations.filter(({ count }) => count > 0).map(({ name, count }) => [name, count]),
    )
  }

  // ---- what is told

  /** Takes the next chunk: in the order of cause and effect. */
  take(id: string, { atMs, state, records }: Chunk): void {
    const node = this.node(id)
    if (node === undefined || this.#isDeaf) return
    this.nowMs = Math.max(this.nowMs, atMs - this.#options.originMs)
    this.#guarded(() => {
      const [first] = records
      if (first?.kind === 'started' && state !== undefined) this.#start(node, first, state)
      if (state !== undefined) node.take(state)
      this.coverage.framesLost = this.nodes.reduce((sum, { framesLost }) => sum + framesLost, 0)
      for (const record of records) this.#note(node, record)
      if (state !== undefined && records.at(-1)?.kind !== 'turned') this.#follow(node)
    })
  }

  /** In the middle of a turn: what is sent next tells others of what is committed. */
  #follow(node: MirrorNode): void {
    if (this.ledger.follow(node)) this.#observe({ kind: 'applied', node, entries: [] })
  }

  get #isDeaf(): boolean {
    return this.isOver || this.failure !== undefined || this.blindness !== undefined
  }

  /** A node has told of something when what came behind it had been looked at. */
  late(id: string): void {
    this.#cannotSee(`${id} told too late of what it did: whether it was wrong nobody knows`)
  }

  #cannotSee(why: string): void {
    this.blindness ??= why
    this.#options.onLine(why)
  }

  /** A node is gone; `why`: the code of the error that took it along. It may have told of that itself. */
  exited(id: string, atMs: number, why?: string): void {
    const node = this.node(id)
    if (node === undefined || this.#isDeaf) return
    if (why === 'STORAGE_FAILED') this.coverage.storageFailures++
    if (why === OUT_OF_MEMORY) this.coverage.heapDeaths = (this.coverage.heapDeaths ?? 0) + 1
    this.nowMs = Math.max(this.nowMs, atMs - this.#options.originMs)
    this.#guarded(() => this.#end(node))
  }

  #end(node: MirrorNode, at?: FailpointName): void {
    if (node.life === undefined) return
    this.coverage.crashes++
    if (node.disk.log.waiting.some(({ entries }) => entries.length > 0)) this.coverage.lostWrites++
    node.end()
    this.#observe({ kind: 'crashed', node, at })
  }

  /** Its supervisor does not start a node any more. */
  givenUp(id: string): void {
    this.#options.onLine(`${id} is given up`)
    this.coverage.quarantines = (this.coverage.quarantines ?? 0) + 1
  }

  healed(): void {
    this.#happened({ kind: 'healed' })
  }

  /** What a client asked is over. */
  settled(operation: SettledOperation): void {
    this.#happened({ kind: 'settled', ...operation })
  }

  /** Something was done to the cluster, or is over. */
  faulted(id: number, deed: Deed, edge: FaultEdge): void {
    this.#happened({ kind: 'fault', id, deed, edge })
  }

  #happened(event: SimEvent): void {
    if (this.#isDeaf) return
    this.nowMs = Math.max(this.nowMs, this.#options.nowMs())
    this.#guarded(() => this.#observe(event))
  }

  #start(node: MirrorNode, record: Extract<NodeRecord, { kind: 'started' }>, state: CoreState): void {
    node.end()
    // Whoever had its name before has lost its directory.
    if (node.incarnation !== 0 && node.incarnation !== record.incarnation) this.coverage.wipes++
    if (record.entries === undefined || !node.begin(record, state)) {
      return this.#cannotSee(`${node.id} starts with a damaged log: what it holds nobody knows`)
    }
    node.disk.log.observer = {
      persisting: (request) => this.#observe({ kind: 'persisting', node, request }),
      flushing: (request) => this.#observe({ kind: 'flushing', node, request }),
    }
    const { configuration } = state
    if (configuration !== undefined && configuration.voters.length > 0) this.#begin(configuration, state)
  }

  /** The first node tells what the group begins with. */
  #begin(configuration: Configuration, { configurationIndex }: CoreState): void {
    if (configurationIndex === 0) this.#configurations ??= new Configurations(configuration)
  }

  #note(node: MirrorNode, record: NodeRecord): void {
    if (node.life === undefined) return
    const { log } = node.disk
    switch (record.kind) {
      case 'started':
        return this.#observe({ kind: 'started', node })
      case 'persisting':
        for (const entry of record.request.entries) {
          if (entry.kind === EntryKind.configuration) this.#configurations?.note(entry)
        }
        return log.persist({ ...record.request, messages: [] })
      case 'flushed':
        log.write(log.waiting.filter(({ token }) => token <= record.token).length)
        return
      case 'sent':
        this.#ids.set(record.message, this.#numbers.sent(record.message))
        return this.#observe({ kind: 'sent', node, message: record.message })
      case 'applied':
        this.ledger.follow(node)
        return this.#observe({ kind: 'applied', node, entries: record.entries })
      case 'loaded':
        return this.#observe({ kind: 'loaded', node, index: record.index })
      case 'readAsked':
        return this.#observe({ kind: 'readAsked', node, read: record.read })
      case 'readGranted':
        return this.#observe({ kind: 'readGranted', node, read: record.read, index: record.index })
      case 'operated':
        return this.#operated(record)
      case 'turned':
        return this.#turned(node, record.events)
      case 'ended':
        return this.#end(node, record.at)
    }
  }

  #operated({ command, error }: Extract<NodeRecord, { kind: 'operated' }>): void {
    const outcome = { id: 0, error: error === undefined ? undefined : RaftError.fromWire(error) }
    this.#observe({ kind: 'operated', command, outcome })
  }

  #turned(node: MirrorNode, events: readonly ToldEvent[]): void {
    for (const event of events) {
      if (event.kind === 'snapshotReceived') this.coverage.snapshotsInstalled++
      if (event.kind === 'snapshotSaved') this.coverage.snapshotsSaved++
      if (event.kind !== 'peer') continue
      const number = this.#numbers.received(event.message)
      if (number !== undefined) this.#ids.set(event.message, number)
    }
    this.coverage.turns++
    this.ledger.follow(node)
    this.#observe({ kind: 'turned', node, events: events as never })
  }

  #observe(event: SimEvent): void {
    for (const watcher of this.#byKind.get(event.kind) ?? []) watcher.check(this, event)
  }

  #guarded(run: () => void): void {
    if (this.failure !== undefined) return
    try {
      run()
    } catch (error) {
      const isViolation = error instanceof Violation
      const { message = `${error}`, stack = '' } = error as Error
      this.failure = {
        invariant: isViolation ? error.rule : 'the laboratory itself',
        message: isViolation ? message : stack,
        atMs: this.nowMs,
      }
      this.#options.onFailure(this.failure)
    }
  }
}
