/** The same cluster in worker threads of this process: for whoever wants to see that, and the data a program's cluster has. */
import { Cluster, type ClusterOptions, type ClusterStatus } from '@troupe/cluster'
import type { LocalCluster, LocalEvent, LocalNode, LocalState } from './local-cluster.ts'

interface ThreadNode {
  state: LocalState
  restarts: number
}

export class LocalThreads implements LocalCluster {
  readonly #cluster: Cluster
  readonly #nodes: ReadonlyMap<string, ThreadNode>

  /** @throws RaftError as `Cluster.start` */
  static async start(options: ClusterOptions, tell: (event: LocalEvent) => void): Promise<LocalThreads> {
    return new LocalThreads(await Cluster.start(options), tell)
  }

  private constructor(cluster: Cluster, tell: (event: LocalEvent) => void) {
    this.#cluster = cluster
    this.#nodes = new Map(cluster.ids.map((id) => [id, { state: 'running', restarts: 0 }]))
    const set = (id: string, state: LocalState): ThreadNode =>
      Object.assign(this.#nodes.get(id) ?? {}, { state }) as ThreadNode
    for (const id of cluster.ids) tell({ event: 'started', node: id, pid: undefined })
    cluster.on('leader', ({ id, term }) => tell({ event: 'leads', node: id, term }))
    cluster.on('restarting', ({ id, delayMs }) => {
      set(id, 'running').restarts++
      tell({ event: 'restarting', node: id, delayMs: Math.round(delayMs) })
    })
    cluster.on('quarantined', ({ id }) => {
      set(id, 'quarantined')
      tell({ event: 'quarantined', node: id, reason: 'it has died again and again' })
    })
  }

  get nodes(): readonly LocalNode[] {
    const here = { pid: undefined, address: undefined }
    return Array.from(this.#nodes, ([id, { state, restarts }]) => ({ id, ...here, state, restarts }))
  }

  status(): Promise<ClusterStatus> {
    return this.#cluster.status()
  }

  stop(): Promise<void> {
    return this.#cluster.stop()
  }
}
