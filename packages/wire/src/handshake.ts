/**
 * The first frame on every connection, over ports and over TCP: who speaks, in which role, in which versions of the
 * protocol. Nothing else is decoded before it fits.
 *
 *     [magic, lowest, highest, role, clusterId, groups, from, incarnation, boot, channel, link, token, to, nodes?, durability?]  a hello
 *     [magic, 0, 0, code, reason]                                                                         a refusal
 *
 * **Versions.** Each node speaks a range of versions, and a connection the highest that both ends speak; where the ranges do
 * not meet it is refused. For a rolling upgrade over a change that older nodes cannot read, the first release speaks the
 * old and the new version, and the one after it may drop the old: whoever goes one release at a time always has a
 * version in common. The hello itself is never changed but by fields added at its end, which older nodes do not look
 * at; magic and range stay where they are for ever, so that any two releases can at least tell each other why not.
 */
import { type Durability, type GroupId, type Identity, type NodeId, show } from '@troupe/core'
import { codec } from './codec.ts'

/**
 * The versions that this release speaks. `highest` rises with every change that an older node could not read; `lowest` with
 * it where the change is in what entries mean (5: frames without commands), which all replicas have to apply alike.
 */
export const PROTOCOL_VERSIONS: VersionRange = Object.freeze({ lowest: 5, highest: 5 })

const MAGIC = 'troupe'
const FIELDS = 13
const MAX_NAME_LENGTH = 256
const MAX_GROUPS = 256
const MAX_REASON_LENGTH = 300
const MAX_NODES = 64

/** A longer first frame is refused before it is decoded. */
export const MAX_HANDSHAKE_BYTES = 4096

export interface VersionRange {
  readonly lowest: number
  readonly highest: number
}

/** What a connection is for: another node, a client of the state machine, an operator. */
export type ConnectionRole = 'peer' | 'client' | 'control'

/**
 * Which of the connections between two nodes this is. Over ports there is one (`all`), over TCP one for what must not wait
 * and one for what is large; `knock` carries nothing: it asks the other end to connect.
 */
export type Channel = 'all' | 'urgent' | 'bulk' | 'knock'

/** What one end says of itself. */
export interface Hello {
  readonly role: ConnectionRole
  /** Empty where a client does not know it yet; it learns it from the answer, and insists on it from then on. */
  readonly clusterId: string
  /** The groups that it has, or wants; a client may leave them out. */
  readonly groups: readonly GroupId[]
  /** The name of the node; of a client: any, for logs. */
  readonly from: NodeId
  /** Of clients: 0. */
  readonly incarnation: number
  readonly boot: number
  readonly channel: Channel
  /** The connections of one attempt to reach a peer bear the same number. */
  readonly link: number
  /** What a client or operator proves itself with, where it has no certificate. */
  readonly token: string
  /** Who is meant; empty: whoever answers. */
  readonly to: NodeId
  /** In the welcome of a client or operator: the nodes of the cluster and where they are reached, as this one knows it. */
  readonly nodes?: readonly NodeAddress[]
  /** Beside them: how this node writes before it acknowledges. */
  readonly durability?: Durability
}

/** A node, and its `host:port`. */
export type NodeAddress = readonly [id: NodeId, address: string]

/** A hello that fits. */
export interface Handshake extends Hello {
  /** The version that is spoken from here on. */
  readonly version: number
}

/** Why a handshake is refused, as it is counted. `remote`: the other end has said so. */
export type HandshakeRefusalCode =
  | 'no-handshake'
  | 'version'
  | 'cluster'
  | 'group'
  | 'identity'
  | 'role'
  | 'certificate'
  | 'token'
  | 'full'
  | 'timeout'
  | 'remote'

export interface HandshakeRefusal {
  readonly code: HandshakeRefusalCode
  /** Fit for the logs of both ends. */
  readonly reason: string
  /** Of `remote`: why, in the other end's words; its releases may know more of them. */
  readonly told?: string
}

/** What this end expects of a hello. */
export type ExpectedHello = Pick<Hello, 'clusterId' | 'groups' | 'from'>

/** What a node says to its peers. */
export function helloOf(identity: Identity, more: Partial<Hello> = {}): Hello {
  const { clusterId, group, id: from, incarnation, boot } = identity
  const own = { role: 'peer', clusterId, groups: [group], from, incarnation, boot } as const
  return { ...own, channel: 'all', link: 0, token: '', to: '', ...more }
}

export function encodeHandshake(hello: Hello, versions: VersionRange = PROTOCOL_VERSIONS): Uint8Array {
  const { role, clusterId, groups, from, incarnation, boot, channel, link, token, to, nodes, durability } =
    hello
  const { lowest, highest } = versions
  const identity = [clusterId, groups, from, incarnation, boot]
  const fields = [MAGIC, lowest, highest, role, ...identity, channel, link, token, to]
  if (nodes === undefined) return codec.encode(fields)
  const told = [...fields, nodes.slice(0, MAX_NODES)]
  return codec.encode(durability === undefined ? told : [...told, durability])
}

/** What the other end is told before the connection is closed. */
export function encodeRefusal({ code, reason }: HandshakeRefusal): Uint8Array {
  return codec.encode([MAGIC, 0, 0, code, reason.slice(0, MAX_REASON_LENGTH)])
}

/** Reads a hello and checks it against what this end expects. Never throws. */
export function readHandshake(
  bytes: Uint8Array,
  own: ExpectedHello,
  versions: VersionRange = PROTOCOL_VERSIONS,
): Handshake | HandshakeRefusal {
  const fields = decodeFields(bytes)
  if (!Array.isArray(fields)) return fields
  const [, lowest, highest] = fields
  if (lowest === 0 && highest === 0)
    return { code: 'remote', reason: refusalIn(fields), told: readable(fields[3]) }
  const version = commonVersion(lowest, highest, versions)
  if (typeof version === 'object') return version
  const hello = readHello(fields)
  if ('code' in hello) return hello
  return stranger(hello, own) ?? { version, ...hello }
}

