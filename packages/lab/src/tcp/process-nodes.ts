/**
 * The nodes of a cluster as processes of their own, over TCP on the loopback. Every way between two of them, and from every
 * client to each, leads through the fault proxy:
 *
 *     n1 ─► [n1→n2] ─► n2        its peers are, to each node, the addresses of its own ways to them
 *     c1 ─► [c1→n1] ─► n1        a client knows its own ways only, and learns of no others
 *
 * A node listens on a port of its own, another at each start; the ways find it by what it says.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeOptions } from '@troupe/cluster'
import { NodeChild, type NodeNews, type ProcessEnd } from '@troupe/cluster/children'
import { invariant, type NodeId } from '@troupe/core'
import type { Endpoint } from '../proxy/connection.ts'
import type { FaultProxy } from '../proxy/fault-proxy.ts'
import type { NamespaceNetwork } from './namespace-network.ts'
import type { LabNode, ObservedAs } from './protocol.ts'

const CLUSTER = 'laboratory'
const NODE_MAIN = import.meta.resolve('@troupe/lab/tcp-node')
const LOOPBACK = '127.0.0.1'
/** Whoever asks a node where it is gets the way of nobody. */
const NOBODY = 'nobody'
const START_TIMEOUT_MS = 60_000
/** Nobody waits for a leadership that ends with the cluster. */
const HAND_OVER_TIMEOUT_MS = 1

/** What the nodes have in common. */
export type CommonOptions = Omit<
  NodeOptions,
  'id' | 'directory' | 'cluster' | 'peers' | 'listen' | 'advertise' | 'join' | 'logger'
>

export interface ProcessNodesSettings {
  /** Exists, is empty, and is whoever's has made it. */
  readonly directory: string
  /** The members that the cluster begins with. */
  readonly founders: readonly NodeId[]
  /** Those that run beside them, and are no members yet. */
  readonly others: readonly NodeId[]
  readonly clients: readonly string[]
  readonly common: CommonOptions
  readonly proxy: FaultProxy
  /** Between the nodes in the place of the proxy. */
  readonly network?: NamespaceNetwork | undefined
  /** Of each heap, in MiB. @default as much as Node.js gives it */
  readonly heapMb?: number | undefined
  /** The pipe that all of them tell what they do. */
  readonly observed?: string | undefined
  /** Modules that each process loads before anything else. */
  readonly preload?: readonly URL[] | undefined
  readonly onNews: (id: NodeId, news: NodeNews) => void
  readonly onEnd: (id: NodeId, end: ProcessEnd) => void
}

interface Place {
  readonly id: NodeId
  child: LabNode | undefined
  endpoint: Endpoint | undefined
  /** Lost its directory: it comes back as another member. */
  isWiped: boolean
}

export class ProcessNodes {
  readonly #settings: ProcessNodesSettings
  readonly #places = new Map<NodeId, Place>()
  /** By `from>to`. */
  readonly #ways = new Map<string, string>()
  readonly #killOnExit = (): void => {
    for (const { child } of this.#places.values()) child?.killNow()
  }

