/**
 * A cluster of Raft nodes on the worker threads of this process.
 *
 *     Cluster.start ─► manifest ─► Supervisor spawns a worker for each node ─► direct ports between neighbours (wiring.ts)
 *     cluster.client() ─► a port to every node; the main thread then stays out of the way
 */
import { EventEmitter } from 'node:events'
import { rmSync } from 'node:fs'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { type ActorHandle, type ExitInfo, Supervisor } from '@troupe/actor'
import {
  type Configuration,
  type ControlCommand,
  EMPTY_CONFIGURATION,
  incarnationIn,
  invalidOption,
  type Member,
  type NodeId,
  RaftError,
  simpleConfiguration,
} from '@troupe/core'
import type { AppliedFault, Fault } from '@troupe/faults'
import { Client } from './client.ts'
import { clientFeed, offerNode } from './client-feed.ts'
import { directoryOf } from './cluster-directory.ts'
import type { ClusterEvents } from './cluster-events.ts'
import { nothingToRestart, shuttingDown, timedOut } from './cluster-refusals.ts'
import { type ClusterStatus, type NodeDigest, type NodeReport, viewOf } from './cluster-status.ts'
import { ControlDesk } from './control-desk.ts'
import { ClusterFaults, type InjectedFault } from './faults/cluster-faults.ts'
import { electFirst } from './first-election.ts'
import { defaultIds, drawNumber } from './identities.ts'
import { Instruments } from './instruments.ts'
import {
  ephemeralManifest,
  joinManifest,
  leaveManifest,
  lostNodes,
  type Manifest,
  nodePath,
  openManifest,
  refuseLost,
  withMember,
  withoutMember,
} from './manifest.ts'
import { type MemberOptions, Members, timeoutOf } from './members.ts'
import type { NodeBirth, NodeControl, NodeNotice, NodeStatus } from './node-control.ts'
import { type Laboratory, workerOf } from './node-observer.ts'
import {
  type ClientSettings,
  type ClusterOptions,
  type ResolvedClusterOptions,
  resolveClientSettings,
  resolveClusterOptions,
} from './options.ts'
import { warnOfSmallPool } from './thread-pool.ts'
import { POLL_MS, pause, until } from './until.ts'
import { Wiring } from './wiring.ts'

const GROUP = 0
/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

type NodeHandle = ActorHandle<NodeControl>

export class Cluster extends EventEmitter<ClusterEvents> {
  /** Nodes that come and go. */
  readonly members: Members
  /** Where time goes. */
  readonly instruments: Instruments
  /** Where the logs are; undefined for a cluster in memory. */
  readonly directory: string | undefined
  readonly #options: ResolvedClusterOptions
  readonly #laboratory: Laboratory
  #manifest: Manifest
  readonly #isTemporary: boolean
  readonly #supervisor = new Supervisor()
  readonly #nodes = new Map<NodeId, NodeHandle>()
  readonly #wiring: Wiring
  readonly #feeds = new Set<MessagePort>()
  readonly #desk = new ControlDesk()
  /** Undefined without the option. */
  readonly #faults: ClusterFaults | undefined
  /** What the group begins with, for nodes in memory; those with a directory have it there. */
  readonly #bootstrap: Configuration
  /** Which start of each node is the latest. */
  readonly #boots = new Map<NodeId, number>()
  /** The latest leader; without an id once it is known to be dead. */
  #leader: { readonly id: NodeId | undefined; readonly term: number } = { id: undefined, term: 0 }
  #stopping: Promise<void> | undefined

