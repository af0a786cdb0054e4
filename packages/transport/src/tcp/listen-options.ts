import { type Durability, type GroupId, type Identity, invalidOption } from '@troupe/core'
import { MAX_COMMANDS_BYTES } from '@troupe/machines/host'
import {
  type ConnectionRole,
  type HandshakeRefusalCode,
  MAX_PEER_FRAME_BYTES,
  type NodeAddress,
} from '@troupe/wire'
import type { Address } from './address.ts'
import type { Credentials } from './credentials.ts'
import type { ReadWindow } from './framed-socket.ts'
import type { Timers } from './timers.ts'

/** What strangers, clients and operators may cost. */
export interface ListenLimits {
  /** Connections without a finished handshake. @default 256 */
  readonly maxHalfOpen: number
  /** Of those from one IP address: many clients of one host may come at once. @default 64 */
  readonly maxHalfOpenPerAddress: number
  /** From the connection to the end of the handshake, TLS and all. @default 3000 */
  readonly handshakeTimeoutMs: number
  /** Connections of clients. @default 1024 */
  readonly maxClients: number
  /** Connections of operators. @default 16 */
  readonly maxControls: number
  /**
   * For a frame of a client or operator, from its first byte to its last: whoever is slower is found out before twice that
   * time, and closed. @default 30,000
   */
  readonly frameTimeoutMs: number
  /** What of a client's frames may wait for the node's mailbox. */
  readonly clientWindow: ReadWindow
  /** What may lie unsent at this end before a client counts as one that reads too slowly. @default 8 MiB */
  readonly maxUnsentBytes: number
  /** Size of a frame, by role. */
  readonly maxFrameBytes: Readonly<Record<ConnectionRole, number>>
}

export const defaultListenLimits: ListenLimits = Object.freeze({
  maxHalfOpen: 256,
  maxHalfOpenPerAddress: 64,
  handshakeTimeoutMs: 3000,
  maxClients: 1024,
  maxControls: 16,
  frameTimeoutMs: 30_000,
  clientWindow: Object.freeze({ maxUnreadFrames: 1024, maxUnreadBytes: 4 << 20 }),
  maxUnsentBytes: 8 << 20,
  maxFrameBytes: Object.freeze({
    peer: MAX_PEER_FRAME_BYTES,
    // Command frames of an entry, and the queries beside them.
    client: MAX_COMMANDS_BYTES + (1 << 20),
    control: 1 << 20,
  }),
})

export interface ListenOptions {
  readonly identity: Identity
  /** All groups that this process has. @default those of the identity */
  readonly groups?: readonly GroupId[]
  /** @default any free port of the loopback */
  readonly listen?: Address
  /** Without them only the loopback is listened on. */
  readonly credentials?: Credentials | undefined
  /** Listen for the whole network without TLS: whoever reaches the port can read and change everything. @default false */
  readonly insecure?: boolean
  /** What proves a client or operator that has no certificate; where neither TLS nor a token is set up, nobody has to. */
  readonly tokens?: { readonly client?: string; readonly control?: string }
  /** Where the nodes of the cluster are reached, for clients and operators; asked at each welcome. */
  readonly nodes?: () => readonly NodeAddress[]
  /** How the node writes before it acknowledges: told to them with the addresses. */
  readonly durability?: Durability
  readonly limits?: Partial<ListenLimits>
  readonly timers?: Timers
}

/** Why a connection was refused or broken off, as it is counted. */
export type ConnectionRefusalCode =
  | HandshakeRefusalCode
  /** TLS did not come about: a plain client, an older TLS, an alert of the other end. */
  | 'tls'
  /** Closed by the other end before the handshake. */
  | 'closed'
  /** Too many without a finished handshake. */
  | 'half-open'
  | 'damaged'
  | 'oversized'
  /** Behind the handshake: a sound frame that makes no sense. */
  | 'protocol'
  /** A frame that took too long. */
  | 'slow'

export const CONNECTION_REFUSALS: readonly ConnectionRefusalCode[] = [
  'no-handshake',
  'version',
  'cluster',
  'group',
  'identity',
  'role',
  'certificate',
  'token',
  'full',
  'remote',
  'tls',
  'timeout',
  'closed',
  'half-open',
  'damaged',
  'oversized',
  'protocol',
  'slow',
]

export interface ConnectionRefusal {
  readonly code: ConnectionRefusalCode
  readonly reason: string
}

/** @throws RaftError INVALID_OPTIONS for an unknown limit or one that is no number above 0 */
export function resolveListenLimits(given: Partial<ListenLimits> = {}): ListenLimits {
  for (const [field, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultListenLimits, field)) {
      const known = Object.keys(defaultListenLimits).join(', ')
      throw invalidOption(`limits.${field}`, value, `one of ${known}`)
    }
    if (typeof value === 'number' && !(value > 0)) {
      throw invalidOption(`limits.${field}`, value, 'a number above 0')
    }
  }
  return Object.freeze({ ...defaultListenLimits, ...given })
}
