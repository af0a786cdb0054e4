/**
 * A cluster whose nodes are processes of their own, over TCP on the loopback: started, crashed, stopped and ended by the
 * benchmark.
 *
 *     ProcessCluster ─ fork ─► node process ◄─ TCP ─► node process
 *           └─ questions, faults ─┘   ▲
 *     load's thread ───────── TCP ────┘
 */
import { EventEmitter } from 'node:events'
import { join } from 'node:path'
import {
  Client,
  type ClientSettings,
  type ClusterEvents,
  type ClusterOptions,
  type ClusterStatus,
  type Fault,
  type NodeDigest,
  type NodeOptions,
  type NodeReport,
  viewOf,
} from '@troupe/cluster'
import { NodeChild, type NodeNews, type ProcessEnd } from '@troupe/cluster/children'
import { type ControlCommand, invalidOption, type NodeId, type Role } from '@troupe/core'
import { makeDirectory } from '@troupe/store'
import type { TlsFiles } from '@troupe/transport'
import { freePorts, LOOPBACK } from '../engine/free-ports.ts'
import { allConverged } from '../engine/replicas.ts'
import type { Death, DialingSettings, InstrumentedCluster, TestedCluster } from '../engine/tested-cluster.ts'
import type { HeartbeatMarks } from '../heartbeat/heartbeat-log.ts'
import { writeCertificates } from './certificates.ts'
import { NodeDeeds } from './node-deeds.ts'
import { ProcessFaults } from './process-faults.ts'
import { ProcessInstruments } from './process-instruments.ts'
import { type BenchmarkNode, WATCH_HEARTBEATS } from './protocol.ts'

const CLUSTER = 'benchmark'
const NODE_MAIN = import.meta.resolve('@troupe/benchmarks/tcp-node')
/** In the client's certificate. */
const CLIENT = 'load'
const START_TIMEOUT_MS = 60_000
const CONVERGE_TIMEOUT_MS = 10_000
/** Digests of a large state take their time. */
const DIGEST_TIMEOUT_MS = 120_000
/** Nobody waits for a leadership that ends with the cluster. */
const HAND_OVER_TIMEOUT_MS = 1

/** One node: its options, and its latest start. */
interface Place {
  readonly options: NodeOptions
  child: BenchmarkNode
  starts: number
  /** It was told to end. */
  isExpected: boolean
}

export interface ProcessSettings {
  readonly directory: string
  /** What the nodes share; `nodes` is no option of a node, and `faults` has another name there. */
  readonly options: ClusterOptions
  /** Mutual TLS, by an authority that ends with the directory. */
  readonly tls: boolean
  /** Whether all nodes write their heartbeats down. @default false */
  readonly watchesHeartbeats?: boolean
}

export class ProcessCluster extends EventEmitter<ClusterEvents> implements TestedCluster {
  readonly instruments: InstrumentedCluster
  readonly seeds: readonly string[]
  readonly dialing: DialingSettings
  readonly #directory: string
  readonly #words: readonly string[]
  readonly #places = new Map<NodeId, Place>()
  readonly #faults: ProcessFaults
  readonly #deeds: NodeDeeds | undefined
  readonly #certificates: ReadonlyMap<string, TlsFiles>
  readonly #killOnExit = (): void => {
    for (const { child } of this.#places.values()) child.killNow()
  }
  #leader: { readonly id: NodeId | undefined; readonly term: number } = { id: undefined, term: 0 }
  readonly #firstLeader = Promise.withResolvers<void>()