/** The reason, where that frame is a refusal: what may come in the place of the first frame behind a handshake. */
export function readRefusal(bytes: Uint8Array): string | undefined {
  const fields = decodeFields(bytes)
  if (!Array.isArray(fields) || fields[1] !== 0 || fields[2] !== 0) return undefined
  return refusalIn(fields)
}

/** Whether `readHandshake` has refused. */
export function isRefusal(read: Handshake | HandshakeRefusal): read is HandshakeRefusal {
  return 'code' in read
}

function decodeFields(bytes: Uint8Array): unknown[] | HandshakeRefusal {
  const refused = (reason: string): HandshakeRefusal => ({ code: 'no-handshake', reason })
  if (bytes.byteLength > MAX_HANDSHAKE_BYTES) return refused(`a handshake of ${bytes.byteLength} bytes`)
  let fields: unknown
  try {
    fields = codec.decode(bytes)
  } catch {
    return refused('a handshake that does not decode')
  }
  const isOurs = Array.isArray(fields) && fields.length >= 3 && fields[0] === MAGIC
  return isOurs ? (fields as unknown[]) : refused('not a handshake of ours')
}

/** Both ends find the same one, each for itself. */
function commonVersion(lowest: unknown, highest: unknown, own: VersionRange): number | HandshakeRefusal {
  const here = `here it is ${shownRange(own.lowest, own.highest)}`
  if (!isCount(lowest) || !isCount(highest) || lowest > highest) {
    return { code: 'version', reason: `protocol version ${shownRange(lowest, highest)}, ${here}` }
  }
  const common = Math.min(highest, own.highest)
  if (common >= Math.max(lowest, own.lowest)) return common
  return { code: 'version', reason: `protocol version ${shownRange(lowest, highest)}, ${here}` }
}

function readHello(fields: readonly unknown[]): Hello | HandshakeRefusal {
  const [
    ,
    ,
    ,
    role,
    clusterId,
    groups,
    from,
    incarnation,
    boot,
    channel,
    link,
    token,
    to,
    nodes,
    durability,
  ] = fields
  const improper: HandshakeRefusal = { code: 'identity', reason: 'a handshake without a proper identity' }
  if (fields.length < FIELDS || !isName(clusterId) || !isName(from) || !isGroups(groups)) return improper
  if (!isCount(incarnation) || !isCount(boot) || !isCount(link)) return improper
  if (typeof token !== 'string' || !isName(to)) return improper
  if (!isOneOf(ROLES, role) || !isOneOf(CHANNELS, channel)) {
    return { code: 'role', reason: `a connection for ${show(role)}, ${show(channel)}` }
  }
  const hello = { role, clusterId, groups, from, incarnation, boot, channel, link, token, to }
  if (!Array.isArray(nodes)) return hello
  const told = { ...hello, nodes: nodes.filter(isNodeAddress).slice(0, MAX_NODES) }
  return isOneOf(DURABILITIES, durability) ? { ...told, durability } : told
}

function stranger(hello: Hello, own: ExpectedHello): HandshakeRefusal | undefined {
  const { role, clusterId, groups, from, to } = hello
  const isAsking = role !== 'peer' && clusterId === ''
  const isAsked = role !== 'peer' && own.clusterId === ''
  if (!isAsking && !isAsked && clusterId !== own.clusterId) {
    return { code: 'cluster', reason: `cluster ${show(clusterId)}, here it is ${show(own.clusterId)}` }
  }
  const isAny = role !== 'peer' && (groups.length === 0 || own.groups.length === 0)
  if (!isAny && !groups.some((group) => own.groups.includes(group))) {
    return { code: 'group', reason: `group ${groups.join(', ')}, here it is ${own.groups.join(', ')}` }
  }
  if (role === 'peer' && from === own.from) {
    return { code: 'identity', reason: `a node with the name ${show(from)} of this one` }
  }
  if (to !== '' && to !== own.from) {
    return { code: 'identity', reason: `a handshake for ${show(to)}, here it is ${show(own.from)}` }
  }
  if (role === 'peer' && from === '') return { code: 'identity', reason: 'a node without a name' }
  return undefined
}

const ROLES: readonly ConnectionRole[] = ['peer', 'client', 'control']
const DURABILITIES: readonly Durability[] = ['flush-before-ack', 'acked-before-flush', 'memory']
const CHANNELS: readonly Channel[] = ['all', 'urgent', 'bulk', 'knock']

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_NAME_LENGTH
const isGroups = (value: unknown): value is GroupId[] =>
  Array.isArray(value) && value.length <= MAX_GROUPS && value.every(isCount)
const isNodeAddress = (value: unknown): value is NodeAddress =>
  Array.isArray(value) && value.length === 2 && value.every(isName)
const isOneOf = <T>(values: readonly T[], value: unknown): value is T =>
  (values as readonly unknown[]).includes(value)

const refusalIn = (fields: readonly unknown[]): string => `refused there: ${readable(fields[4])}`

const shownRange = (lowest: unknown, highest: unknown): string =>
  lowest === highest ? show(lowest) : `${show(lowest)} to ${show(highest)}`

/** A stranger's words, as they may stand in a log: short, on one line, nothing that a terminal obeys. */
function readable(reason: unknown): string {
  if (typeof reason !== 'string') return 'without a reason'
  return reason.slice(0, MAX_REASON_LENGTH).replace(/[^\x20-\x7e]/g, '?')
}
