/**
 * A Raft node as an actor: its mailbox, and everything that the driver stands on.
 *
 *     ports or sockets ─► mailbox ─► turn: NodeDriver.handle(events) ─► store, ports or sockets
 *                            ▲
 *                    flush completed, timer
 */
import { createHash } from 'node:crypto'
import { getHeapStatistics } from 'node:v8'
import {
  type CpuProfile,
  CpuProfiler,
  hrtimeMs,
  Mailbox,
  type MailboxBatch,
  threadUsage,
} from '@troupe/actor'
import {
  type ControlCommand,
  type ControlOutcome,
  invalidOption,
  type LogStore,
  type MessageKind,
  type NodeDriver,
  type NodeEvent,
  type NodeId,
  type RaftCore,
  type RoleChange,
  type SnapshotEvents,
  type SnapshotStore,
  type StoreEvents,
} from '@troupe/core'
import {
  type ClientEvent,
  Gateway,
  type GatewayOptions,
  type MachineDefinition,
  type ReplicatedMachine,
} from '@troupe/machines/host'
import type { LmdbMachineStorage, NodeDirectory } from '@troupe/store'
import type { PeerEvents } from '@troupe/transport'
import { type Aside, codec } from '@troupe/wire'
import type { FaultOrder } from './faults/fault-orders.ts'
import type { NodeFaults } from './faults/node-faults.ts'
import { loadMachine } from './load-machine.ts'
import { makeDriver } from './make-driver.ts'
import { NodeRecorder } from './metrics/node-reading.ts'
import type { NodeControl, NodeNotices, NodeReading, NodeSettings, NodeStatus } from './node-control.ts'
import type { NodeEdges, OpenEdges } from './node-edges.ts'
import { openMachine } from './node-machine.ts'
import type { NodeObserver, ObservedNode } from './node-observer.ts'
import { type NodeLog, openDirectory, openSnapshots, openState, openStore } from './node-storage.ts'
import type { FlightRecorder } from './recording/flight-recorder.ts'
import { Rehearsal } from './rehearsal.ts'
import { type NodeTrace, NodeTracer } from './stage-trace.ts'
import { Gossip } from './view/gossip.ts'
import type { DiskHealth, NodeNews } from './view/node-news.ts'
import { StatusBoard } from './view/status-board.ts'
import { WakeTimer } from './wake-timer.ts'

type Event = NodeEvent<ClientEvent>

/** Lanes in the order they are stepped. */
type Lanes = {
  /** What operators ask for. Questions that change nothing are answered between turns. */
  control: Event
  /** Votes, heartbeats, completed flushes. */
  urgent: Event
  /** Appends and their answers; peers that come and go. */
  replication: Event
  clients: Event
}

/** What waits its turn behind votes and heartbeats. */
const BULK: ReadonlySet<MessageKind> = new Set([
  'appendRequest',
  'appendReply',
  'proposal',
  'snapshotPull',
  'snapshotChunk',
  'repairReply',
])

const MOST_BATCH_BYTES_ON_DISK = 256 << 10

const LANES = ['control', 'urgent', 'replication', 'clients'] as const

/** What a node runs in: a worker of a cluster, or a process of its own. */
export interface NodeHost {
  readonly openEdges: OpenEdges
  readonly notices: NodeNotices
  /** Undefined: it cannot have any. */
  readonly faults?: NodeFaults | undefined
  /** Undefined: nobody looks. */
  readonly observer?: NodeObserver | undefined
  /** Undefined: its turns are not recorded. */
  readonly recorder?: FlightRecorder | undefined
  /** Hears what its start is at from now on. */
  readonly reached?: (stage: string) => void
  /** Takes the node down, and whatever it runs in. */
  fail(error: unknown): never
}

export class RaftNode implements NodeControl {
  readonly #settings: NodeSettings
  readonly #notices: NodeNotices
  readonly #directory: NodeDirectory | undefined
  readonly #store: LogStore
  readonly #snapshots: SnapshotStore
  readonly #state: LmdbMachineStorage | undefined
  readonly #machine: ReplicatedMachine
  readonly #leaveAtRest: () => void
  readonly #gateway: Gateway
  readonly #edges: NodeEdges
  readonly #driver: NodeDriver<ClientEvent>
  readonly #mailbox: Mailbox<Lanes>
  readonly #timer: WakeTimer
  readonly #faults: NodeFaults | undefined
  readonly #observer: NodeObserver | undefined
  readonly #flight: FlightRecorder | undefined
  readonly #events: Event[] = []
  readonly #rehearsal: Rehearsal
  readonly #recorder: NodeRecorder
  readonly #board: StatusBoard
  readonly #gossip: Gossip
  readonly #nowMs: () => number
  #longestTurnMs = 0
  /** The most events that a turn has found since the node last told of itself. */
  #deepestTurn = 0
  #tracer: NodeTracer | undefined
  #profiler: Promise<CpuProfiler> | undefined

