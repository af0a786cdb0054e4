/**
 * A recording of one start of a node: everything that its turns are a function of, and what each of them did.
 *
 *     birth   settings, what a kept state held, times and port results while the node was put together
 *     turn    times that were read, events in mailbox order, port results, what the turn did (turn-account.ts), hash so far
 *     end     why nothing follows; a node that was killed leaves none
 *
 * Each of them is one frame of stream-frame.ts. Its payload:
 *
 *     0  u8   what it is
 *     1  u32  bytes of the head
 *     5  u32  bytes of the account (of turns; 0 else)
 *     9  ...  head: msgpack
 *        ...  account: msgpack
 *        ...  bulk: records, frames of clients, pieces of snapshots, in the order in which the head names them
 *
 * The hash is a CRC-32 of all accounts up to this one. Integers are little-endian.
 */
import type { Configuration, GroupId, Identity, NodeEvent, RaftKnobs, WireError } from '@troupe/core'

/** Raised whenever an earlier release could not read, or would not reproduce, what this one writes. */
export const RECORDING_FORMAT = 1

/** How the name of a recording ends. */
export const RECORDING_SUFFIX = '.turns'

/** A record is never larger. */
export const MAX_RECORD_BYTES = 1 << 30

export const RecordKind = { birth: 1, turn: 2, end: 3 } as const

export const RECORD_PREFIX_BYTES = 9

/** What a client did, its connection by the number under which this node opened it. */
export type RecordedClientEvent =
  | { readonly kind: 'opened'; readonly connection: number }
  | { readonly kind: 'frame'; readonly connection: number; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly connection: number }

export type RecordedEvent = NodeEvent<RecordedClientEvent>

/** What a port was asked. The numbers stand in recordings: never reuse one. */
export const RecordedPort = {
  base: 0,
  lastIndex: 1,
  damaged: 2,
  hardState: 3,
  durability: 4,
  termAt: 5,
  read: 6,
  latest: 7,
  snapshotRead: 8,
  pendingBytes: 9,
  received: 10,
} as const
export type RecordedPort = (typeof RecordedPort)[keyof typeof RecordedPort]

export const portName = (port: number): string =>
  Object.keys(RecordedPort).find((name) => RecordedPort[name as keyof typeof RecordedPort] === port) ??
  `port ${port}`

/** What it answered: a value, or what it threw. */
export interface PortResult {
  readonly port: RecordedPort
  readonly args: readonly number[]
  readonly value: unknown
  readonly thrown: WireError | undefined
}

/** What a node was started with, as far as its turns depend on it. */
export interface RecordedSettings {
  readonly identity: Identity
  /** What the group began with. */
  readonly configuration: Configuration
  /** Name or URL. */
  readonly machine: string
  readonly machineOptions: Readonly<Record<string, unknown>>
  readonly raft: RaftKnobs
  /** `GatewayOptions` and `SessionLimits` of the machines, which this package does not know. */
  readonly gateway: { readonly group: GroupId }
  readonly sessions: object
  readonly seed: number
}

type Row = readonly [key: Uint8Array, value: Uint8Array]

/** The rows of a state that was kept on the disk. */
export interface KeptRows {
  readonly machine: readonly Row[]
  readonly replica: readonly Row[]
}

export interface RecordedBirth {
  readonly kind: 'birth'
  readonly format: number
  readonly settings: RecordedSettings
  /** Undefined where the machine keeps its state in memory. */
  readonly kept: KeptRows | undefined
  readonly timesMs: readonly number[]
  readonly results: readonly PortResult[]
}

export interface RecordedTurn {
  readonly kind: 'turn'
  /** What the clock showed, each time it was read. */
  readonly timesMs: readonly number[]
  readonly events: readonly RecordedEvent[]
  readonly results: readonly PortResult[]
  /** Which frames to clients were not taken, by their place among those that the turn sent. */
  readonly refusedSends: readonly number[]
  /** What it did, encoded. */
  readonly account: Uint8Array
  readonly hash: number
}

export interface RecordedEnd {
  readonly kind: 'end'
  /** `stopped`, `failed`, or why the recorder gave up while the node went on. */
  readonly reason: string
}

export type Recorded = RecordedBirth | RecordedTurn | RecordedEnd
