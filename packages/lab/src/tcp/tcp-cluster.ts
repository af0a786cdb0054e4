/**
 * A cluster of processes over TCP, for the laboratory: nodes that are killed, stopped and started, and a proxy, or real
 * networks, between them.
 *
 *     inject(fault) ─► FaultPlane ─┬─► links ─► FaultProxy, or the kernel (link-board.ts)
 *                                  └─► operations ─► signals to processes
 *     nodes ─► named pipe, in the order of cause and effect (chunk-pipe.ts) ─► mirror
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClientLinks,
  damageFiles,
  type FileDamage,
  NodeDialer,
  type NodeDigest,
  type NodeStatus,
} from '@troupe/cluster'
import type { NodeNews, ProcessEnd } from '@troupe/cluster/children'
import {
  type Configuration,
  type ControlCommand,
  type Member,
  type MemberChange,
  membersOf,
  RaftError,
  type Random,
  seededRandom,
} from '@troupe/core'
import { type DirectedLink, type Fault, FaultPlane, type NodeOperation } from '@troupe/faults'
import { FaultProxy } from '../proxy/fault-proxy.ts'
import type { ToxicOrder } from '../proxy/toxic.ts'
import { computerMs } from '../real/computer-clock.ts'
import { OUT_OF_MEMORY } from '../real/out-of-memory.ts'
import {
  type ClientLinkFaults,
  machineOptionsOf,
  type NamedChange,
  type OpenOptions,
  type RealCluster,
} from '../real/real-cluster.ts'
import { knobsOf } from '../scenario/knobs.ts'
import { defaultVoters, nodeNames } from '../scenario/names.ts'
import { ChunkPipe } from './chunk-pipe.ts'
import { LinkBoard } from './link-board.ts'
import { NamespaceNetwork } from './namespace-network.ts'
import { NodeBoard } from './node-board.ts'
import { type CommonOptions, ProcessNodes } from './process-nodes.ts'

export type NetworkKind = 'proxy' | 'namespaces'

export interface TcpOptions extends OpenOptions {
  readonly network: NetworkKind
  /** Modules that the processes of nodes load before anything else. @default none */
  readonly preload?: readonly URL[] | undefined
  /** Whether the kernel shapes links between namespaces. @default false */
  readonly shapes?: boolean | undefined
  /** Which program is asked to. @default 'tc' */
  readonly tc?: string | undefined
}

const COMMAND_MS = 5000
const CATCH_UP_MS = 20_000
const POLL_MS = 50
/** A node that dies by itself comes back soon: scenarios are short. */
const RESTART_MS = 50
const MOST_RESTARTS = 5
/** Files may have so many. */
const MOST_CLIENTS = 16

export class TcpCluster implements RealCluster {
  readonly clientLinks: ClientLinkFaults
  readonly #options: TcpOptions
  readonly #names: readonly string[]
  readonly #directory = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
  readonly #proxy: FaultProxy
  readonly #network: NamespaceNetwork | undefined
  readonly #links: LinkBoard
  readonly #inside: NodeBoard
  /** Why nodes have died, as they have said. */
  readonly #reasons = new Map<string, string>()
  readonly #pipe: ChunkPipe
  readonly #plane: FaultPlane
  readonly #random: Random
  /** What the fault that is applied now has begun. */
  readonly #begun: Promise<void>[] = []
  /** Those that are no members any more, and do not come back. */
  readonly #gone = new Set<string>()
  /** Ends that were asked for. */
  readonly #expected = new Set<string>()
  /** Those that stay down where they die by themselves. */
  readonly #kept = new Set<string>()
  readonly #restarts = new Map<string, number>()
  #nodes: ProcessNodes | undefined
  #clientCount = 0
  #closing: Promise<void> | undefined