  /**
   * Opens everything a node needs; it does nothing until something comes over its edges, or its timer fires.
   * @throws RaftError INVALID_MACHINE, INVALID_DIRECTORY, STORAGE_FAILED, STORAGE_DAMAGED, INVALID_OPTIONS
   */
  static async open(settings: NodeSettings, host: NodeHost): Promise<RaftNode> {
    const { faults } = host
    faults?.failpoints.reached('start')
    host.reached?.('it loads its machine')
    const definition = await loadMachine(settings.machine)
    host.reached?.('it opens its directory')
    const directory = openDirectory(settings)
    // A store reports nothing before it is handed something: by then there is the node.
    let node: RaftNode | undefined
    const recorder = new NodeRecorder()
    const events: StoreEvents = {
      onPersisted: (token) => {
        if (node !== undefined) node.#persisted(token)
      },
      onFailed: (error) => host.fail(error),
      onFlushed: recorder.flushed,
      onSpace: (isFull) => {
        if (node !== undefined) node.#spaceChanged(isFull)
      },
    }
    const open = (to: StoreEvents): Promise<LogStore> => openStore(settings, directory, to)
    const { observer } = host
    host.reached?.('it opens its log')
    const faulty = faults === undefined ? open : (to: StoreEvents) => faults.store(open, to)
    const store = await (observer === undefined ? faulty(events) : observer.store(faulty, events))
    host.reached?.('it opens its snapshots and its state')
    node = new RaftNode(settings, host, definition, directory, store, recorder)
    return node
  }

