/** What a node keeps: its directory, its log, its snapshots, the state of a machine that lives on the disk. */
import { join } from 'node:path'
import {
  invalidOption,
  type LogStore,
  type SnapshotEvents,
  type SnapshotStore,
  type StoreEvents,
} from '@troupe/core'
import { type MachineDefinition, storagePlaceOf } from '@troupe/machines/host'
import {
  type LmdbMachineStorage,
  type NodeDirectory,
  openFileSegments,
  openFileSnapshotStore,
  openLmdbLogStore,
  openLmdbMachineStorage,
  openMemoryLogStore,
  openMemorySnapshotStore,
  openNodeDirectory,
  type SegmentFolder,
} from '@troupe/store/node'
import type { LogLevel } from './logger.ts'
import type { NodeSettings } from './node-control.ts'

/** Takes an event of a node for its log. */
export type NodeLog = (level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>) => void

/** Undefined where the node keeps nothing. @throws RaftError INVALID_DIRECTORY */
export function openDirectory({ durability, directory, identity }: NodeSettings): NodeDirectory | undefined {
  return durability === 'memory'
    ? undefined
    : openNodeDirectory(directory, { ...identity, nodeId: identity.id })
}

/** @throws RaftError STORAGE_FAILED, STORAGE_DAMAGED */
export async function openStore(
  { durability, identity, log }: NodeSettings,
  directory: NodeDirectory | undefined,
  events: StoreEvents,
): Promise<LogStore> {
  if (durability === 'memory' || directory === undefined) return openMemoryLogStore({ events })
  const { clusterId, id: nodeId, incarnation, group } = identity
  const owner = { clusterId, nodeId, incarnation }
  const store = await openLmdbLogStore({ ...log, path: directory.logPath, group, owner, durability, events })
  directory.logMade()
  return store
}

/** @throws RaftError STORAGE_FAILED */
export function openSnapshots(
  { durability, identity }: NodeSettings,
  directory: NodeDirectory | undefined,
  events: SnapshotEvents,
  log: NodeLog,
): SnapshotStore {
  if (durability === 'memory' || directory === undefined) return openMemorySnapshotStore({ events })
  return openFileSnapshotStore({
    path: directory.snapshotPath,
    identity,
    durability,
    events,
    onDamaged: (damaged) => log('error', 'damaged snapshot moved aside', { ...damaged }),
  })
}

/**
 * For a machine that keeps its state on the disk.
 * @throws RaftError INVALID_OPTIONS for one in a node that keeps nothing; STORAGE_FAILED
 */
export function openState(
  { machineOptions, identity, machine }: NodeSettings,
  definition: MachineDefinition,
  directory: NodeDirectory | undefined,
  log: NodeLog,
): LmdbMachineStorage | undefined {
  if (storagePlaceOf(definition, machineOptions) === 'memory') return undefined
  if (directory === undefined) {
    const expected = 'flush-before-ack or acked-before-flush, for a machine that keeps its state on the disk'
    throw invalidOption('durability', 'memory', expected)
  }
  const { clusterId, id: nodeId, incarnation, group } = identity
  const state = openLmdbMachineStorage({
    path: join(directory.path, 'machine', `${group}`),
    identity: { clusterId, nodeId, incarnation, group, machine },
  })
  if (state.givenUp !== undefined) log('warn', 'state is built again', { reason: state.givenUp })
  return state
}

/** Where a machine has bytes outside its memory, if it wants that. @throws RaftError STORAGE_FAILED */
export function openSegments(
  { identity, machine }: NodeSettings,
  definition: MachineDefinition,
  directory: NodeDirectory | undefined,
): SegmentFolder | undefined {
  if (definition.segments !== true || directory === undefined) return undefined
  const { clusterId, id: nodeId, incarnation, group } = identity
  const owner = JSON.stringify({ clusterId, nodeId, incarnation, group, machine })
  return openFileSegments(join(directory.path, 'segments', `${group}`), owner)
}