  private constructor(options: ResolvedClusterOptions, laboratory: Laboratory) {
    super()
    this.#options = options
    this.#laboratory = laboratory
    this.#wiring = new Wiring(options.topology, this.#nodes)
    this.#isTemporary = options.durability !== 'memory' && options.directory === undefined
    this.directory = directoryOf(options)
    this.#manifest =
      this.directory === undefined
        ? ephemeralManifest(options.ids ?? defaultIds(), options.machine)
        : openManifest(this.directory, options.ids, options.machine)
    this.#bootstrap = simpleConfiguration(this.#manifest.members)
    this.members = new Members({
      ids: () => this.ids,
      leaderStatus: () => this.#leaderStatus(),
      command: (id, command, timeoutMs) => this.#desk.command(this.#node(id), command, timeoutMs),
      begin: (member) => this.#beginMember(member),
      end: (id) => this.#endMember(id),
      crash: (id) => this.#crashIfRunning(id),
    })
    this.#faults = options.faults ? this.#makeFaults(options) : undefined
    this.instruments = new Instruments(() => this.#nodes.values().filter(({ state }) => state === 'running'))
    this.#supervisor.on('started', ({ id }) => this.#wire(id))
    this.#supervisor.on('exit', (info) => this.#onExit(info))
    this.#supervisor.on('restarting', (event) => this.emit('restarting', event))
    this.#supervisor.on('quarantined', (event) => this.emit('quarantined', event))
  }

  /**
   * Starts all nodes and waits for a leader.
   * @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, INVALID_MACHINE, STORAGE_DAMAGED, STORAGE_FAILED, TIMEOUT,
   *   NODE_UNAVAILABLE for a node that dies or hangs while it starts;
   *   then nothing is left running, and a temporary directory is removed
   * @param laboratory for the fault laboratory alone
   */
  static async start(options: ClusterOptions = {}, laboratory: Laboratory = {}): Promise<Cluster> {
    const cluster = new Cluster(resolveClusterOptions(options), laboratory)
    try {
      await cluster.#start()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { startTimeoutMs, logger, seed, replaceLost } = this.#options
    const { directory } = this
    const members = this.#manifest.members.map(({ id }) => id)
    const lost = directory === undefined ? [] : lostNodes(directory, this.#manifest)
    if (directory !== undefined && !replaceLost) refuseLost(directory, lost)
    for (const id of members) if (!lost.includes(id)) this.#nodes.set(id, this.#spawn(id))
    this.#wiring.changed()
    logger('info', 'cluster starting', { nodes: this.ids, lost, directory, seed })
    warnOfSmallPool(this.#options, members.length)
    const deadlineMs = performance.now() + startTimeoutMs
    await Promise.all([...this.#nodes.values()].map((node) => node.start()))
    const isLed = (): boolean => this.#leader.id !== undefined
    const [first] = this.#nodes.values()
    // Pre-votes keep it harmless.
    const ask = async (): Promise<void> => {
      if (first !== undefined) await this.#desk.command(first, { kind: 'campaign' }, startTimeoutMs)
    }
    await electFirst(ask, isLed, deadlineMs)
    await until(isLed, deadlineMs, () => timedOut('no leader was elected', startTimeoutMs))
    for (const id of lost) await this.members.join(id, false, startTimeoutMs)
  }

  // ---- state

  /** The nodes that this process runs, in the order they came. */
  get ids(): readonly NodeId[] {
    return [...this.#nodes.keys()]
  }

  /** The leader of the latest term that this thread has heard of; undefined once it has died. */
  get leader(): NodeId | undefined {
    return this.#leader.id
  }

  /** Whether a node runs, or starts. False for an unknown one. */
  isUp(id: NodeId): boolean {
    return ['running', 'starting'].includes(this.#nodes.get(id)?.state ?? '')
  }

  /** Asks every node for its state and for what it knows of the others; one that does not answer is listed so. */
  async status(): Promise<ClusterStatus> {
    const nodes = await Promise.all(this.ids.map((id) => this.#report(id)))
    return { leader: this.#leader.id, term: this.#leader.term, nodes, view: viewOf(nodes) }
  }

  async #report(id: NodeId): Promise<NodeReport> {
    if (this.#faults?.isPaused(id)) return { running: false, id, reason: 'it is paused' }
    try {
      return { running: true, ...(await this.#node(id).api.status()) }
    } catch (error) {
      return { running: false, id, reason: error instanceof Error ? error.message : String(error) }
    }
  }

  /** What monitoring wants of the running nodes, in the text format of Prometheus. */
  metrics(): Promise<string> {
    return this.instruments.metrics()
  }

  /**
   * Waits until every running node has applied everything that the leader's log held when this was called (or when
   * a new leader came meanwhile).
   * @throws RaftError TIMEOUT
   */
  async converged({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    let target: { readonly term: number; readonly index: number } | undefined
    for (;;) {
      const { leader, nodes } = await this.status()
      const running = nodes.filter((node) => node.running)
      const led = running.find((node) => node.id === leader && node.role === 'leader')
      if (led !== undefined && led.term !== target?.term) target = { term: led.term, index: led.lastIndex }
      const { index = 0 } = target ?? {}
      const late = running.filter((node) => node.applied < index).map(({ id }) => id)
      if (led !== undefined && late.length === 0) return
      if (performance.now() >= deadlineMs) {
        const why = led === undefined ? 'there is no leader' : `${late.join(', ')} behind`
        throw timedOut(`the replicas did not converge: ${why}`, timeoutMs)
      }
      await pause(POLL_MS)
    }
  }

  /** SHA-256 over the replicated state of each running node. Equal where equally much is applied. */
  async digests(): Promise<Map<NodeId, NodeDigest>> {
    const running = this.ids.filter((id) => this.#node(id).state === 'running')
    const digests = await Promise.all(running.map((id) => this.#node(id).api.digest()))
    return new Map(running.map((id, index) => [id, digests[index] as NodeDigest]))
  }

  // ---- clients

  /**
   * A client in this thread.
   * @throws RaftError INVALID_OPTIONS, SHUTTING_DOWN
   */
  async client(settings: ClientSettings = {}): Promise<Client> {
    resolveClientSettings(GROUP, settings)
    return Client.connect(this.clientPort(), settings)
  }

  /**
   * A port for a client in another thread: post it there (and transfer it), and call `Client.connect` with it. Fresh
   * ports to nodes that come back arrive over it.
   * @throws RaftError SHUTTING_DOWN
   */
  clientPort(): MessagePort {
    if (this.#stopping !== undefined) throw shuttingDown()
    const { feed, port } = clientFeed(this.ids, this.#options.durability)
    this.#feeds.add(feed)
    feed.once('close', () => this.#feeds.delete(feed))
    feed.unref()
    for (const node of this.#nodes.values()) if (node.state === 'running') offerNode(feed, node)
    return port
  }

  /**
   * Hands leadership over without an election timeout, to the furthest voter where none is named.
   * @throws RaftError INVALID_OPTIONS for an unknown id; REFUSED_CHANGE (ABANDONED where the target did not take over in
   *   `transferTimeoutMs`), TIMEOUT, INDETERMINATE
   */
  async transferLeadership(to?: NodeId, options: MemberOptions = {}): Promise<void> {
    if (to !== undefined) this.#node(to)
    const command = { kind: 'transferLeadership', to } as const
    await this.members.commandLeader('transferring leadership', command, timeoutOf(options))
  }

  /**
   * Takes a snapshot on a node, of what it has applied, and compacts its log.
   * @throws RaftError INVALID_OPTIONS, NODE_UNAVAILABLE, REFUSED_CHANGE where nothing is applied yet, TIMEOUT
   */
  async takeSnapshot(id: NodeId, options: MemberOptions = {}): Promise<void> {
    await this.#desk.command(this.#node(id), { kind: 'takeSnapshot' }, timeoutOf(options))
  }

  /** A node with an empty log starts, as that member; it is passive until it is one. */
  async #beginMember(member: Member): Promise<void> {
    if (this.#stopping !== undefined) throw shuttingDown()
    const { id } = member
    const { directory } = this
    this.#manifest =
      directory === undefined
        ? withMember(this.#manifest, member)
        : joinManifest(directory, this.#manifest, member)
    const node = this.#nodes.get(id) ?? this.#spawn(id)
    this.#nodes.set(id, node)
    await node.start()
    this.#wiring.changed()
  }

  /** A node that is no member any more stops for good. */
  async #endMember(id: NodeId): Promise<void> {
    this.#faults?.letDie(id)
    await this.#supervisor.remove(id)
    this.#nodes.delete(id)
    this.#wiring.changed()
    const { directory } = this
    this.#manifest =
      directory === undefined
        ? withoutMember(this.#manifest, id)
        : leaveManifest(directory, this.#manifest, id)
  }

  async #crashIfRunning(id: NodeId): Promise<void> {
    if (this.#node(id).state === 'running') await this.crash(id)
  }

  async #leaderStatus(): Promise<NodeStatus | undefined> {
    const id = this.#leader.id
    const status =
      id === undefined || this.#faults?.isPaused(id) ? undefined : await this.#nodes.get(id)?.api.status()
    return status?.role === 'leader' ? status : undefined
  }

  // ---- faults

  /**
   * Crashes a node: its worker closes nothing, and stays down until it is started; with `restart` the policy decides.
   * @throws RaftError INVALID_OPTIONS for an unknown id; NODE_UNAVAILABLE where it does not run
   */
  async crash(id: NodeId, options: { readonly restart?: boolean } = {}): Promise<ExitInfo> {
    const node = this.#node(id)
    this.#faults?.letDie(id)
    return node.crash({ restart: options.restart ?? false })
  }

  /**
   * Starts a node that is down from its files, after its old worker's exit.
   * @throws RaftError INVALID_OPTIONS for an unknown id, a node that runs, or a cluster in memory, whose nodes have
   *   nothing to come back from; what keeps it from starting
   */
  async restart(id: NodeId): Promise<void> {
    if (this.#stopping !== undefined) throw shuttingDown()
    if (this.#options.durability === 'memory') throw nothingToRestart(this.#node(id).id)
    try {
      await this.#node(id).start()
    } catch (error) {
      const isUp = RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'start'
      throw isUp ? invalidOption('id', id, 'a node that is down') : error
    }
  }

  /**
   * Injects a fault, in a cluster that was started with the option `faults`. Resolves when it is in effect on all nodes that
   * it concerns; what lasts, lasts until it is healed, also at nodes that restart meanwhile. Links are those between nodes,
   * not those of clients; `snapshot` and `compact` are the same here.
   * @throws RaftError INVALID_OPTIONS for what is no fault, what nodes on threads cannot have, and without the option:
   *   then nothing has happened; else what kept it from taking effect, and it is healed again
   */
  async inject(fault: Fault): Promise<InjectedFault> {
    return this.#needFaults().inject(fault)
  }

  /**
   * Heals the fault of this `id`, or all: crashed nodes come back, paused ones go on. Nothing for one that is over.
   * @throws RaftError INVALID_OPTIONS without the option `faults`; what keeps a crashed node from starting
   */
  async heal(id?: number): Promise<void> {
    await this.#needFaults().heal(id)
  }

  /** The faults that last. */
  get activeFaults(): readonly AppliedFault[] {
    return this.#faults?.active ?? []
  }

  #needFaults(): ClusterFaults {
    if (this.#stopping !== undefined) throw shuttingDown()
    if (this.#faults === undefined)
      throw invalidOption('faults', false, 'true in the options of Cluster.start')
    return this.#faults
  }

  #makeFaults({ durability, seed }: ResolvedClusterOptions): ClusterFaults {
    const inside = {
      isInMemory: durability === 'memory',
      node: (id: NodeId) => this.#node(id),
      command: (id: NodeId, command: ControlCommand) =>
        this.#desk.command(this.#node(id), command, timeoutOf({})),
    }
    return new ClusterFaults(this, inside, seed)
  }

  /** Stops all nodes, closes what they have open, removes a temporary directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    for (const feed of this.#feeds) feed.close()
    this.#faults?.openAll()
    await this.#supervisor.stopAll()
    if (this.#isTemporary && this.directory !== undefined)
      rmSync(this.directory, { recursive: true, force: true })
    this.#options.logger('info', 'cluster stopped', {})
  }

  // ---- nodes

  #node(id: NodeId): NodeHandle {
    const node = this.#nodes.get(id)
    if (node === undefined) throw invalidOption('id', id, `one of ${this.ids.join(', ')}`)
    return node
  }

  #spawn(id: NodeId): NodeHandle {
    return this.#supervisor.spawn<NodeControl>({
      id,
      ...workerOf(this.#laboratory, id),
      // Without its log a node has lost its votes too: it must not come back as who it was.
      restart: this.#options.durability === 'memory' ? { mode: 'never' } : this.#options.restart,
      startTimeoutMs: Math.min(this.#options.startTimeoutMs, MAX_TIMER_MS),
      launch: (startCount) => {
        // A restart that waited for the old worker's exit may come here after `stop`: nobody would end that worker.
        if (this.#stopping !== undefined) throw shuttingDown()
        const { port1: own, port2: notices } = new MessageChannel()
        own.on('message', (notice: NodeNotice) => this.#onNotice(id, notice))
        own.unref()
        return { data: this.#birth(id, startCount, notices), transferList: [notices] }
      },
    })
  }

  #birth(id: NodeId, startCount: number, notices: MessagePort): NodeBirth {
    const { raft, log, priorities, batching, sessions, durability, machine, machineOptions, seed } =
      this.#options
    const { clusterId, members } = this.#manifest
    const index = members.findIndex((member) => member.id === id)
    const { incarnation } = members[index] as Member
    const boot = drawNumber()
    this.#boots.set(id, boot)
    const isFirst = incarnationIn(this.#bootstrap, id) === incarnation
    const nodeSeed = seed + index * 1_000_003 + startCount * 7919
    return {
      identity: { clusterId, group: GROUP, id, incarnation, boot },
      directory: this.directory === undefined ? '' : nodePath(this.directory, id),
      configuration: isFirst ? this.#bootstrap : EMPTY_CONFIGURATION,
      durability,
      log,
      machine,
      machineOptions,
      raft: { ...raft, electionPriority: priorities[id] ?? raft.electionPriority },
      gateway: { ...batching, group: GROUP },
      sessions,
      // Different on every node and at every start: equal timeouts would split votes for ever.
      seed: nodeSeed,
      notices,
      faults: this.#faults?.birth(id, nodeSeed + 1),
      overlay: this.#wiring.birth(),
      laboratory: this.#laboratory.shared,
      record: this.#options.record,
    }
  }

  /** A node runs (again): connects it to its neighbours, and every client to it. */
  #wire(id: NodeId): void {
    const node = this.#node(id)
    this.#options.logger('info', 'node started', { node: id, start: node.startCount })
    this.#wiring.started(id)
    for (const feed of this.#feeds) offerNode(feed, node)
  }

  #onNotice(id: NodeId, notice: NodeNotice): void {
    const { logger } = this.#options
    if (notice.kind === 'log') return logger(notice.level, notice.event, { node: id, ...notice.detail })
    if (notice.kind === 'control') return this.#desk.settled(notice.id, notice.error)
    if (notice.kind === 'observed') return this.#laboratory.onRecord?.(id, notice.record)
    const { role, term, leader, atMs } = notice
    logger('info', 'role changed', { node: id, role, term, leader })
    this.emit('role', { id, role, term, leader: leader ?? undefined, atMs })
    if (role !== 'leader' || term <= this.#leader.term) return
    this.#leader = { id, term }
    this.emit('leader', { id, term, atMs })
  }

  #onExit(info: ExitInfo): void {
    if (this.#leader.id === info.id) this.#leader = { id: undefined, term: this.#leader.term }
    const level = info.expected ? 'info' : 'error'
    this.#options.logger(level, 'node exited', { node: info.id, code: info.code, error: info.error?.message })
    this.#desk.exited(info.id)
    this.#faults?.exited(info.id)
    this.#tellExit(info.id)
    this.emit('exit', info)
  }

  /** The others saw a connection close, which proves nothing; an exit does. */
  #tellExit(id: NodeId): void {
    const boot = this.#boots.get(id)
    // Without leases the closed connection was enough.
    if (boot === undefined || this.#stopping !== undefined || !this.#options.raft.leaseReads) return
    for (const node of this.#nodes.values()) {
      // One that dies meanwhile needs no news.
      if (node.id !== id && node.state === 'running') node.api.peerExited(id, boot).catch(() => {})
    }
  }
}