  /**
   * Starts all nodes, and waits for the first leader.
   * @throws RaftError INVALID_OPTIONS, NODE_UNAVAILABLE; then no process is left
   */
  static async start(settings: ProcessSettings): Promise<ProcessCluster> {
    const { nodes = 3 } = settings.options
    const ids = typeof nodes === 'number' ? Array.from({ length: nodes }, (_, at) => `n${at + 1}`) : nodes
    const cluster = new ProcessCluster(settings, ids, await freePorts(ids.length))
    try {
      await cluster.#begin()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  private constructor(
    { directory, options, tls, watchesHeartbeats = false }: ProcessSettings,
    ids: readonly NodeId[],
    ports: readonly number[],
  ) {
    super()
    makeDirectory(directory)
    this.#directory = directory
    this.#words = watchesHeartbeats ? [WATCH_HEARTBEATS] : []
    this.#certificates = tls ? writeCertificates(join(directory, 'tls'), [...ids, CLIENT]) : new Map()
    const peers = Object.fromEntries(ids.map((id, at) => [id, `${LOOPBACK}:${ports[at]}`]))
    this.seeds = Object.values(peers)
    const files = this.#certificates.get(CLIENT)
    this.dialing = { cluster: CLUSTER, ...(files && { tls: files }) }
    process.on('exit', this.#killOnExit)
    for (const id of ids) this.#launch(id, this.#optionsOf(id, peers, options))
    const children = (): Iterable<BenchmarkNode> => this.#running()
    this.instruments = new ProcessInstruments(children)
    this.#deeds = options.faults === true ? new NodeDeeds(this.seeds, this.dialing) : undefined
    this.#faults = new ProcessFaults({
      deeds: this.#deeds,
      leader: () => this.leader,
      ids: () => this.ids,
      crash: (id) => this.crash(id),
      restart: (id) => this.restart(id),
      child: (id) => this.#place(id).child,
    })
  }

