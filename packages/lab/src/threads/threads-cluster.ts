/** Real nodes on the worker threads of this process: `Cluster`, with faults, and with somebody who looks at each node. */

import { join } from 'node:path'
import type { ClientLinks, FileDamage, NodeDigest, NodeStatus } from '@troupe/cluster'
import { Cluster, type ClusterOptions, damageFiles } from '@troupe/cluster'
import { type Member, type MemberChange, RaftError, type Random, seededRandom } from '@troupe/core'
import type { Fault } from '@troupe/faults'
import { drawnFrom, newCounter } from '../real/observe-on-thread.ts'
import { OUT_OF_MEMORY } from '../real/out-of-memory.ts'
import {
  machineOptionsOf,
  type NamedChange,
  type OpenOptions,
  type RealCluster,
} from '../real/real-cluster.ts'
import type { Chunk } from '../real/records.ts'
import { knobsOf } from '../scenario/knobs.ts'
import { defaultVoters, nodeNames } from '../scenario/names.ts'
import { ReopenedLinks } from './reopened-links.ts'

export interface ThreadsOptions extends OpenOptions {
  /** The module of the nodes' workers. @default that of `@troupe/lab/node-worker` */
  readonly worker?: URL | undefined
  /** What these find under `laboratory` in what they are started with. */
  readonly workerData?: Readonly<Record<string, unknown>> | undefined
  /** A folder for recordings. */
  readonly record?: string | undefined
}

/** An operator who is refused, or whose nodes are not there, gives up after this. */
const OPERATOR_MS = 5000
/** A node that dies by itself comes back soon, and is given up soon: scenarios are short. */
const restart = { initialDelayMs: 50, maxRestarts: 5 }

export class ThreadsCluster implements RealCluster {
  readonly #cluster: Cluster
  readonly #random: Random
  /** Faults that hold a node down. */
  readonly #silent = new Map<string, number>()
  readonly #kept: Set<string>
  #closing: Promise<void> | undefined

  static async open(options: ThreadsOptions): Promise<ThreadsCluster> {
    const { spec, seed, label, heapMb, worker, workerData, record, onChunk, onLine, machine } = options
    const { voters = defaultVoters, learners = 0, durability = 'flush-before-ack' } = spec
    const machineOptions = machineOptionsOf(machine, spec)
    const clusterOptions: ClusterOptions = {
      nodes: voters,
      durability,
      raft: knobsOf(spec),
      seed,
      faults: true,
      restart,
      ...(record !== undefined && { record: join(record, label) }),
      ...(machine !== undefined && { machine }),
      ...(machineOptions !== undefined && { machineOptions }),
      logger: (level, event, detail) => {
        if (level !== 'debug') onLine(`${event} ${describe(detail)}`)
      },
    }
    const kept = new Set<string>()
    const counter = newCounter()
    const cluster = await Cluster.start(clusterOptions, {
      worker: worker ?? new URL(import.meta.resolve('@troupe/lab/node-worker')),
      shared: { ...workerData, counter },
      heapMb,
      staysDown: (node) => kept.has(node),
      onRecord: (node, record) => onChunk(node, record as Chunk),
    })
    const opened = new ThreadsCluster(cluster, options, kept, counter)
    try {
      const names = nodeNames(spec).slice(voters, voters + learners)
      for (const name of names) await cluster.members.add(name, { learner: true })
      return opened
    } catch (error) {
      await opened.close()
      throw error
    }
  }

  private constructor(
    cluster: Cluster,
    options: ThreadsOptions,
    kept: Set<string>,
    counter: SharedArrayBuffer,
  ) {
    this.#cluster = cluster
    this.#kept = kept
    this.#random = seededRandom(options.seed)
    cluster.on('quarantined', ({ id }) => options.onGivenUp(id))
    cluster.on('exit', ({ id, diedAtMs, atMs, error }) => {
      // Its last words are on their way already, over another port.
      const tell = (): void =>
        options.onExit(id, { atMs: diedAtMs ?? atMs, why: whyOf(error), drawn: drawnFrom(counter) })
      setImmediate(() => setImmediate(tell))
    })
  }

