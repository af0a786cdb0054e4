/**
 * Puts core and driver of a node together, with whoever stands between them and their ports.
 *
 *     driver ─► recorder ─► observer ─► faults ─► ports
 */
import {
  type Application,
  type Configuration,
  type DriverParts,
  type LogStore,
  NodeDriver,
  type PeerTransport,
  RaftCore,
  type SnapshotStore,
  seededRandom,
} from '@troupe/core'
import type { ClientEvent, GatewayOptions } from '@troupe/machines'
import { crc32 } from '@troupe/wire'
import type { NodeFaults } from './faults/node-faults.ts'
import type { NodeSettings } from './node-control.ts'
import type { NodeObserver } from './node-observer.ts'
import type { FlightRecorder } from './recording/flight-recorder.ts'

/** Who stands between: undefined where nobody does. */
export interface Between {
  readonly faults?: NodeFaults | undefined
  readonly observer?: NodeObserver | undefined
  readonly recorder?: FlightRecorder | undefined
}

export interface DriverSetting extends Required<Pick<DriverParts<ClientEvent>, 'onRole' | 'onControl'>> {
  readonly settings: NodeSettings
  /** What the group began with. */
  readonly configuration: Configuration
  /** With its faults, and whoever observes it. */
  readonly store: LogStore
  readonly snapshots: SnapshotStore
  /** As it leads out. */
  readonly transport: PeerTransport
  readonly application: Application<ClientEvent>
  /** What the application was made with. */
  readonly gateway: GatewayOptions
  /** What turns are timed by. */
  nowMs(): number
}

/** In this order it is what a recording begins with: sim/src/replay/replay.ts does the same. */
export function makeDriver(
  { faults, observer, recorder }: Between,
  { settings, configuration, gateway, nowMs, ...setting }: DriverSetting,
): NodeDriver<ClientEvent> {
  const { identity, machine, machineOptions, raft, sessions, seed } = settings
  const store = recorder?.store(setting.store) ?? setting.store
  const snapshots = recorder?.snapshots(setting.snapshots) ?? setting.snapshots
  const random = seededRandom(seed)
  const { kept } = setting.application
  const options = { ...raft, identity, configuration, random, checksum: crc32, kept }
  const core =
    recorder?.core(options, store, snapshots, nowMs()) ?? new RaftCore(options, store, snapshots, nowMs())
  const faulty = faults?.transport(setting.transport) ?? setting.transport
  const transport = observer?.transport(faulty) ?? faulty
  const parts: DriverParts<ClientEvent> = {
    core,
    store,
    snapshots,
    transport: recorder?.transport(transport) ?? transport,
    application: observer?.application(setting.application) ?? setting.application,
    clock: { nowMs },
    checksum: crc32,
    knobs: raft,
    onRole: setting.onRole,
    onControl: setting.onControl,
  }
  const driver = recorder?.driver(parts) ?? new NodeDriver(parts)
  recorder?.born({ identity, configuration, machine, machineOptions, raft, gateway, sessions, seed })
  return driver
}