  private constructor(
    settings: NodeSettings,
    host: NodeHost,
    definition: MachineDefinition,
    directory: NodeDirectory | undefined,
    store: LogStore,
    recorder: NodeRecorder,
  ) {
    this.#recorder = recorder
    const { identity } = settings
    const { faults, notices, observer, recorder: flight } = host
    this.#settings = settings
    this.#notices = notices
    this.#directory = directory
    this.#store = store
    this.#faults = faults
    this.#observer = observer
    this.#flight = flight
    this.#mailbox = new Mailbox<Lanes>({
      lanes: LANES,
      onTurn: (batch) => this.#turn(batch),
    })
    this.#snapshots = openSnapshots(settings, directory, this.#snapshotEvents(host), this.#log)
    this.#state = openState(settings, definition, directory, this.#log)
    flight?.found(this.#state)
    const ground = { directory, state: this.#state, store, snapshot: this.#snapshots.latest }
    const isRecorded = flight !== undefined
    const { replica, leaveAtRest } = openMachine(settings, definition, { ...ground, isRecorded }, this.#log)
    this.#machine = replica
    this.#leaveAtRest = leaveAtRest
    const nowMs = faults === undefined ? hrtimeMs : () => faults.clock.nowMs()
    this.#nowMs = nowMs
    const turnMs = flight?.clock(nowMs) ?? nowMs
    this.#gateway = new Gateway(this.#machine, codec, this.#gatewayOptions(), turnMs)
    if (faults !== undefined) this.#allow(faults)
    const push = (event: ClientEvent): void => this.#mailbox.push('clients', { kind: 'client', event })
    const pushClient = flight === undefined ? push : (event: ClientEvent) => push(flight.client(event))
    this.#edges = host.openEdges(identity, this.#peerEvents(), pushClient)
    this.#driver = this.#makeDriver(host, turnMs)
    const { core } = this.#driver
    this.#board = new StatusBoard(identity, settings.raft, () => core.configuration, nowMs())
    this.#gossip = this.#makeGossip()
    const wake = (): void => this.#mailbox.wake()
    this.#timer = faults === undefined ? new WakeTimer(wake) : faults.timer(wake)
    observer?.opened(this.#observed(core))
    // The first turn loads the latest snapshot.
    this.#mailbox.wake()
    this.#timer.arm(this.#driver.deadlineMs, hrtimeMs())
    this.#rehearsal = new Rehearsal(settings.raft, settings.gateway, settings.seed)
  }

  #makeDriver(host: NodeHost, nowMs: () => number): NodeDriver<ClientEvent> {
    const settings = this.#settings
    return makeDriver(host, {
      settings,
      configuration: this.#directory?.identity.configuration ?? settings.configuration,
      store: this.#store,
      snapshots: this.#snapshots,
      transport: this.#edges.transport,
      application: this.#gateway,
      gateway: this.#gatewayOptions(),
      nowMs,
      onRole: (change) => this.#tellRole(change),
      onControl: (outcome) => this.#tellControl(outcome),
    })
  }

  #allow(faults: NodeFaults): void {
    faults.print = (detail) => this.#log('warn', 'failpoint', detail)
    faults.dying = (at) => this.#observer?.ending(at)
    faults.failpoints.snapshots(this.#snapshots)
    faults.failpoints.applying(this.#gateway)
  }

  #observed(core: RaftCore): ObservedNode {
    return {
      settings: this.#settings,
      core,
      driver: this.#driver,
      store: this.#store,
      snapshots: this.#snapshots,
      nowMs: this.#nowMs,
      framesLost: () => this.#faults?.framesLost ?? 0,
    }
  }

  #snapshotEvents({ fail, faults }: NodeHost): SnapshotEvents {
    const events: SnapshotEvents = {
      onSnapshotSaved: (meta) => this.#mailbox.push('urgent', { kind: 'snapshotSaved', meta }),
      onSnapshotReceived: (meta) => this.#mailbox.push('urgent', { kind: 'snapshotReceived', meta }),
      onFailed: fail,
    }
    return faults?.failpoints.snapshotEvents(events) ?? events
  }

  #peerEvents(): PeerEvents {
    return {
      message: (message) => {
        this.#mailbox.push(BULK.has(message.kind) ? 'replication' : 'urgent', { kind: 'peer', message })
      },
      aside: (id, aside) => this.#gossip.received(id, aside, this.#nowMs()),
      // Behind everything the peer has sent: its last appends must not make it the leader again.
      peerUp: (id) => {
        this.#faults?.peerUp(id)
        this.#board.peerUp(id)
        this.#mailbox.push('replication', { kind: 'peerUp', id })
      },
      peerGone: (id) => {
        if (this.#faults?.believes(id) === false) return
        this.#board.peerGone(id)
        this.#mailbox.push('replication', { kind: 'peerGone', id })
      },
      refused: (id, reason) => this.#log('warn', 'connection refused', { peer: id, reason }),
    }
  }

  #persisted(token: number): void {
    this.#tracer?.flushed(token)
    this.#mailbox.push('urgent', { kind: 'persisted', token })
  }

  #spaceChanged(isFull: boolean): void {
    this.#mailbox.push('urgent', { kind: 'diskSpace', isFull })
    const detail = { path: this.#directory?.logPath }
    if (isFull)
      this.#log('warn', 'the disk is full: what is written waits, new proposals are refused', detail)
    else this.#log('warn', 'the disk has space again', detail)
  }

  /** An entry is applied within one turn, and heartbeats wait behind it: on the disk it must not be as large as in memory. */
  #gatewayOptions(): GatewayOptions {
    const { gateway } = this.#settings
    if (this.#state === undefined) return gateway
    const maxBatchBytes = Math.min(gateway.maxBatchBytes, MOST_BATCH_BYTES_ON_DISK)
    return { ...gateway, maxBatchBytes }
  }

  // ---- turns

  #turn(batch: MailboxBatch<Lanes>): void {
    const beganMs = hrtimeMs()
    const events = this.#events
    for (const lane of LANES) for (const event of batch[lane]) events.push(event)
    if (events.length > this.#deepestTurn) this.#deepestTurn = events.length
    this.#driver.handle(events)
    this.#observer?.turned(events)
    events.length = 0
    this.#edges.drained()
    if (this.#driver.hasMore) this.#mailbox.wake()
    const nowMs = hrtimeMs()
    this.#longestTurnMs = Math.max(this.#longestTurnMs, nowMs - beganMs)
    if (this.#gossip.turnEnded(this.#faults === undefined ? nowMs : this.#nowMs())) this.#deepestTurn = 0
    this.#timer.arm(Math.min(this.#driver.deadlineMs, this.#gossip.deadlineMs), nowMs)
  }

  // ---- news

  #tellRole({ role, term, leader }: RoleChange): void {
    this.#recorder.follows(leader)
    this.#notices.tell({ kind: 'role', role, term, leader: leader ?? null, atMs: hrtimeMs() })
  }

  #tellControl(outcome: ControlOutcome): void {
    this.#observer?.controlled(outcome)
    const { id, error } = outcome
    this.#notices.tell({ kind: 'control', id, error: error?.toWire() ?? null })
  }

  readonly #log: NodeLog = (level, event, detail) => this.#notices.tell({ kind: 'log', level, event, detail })

  #makeGossip(): Gossip {
    return new Gossip({
      board: this.#board,
      heartbeatIntervalMs: this.#settings.raft.heartbeatIntervalMs,
      news: () => this.#news(),
      send: (to, aside) => this.#sendAside(to, aside),
    })
  }

  #news(): NodeNews {
    const { core, applied } = this.#driver
    const { role, term, leader = null, commitIndex: commit, lastIndex } = core
    const disk = diskHealth(core)
    return { role, term, leader, commit, applied, lastIndex, disk, mailboxDepth: this.#deepestTurn }
  }

  #sendAside(to: NodeId, aside: Aside): void {
    const { transport } = this.#edges
    if (this.#faults === undefined) return transport.sendAside(to, aside)
    this.#faults.aside(this.#settings.identity.id, to, () => transport.sendAside(to, aside))
  }

  // ---- control

  async status(): Promise<NodeStatus> {
    const { core, applied } = this.#driver
    const mailbox = this.#mailbox.metrics()
    const heap = getHeapStatistics()
    return {
      id: core.id,
      role: core.role,
      term: core.term,
      leader: core.leader,
      commit: core.commitIndex,
      applied,
      lastIndex: core.lastIndex,
      stable: core.stableIndex,
      base: core.baseIndex,
      snapshot: this.#snapshots.latest?.index ?? 0,
      incarnation: this.#settings.identity.incarnation,
      configuration: core.configuration,
      isConfigurationCommitted: core.configurationIndex <= core.commitIndex,
      configurationIndex: core.configurationIndex,
      damaged: core.damaged,
      lost: core.lost,
      isDiskFull: core.isDiskFull,
      match: Object.fromEntries(core.matchIndexes),
      durability: this.#store.durability,
      view: this.#board.view(this.#news(), this.#nowMs()),
      metrics: {
        ...core.metrics,
        ...this.#store.metrics,
        ...this.#edges.transport.metrics,
        ...threadUsage(),
        commandsApplied: this.#machine.commandsApplied,
        sessions: this.#machine.sessions.count,
        clients: this.#gateway.clientCount,
        refusedFrames: this.#gateway.refusedFrames,
        turns: mailbox.turns,
        longestTurnMs: this.#longestTurnMs,
        heapUsedBytes: heap.used_heap_size,
        externalBytes: heap.external_memory,
        mailboxDepth: mailbox.depth,
        mailboxGreatestDepth: mailbox.greatestDepth,
      },
    }
  }

  async measures(): Promise<NodeReading> {
    const status = await this.status()
    const trips = Array.from(this.#board.roundTrips, ([peer, { histogram }]) => {
      return [peer, histogram.reading()] as const
    })
    return this.#recorder.reading(status, trips, this.#board.ignored)
  }

  async digest(): Promise<{ readonly applied: number; readonly sha256: string }> {
    const hash = createHash('sha256')
    for (const chunk of this.#machine.save()) hash.update(chunk)
    return { applied: this.#driver.applied, sha256: hash.digest('hex') }
  }

  async begin(id: number, command: ControlCommand): Promise<void> {
    this.#mailbox.push('control', { kind: 'control', id, command })
  }

  async startTrace(): Promise<void> {
    this.#traceBy(new NodeTracer())
  }

  async takeTrace(): Promise<NodeTrace | undefined> {
    const trace = this.#tracer?.trace()
    this.#traceBy(undefined)
    return trace
  }

  #traceBy(tracer: NodeTracer | undefined): void {
    this.#tracer = tracer
    this.#driver.tracer = tracer
    this.#gateway.tracer = tracer
  }

  async startProfile(): Promise<void> {
    this.#profiler ??= CpuProfiler.start()
    await this.#profiler
  }

  async takeProfile(): Promise<CpuProfile | undefined> {
    const profiler = await this.#profiler
    this.#profiler = undefined
    return profiler?.stop()
  }

  async peerExited(id: NodeId, boot: number): Promise<void> {
    if (this.#faults?.believes(id) === false) return
    this.#mailbox.push('control', { kind: 'peerExited', id, boot })
  }

  async replan(nodes: readonly NodeId[]): Promise<void> {
    this.#edges.replan?.(nodes)
  }

  async obey(order: FaultOrder): Promise<number> {
    if (this.#faults === undefined)
      throw invalidOption('faults', false, 'true, for a node that is to have faults')
    return this.#faults.obey(order)
  }

  /** This thread is about to end: peers and clients need not wait until they notice. */
  farewell(): void {
    this.#observer?.ending()
    this.#edges.farewell()
  }

  /** Closes what leads out, and the store once its flushes are done; then gives the directory back. */
  async stop(): Promise<void> {
    this.#timer.clear()
    this.#rehearsal.cancel()
    this.#faults?.close()
    this.#mailbox.close()
    const closed = [this.#edges.close(), this.#store.close(), this.#snapshots.close(), this.#state?.close()]
    await Promise.all(closed)
    this.#leaveAtRest()
    this.#flight?.close()
    this.#directory?.close()
    this.#notices.close()
  }
}

function diskHealth({ lost, damaged, isDiskFull }: RaftCore): DiskHealth {
  if (lost !== undefined) return 'lost'
  if (damaged.length > 0) return 'repairing'
  return isDiskFull ? 'full' : 'ok'
}
