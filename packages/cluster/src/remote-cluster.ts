/**
 * A cluster as an operator sees it over TCP: from any of its nodes to all of them.
 *
 *     seeds ─► NodeDialer, role `control` ─► a connection to each node ─► questions, answers
 */
import { type ControlCommand, type NodeId, RaftError } from '@troupe/core'
import { type DialSettings, NodeDialer } from './client-dialer.ts'
import type { ClientLink } from './client-links.ts'
import { type ClusterStatus, type NodeDigest, type NodeReport, viewOf } from './cluster-status.ts'
import { decodeAnswer, encodeQuestion } from './control-protocol.ts'
import { RemoteFaults } from './faults/remote-faults.ts'
import { type MemberOptions, Members, timeoutOf } from './members.ts'
import type { NodeStatus } from './node-control.ts'

const ANSWER_TIMEOUT_MS = 5000
/** With the election, or the snapshot, that a fault may ask for. */
const FAULT_ANSWER_TIMEOUT_MS = 12_000
/** For a node that is known, and not connected yet. */
const LINK_TIMEOUT_MS = 1000
const POLL_MS = 5

interface Pending extends PromiseWithResolvers<unknown> {
  readonly node: NodeId
}

/** How an operator reaches a cluster. */
export interface OperatorSettings extends DialSettings {
  /** Closes everything, also while the first connection is waited for. @default never */
  readonly signal?: AbortSignal
}

export class RemoteCluster {
  /** Nodes that come and go. `add` and `replace` are for nodes that this process starts: here see {@link add}. */
  readonly members: Pick<Members, 'remove' | 'promote' | 'demote' | 'change' | 'leaveJoint'>
  /** Faults by hand, at nodes that were started with `allowFaults`. */
  readonly faults: RemoteFaults
  readonly #members: Members
  readonly #dialer: NodeDialer
  readonly #links = new Map<NodeId, ClientLink>()
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  /**
   * @param seeds the addresses (`host:port`) of one node or more
   * @throws RaftError INVALID_OPTIONS; NODE_UNAVAILABLE where no node is reached in time, or each of them refuses
   */
  static async connect(
    seeds: readonly string[],
    { signal, ...settings }: OperatorSettings = {},
  ): Promise<RemoteCluster> {
    const cluster = new RemoteCluster(new NodeDialer('control', seeds, settings))
    try {
      signal?.addEventListener('abort', () => cluster.close(), { once: true })
      if (signal?.aborted === true) cluster.close()
      await cluster.#dialer.connected()
      return cluster
    } catch (error) {
      cluster.close()
      throw error
    }
  }

