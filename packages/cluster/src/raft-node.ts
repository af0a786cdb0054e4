/**
 * A Raft node as an actor: its mailbox, and everything that the driver stands on.
 *
 *     ports ─► links ─► mailbox ─► turn: NodeDriver.handle(events) ─► store, links
 *                          ▲
 *                  flush completed, timer
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import type { PortMessage } from '@troupe/actor'
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
  NodeDriver,
  type NodeEvent,
  type NodeId,
  RaftCore,
  type RoleChange,
  type SegmentSpace,
  type SnapshotEvents,
  type SnapshotStore,
  type StoreEvents,
  seededRandom,
} from '@troupe/core'
import {
  type ClientEvent,
  createMachine,
  Gateway,
  type GatewayOptions,
  type MachineDefinition,
  ReplicatedMachine,
  storagePlaceOf,
} from '@troupe/machines'
import {
  type LmdbMachineStorage,
  type NodeDirectory,
  openFileSegments,
  openFileSnapshotStore,
  openLmdbLogStore,
  openLmdbMachineStorage,
  openMemoryLogStore,
  openMemorySnapshotStore,
  openNodeDirectory,
} from '@troupe/store'
import { PortTransport } from '@troupe/transport'
import { codec, crc32 } from '@troupe/wire'
import { ClientPorts } from './client-ports.ts'
import type { FaultOrder } from './faults/fault-orders.ts'
import { NodeFaults } from './faults/node-faults.ts'
import { loadMachine } from './load-machine.ts'
import type { LogLevel } from './logger.ts'
import type { NodeBirth, NodeControl, NodeNotice, NodeStatus, PortMeta } from './node-control.ts'
import { Rehearsal } from './rehearsal.ts'
import { type NodeTrace, NodeTracer } from './stage-trace.ts'
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

export class RaftNode implements NodeControl {
  readonly #birth: NodeBirth
  readonly #directory: NodeDirectory | undefined
  readonly #store: LogStore
  readonly #snapshots: SnapshotStore
  readonly #state: LmdbMachineStorage | undefined
  readonly #machine: ReplicatedMachine
  readonly #gateway: Gateway
  readonly #transport: PortTransport
  readonly #clients: ClientPorts
  readonly #driver: NodeDriver<ClientEvent>
  readonly #mailbox: Mailbox<Lanes>
  readonly #timer: WakeTimer
  readonly #faults: NodeFaults | undefined
  readonly #events: Event[] = []
  readonly #rehearsal: Rehearsal
  #longestTurnMs = 0
  #tracer: NodeTracer | undefined
  #profiler: Promise<CpuProfiler> | undefined

  /**
   * Opens everything a node needs; it does nothing until it is handed ports.
   * @param fail takes the actor down
   * @throws RaftError INVALID_MACHINE, INVALID_DIRECTORY, STORAGE_FAILED, STORAGE_DAMAGED, INVALID_OPTIONS
   */
  static async open(birth: NodeBirth, fail: (error: unknown) => never): Promise<RaftNode> {
    const { identity } = birth
    const definition = await loadMachine(birth.machine)
    const isInMemory = birth.durability === 'memory'
    const directory = isInMemory
      ? undefined
      : openNodeDirectory(birth.directory, { ...identity, nodeId: identity.id })
    // A store reports nothing before it is handed something: by then there is the node.
    let node: RaftNode | undefined
    const events: StoreEvents = {
      onPersisted: (token) => {
        if (node !== undefined) node.#persisted(token)
      },
      onFailed: fail,
      onSpace: (isFull) => {
        if (node !== undefined) node.#spaceChanged(isFull)
      },
    }
    const open = (to: StoreEvents): Promise<LogStore> => openStore(birth, directory, to)
    const faults =
      birth.faults === undefined ? undefined : new NodeFaults(birth.faults, () => fail(undefined))
    const store = await (faults === undefined ? open(events) : faults.store(open, events))
    node = new RaftNode(birth, definition, directory, store, fail, faults)
    return node
  }

  private constructor(
    birth: NodeBirth,
    definition: MachineDefinition,
    directory: NodeDirectory | undefined,
    store: LogStore,
    fail: (error: unknown) => never,
    faults: NodeFaults | undefined,
  ) {
    this.#birth = birth
    this.#directory = directory
    this.#store = store
    this.#faults = faults
    const { identity } = birth
    this.#mailbox = new Mailbox<Lanes>({
      lanes: LANES,
      onTurn: (batch) => this.#turn(batch),
    })
    this.#snapshots = this.#openSnapshots({
      onSnapshotSaved: (meta) => this.#mailbox.push('urgent', { kind: 'snapshotSaved', meta }),
      onSnapshotReceived: (meta) => this.#mailbox.push('urgent', { kind: 'snapshotReceived', meta }),
      onFailed: fail,
    })
    this.#state = this.#openState(definition)
    this.#machine = this.#makeMachine(definition)
    const nowMs = faults === undefined ? hrtimeMs : () => faults.clock.nowMs()
    this.#gateway = new Gateway(this.#machine, codec, this.#gatewayOptions(), nowMs)
    this.#transport = this.#openTransport()
    this.#clients = new ClientPorts((event) => this.#mailbox.push('clients', { kind: 'client', event }))
    const configuration = this.#directory?.identity.configuration ?? birth.configuration
    const random = seededRandom(birth.seed)
    const core = new RaftCore(
      { ...birth.raft, identity, configuration, random, checksum: crc32, kept: this.#machine.kept },
      this.#store,
      this.#snapshots,
      nowMs(),
    )
    this.#driver = new NodeDriver({
      core,
      store: this.#store,
      snapshots: this.#snapshots,
      transport: faults === undefined ? this.#transport : faults.transport(this.#transport),
      application: this.#gateway,
      clock: { nowMs },
      checksum: crc32,
      knobs: birth.raft,
      onRole: (change) => this.#tellRole(change),
      onControl: (outcome) => this.#tellControl(outcome),
    })
    const wake = (): void => this.#mailbox.wake()
    this.#timer = faults === undefined ? new WakeTimer(wake) : faults.timer(wake)
    // The first turn loads the latest snapshot.
    this.#mailbox.wake()
    this.#timer.arm(this.#driver.deadlineMs, hrtimeMs())
    this.#rehearsal = new Rehearsal(birth.raft, birth.gateway, birth.seed)
  }

  #openTransport(): PortTransport {
    return new PortTransport(this.#birth.identity, {
      message: (message) => {
        this.#mailbox.push(BULK.has(message.kind) ? 'replication' : 'urgent', { kind: 'peer', message })
      },
      // Behind everything the peer has sent: its last appends must not make it the leader again.
      peerUp: (id) => {
        this.#faults?.peerUp(id)
        this.#mailbox.push('replication', { kind: 'peerUp', id })
      },
      peerGone: (id) => {
        if (this.#faults?.believes(id) === false) return
        this.#mailbox.push('replication', { kind: 'peerGone', id })
      },
      refused: (id, reason) => this.#log('warn', 'connection refused', { peer: id, reason }),
    })
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

  #openSnapshots(events: SnapshotEvents): SnapshotStore {
    const { durability, identity } = this.#birth
    if (durability === 'memory') return openMemorySnapshotStore({ events })
    const path = (this.#directory as NodeDirectory).snapshotPath
    return openFileSnapshotStore({
      path,
      identity,
      durability,
      events,
      onDamaged: (damaged) => this.#log('error', 'damaged snapshot moved aside', { ...damaged }),
    })
  }

  /** For a machine that keeps its state on the disk. */
  #openState(definition: MachineDefinition): LmdbMachineStorage | undefined {
    const { machineOptions, identity } = this.#birth
    if (storagePlaceOf(definition, machineOptions) === 'memory') return undefined
    if (this.#directory === undefined) {
      const expected =
        'flush-before-ack or acked-before-flush, for a machine that keeps its state on the disk'
      throw invalidOption('durability', 'memory', expected)
    }
    const { clusterId, id: nodeId, incarnation, group } = identity
    const state = openLmdbMachineStorage({
      path: join(this.#directory.path, 'machine', `${group}`),
      identity: { clusterId, nodeId, incarnation, group, machine: this.#birth.machine },
    })
    if (state.givenUp !== undefined) this.#log('warn', 'state is built again', { reason: state.givenUp })
    return state
  }

  /** An entry is applied within one turn, and heartbeats wait behind it: on the disk it must not be as large as in memory. */
  #gatewayOptions(): GatewayOptions {
    const { gateway } = this.#birth
    if (this.#state === undefined) return gateway
    const maxBatchBytes = Math.min(gateway.maxBatchBytes, MOST_BATCH_BYTES_ON_DISK)
    return { ...gateway, maxBatchBytes }
  }

  #makeMachine(definition: MachineDefinition): ReplicatedMachine {
    const { machineOptions: options, sessions } = this.#birth
    const segments = definition.segments === true ? this.#openSegments() : undefined
    const context = { codec, checksum: crc32, options, storage: this.#state?.machine, segments }
    return new ReplicatedMachine(createMachine(definition, context), codec, sessions, this.#state)
  }

  /** Where a machine has bytes outside its memory: loaded again at each start. */
  #openSegments(): SegmentSpace | undefined {
    if (this.#directory === undefined) return undefined
    return openFileSegments(join(this.#directory.path, 'segments', `${this.#birth.identity.group}`))
  }

  // ---- turns

  #turn(batch: MailboxBatch<Lanes>): void {
    const beganMs = hrtimeMs()
    const events = this.#events
    for (const lane of LANES) for (const event of batch[lane]) events.push(event)
    this.#driver.handle(events)
    events.length = 0
    this.#transport.drained()
    this.#clients.drained()
    if (this.#driver.hasMore) this.#mailbox.wake()
    const nowMs = hrtimeMs()
    this.#longestTurnMs = Math.max(this.#longestTurnMs, nowMs - beganMs)
    this.#timer.arm(this.#driver.deadlineMs, nowMs)
  }

  /** A port came from the mesh. */
  onPort({ from, meta, port }: PortMessage): void {
    if ((meta as PortMeta).kind === 'peer') this.#transport.add(from, port)
    else this.#clients.add(port)
  }

  // ---- news

  #tellRole({ role, term, leader }: RoleChange): void {
    this.#tell({ kind: 'role', role, term, leader: leader ?? null, atMs: hrtimeMs() })
  }

  #tellControl({ id, error }: ControlOutcome): void {
    this.#tell({ kind: 'control', id, error: error?.toWire() ?? null })
  }

  #log(level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>): void {
    this.#tell({ kind: 'log', level, event, detail })
  }

  #tell(notice: NodeNotice): void {
    this.#birth.notices.postMessage(notice)
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
      incarnation: this.#birth.identity.incarnation,
      configuration: core.configuration,
      isConfigurationCommitted: core.configurationIndex <= core.commitIndex,
      damaged: core.damaged,
      lost: core.lost,
      isDiskFull: core.isDiskFull,
      match: Object.fromEntries(core.matchIndexes),
      durability: this.#store.durability,
      metrics: {
        ...core.metrics,
        ...this.#store.metrics,
        ...this.#transport.metrics,
        ...threadUsage(),
        commandsApplied: this.#machine.commandsApplied,
        sessions: this.#machine.sessions.count,
        clients: this.#gateway.clientCount,
        turns: mailbox.turns,
        longestTurnMs: this.#longestTurnMs,
        heapUsedBytes: heap.used_heap_size,
        externalBytes: heap.external_memory,
        mailboxDepth: mailbox.depth,
        mailboxGreatestDepth: mailbox.greatestDepth,
      },
    }
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

  async obey(order: FaultOrder): Promise<number> {
    if (this.#faults === undefined)
      throw invalidOption('faults', false, 'true, for a node that is to have faults')
    return this.#faults.obey(order)
  }

  /** This thread is about to end: peers and clients need not wait until they notice. */
  farewell(): void {
    this.#transport.farewell()
    this.#clients.farewell()
  }

  /** Closes ports, then the store once its flushes are done, then gives the directory back. */
  async stop(): Promise<void> {
    this.#timer.clear()
    this.#rehearsal.cancel()
    this.#faults?.close()
    this.#mailbox.close()
    this.#transport.close()
    this.#clients.close()
    await Promise.all([this.#store.close(), this.#snapshots.close(), this.#state?.close()])
    this.#directory?.close()
    this.#birth.notices.close()
  }
}

async function openStore(
  { durability, identity, log }: NodeBirth,
  directory: NodeDirectory | undefined,
  events: StoreEvents,
): Promise<LogStore> {
  if (durability === 'memory' || directory === undefined) return openMemoryLogStore({ events })
  const { clusterId, id: nodeId, incarnation, group } = identity
  const owner = { clusterId, nodeId, incarnation }
  const store = await openLmdbLogStore({ ...log, path: directory.logPath, group, owner, durability, events })
  directory.logMade()
  return store
}