  /** Starts all nodes. @throws RaftError NODE_UNAVAILABLE; then nothing is left */
  static async open(options: TcpOptions): Promise<TcpCluster> {
    const cluster = new TcpCluster(options)
    try {
      await cluster.#open()
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  private constructor(options: TcpOptions) {
    const { spec, seed, network, shapes, tc, onChunk } = options
    this.#options = options
    this.#names = nodeNames(spec)
    const random = seededRandom(seed)
    this.#random = random
    this.#proxy = new FaultProxy({ random })
    const nameOf = (index: number): string => this.#names[index] as string
    this.#pipe = new ChunkPipe(this.#directory, {
      chunk: (index, chunk) => onChunk(nameOf(index), chunk),
      exited: (index, atMs) => this.#exited(nameOf(index), atMs),
    })
    this.#network = network === 'namespaces' ? NamespaceNetwork.open(this.#names, { shapes, tc }) : undefined
    this.#links = new LinkBoard(this.#proxy, this.#network, this.#names)
    this.clientLinks = this.#links.ofClients(this.#clientNames)
    this.#inside = new NodeBoard(
      () => this.#running,
      (work) => this.#begun.push(work),
    )
    this.#plane = new FaultPlane({
      random,
      situation: () => ({ nodes: this.ids, primaries: [] }),
      operate: (operation) => this.#begun.push(this.#operate(operation)),
      links: {
        add: (id, rule) => this.#begun.push(this.#links.add(id, rule)),
        remove: (id) => this.#begun.push(this.#links.remove(id)),
      },
    })
    for (const name of this.#names) this.#plane.attach(name, this.#inside.decoratorsOf(name))
  }

  async #open(): Promise<void> {
    const { spec, heapMb } = this.#options
    const { voters = defaultVoters, learners = 0 } = spec
    this.#nodes = await ProcessNodes.start({
      directory: this.#directory,
      founders: this.#names.slice(0, voters),
      others: this.#names.slice(voters),
      clients: this.#clientNames,
      common: this.#common,
      proxy: this.#proxy,
      network: this.#network,
      heapMb,
      observed: this.#pipe.path,
      preload: this.#options.preload,
      onNews: (id, news) => this.#tell(id, news),
      onEnd: (id, end) => this.#ended(id, end),
    })
    await this.#led()
    for (const id of this.#names.slice(voters, voters + learners))
      await this.#eventually(() => this.#admit(id))
  }

  get #common(): CommonOptions {
    const { spec, seed, machine = 'kv' } = this.#options
    const { durability } = spec
    const machineOptions = machineOptionsOf(machine, spec)
    return {
      machine,
      ...(machineOptions !== undefined && { machineOptions }),
      raft: knobsOf(spec),
      seed,
      allowFaults: true,
      ...(durability === undefined || durability === 'memory' ? {} : { durability }),
    }
  }

  get #clientNames(): readonly string[] {
    return Array.from({ length: MOST_CLIENTS }, (_, at) => `c${at + 1}`)
  }

  #tell(id: string, news: NodeNews): void {
    const { onLine } = this.#options
    if (news.kind === 'failed') {
      this.#reasons.set(id, news.code)
      onLine(`${id} failed: ${news.reason}`)
    }
    if (news.kind !== 'log') return
    const detail = Object.entries(news.detail).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    onLine(`${id} ${news.event} ${detail.join(' ')}`)
  }

  get ids(): readonly string[] {
    return this.#names.filter((id) => !this.#gone.has(id))
  }

  isUp(node: string): boolean {
    return this.#nodes?.isUp(node) === true
  }

  // ---- faults

  async inject(fault: Fault): Promise<number> {
    const { id } = this.#plane.apply(fault)
    await this.#settled()
    return id
  }

  async heal(id?: number): Promise<void> {
    this.#plane.heal(id)
    await this.#settled()
  }

  flap(left: string, right: string): boolean {
    return this.#proxy.hangUp(left, right) > 0
  }

  poison(links: readonly DirectedLink[], { toxic, toxicity = 100 }: ToxicOrder): () => void {
    const id = this.#proxy.apply(links, { toxic, toxicity })
    return () => this.#proxy.remove(id)
  }

  async crash(node: string): Promise<void> {
    this.#expected.add(node)
    await this.#running.kill(node)
  }

  async die(node: string): Promise<void> {
    await this.#running.kill(node)
  }

  keepDown(node: string, isSo: boolean): void {
    if (isSo) this.#kept.add(node)
    else this.#kept.delete(node)
  }

  /** By whom it is asked for: earlier failures are forgotten. */
  async start(node: string): Promise<void> {
    this.#restarts.delete(node)
    await this.#start(node)
  }

  async #start(node: string): Promise<void> {
    if (this.isUp(node) || this.#gone.has(node) || this.#closing !== undefined) return
    this.#expected.delete(node)
    this.#inside.starting(node)
    await this.#running.start(node)
    await this.#inside.started(node)
  }

  damage(node: string, damage: FileDamage): Promise<boolean> {
    return damageFiles(this.#running.directoryOf(node), damage, this.#random)
  }

  #exited(node: string, atMs: number): void {
    const why = this.#reasons.get(node)
    this.#reasons.delete(node)
    this.#options.onExit(node, { atMs, why })
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#begun.splice(0))
  }

  async #operate(operation: NodeOperation): Promise<void> {
    switch (operation.kind) {
      case 'pause':
        this.#running.pause(operation.node)
        return
      case 'stall':
        return this.#inside.stall(operation.node, operation.forMs)
      case 'resume':
        return this.#running.resume(operation.node)
      case 'crash':
        return this.crash(operation.node)
      case 'restart':
        return this.start(operation.node)
      case 'membership':
        if (operation.change === 'replace') return this.#replace(operation.node)
        break
    }
    throw new Error(`not refused: ${operation.kind}`)
  }

  /** It comes back with an empty directory, as another member. */
  async #replace(node: string): Promise<void> {
    this.#expected.add(node)
    await this.#running.wipe(node)
    const isNode = ({ id }: Member): boolean => id === node
    await this.#eventually(() => {
      return this.#change({ kind: 'remove', id: node }, (members) => !membersOf(members).some(isNode))
    })
    await this.start(node)
    await this.#eventually(() => this.#admit(node))
    await this.#eventually(() => {
      return this.#change({ kind: 'promote', id: node }, ({ voters }) => voters.some(isNode))
    })
  }

  /** What came late, or of which nobody has told, may have been done: then it is not asked for again. */
  async #change(change: MemberChange, isDone: (members: Configuration) => boolean): Promise<void> {
    const leader = await this.#leader()
    if (leader === undefined || !isDone(leader.configuration)) await this.#commandLeader(changeOf(change))
  }

  #ended(id: string, { isOutOfMemory }: ProcessEnd): void {
    if (isOutOfMemory) this.#reasons.set(id, OUT_OF_MEMORY)
    this.#pipe.exited(this.#names.indexOf(id), computerMs())
    if (this.#expected.has(id) || this.#kept.has(id)) return
    if (this.#gone.has(id) || this.#closing !== undefined) return
    const count = (this.#restarts.get(id) ?? 0) + 1
    this.#restarts.set(id, count)
    const { onLine, onGivenUp } = this.#options
    if (count > MOST_RESTARTS) return onGivenUp(id)
    setTimeout(() => {
      this.#start(id).catch((error: Error) => onLine(`${id} did not come back: ${error.message}`))
    }, RESTART_MS * count)
  }

  // ---- operators

  async changeMembers(changes: readonly NamedChange[], leave: 'auto' | 'explicit'): Promise<void> {
    const named = await Promise.all(changes.map((change) => this.#namedChange(change)))
    await this.#commandLeader({ kind: 'changeMembers', changes: named, leave })
    for (const change of changes) {
      if (change.kind !== 'remove') continue
      this.#gone.add(change.id)
      await this.#running.kill(change.id)
    }
  }

  /** Nothing where it is a member: an answer may have been lost on its way. */
  async #admit(id: string): Promise<void> {
    const leader = await this.#leader()
    if (leader !== undefined && membersOf(leader.configuration).some((member) => member.id === id)) return
    await this.changeMembers([{ kind: 'addLearner', id }], 'auto')
  }

  async #namedChange(change: NamedChange): Promise<MemberChange> {
    if (change.kind !== 'addLearner') return change
    const { id } = change
    if (this.#gone.delete(id)) await this.#running.wipe(id)
    await this.start(id)
    const { incarnation } = await this.#running.child(id).call('status', undefined)
    return { kind: 'addLearner', member: { id, incarnation } }
  }

  async leaveJoint(): Promise<void> {
    await this.#commandLeader({ kind: 'leaveJoint' })
  }

  transfer(to: string | undefined): Promise<void> {
    return this.#commandLeader({ kind: 'transferLeadership', to })
  }

  elect(node: string): Promise<void> {
    return this.#command(node, { kind: 'campaign' })
  }

  snapshot(node: string): Promise<void> {
    return this.#command(node, { kind: 'takeSnapshot' })
  }

  async status(): Promise<readonly NodeStatus[]> {
    const asked = await Promise.allSettled(
      this.#awake.map((id) => this.#running.child(id).call('status', undefined)),
    )
    return asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  }

  async digests(): Promise<ReadonlyMap<string, NodeDigest>> {
    const awake = this.#awake
    const digests = await Promise.all(awake.map((id) => this.#running.child(id).call('digest', undefined)))
    return new Map(awake.map((id, at) => [id, digests[at] as NodeDigest]))
  }

  /** The connections of the next client, through ways of its own: the first is c1. */
  links(): ClientLinks {
    const name = this.#clientNames[this.#clientCount++ % MOST_CLIENTS] as string
    return new NodeDialer('client', this.#running.seedsOf(name), { discovers: false })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#nodes?.close()
    await this.#proxy.close()
    this.#network?.close()
    this.#pipe.close()
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 })
  }

  // ---- inside

  get #running(): ProcessNodes {
    if (this.#nodes === undefined) throw new Error('the nodes were not started')
    return this.#nodes
  }

  get #awake(): readonly string[] {
    return this.ids.filter((id) => this.#running.isAwake(id))
  }

  /** As a cluster of threads does: somebody is told to ask for votes. Should it not be elected, another one will be. */
  async #led(): Promise<void> {
    await this.elect(this.#names[0] as string).catch(() => {})
    await this.#eventually(async () => {
      const statuses = await this.status()
      if (statuses.some(({ role }) => role === 'leader')) return
      throw new RaftError('TIMEOUT', 'nobody leads', { timeoutMs: CATCH_UP_MS })
    })
  }

  /** Tries again until it is done. @throws the last error, where it takes too long */
  async #eventually(run: () => Promise<void>): Promise<void> {
    const untilMs = performance.now() + CATCH_UP_MS
    for (;;) {
      try {
        return await run()
      } catch (error) {
        if (performance.now() > untilMs || this.#closing !== undefined) throw error
        await new Promise((resume) => setTimeout(resume, POLL_MS))
      }
    }
  }

  /** Of those that lead the one of the latest term. */
  async #leader(): Promise<NodeStatus | undefined> {
    const leaders = (await this.status()).filter(({ role }) => role === 'leader')
    return leaders.sort((one, other) => other.term - one.term)[0]
  }

  async #commandLeader(command: ControlCommand): Promise<void> {
    const leader = await this.#leader()
    if (leader === undefined)
      throw new RaftError('NODE_UNAVAILABLE', 'nobody leads', { node: '', reason: 'nobody leads' })
    await this.#command(leader.id, command)
  }

  async #command(node: string, command: ControlCommand): Promise<void> {
    const timeoutMs = COMMAND_MS
    await this.#running.child(node).call('command', { command, timeoutMs }, timeoutMs + COMMAND_MS)
  }
}

const changeOf = (change: MemberChange): ControlCommand => ({
  kind: 'changeMembers',
  changes: [change],
  leave: 'auto',
})
