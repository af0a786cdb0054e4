/** The replica that a node applies to: made, given what the last stop has left of it, left at rest again. */
import { isPartOf, type LogReader, RaftError, type SnapshotMeta } from '@troupe/core'
import { createMachine, type MachineDefinition, ReplicatedMachine } from '@troupe/machines/host'
import type { LmdbMachineStorage, NodeDirectory, SegmentFolder } from '@troupe/store'
import { codec, crc32 } from '@troupe/wire'
import type { NodeSettings } from './node-control.ts'
import { type NodeLog, openSegments } from './node-storage.ts'

/** What a replica stands on. */
export interface MachineGround {
  readonly directory: NodeDirectory | undefined
  readonly state: LmdbMachineStorage | undefined
  readonly store: LogReader
  readonly snapshot: SnapshotMeta | undefined
  /** Whether its turns are recorded: a recording has no room for a state that it would begin with. */
  readonly isRecorded: boolean
}

export interface NodeMachine {
  readonly replica: ReplicatedMachine
  /** At a stop in good order, after the last flush. Where it does not succeed the next start loads a snapshot. */
  leaveAtRest(): void
}

/**
 * Makes the replica. It goes on from what was left at rest, if the log does.
 * @throws RaftError INVALID_MACHINE, STORAGE_FAILED
 */
export function openMachine(
  settings: NodeSettings,
  definition: MachineDefinition,
  ground: MachineGround,
  log: NodeLog,
): NodeMachine {
  const { machineOptions: options, sessions } = settings
  const { state, directory } = ground
  const segments = openSegments(settings, definition, directory)
  const context = { codec, checksum: crc32, options, storage: state?.machine, segments: segments?.space }
  const replica = new ReplicatedMachine(createMachine(definition, context), codec, sessions, state)
  if (segments?.resting !== undefined) {
    if (resume(replica, segments.resting, ground, log)) segments.resumed()
    else segments.forget()
  }
  return { replica, leaveAtRest: () => leaveAtRest(replica, segments, log) }
}

function resume(
  replica: ReplicatedMachine,
  resting: NonNullable<SegmentFolder['resting']>,
  { store, snapshot, isRecorded }: MachineGround,
  log: NodeLog,
): boolean {
  if (isRecorded || !isPartOf(resting.position, store, snapshot)) return false
  try {
    const loader = replica.beginResume(resting.position)
    resting.read((piece) => loader.chunk(piece))
    loader.end()
    return true
  } catch (error) {
    if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
    log('warn', 'state is built again', { reason: error.data.reason })
    return false
  }
}

function leaveAtRest(replica: ReplicatedMachine, segments: SegmentFolder | undefined, log: NodeLog): void {
  const resting = segments && replica.rest()
  if (resting === undefined) return
  try {
    segments?.leave(resting.segments, resting.position, resting.pieces)
  } catch (error) {
    if (!RaftError.is(error, 'STORAGE_FAILED')) throw error
    log('warn', 'state is not left at rest', { reason: error.message })
  }
}
