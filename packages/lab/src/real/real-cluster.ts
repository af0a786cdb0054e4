/**
 * Real nodes that a scenario is played on, and all that the laboratory needs of them: threads of this process
 * (threads/threads-cluster.ts), or processes over TCP. Whoever adds an engine implements this.
 */
import type { ClientLinks, FileDamage, NodeDigest, NodeStatus } from '@troupe/cluster'
import type { MemberChange } from '@troupe/core'
import type { DirectedLink, Fault, LinkRule } from '@troupe/faults'
import { queueMachineOptions } from '@troupe/sim'
import type { ToxicOrder } from '../proxy/toxic.ts'
import type { ClusterSpec } from '../scenario/scenario.ts'
import type { Chunk } from './records.ts'

export type MachineName = 'kv' | 'queue'

/** The options of its machine: of a queue's those of the simulator, so that its segments are left, emptied and copied all the time. */
export function machineOptionsOf(
  machine: MachineName = 'kv',
  { stateOnDisk = false }: ClusterSpec,
): Readonly<Record<string, unknown>> | undefined {
  if (machine === 'queue') return queueMachineOptions
  return stateOnDisk ? { storage: 'disk' } : undefined
}

export interface NodeExit {
  /** By the clock of the chunks. */
  readonly atMs: number
  /** The code of its error. */
  readonly why: string | undefined
  /** How many numbers chunks had been given by then, where they have any. */
  readonly drawn?: number
}

/** What a cluster is opened with. */
export interface OpenOptions {
  readonly spec: ClusterSpec
  /** What its clients use. @default 'kv' */
  readonly machine?: MachineName | undefined
  /** Of the run, for names of files. */
  readonly label: string
  readonly seed: number
  /** Of each node's heap, in MiB, where it is to be filled. */
  readonly heapMb?: number | undefined
  readonly onChunk: (node: string, chunk: Chunk) => void
  /** A node is gone. Called behind its last chunk. */
  readonly onExit: (node: string, exit: NodeExit) => void
  /** Its supervisor does not start a node any more. */
  readonly onGivenUp: (node: string) => void
  /** For the timeline. */
  readonly onLine: (text: string) => void
}

/** A change as files have it: who joins gets its incarnation from the cluster. */
export type NamedChange =
  | Exclude<MemberChange, { kind: 'addLearner' }>
  | { readonly kind: 'addLearner'; readonly id: string }

/** Faults on the links of clients, where the cluster does them itself. */
export interface ClientLinkFaults {
  /** @param id of the caller's, not in use */
  add(id: number, rule: LinkRule): void
  remove(id: number): void
  /** Closes a connection, as if its network had gone. False where there is none. */
  hangUp(client: string, node: string): boolean
}

export interface RealCluster {
  /** Undefined: they are done at the clients. */
  readonly clientLinks?: ClientLinkFaults
  /** Closes the connections between two nodes, which open again. Undefined: it cannot. */
  flap?(left: string, right: string): boolean
  /** Puts a toxic on streams; gives what takes it away. Undefined: there are none. */
  poison?(links: readonly DirectedLink[], order: ToxicOrder): () => void

  /** The nodes that there are, up or down. */
  readonly ids: readonly string[]
  isUp(node: string): boolean
  /** Begins a fault, until {@link heal}; resolves with its number when it is in effect. */
  inject(fault: Fault): Promise<number>
  /** Ends one that lasts, or all. */
  heal(id?: number): Promise<void>
  /** A process that dies now, and stays down until {@link start}. Silently where it can: its peers see nothing close. */
  crash(node: string, isSilent: boolean): Promise<void>
  /** The same, as by itself: its supervisor decides what follows. */
  die(node: string): Promise<void>
  /** Whether it stays down where it dies by itself, until {@link start}. */
  keepDown(node: string, isSo: boolean): void
  start(node: string): Promise<void>
  /** Damages the files of a node that is down. False where there is nothing to do it to. */
  damage(node: string, damage: FileDamage): Promise<boolean>
  /** Resolves when the changes are committed. */
  changeMembers(changes: readonly NamedChange[], leave: 'auto' | 'explicit'): Promise<void>
  /** Joint configurations that were left to be left by hand. Nothing where there is none. */
  leaveJoint(): Promise<void>
  transfer(to: string | undefined): Promise<void>
  elect(node: string): Promise<void>
  snapshot(node: string): Promise<void>
  /** Of those that run and answer. */
  status(): Promise<readonly NodeStatus[]>
  /** Of those that run. */
  digests(): Promise<ReadonlyMap<string, NodeDigest>>
  /** The connections of a new client. */
  links(): ClientLinks
  /** Stops everything and removes what it has written. Idempotent. */
  close(): Promise<void>
}