  private constructor(dialer: NodeDialer) {
    this.#dialer = dialer
    this.#members = new Members({
      ids: () => [...dialer.nodes],
      leaderStatus: () => this.#leaderStatus(),
      command: (id, command, timeoutMs) => this.#command(id, command, timeoutMs),
      begin: async () => {},
      end: async (id) => this.#forget(id),
      crash: async () => {},
    })
    this.members = this.#members
    this.faults = new RemoteFaults({
      status: () => this.status(),
      ask: (id, method, argument) => this.#ask(id, method, argument, FAULT_ANSWER_TIMEOUT_MS),
    })
    dialer.start({
      opened: (node, link) => this.#links.set(node, link),
      frame: (_node, link, frame) => this.#answered(link, frame),
      writable: () => {},
      closed: (node) => this.#closed(node),
      ended: () => {},
    })
  }

  /**
   * Asks every node for its state; one that is not reached or does not answer is listed so. What those that answer know of
   * all is in `view`.
   */
  async status(): Promise<ClusterStatus> {
    await this.#settled()
    const nodes = await Promise.all([...this.#dialer.nodes].sort().map((id) => this.#report(id)))
    let best: NodeStatus | undefined
    for (const node of nodes)
      if (node.running && node.role === 'leader' && node.term > (best?.term ?? 0)) best = node
    const term = Math.max(0, ...nodes.map((node) => (node.running ? node.term : 0)))
    return { leader: best?.id, term, nodes, view: viewOf(nodes) }
  }

  /** SHA-256 over the replicated state of a node. @throws RaftError NODE_UNAVAILABLE */
  async digest(id: NodeId): Promise<NodeDigest> {
    return (await this.#ask(id, 'digest', undefined, ANSWER_TIMEOUT_MS)) as NodeDigest
  }

  /** As `Cluster.transferLeadership`. @throws RaftError REFUSED_CHANGE, TIMEOUT, INDETERMINATE */
  async transferLeadership(to?: NodeId, options: MemberOptions = {}): Promise<void> {
    const command = { kind: 'transferLeadership', to } as const
    await this.#members.commandLeader('transferring leadership', command, timeoutOf(options))
  }

  /** As `Cluster.takeSnapshot`. @throws RaftError NODE_UNAVAILABLE, REFUSED_CHANGE, TIMEOUT */
  async takeSnapshot(id: NodeId, options: MemberOptions = {}): Promise<void> {
    await this.#command(id, { kind: 'takeSnapshot' }, timeoutOf(options))
  }

  /**
   * Makes a node a member that was started with `join: true`: all others are told where it is; it becomes a learner, and a
   * voter once it has caught up. What was done already is not done again: where it fails, the same call goes on with it later.
   * @throws RaftError INVALID_OPTIONS where another node of that name is a member; NODE_UNAVAILABLE where it is not reached;
   *   REFUSED_CHANGE; TIMEOUT, which says how far it is
   */
  async add(
    id: NodeId,
    address: string,
    settings: DialSettings = {},
    options: MemberOptions = {},
  ): Promise<void> {
    const timeoutMs = timeoutOf(options)
    const joining = await RemoteCluster.connect([address], settings)
    try {
      const status = (await joining.#ask(id, 'status', undefined, ANSWER_TIMEOUT_MS)) as NodeStatus
      const { incarnation } = status
      await this.#settled()
      await this.#members.refuseNamesake({ id, incarnation }, timeoutMs)
      await this.#tellAll('addPeer', { id, address })
      if (![...this.#dialer.nodes].includes(id)) this.#dialer.learn(id, address)
      await this.#members.admit({ id, incarnation }, timeoutMs)
    } catch (error) {
      if (!RaftError.is(error, 'TIMEOUT')) throw error
      const message = `${error.message}; what is done stays: run the same again, and it goes on from there`
      throw new RaftError('TIMEOUT', message, error.data)
    } finally {
      joining.close()
    }
  }

  /** Closes the connections. Idempotent. */
  close(): void {
    this.#dialer.close()
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
    for (const { node } of [...this.#pending.values()]) this.#closed(node)
  }

  // ---- nodes

  async #report(id: NodeId): Promise<NodeReport> {
    try {
      const status = (await this.#ask(id, 'status', undefined, ANSWER_TIMEOUT_MS)) as NodeStatus
      return { running: true, ...status, leader: status.leader ?? undefined }
    } catch (error) {
      return { running: false, id, reason: error instanceof Error ? error.message : String(error) }
    }
  }

  async #leaderStatus(): Promise<NodeStatus | undefined> {
    const { leader, nodes } = await this.status()
    return nodes.find((node) => node.running && node.id === leader) as NodeStatus | undefined
  }

  async #command(id: NodeId, command: ControlCommand, timeoutMs: number): Promise<void> {
    if (!this.#links.has(id)) await this.#settled()
    await this.#ask(id, 'command', { command, timeoutMs }, timeoutMs + ANSWER_TIMEOUT_MS)
  }

  /** It is told to look for itself whether it is a member; the others need not reach it any more. */
  async #forget(id: NodeId): Promise<void> {
    // Where it does not run it notices when it does again.
    await this.#ask(id, 'checkMembership', undefined, ANSWER_TIMEOUT_MS).catch(() => {})
    this.#dialer.forget(id)
    this.#links.get(id)?.close()
    this.#links.delete(id)
    await this.#tellAll('removePeer', { id })
  }

  async #tellAll(method: string, argument: object): Promise<void> {
    await Promise.all([...this.#links.keys()].map((id) => this.#ask(id, method, argument, ANSWER_TIMEOUT_MS)))
  }

  /** Waits a little for connections to the nodes that are known. */
  async #settled(): Promise<void> {
    const deadlineMs = performance.now() + LINK_TIMEOUT_MS
    const isMissing = (): boolean => [...this.#dialer.nodes].some((id) => !this.#links.has(id))
    while (isMissing() && performance.now() < deadlineMs)
      await new Promise((resume) => setTimeout(resume, POLL_MS))
  }

  // ---- questions

  async #ask(node: NodeId, method: string, argument: unknown, timeoutMs: number): Promise<unknown> {
    const link = this.#links.get(node)
    if (link === undefined) throw unavailable(node, 'it is not reached')
    const id = ++this.#lastId
    const pending: Pending = { ...Promise.withResolvers<unknown>(), node }
    this.#pending.set(id, pending)
    const timer = setTimeout(
      () => pending.reject(unavailable(node, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    )
    try {
      if (!link.send(encodeQuestion({ id, method, argument })))
        throw unavailable(node, 'it takes no questions')
      return await pending.promise
    } finally {
      clearTimeout(timer)
      this.#pending.delete(id)
    }
  }

  #answered(link: ClientLink, frame: Uint8Array): void {
    const answer = decodeAnswer(frame)
    if (answer === undefined) return link.close()
    const pending = this.#pending.get(answer.id)
    if (answer.error === undefined) pending?.resolve(answer.value)
    else pending?.reject(answer.error)
  }

  #closed(node: NodeId): void {
    this.#links.delete(node)
    for (const pending of this.#pending.values()) {
      if (pending.node === node) pending.reject(unavailable(node, 'its connection was closed'))
    }
  }
}

function unavailable(node: NodeId, reason: string): RaftError<'NODE_UNAVAILABLE'> {
  return new RaftError('NODE_UNAVAILABLE', `node ${node}: ${reason}`, { node, reason })
}
