/**
 * A node that runs in this process, alone: over TCP, from a configuration.
 *
 *     options ─► listen ─► founders ask each other, the first time ─► directory ─► RaftNode ─► reach the peers
 *     stop ─► hand leadership over, within a bound ─► close connections ─► close the stores
 *     removed from the members ─► a mark in the directory ─► stop
 */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  type Configuration,
  type ControlCommand,
  EMPTY_CONFIGURATION,
  type Identity,
  incarnationIn,
  invalidOption,
  membersOf,
  type NodeId,
  RaftError,
  seededRandom,
} from '@troupe/core'
import { createNodeDirectory, type DirectoryIdentity, readNodeIdentity } from '@troupe/store'
import { type Address, Credentials, formatAddress, parseAddress } from '@troupe/transport'
import type { NodeAddress } from '@troupe/wire'
import { ControlDesk } from './control-desk.ts'
import { serveControl } from './control-server.ts'
import { DamagedDisk } from './faults/damaged-disk.ts'
import { FaultDesk } from './faults/fault-desk.ts'
import { KeptFaults } from './faults/kept-faults.ts'
import { askFounders, foundingConfiguration, SeenFounders } from './founding.ts'
import { HandOver } from './hand-over.ts'
import { HealthServer } from './health-server.ts'
import { drawNumber, GROUP } from './identities.ts'
import { Instruments } from './instruments.ts'
import { KeptAddresses } from './kept-addresses.ts'
import { limitedLogger } from './log-limiter.ts'
import { exposition } from './metrics/exposition.ts'
import { nodeFamilies } from './metrics/node-reading.ts'
import type { NodeNotice, NodeSettings, NodeStatus } from './node-control.ts'
import type { OpenEdges } from './node-edges.ts'
import type { NodeObserver } from './node-observer.ts'
import { type NodeOptions, type ResolvedNodeOptions, resolveNodeOptions } from './node-options.ts'
import { RaftNode } from './raft-node.ts'
import { newRecorder } from './recording/new-recorder.ts'
import { RemoteCluster } from './remote-cluster.ts'
import { isRemoved, markRemoved, RemovalWatch, refuseRemoved } from './removal.ts'
import { TcpEdges } from './tcp-edges.ts'

const IDENTITY_FILE = 'identity.json'
/** For an election or a snapshot that a fault asks for. */
const FAULT_COMMAND_TIMEOUT_MS = 10_000
/** For a first answer of the peers, to a node that wonders whether it is a member. */
const ASK_TIMEOUT_MS = 3000

/** What the process is told of its node. */
export interface NodeProcessHooks {
  /**
   * The node cannot go on: takes the process down. @default logs why, and exits with code 1
   */
  readonly fail?: (error: unknown) => never
  /** Puts something between the node and its edges that looks at what goes over them: for measuring. */
  readonly watchEdges?: (open: OpenEdges) => OpenEdges
  /** Looks at all that the node does: for the fault laboratory. */
  readonly observer?: NodeObserver
  /** Gives up a start that waits for other founders. */
  readonly signal?: AbortSignal
}

export class NodeProcess {
  /** Where this node's time goes: as `Cluster.instruments`, of this node alone. */
  readonly instruments = new Instruments(() =>
    this.#node === undefined ? [] : [{ id: this.id, api: this.#node }],
  )
  readonly #options: ResolvedNodeOptions
  readonly #hooks: NodeProcessHooks
  readonly #desk = new ControlDesk()
  readonly #credentials: Credentials | undefined
  #health: HealthServer | undefined
  /** There with the directory. */
  #kept: KeptAddresses | undefined
  #identity: Identity | undefined
  #edges: TcpEdges | undefined
  #node: RaftNode | undefined
  #stopping: Promise<void> | undefined
  #handOver: HandOver | undefined
  /** Undefined without the option. */
  #faultDesk: FaultDesk | undefined
  readonly #removal: RemovalWatch
  #leader: NodeId | null = null
  readonly #closing = new AbortController()
  readonly #ended = Promise.withResolvers<'stopped' | 'removed'>()
  #wasRemoved = false

  /**
   * Starts the node. Resolves when it runs; whether there is a leader by then is another matter. At the first start of a
   * cluster it waits for the other founders.
   * @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, INVALID_MACHINE, STORAGE_DAMAGED, STORAGE_FAILED; SHUTTING_DOWN
   *   where the signal was raised; then nothing is left open
   */
  static async start(options: NodeOptions, hooks: NodeProcessHooks = {}): Promise<NodeProcess> {
    const node = new NodeProcess(resolveNodeOptions(options), hooks)
    try {
      await node.#start()
      return node
    } catch (error) {
      await node.#close()
      throw error
    }
  }