  get ids(): readonly string[] {
    return this.#cluster.ids
  }

  isUp(node: string): boolean {
    return this.#cluster.isUp(node)
  }

  async inject(fault: Fault): Promise<number> {
    return (await this.#cluster.inject(fault)).id
  }

  heal(id?: number): Promise<void> {
    return this.#cluster.heal(id)
  }

  async crash(node: string, isSilent: boolean): Promise<void> {
    if (!isSilent) return void (await this.#cluster.crash(node))
    const { id } = await this.#cluster.inject({ kind: 'crash', nodes: [node], silent: true })
    this.#silent.set(node, id)
  }

  async die(node: string): Promise<void> {
    await this.#cluster.crash(node, { restart: true })
  }

  keepDown(node: string, isSo: boolean): void {
    if (isSo) this.#kept.add(node)
    else this.#kept.delete(node)
  }

  async start(node: string): Promise<void> {
    const held = this.#silent.get(node)
    this.#silent.delete(node)
    // Its end starts the node.
    if (held !== undefined) return this.heal(held)
    try {
      await this.#cluster.restart(node)
    } catch (error) {
      // It comes back by itself.
      if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
    }
  }

  async damage(node: string, damage: FileDamage): Promise<boolean> {
    const { directory } = this.#cluster
    return directory !== undefined && damageFiles(join(directory, node), damage, this.#random)
  }

  /** Who is removed runs on, as it would elsewhere: it does not know yet. */
  async changeMembers(changes: readonly NamedChange[], leave: 'auto' | 'explicit'): Promise<void> {
    const { members } = this.#cluster
    const timing = { timeoutMs: OPERATOR_MS }
    const asked: MemberChange[] = []
    for (const change of changes) {
      if (change.kind !== 'addLearner') asked.push(change)
      else if (!this.ids.includes(change.id)) await members.add(change.id, { learner: true, ...timing })
      else asked.push({ kind: 'addLearner', member: await this.#member(change.id) })
    }
    if (asked.length > 0) await members.change(asked, { leave, ...timing })
  }

  async #member(id: string): Promise<Member> {
    const found = (await this.status()).find((status) => status.id === id)
    const reason = 'it does not answer'
    if (found === undefined)
      throw new RaftError('NODE_UNAVAILABLE', `node ${id}: ${reason}`, { node: id, reason })
    return { id, incarnation: found.incarnation }
  }

  leaveJoint(): Promise<void> {
    return this.#cluster.members.leaveJoint({ timeoutMs: OPERATOR_MS })
  }

  transfer(to: string | undefined): Promise<void> {
    return this.#cluster.transferLeadership(to, { timeoutMs: OPERATOR_MS })
  }

  async elect(node: string): Promise<void> {
    await this.#cluster.inject({ kind: 'elect', nodes: [node] })
  }

  async snapshot(node: string): Promise<void> {
    await this.#cluster.takeSnapshot(node, { timeoutMs: OPERATOR_MS })
  }

  async status(): Promise<readonly NodeStatus[]> {
    const { nodes } = await this.#cluster.status()
    return nodes.flatMap((node) => (node.running ? [node] : []))
  }

  digests(): Promise<ReadonlyMap<string, NodeDigest>> {
    return this.#cluster.digests()
  }

  links(): ClientLinks {
    return new ReopenedLinks(this.#cluster)
  }

  close(): Promise<void> {
    this.#closing ??= this.#cluster.stop()
    return this.#closing
  }
}

/** What Node.js has ended a worker for says more than that it broke. */
function whyOf(error: RaftError | undefined): string | undefined {
  const { code } = (error?.cause ?? {}) as { readonly code?: string }
  return code === OUT_OF_MEMORY ? code : error?.code
}

const describe = (detail: Readonly<Record<string, unknown>>): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(' ')