  /** Starts all nodes. @throws RaftError NODE_UNAVAILABLE where one does not start; then no process is left */
  static async start(settings: ProcessNodesSettings): Promise<ProcessNodes> {
    const nodes = new ProcessNodes(settings)
    process.on('exit', nodes.#killOnExit)
    try {
      await nodes.#open()
      await Promise.all(nodes.ids.map((id) => nodes.start(id)))
      return nodes
    } catch (error) {
      await nodes.close()
      throw error
    }
  }

  private constructor(settings: ProcessNodesSettings) {
    this.#settings = settings
    for (const id of [...settings.founders, ...settings.others])
      this.#places.set(id, { id, child: undefined, endpoint: undefined, isWiped: false })
  }

  async #open(): Promise<void> {
    const { clients, proxy } = this.#settings
    for (const { id: to } of this.#places.values()) {
      for (const from of [...this.ids, ...clients, NOBODY]) {
        if (from === to) continue
        const { host, port } = await proxy.route(from, to, () => this.#places.get(to)?.endpoint)
        this.#ways.set(`${from}>${to}`, `${host}:${port}`)
      }
    }
  }

  get ids(): readonly NodeId[] {
    return [...this.#places.keys()]
  }

  /** Where a client finds the nodes: its own ways to them. */
  seedsOf(client: string): readonly string[] {
    return this.ids.map((id) => this.#way(client, id))
  }

  /** Whether its process runs, also where it stands still. */
  isUp(id: NodeId): boolean {
    return this.#places.get(id)?.child?.isRunning === true
  }

  /** Whether it runs and can answer: not where it stands still, nor before its node has been made. */
  isAwake(id: NodeId): boolean {
    const child = this.#places.get(id)?.child
    return child?.isRunning === true && child.hasStarted && !child.isFrozen
  }

  isPaused(id: NodeId): boolean {
    return this.#places.get(id)?.child?.isFrozen === true
  }

  /** The process that runs. @throws where none does */
  child(id: NodeId): LabNode {
    const child = this.#places.get(id)?.child
    invariant(child !== undefined, `${id} was started`)
    return child
  }

  /** Starts a node that is down. Resolves when it runs. @throws RaftError NODE_UNAVAILABLE with what it said */
  async start(id: NodeId): Promise<void> {
    const place = this.#places.get(id)
    invariant(place !== undefined && !this.isUp(id), `${id} is a node that is down`)
    const { directory, network, heapMb, observed, preload, onNews, onEnd } = this.#settings
    const as: ObservedAs | undefined =
      observed === undefined ? undefined : { path: observed, index: this.ids.indexOf(id) }
    const child: LabNode = new NodeChild({
      options: this.#optionsOf(place),
      main: NODE_MAIN,
      words: as === undefined ? [] : [JSON.stringify(as)],
      log: join(directory, `${id}.log`),
      prefix: network?.prefixOf(id) ?? [],
      preload,
      heapMb,
      onNews: (news) => {
        if (news.kind === 'log' && news.event === 'listening')
          place.endpoint = endpointOf(String(news.detail['address']))
        onNews(id, news)
      },
    })
    place.child = child
    void child.ended.then((end) => {
      if (place.child === child) place.endpoint = undefined
      onEnd(id, end)
    })
    const timer = setTimeout(() => child.killNow(), START_TIMEOUT_MS)
    await child.started.finally(() => clearTimeout(timer))
    const known = this.#settings.founders
    await Promise.all(
      this.ids
        .filter((other) => other !== id && !known.includes(other))
        .map((other) => child.call('addPeer', { id: other, address: this.#way(id, other) })),
    )
  }

  /** SIGKILL. Nothing where it is down. */
  async kill(id: NodeId): Promise<void> {
    await this.#places.get(id)?.child?.kill()
  }

  /** SIGSTOP, until `resume` or its death. False where it cannot be. */
  pause(id: NodeId): boolean {
    const child = this.#places.get(id)?.child
    if (child?.isRunning !== true || child.isFrozen) return false
    child.freeze()
    return true
  }

  resume(id: NodeId): void {
    this.#places.get(id)?.child?.resume()
  }

  /** Kills it and takes its directory away: when it is started again it joins, as another member. */
  async wipe(id: NodeId): Promise<void> {
    await this.kill(id)
    const place = this.#places.get(id)
    if (place === undefined) return
    rmSync(this.directoryOf(id), { recursive: true, force: true })
    place.isWiped = true
  }

  directoryOf(id: NodeId): string {
    return join(this.#settings.directory, id)
  }

  /** Ends all processes, and waits for that. Idempotent. */
  async close(): Promise<void> {
    const children = [...this.#places.values()].flatMap(({ child }) => (child === undefined ? [] : [child]))
    await Promise.all(children.map((child) => child.kill()))
    process.off('exit', this.#killOnExit)
  }

  #way(from: string, to: NodeId): string {
    const { network } = this.#settings
    if (network !== undefined && this.#places.has(from)) return network.addressOf(to)
    const way = this.#ways.get(`${from}>${to}`)
    invariant(way !== undefined, `there is a way from ${from} to ${to}`)
    return way
  }

  #optionsOf({ id, isWiped }: Place): NodeOptions {
    const { founders, common, network } = this.#settings
    const isFounder = founders.includes(id) && !isWiped
    const others = (isFounder ? founders : this.ids).filter((other) => other !== id)
    const own = this.#way(NOBODY, id)
    const peers = Object.fromEntries([[id, own], ...others.map((other) => [other, this.#way(id, other)])])
    return {
      ...common,
      ...{ id, cluster: CLUSTER, directory: this.directoryOf(id), peers },
      listen: network?.addressOf(id) ?? `${LOOPBACK}:0`,
      // Nobody is in such a network but the laboratory.
      ...(network === undefined ? {} : { insecure: true }),
      ...(isFounder ? {} : { join: true }),
      handOverTimeoutMs: HAND_OVER_TIMEOUT_MS,
    }
  }
}

function endpointOf(address: string): Endpoint {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}