  async #begin(): Promise<void> {
    const all = [...this.#places.values()].map(({ child }) => child.started)
    await Promise.all(all)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no leader within ${START_TIMEOUT_MS} ms`)), START_TIMEOUT_MS)
    })
    await Promise.race([this.#firstLeader.promise, late]).finally(() => clearTimeout(timer))
  }

  #optionsOf(id: NodeId, peers: Readonly<Record<string, string>>, options: ClusterOptions): NodeOptions {
    const { nodes: _, directory: __, faults = false, durability, ...shared } = options
    if (durability === 'memory')
      throw invalidOption('--durability', durability, 'one with files, for nodes that are processes')
    const files = this.#certificates.get(id)
    return {
      ...(shared as Partial<NodeOptions>),
      ...{ id, cluster: CLUSTER, peers, directory: join(this.#directory, id), allowFaults: faults },
      ...(durability === undefined ? {} : { durability }),
      ...(files === undefined ? {} : { tls: files }),
      handOverTimeoutMs: HAND_OVER_TIMEOUT_MS,
    }
  }

  #launch(id: NodeId, options: NodeOptions): BenchmarkNode {
    const log = join(this.#directory, `${id}.log`)
    const child: BenchmarkNode = new NodeChild({
      ...{ options, log, words: this.#words, main: NODE_MAIN },
      onNews: (news) => this.#take(id, news),
    })
    const starts = (this.#places.get(id)?.starts ?? 0) + 1
    const place: Place = { options, child, starts, isExpected: false }
    this.#places.set(id, place)
    void child.ended.then((end) => this.#ended(place, end))
    return child
  }

  // ---- state

  get ids(): readonly NodeId[] {
    return [...this.#places.keys()]
  }

  get leader(): NodeId | undefined {
    return this.#leader.id
  }

  async status(): Promise<ClusterStatus> {
    const nodes = await Promise.all(this.ids.map((id) => this.#report(id)))
    return { leader: this.#leader.id, term: this.#leader.term, nodes, view: viewOf(nodes) }
  }

  async #report(id: NodeId): Promise<NodeReport> {
    try {
      return { running: true, ...(await this.#place(id).child.call('status', undefined)) }
    } catch (error) {
      return { running: false, id, reason: error instanceof Error ? error.message : String(error) }
    }
  }

  converged({ timeoutMs = CONVERGE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    return allConverged(this, timeoutMs)
  }

  async digests(): Promise<Map<NodeId, NodeDigest>> {
    const running = [...this.#running()]
    const digests = await Promise.all(
      running.map((child) => child.call('digest', undefined, DIGEST_TIMEOUT_MS)),
    )
    return new Map(running.map(({ id }, at) => [id, digests[at] as NodeDigest]))
  }

  client(settings: ClientSettings = {}): Promise<Client> {
    return Client.connect(this.seeds, { ...settings, ...this.dialing })
  }

  /** Gives a node a command and waits for its end. @throws RaftError NODE_UNAVAILABLE with why it was refused */
  async command(id: NodeId, command: ControlCommand, timeoutMs: number): Promise<void> {
    await this.#place(id).child.call('command', { command, timeoutMs }, timeoutMs)
  }

  async nodesCpuMs(): Promise<number> {
    const times = await Promise.all(Array.from(this.#running(), (child) => child.call('cpuMs', undefined)))
    return times.reduce((sum, ms) => sum + ms, 0)
  }

  /** Heartbeats of the running nodes since this was last asked, where they are watched. */
  async takeHeartbeats(): Promise<Map<NodeId, HeartbeatMarks>> {
    const marks = new Map<NodeId, HeartbeatMarks>()
    const take = async (child: BenchmarkNode): Promise<void> => {
      const taken = await child.call('takeHeartbeats', undefined)
      if (taken !== undefined) marks.set(child.id, taken)
    }
    await Promise.all(Array.from(this.#running(), take))
    return marks
  }

  // ---- faults

  /** SIGKILL. `diedAtMs` is when it was sent: the earliest that the loss can have been. */
  async crash(id: NodeId): Promise<Death> {
    const place = this.#place(id)
    if (!place.child.isRunning) throw invalidOption('id', id, 'a node that runs')
    place.isExpected = true
    const { killedAtMs, end } = await place.child.kill()
    return { diedAtMs: killedAtMs, atMs: end.atMs }
  }

  async restart(id: NodeId): Promise<void> {
    const { child, options } = this.#place(id)
    if (child.isRunning) throw invalidOption('id', id, 'a node that is down')
    await this.#launch(id, options).started
  }

  inject(fault: Fault): ReturnType<TestedCluster['inject']> {
    return this.#faults.inject(fault)
  }

  heal(id?: number): Promise<void> {
    return this.#faults.heal(id)
  }

  get activeFaults(): readonly unknown[] {
    return this.#faults.active
  }

  /** Ends all processes. Idempotent. */
  async stop(): Promise<void> {
    this.#deeds?.close()
    const places = [...this.#places.values()]
    for (const place of places) place.isExpected = true
    await Promise.all(places.map(({ child }) => child.stop()))
    process.off('exit', this.#killOnExit)
  }

  // ---- inside

  #place(id: NodeId): Place {
    const place = this.#places.get(id)
    if (place === undefined) throw invalidOption('id', id, `one of ${this.ids.join(', ')}`)
    return place
  }

  *#running(): Generator<BenchmarkNode> {
    for (const { child } of this.#places.values()) if (child.isRunning && !child.isFrozen) yield child
  }

  #take(id: NodeId, news: NodeNews): void {
    if (news.kind !== 'log' || news.event !== 'role changed') return
    const { atMs } = news
    const { role, term, leader } = news.detail as { role: Role; term: number; leader: NodeId | null }
    this.emit('role', { id, role, term, leader: leader ?? undefined, atMs })
    if (role !== 'leader') {
      if (id === this.#leader.id && term >= this.#leader.term) this.#leader = { id: undefined, term }
      return
    }
    if (term < this.#leader.term) return
    this.#leader = { id, term }
    this.#firstLeader.resolve()
    this.emit('leader', { id, term, atMs })
  }

  #ended({ child: { id }, starts, isExpected }: Place, { code, atMs }: ProcessEnd): void {
    if (this.#leader.id === id) this.#leader = { id: undefined, term: this.#leader.term }
    const how = { expected: isExpected, atMs, diedAtMs: undefined, error: undefined, terminated: false }
    this.emit('exit', { id, startCount: starts, code: code ?? 1, ...how })
  }
}