  private constructor(options: ResolvedNodeOptions, hooks: NodeProcessHooks) {
    this.#options = options
    this.#hooks = hooks
    const { tls, id, logger, shared } = options
    this.#removal = new RemovalWatch(Math.max(1000, 2 * shared.raft.electionTimeoutMaxMs), {
      ask: () => this.#askWhetherRemoved(),
      removed: () => this.#leave(),
    })
    if (tls === undefined) return
    this.#credentials = new Credentials(tls, id, {
      changed: () => logger('info', 'certificate files have changed: they are in use', {}),
      failed: (reason) => logger('error', 'changed certificate files do not fit: not used', { reason }),
    })
  }

  async #start(): Promise<void> {
    const { id, directory, logger, listen, insecure } = this.#options
    const path = resolve(directory)
    if (this.#options.allowFaults) await this.#allowFaults(path)
    const found = existsSync(join(path, IDENTITY_FILE)) ? readNodeIdentity(path) : undefined
    refuseRemoved(path)
    const configuration = this.#beginning(found)
    const identity = this.#identify(found, configuration)
    this.#identity = identity
    const seen = new SeenFounders(configuration)
    if (found !== undefined) {
      seen.keepIn(path)
      this.#kept = new KeptAddresses(path)
    }
    const edges = await this.#listen(identity, seen)
    this.#edges = edges
    const address = formatAddress(edges.address)
    const { clusterId, incarnation } = identity
    logger('info', 'listening', {
      node: id,
      address,
      cluster: clusterId,
      tls: this.#credentials !== undefined,
    })
    if (this.#credentials === undefined && insecure)
      logger('warn', 'insecure: whoever reaches this port can read and change everything', {
        listen: formatAddress(listen),
      })
    if (found === undefined) await this.#found(identity, configuration, path, seen)
    const { record } = this.#options.shared
    const attach: OpenEdges = (...opening) => edges.attach(...opening)
    this.#node = await RaftNode.open(this.#settings(identity, configuration, path), {
      openEdges: this.#hooks.watchEdges?.(attach) ?? attach,
      notices: { tell: (notice) => this.#onNotice(notice), close: () => {} },
      faults: this.#faultDesk?.faults,
      observer: this.#hooks.observer,
      recorder: record && newRecorder(record, (notice) => this.#onNotice(notice)),
      fail: (error) => this.#fail(error),
    })
    this.#removal.leaderChanged(this.#leader)
    const { health, certificateCheckMs } = this.#options
    this.#credentials?.watch(certificateCheckMs)
    if (health !== undefined) this.#health = await HealthServer.open(health, this, insecure)
    logger('info', 'node started', { node: id, incarnation, boot: identity.boot, directory: path })
  }

  /** What an earlier start has left open is on before anything happens; a fault may keep the node down. */
  async #allowFaults(path: string): Promise<void> {
    const { id, logger } = this.#options
    logger('warn', 'faults are allowed: operators can break this node on purpose', { node: id })
    this.#faultDesk = new FaultDesk({
      kept: new KeptFaults(path),
      disk: new DamagedDisk(path, seededRandom(drawNumber())),
      seed: drawNumber(),
      log: (level, event, detail) => logger(level, event, { node: id, ...detail }),
      command: (kind) => this.command({ kind }, FAULT_COMMAND_TIMEOUT_MS),
      die: dieAtOnce,
    })
    await this.#faultDesk.down(this.#signal)
    if (!this.#signal.aborted) return this.#faultDesk.damageDisk()
    throw new RaftError('SHUTTING_DOWN', 'told to end while a fault kept it down', { what: `node ${id}` })
  }

  get #signal(): AbortSignal {
    return this.#hooks.signal ?? new AbortController().signal
  }

  /** What the cluster begins with, as far as this node is concerned. */
  #beginning(found: DirectoryIdentity | undefined): Configuration {
    const { cluster, founders, join: isJoining } = this.#options
    if (found !== undefined) return found.configuration
    if (cluster === undefined)
      throw invalidOption('cluster', cluster, 'the name of the cluster, for a node that begins')
    return isJoining ? EMPTY_CONFIGURATION : foundingConfiguration(cluster, founders)
  }

  #identify(found: DirectoryIdentity | undefined, configuration: Configuration): Identity {
    const { id, cluster } = this.#options
    const boot = drawNumber()
    if (found === undefined) {
      const founder = membersOf(configuration).find((member) => member.id === id)
      const incarnation = founder?.incarnation ?? drawNumber()
      return { clusterId: cluster as string, group: GROUP, id, incarnation, boot }
    }
    // Whose the directory is, is looked at when it is opened.
    const { clusterId, incarnation } = found
    return { clusterId: cluster ?? clusterId, group: GROUP, id, incarnation, boot }
  }

  #listen(identity: Identity, seen: SeenFounders): Promise<TcpEdges> {
    const { peers, listen, insecure, tokens, limits, logger } = this.#options
    const limited = limitedLogger(logger, (event, { code }) => `${event} ${code}`)
    return TcpEdges.open(
      {
        identity,
        peers: new Map([...(this.#kept?.all ?? []), ...peers]),
        listen,
        insecure,
        tokens,
        limits,
        credentials: this.#credentials,
        nodes: () => this.addresses,
        durability: this.#options.shared.durability,
      },
      {
        checkFounder: (handshake) => seen.check(handshake),
        peerSeen: (id, incarnation) => seen.see(id, incarnation),
        peerGone: () => this.#handOver?.peerGone(),
        control: (connection, breakOff) => serveControl(connection, this, breakOff),
        refused: ({ code, reason }, remote) =>
          limited('warn', 'connection refused', { code, reason, remote }),
      },
    )
  }

  async #found(
    identity: Identity,
    configuration: Configuration,
    path: string,
    seen: SeenFounders,
  ): Promise<void> {
    const { join: isJoining, peers, logger } = this.#options
    const { clusterId, id: nodeId, incarnation, group } = identity
    if (!isJoining) {
      const [credentials, signal] = [this.#credentials, this.#signal]
      await askFounders({ identity, configuration, founders: peers, credentials, log: logger, signal })
    }
    createNodeDirectory(path, { clusterId, nodeId, incarnation, group, configuration })
    seen.keepIn(path)
    this.#kept = new KeptAddresses(path)
  }

  #settings(identity: Identity, configuration: Configuration, directory: string): NodeSettings {
    const { durability, log, machine, machineOptions, raft, batching, sessions, seed } = this.#options.shared
    return {
      identity,
      directory,
      configuration,
      durability,
      log,
      machine,
      machineOptions,
      raft,
      gateway: { ...batching, group: GROUP },
      sessions,
      // With the boot in it: nodes with one seed in their files must not draw the same timeouts.
      seed: (seed + identity.boot) % Number.MAX_SAFE_INTEGER,
    }
  }

  // ---- state

  get id(): NodeId {
    return this.#options.id
  }

  /** The cluster's name. */
  get cluster(): string {
    return (this.#identity as Identity).clusterId
  }

  /** Where it listens. */
  get address(): Address {
    return this.#opened.address
  }

  /** The nodes whose addresses are known here, and where they are reached. */
  get addresses(): readonly NodeAddress[] {
    const own = this.#options.advertise ?? formatAddress(this.#opened.address)
    const peers = Array.from(this.#opened.peers, ([id, address]): NodeAddress => [id, formatAddress(address)])
    return [[this.id, own], ...peers]
  }

  /** The node as it sees itself. */
  status(): Promise<NodeStatus> {
    return this.#running.status()
  }

  /** SHA-256 over the replicated state, as of `applied`. */
  digest(): Promise<{ readonly applied: number; readonly sha256: string }> {
    return this.#running.digest()
  }

  /** Its measures in the text format of Prometheus. */
  async metrics(): Promise<string> {
    const { listenerMetrics, transport } = this.#opened
    const { brokenLinks } = transport.metrics
    return exposition(nodeFamilies(await this.#running.measures(), { ...listenerMetrics, brokenLinks }))
  }

  /** Where /livez, /readyz and /metrics are; undefined where they were not asked for. */
  get healthAddress(): Address | undefined {
    return this.#health?.address
  }

  // ---- operating

  /**
   * Gives the node a command and waits for its end.
   * @throws RaftError NOT_LEADER, REFUSED_CHANGE, INDETERMINATE, TIMEOUT
   */
  command(command: ControlCommand, timeoutMs: number): Promise<void> {
    return this.#desk.command({ id: this.id, api: this.#running }, command, timeoutMs)
  }

  /** Reaches the node `id` at `host:port`, from now on. @throws RaftError INVALID_OPTIONS */
  addPeer(id: NodeId, address: string): void {
    const parsed = parseAddress(address)
    if (id === this.id) return
    this.#kept?.set(id, parsed)
    this.#opened.addPeer(id, parsed)
  }

  removePeer(id: NodeId): void {
    this.#kept?.delete(id)
    this.#opened.removePeer(id)
  }

  /** Asks the peers whether this node was removed from the members; where it was, it stops. */
  async checkMembership(): Promise<boolean> {
    const isOut = await this.#askWhetherRemoved()
    // Whoever asked is answered first.
    if (isOut) setImmediate(() => this.#leave())
    return isOut
  }

  /** For faults by hand; undefined where the node was not started for them. */
  get faultDesk(): FaultDesk | undefined {
    return this.#faultDesk
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined
  }

  /** Resolves when it has stopped, and why: it was told to, or is no member any more. */
  get ended(): Promise<'stopped' | 'removed'> {
    return this.#ended.promise
  }

  /**
   * Hands leadership over, then closes everything. Waits for a successor `handOverTimeoutMs` at most, and not at all where
   * nobody is there who could be one. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const { logger, id } = this.#options
    await this.#handOverLeadership()
    await this.#close()
    logger('info', 'node stopped', { node: id })
    this.#ended.resolve(this.#wasRemoved ? 'removed' : 'stopped')
  }

  async #handOverLeadership(): Promise<void> {
    const { logger, id, handOverTimeoutMs } = this.#options
    this.#handOver = new HandOver({
      id,
      status: () => this.status(),
      isLinked: (peer) => this.#opened.isLinked(peer),
      transfer: (to) => this.command({ kind: 'transferLeadership', to }, handOverTimeoutMs),
    })
    try {
      const to = await this.#handOver.run()
      if (to !== undefined) logger('info', 'leadership handed over', { node: id, to })
    } catch (error) {
      if (!(error instanceof RaftError)) throw error
      logger('warn', 'leadership was not handed over', { node: id, reason: error.message })
    }
  }

  async #close(): Promise<void> {
    this.#removal.close()
    this.#closing.abort()
    this.#credentials?.close()
    this.#faultDesk?.close()
    await this.#health?.close()
    // The node closes its edges; without one they stand alone.
    if (this.#node === undefined) await this.#edges?.close()
    else await this.#node.stop()
  }

  // ---- a member, or not

  /** As an operator would, of all that it can reach. */
  async #askWhetherRemoved(): Promise<boolean> {
    const own = await this.status()
    if (incarnationIn(own.configuration, own.id) !== own.incarnation) return false
    const seeds = Array.from(this.#opened.peers.values(), formatAddress)
    if (seeds.length === 0) return false
    const { tls, tokens } = this.#options
    const cluster = await RemoteCluster.connect(seeds, {
      cluster: this.cluster,
      ...(tls === undefined ? {} : { tls }),
      ...(tokens.control === undefined ? {} : { token: tokens.control }),
      connectTimeoutMs: ASK_TIMEOUT_MS,
      signal: this.#closing.signal,
    })
    try {
      const { nodes } = await cluster.status()
      return isRemoved(own, nodes)
    } finally {
      cluster.close()
    }
  }

  #leave(): void {
    if (this.#stopping !== undefined) return
    const { logger, id, directory } = this.#options
    this.#wasRemoved = true
    logger('info', 'this node was removed from the cluster: it stops', { node: id })
    markRemoved(resolve(directory))
    void this.stop()
  }

  // ---- inside

  get #running(): RaftNode {
    return this.#node as RaftNode
  }

  get #opened(): TcpEdges {
    return this.#edges as TcpEdges
  }

  #onNotice(notice: NodeNotice): void {
    const { logger, id } = this.#options
    if (notice.kind === 'log') return logger(notice.level, notice.event, { node: id, ...notice.detail })
    if (notice.kind === 'control') return this.#desk.settled(notice.id, notice.error)
    if (notice.kind === 'observed') return
    const { role, term, leader } = notice
    this.#leader = leader
    this.#removal.leaderChanged(leader)
    logger('info', 'role changed', { node: id, role, term, leader })
  }

  #fail(error: unknown): never {
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.logger('error', 'the node cannot go on', { node: this.id, reason })
    if (this.#hooks.fail !== undefined) this.#hooks.fail(error)
    process.exit(1)
  }
}

/** As the system would: nothing is closed, nobody is told. */
function dieAtOnce(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}
