/**
 * Looks at a node in its own thread and tells what happens in it (records.ts). Changes nothing.
 *
 *     core ─► [probe] ─► store, transport, application          persist, send, apply, reads
 *     store ─► [probe] ─► node                                  what is flushed
 *     turn over ─► [probe]                                      its events, and what the core is now
 */

import type { NodeObserver, ObservedNode } from '@troupe/cluster'
import type {
  Application,
  ControlCommand,
  ControlOutcome,
  Entry,
  LogStore,
  Message,
  NodeEvent,
  PeerTransport,
  PersistRequest,
  StoreEvents,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { ClientEvent } from '@troupe/machines'
import { CheckedApplication } from '@troupe/sim/checked-application'
import type { Chunk, CoreState, NodeRecord, ToldEvent } from './records.ts'

/** Larger frames of clients are not looked into. */
const MAX_FRAME_BYTES = 4096
const MAX_READ_BYTES = 1 << 30
const NO_BYTES = new Uint8Array()

export interface ProbeOptions {
  readonly tell: (chunk: Chunk) => void
  /** The next number of all nodes together; without it chunks are ordered by time. */
  readonly next: () => number
  /** The monotonic clock of the computer. */
  readonly nowMs: () => number
}

export class NodeProbe implements NodeObserver {
  readonly #options: ProbeOptions
  readonly #commands = new Map<number, ControlCommand>()
  readonly #outcomes: ControlOutcome[] = []
  #records: NodeRecord[] = []
  #node: ObservedNode | undefined
  #configurationTold = -1

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  async store(open: (events: StoreEvents) => Promise<LogStore>, events: StoreEvents): Promise<LogStore> {
    const store = await open({
      ...events,
      onPersisted: (token) => {
        this.#records.push({ kind: 'flushed', token })
        // Before anybody is told.
        this.#tell()
        events.onPersisted(token)
      },
    })
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'persist') return (request: PersistRequest) => this.#persist(store, request)
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  #persist(store: LogStore, request: PersistRequest): void {
    const { messages: _, entries, repairs, ...rest } = request
    this.#records.push({
      kind: 'persisting',
      request: { ...rest, entries: entries.map(owned), repairs: repairs.map(owned) },
    })
    store.persist(request)
  }

  transport(inner: PeerTransport): PeerTransport {
    return {
      send: (messages) => {
        for (const message of messages) this.#records.push({ kind: 'sent', message: told(message) })
        // Before anybody can have them.
        this.#tell()
        inner.send(messages)
      },
    }
  }

  application(inner: Application<ClientEvent>): Application<ClientEvent> {
    return new CheckedApplication(inner, {
      applying: (entries) => this.#records.push({ kind: 'applied', entries: entries.map(owned) }),
      loaded: (index) => this.#records.push({ kind: 'loaded', index }),
      readAsked: (read) => {
        this.#records.push({ kind: 'readAsked', read })
        // Before anything is asked of others for it: what is committed later it need not see.
        this.#tell(true)
      },
      readGranted: (read, index) => {
        // By a lease: between the decision and this line others may have gone on, so nothing can be said of it.
        if (read !== undefined) this.#records.push({ kind: 'readGranted', read, index })
      },
    })
  }

  opened(node: ObservedNode): void {
    this.#node = node
    const { store, settings } = node
    const { incarnation, boot } = settings.identity
    this.#records.push({
      ...{ kind: 'started', incarnation, boot, hardState: store.hardState, base: store.base },
      ...{ entries: entriesOf(store), damaged: store.damaged },
    })
    this.#tell()
  }

  turned(events: readonly NodeEvent<ClientEvent>[]): void {
    for (const event of events) if (event.kind === 'control') this.#commands.set(event.id, event.command)
    for (const outcome of this.#outcomes.splice(0)) this.#operated(outcome)
    this.#records.push({ kind: 'turned', events: events.flatMap(toldEvent) })
    this.#tell()
  }

  /** Perhaps in the turn that has brought the command: its events come at its end. */
  controlled(outcome: ControlOutcome): void {
    this.#outcomes.push(outcome)
  }

  ending(at?: FailpointName): void {
    // All is handed to the disk before it is applied; and what a leader applies perhaps nobody knows yet to be committed.
    const isApplying = this.#records.some(({ kind }) => kind === 'applied')
    this.#records.push(at === undefined ? { kind: 'ended' } : { kind: 'ended', at })
    this.#tell(!isApplying)
  }

  #operated({ id, error }: ControlOutcome): void {
    const command = this.#commands.get(id)
    this.#commands.delete(id)
    if (command !== undefined) this.#records.push({ kind: 'operated', command, error: error?.toWire() })
  }

  #tell(isAmidTurn = false): void {
    const node = this.#node
    // What a store tells while the node is being made comes with its start.
    if (node === undefined) return
    const records = this.#records
    this.#records = []
    const { next, nowMs, tell } = this.#options
    tell({ number: next(), atMs: nowMs(), state: isAmidTurn ? undefined : this.#state(node), records })
  }

  #state({ core, driver, snapshots, nowMs, framesLost }: ObservedNode): CoreState {
    const isLeader = core.role === 'leader'
    const { configurationIndex, configuration } = core
    const isOther = configurationIndex !== this.#configurationTold
    this.#configurationTold = configurationIndex
    return {
      role: core.role,
      term: core.term,
      vote: core.vote,
      leader: core.leader,
      commitIndex: core.commitIndex,
      applied: driver.applied,
      lastIndex: core.lastIndex,
      stableIndex: core.stableIndex,
      configurationIndex,
      configuration: isOther ? configuration : undefined,
      damaged: core.damaged,
      lost: core.lost,
      isDiskFull: core.isDiskFull,
      persistStalls: core.metrics.persistStalls,
      snapshot: snapshots.latest,
      progress: isLeader
        ? Array.from(core.progress, ([id, { match, next, isFull, inflightMessages, inflightBytes }]) => {
            return { id, match, next, isFull, inflightMessages, inflightBytes }
          })
        : [],
      leaseIndex: isLeader ? core.leaseIndex(nowMs()) : undefined,
      proposalRefusal: core.proposalRefusal,
      transferTarget: core.transferTarget,
      framesLost: framesLost(),
    }
  }
}

