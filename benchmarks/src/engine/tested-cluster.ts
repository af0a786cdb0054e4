/** A cluster as benchmarks see it, whichever engine runs its nodes: worker threads, processes, or somebody else. */
import type { EventEmitter } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import type {
  Client,
  ClientSettings,
  Cluster,
  ClusterEvents,
  ClusterStatus,
  Fault,
  InjectedFault,
  NodeDigest,
  TcpClientSettings,
} from '@troupe/cluster'
import { invalidOption, type NodeId } from '@troupe/core'

/** Where a load's client connects: to ports of a cluster on threads, or to addresses. */
export type ClientSource =
  | { clientPort(): MessagePort }
  | { readonly seeds: readonly string[]; readonly dialing: DialingSettings }

/** How a client proves itself over TCP. */
export type DialingSettings = Pick<TcpClientSettings, 'tls' | 'token' | 'cluster' | 'connectTimeoutMs'>

/** What can be done to any cluster that runs. */
export interface ObservedCluster extends Pick<EventEmitter<ClusterEvents>, 'on' | 'off'> {
  readonly ids: readonly NodeId[]
  /** Of the latest term that was heard of; undefined once it has died. */
  readonly leader: NodeId | undefined
  status(): Promise<ClusterStatus>
  /** As `Cluster.converged`. @throws RaftError TIMEOUT */
  converged(options?: { readonly timeoutMs?: number }): Promise<void>
  digests(): Promise<Map<NodeId, NodeDigest>>
  client(settings?: ClientSettings): Promise<Client>
}

/** Where the time of nodes goes; not of nodes that somebody else runs. */
export type InstrumentedCluster = Pick<
  Cluster['instruments'],
  Exclude<keyof Cluster['instruments'], 'metrics'>
>

/** A cluster whose nodes are ours to crash. */
export interface TestedCluster extends ObservedCluster {
  readonly instruments: InstrumentedCluster
  readonly activeFaults: readonly unknown[]
  /** Ends a node without a word; it stays down until `restart`. Resolves when it is gone. */
  crash(id: NodeId): Promise<Death>
  restart(id: NodeId): Promise<void>
  inject(fault: Fault): Promise<Pick<InjectedFault, 'id' | 'text' | 'atMs'>>
  heal(id?: number): Promise<void>
  /** Processor time of the nodes where they are processes beside this one; missing where they are its threads. */
  nodesCpuMs?(): Promise<number>
}

/** A cluster under load. What only nodes of ours can do is missing where somebody else runs them. */
export type LoadableCluster = ObservedCluster & Partial<Omit<TestedCluster, keyof ObservedCluster>>

/** @throws RaftError INVALID_OPTIONS where somebody else runs it */
export function ours(cluster: Partial<TestedCluster>): TestedCluster {
  const { instruments, inject } = cluster
  if (instruments === undefined || inject === undefined)
    throw invalidOption('--connect', 'a cluster', 'nothing, for what is done to nodes of our own')
  return cluster as TestedCluster
}

/** When a node that was crashed was gone, by the monotonic clock. */
export interface Death {
  /** When its supervisor saw it. */
  readonly atMs: number
  /** When it happened, where that is known. */
  readonly diedAtMs: number | undefined
}
