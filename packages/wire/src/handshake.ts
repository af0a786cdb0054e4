/**
 * The first frame on every connection between nodes: who speaks, in which protocol. Nothing else is decoded
 * before it fits.
 */
import { type GroupId, type Identity, type NodeId, show } from '@troupe/core'
import { codec } from './codec.ts'

/** Rises with every change that an older node could not read. */
export const PROTOCOL_VERSION = 3

const MAGIC = 'troupe'
const MAX_HANDSHAKE_BYTES = 1024

export interface Handshake {
  readonly version: number
  readonly clusterId: string
  readonly group: GroupId
  readonly from: NodeId
  readonly incarnation: number
  readonly boot: number
}

export function encodeHandshake(identity: Identity): Uint8Array {
  const { clusterId, group, id, incarnation, boot } = identity
  return codec.encode([MAGIC, PROTOCOL_VERSION, clusterId, group, id, incarnation, boot])
}

/** Reads a handshake and checks it against this node. A string is the reason for a refusal, fit for both logs. */
export function readHandshake(bytes: Uint8Array, own: Identity): Handshake | string {
  if (bytes.byteLength > MAX_HANDSHAKE_BYTES) return `a handshake of ${bytes.byteLength} bytes`
  let fields: unknown
  try {
    fields = codec.decode(bytes)
  } catch {
    return 'a handshake that does not decode'
  }
  if (!Array.isArray(fields) || fields.length !== 7 || fields[0] !== MAGIC) return 'not a handshake of ours'
  const [, version, clusterId, group, from, incarnation, boot] = fields
  if (version !== PROTOCOL_VERSION) return `protocol version ${show(version)}, here it is ${PROTOCOL_VERSION}`
  if (clusterId !== own.clusterId) return `cluster ${show(clusterId)}, here it is ${show(own.clusterId)}`
  if (group !== own.group) return `group ${show(group)}, here it is ${own.group}`
  if (typeof from !== 'string' || !Number.isSafeInteger(incarnation) || !Number.isSafeInteger(boot)) {
    return 'a handshake without a proper identity'
  }
  return { version, clusterId, group, from, incarnation, boot }
}