/** What stands between the damaged ones. */
function entriesOf(store: LogStore): readonly Entry[] | undefined {
  const { base, lastIndex, damaged } = store
  const entries: Entry[] = []
  let from = base.index + 1
  try {
    for (const hole of [...damaged, { from: lastIndex + 1, to: lastIndex + 1 }]) {
      if (hole.from > from) entries.push(...store.read(from, hole.from - 1, MAX_READ_BYTES).map(owned))
      from = Math.max(from, hole.to + 1)
    }
    return entries
  } catch {
    return undefined
  }
}

/** With bytes of its own: a part of a larger buffer would be cloned with all of it. */
function owned(entry: Entry): Entry {
  const { record } = entry
  const isWhole = record.byteLength === record.buffer.byteLength
  return isWhole ? { ...entry } : { ...entry, record: record.slice() }
}

/** Without what it carries in bulk: the entries stand in the logs, and nobody looks into chunks. */
function told(message: Message): Message {
  switch (message.kind) {
    case 'appendRequest':
    case 'repairReply':
      return { ...message, entries: message.entries.map((entry) => ({ ...entry, record: NO_BYTES })) }
    case 'snapshotChunk':
      return { ...message, data: message.data.subarray(0, 1).slice() }
    case 'proposal':
      return { ...message, payload: NO_BYTES }
    default:
      return message
  }
}

function toldEvent(event: NodeEvent<ClientEvent>): ToldEvent[] {
  if (event.kind === 'peer') return [{ kind: 'peer', message: told(event.message) }]
  if (event.kind !== 'client') return [event]
  if (event.event.kind !== 'frame' || event.event.bytes.byteLength > MAX_FRAME_BYTES) return []
  return [{ kind: 'client', event: { kind: 'frame', bytes: event.event.bytes.slice() } }]
}
