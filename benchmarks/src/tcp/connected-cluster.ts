/** A cluster that runs already, somewhere, and may have other clients: it is loaded and looked at, and nothing else. */
import { EventEmitter } from 'node:events'
import { hrtimeMs } from '@troupe/actor'
import {
  Client,
  type ClientSettings,
  type ClusterEvents,
  type ClusterStatus,
  type NodeDigest,
  RemoteCluster,
} from '@troupe/cluster'
import type { NodeId } from '@troupe/core'
import { allConverged, equallyApplied } from '../engine/replicas.ts'
import type { DialingSettings, ObservedCluster } from '../engine/tested-cluster.ts'

const CONVERGE_TIMEOUT_MS = 10_000
const DIGESTS_TIMEOUT_MS = 10_000
const LOOK_MS = 250

export interface ConnectSettings {
  /** `host:port` of one node or more. */
  readonly seeds: readonly string[]
  readonly tls?: DialingSettings['tls']
  readonly clientToken?: string | undefined
  readonly controlToken?: string | undefined
}

export class ConnectedCluster extends EventEmitter<ClusterEvents> implements ObservedCluster {
  readonly seeds: readonly string[]
  readonly dialing: DialingSettings
  readonly #remote: RemoteCluster
  readonly #timer: NodeJS.Timeout
  #status: ClusterStatus
  #isLooking = false

  /** @throws RaftError INVALID_OPTIONS, NODE_UNAVAILABLE */
  static async connect(settings: ConnectSettings): Promise<ConnectedCluster> {
    const { seeds, clientToken, controlToken, tls } = settings
    const security = tls === undefined ? {} : { tls }
    const withToken = (token: string | undefined): DialingSettings =>
      token === undefined ? security : { ...security, token }
    const remote = await RemoteCluster.connect(seeds, withToken(controlToken))
    try {
      return new ConnectedCluster(seeds, withToken(clientToken), remote, await remote.status())
    } catch (error) {
      remote.close()
      throw error
    }
  }

  private constructor(
    seeds: readonly string[],
    dialing: DialingSettings,
    remote: RemoteCluster,
    status: ClusterStatus,
  ) {
    super()
    this.seeds = seeds
    this.dialing = dialing
    this.#remote = remote
    this.#status = status
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  get ids(): readonly NodeId[] {
    return this.#status.nodes.map(({ id }) => id)
  }

  get leader(): NodeId | undefined {
    return this.#status.leader
  }

  async status(): Promise<ClusterStatus> {
    const status = await this.#remote.status()
    this.#seen(status)
    return status
  }

  converged({ timeoutMs = CONVERGE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    return allConverged(this, timeoutMs)
  }

  /** Where others write it may find no moment at which all have applied the same. @throws RaftError TIMEOUT */
  digests(): Promise<Map<NodeId, NodeDigest>> {
    const take = async (): Promise<Map<NodeId, NodeDigest>> => {
      const digests = await Promise.all(this.ids.map((id) => this.#remote.digest(id)))
      return new Map(this.ids.map((id, at) => [id, digests[at] as NodeDigest]))
    }
    return equallyApplied(take, DIGESTS_TIMEOUT_MS)
  }

  client(settings: ClientSettings = {}): Promise<Client> {
    return Client.connect(this.seeds, { ...settings, ...this.dialing })
  }

  /** Leaves the cluster alone. Idempotent. */
  close(): void {
    clearInterval(this.#timer)
    this.#remote.close()
  }

  /** Nobody tells of elections: they are seen a little late, and at the instant at which they are seen. */
  #look(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    this.status()
      // A cluster that is not reached for a moment: whoever loads it notices.
      .catch(() => {})
      .finally(() => {
        this.#isLooking = false
      })
  }

  #seen(status: ClusterStatus): void {
    const { leader, term } = this.#status
    this.#status = status
    if (status.leader === undefined || (status.leader === leader && status.term === term)) return
    this.emit('leader', { id: status.leader, term: status.term, atMs: hrtimeMs() })
  }
}
