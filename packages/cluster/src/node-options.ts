/** The options of a node in a process of its own, resolved once. */
import { invalidOption, type NodeId } from '@troupe/core'
import { type Address, type ListenLimits, parseAddress, type TlsFiles } from '@troupe/transport'
import type { Logger } from './logger.ts'
import {
  type ClusterOptions,
  checkNodeName,
  positive,
  type ResolvedClusterOptions,
  resolveClusterOptions,
} from './options.ts'

type SharedOptions = Pick<
  ClusterOptions,
  'machine' | 'machineOptions' | 'log' | 'raft' | 'batching' | 'sessions' | 'record' | 'seed' | 'logger'
>

/** Options of `NodeProcess.start`. Those that it shares with `Cluster.start` mean the same. */
export interface NodeOptions extends SharedOptions {
  /** The node's name; with TLS the name in its certificate. */
  readonly id: string
  /** Where the node keeps what it has; made where it does not exist. */
  readonly directory: string
  /**
   * The cluster's name: nodes and clients of another one are refused. May be left out for a directory that has a node already.
   */
  readonly cluster?: string
  /**
   * Where the nodes of the cluster are reached, this one too: `{ n1: 'host:port', … }`. When the cluster begins these are its
   * members, on every node the same. @default this node alone
   */
  readonly peers?: Readonly<Record<string, string>>
  /** Where it listens: `host:port`. @default its own address in `peers`, or any free port of the loopback */
  readonly listen?: string
  /**
   * Where others reach it. @default its own address in `peers`, or where it listens
   */
  readonly advertise?: string
  /** For a node that is to be added to a cluster that runs: it begins with nothing and waits. @default false */
  readonly join?: boolean
  /** @default 'flush-before-ack' */
  readonly durability?: 'flush-before-ack' | 'acked-before-flush'
  /** PEM files: TLS 1.3 for all connections, and proof of who is who between the nodes. @default no TLS */
  readonly tls?: TlsFiles
  /** How often those files are looked at again, in ms; what has changed serves connections from then on. @default 10,000 */
  readonly certificateCheckMs?: number
  /**
   * Listen beyond the loopback without TLS: whoever reaches the port can read and change everything. Also for `health`, which
   * has no TLS and changes nothing. @default false
   */
  readonly insecure?: boolean
  /** What clients and operators without a certificate prove themselves with. */
  readonly tokens?: { readonly client?: string; readonly control?: string }
  /** What strangers, clients and operators may cost. */
  readonly limits?: Partial<ListenLimits>
  /** Where /livez, /readyz and /metrics are, over HTTP: `host:port`. @default nowhere */
  readonly health?: string
  /** How long `stop` waits for another node to take over leadership, in ms. @default 5000 */
  readonly handOverTimeoutMs?: number
  /**
   * Whether operators can inject faults (`troupe fault`). The ports of the node are then decorated, which costs a little also
   * where no fault is on: for tests and trials. @default false
   */
  readonly allowFaults?: boolean
}

export interface ResolvedNodeOptions {
  readonly id: NodeId
  readonly directory: string
  readonly cluster: string | undefined
  /** The other nodes. */
  readonly peers: ReadonlyMap<NodeId, Address>
  readonly founders: readonly NodeId[]
  readonly listen: Address
  readonly advertise: string | undefined
  readonly join: boolean
  readonly tls: TlsFiles | undefined
  readonly certificateCheckMs: number
  readonly insecure: boolean
  readonly tokens: { readonly client?: string; readonly control?: string }
  readonly limits: Partial<ListenLimits>
  readonly health: Address | undefined
  readonly handOverTimeoutMs: number
  readonly allowFaults: boolean
  readonly logger: Logger
  readonly shared: ResolvedClusterOptions
}

const OWN_FIELDS = [
  'id',
  'cluster',
  'peers',
  'listen',
  'advertise',
  'join',
  'tls',
  'certificateCheckMs',
  'insecure',
  'tokens',
  'limits',
  'health',
  'handOverTimeoutMs',
  'allowFaults',
] as const

/** All options of a node, by name. */
export const NODE_OPTION_FIELDS: readonly string[] = [
  ...OWN_FIELDS,
  'directory',
  'durability',
  'machine',
  'machineOptions',
  'log',
  'raft',
  'batching',
  'sessions',
  'record',
  'seed',
  'logger',
]

/**
 * Checks every field and fills in the defaults.
 * @throws RaftError INVALID_OPTIONS naming the field, its value and what is expected
 */
export function resolveNodeOptions(given: NodeOptions): ResolvedNodeOptions {
  for (const [field, value] of Object.entries(given)) {
    if (!NODE_OPTION_FIELDS.includes(field))
      throw invalidOption(field, value, `one of the options ${NODE_OPTION_FIELDS.join(', ')}`)
  }
  const { id, directory, cluster, join = false, insecure = false, tokens = {}, limits = {} } = given
  checkNodeName('id', id)
  if (typeof directory !== 'string' || directory === '') throw invalidOption('directory', directory, 'a path')
  if (cluster !== undefined) checkNodeName('cluster', cluster)
  if (typeof join !== 'boolean') throw invalidOption('join', join, 'true or false')
  if (typeof insecure !== 'boolean') throw invalidOption('insecure', insecure, 'true or false')
  checkTokens(tokens)
  const addresses = readPeers(given)
  const own = addresses.get(id)
  const peers = new Map([...addresses].filter(([peer]) => peer !== id))
  const { listen, advertise, tls, handOverTimeoutMs = 5000, allowFaults = false } = given
  if (typeof allowFaults !== 'boolean') throw invalidOption('allowFaults', allowFaults, 'true or false')
  if (advertise !== undefined) parseAddress(advertise, 'advertise')
  return Object.freeze({
    id,
    directory,
    cluster,
    peers,
    founders: join ? [] : [id, ...peers.keys()],
    listen: listen === undefined ? (own ?? { host: '127.0.0.1', port: 0 }) : parseAddress(listen, 'listen'),
    advertise: advertise ?? given.peers?.[id],
    join,
    tls: tls === undefined ? undefined : checkTls(tls),
    certificateCheckMs: positive('certificateCheckMs', given.certificateCheckMs ?? 10_000),
    insecure,
    tokens,
    limits,
    health: given.health === undefined ? undefined : parseAddress(given.health, 'health'),
    handOverTimeoutMs: positive('handOverTimeoutMs', handOverTimeoutMs),
    allowFaults,
    logger: given.logger ?? (() => {}),
    shared: resolveShared(given),
  })
}

function resolveShared(given: NodeOptions): ResolvedClusterOptions {
  const own: readonly string[] = OWN_FIELDS
  const shared = Object.fromEntries(Object.entries(given).filter(([field]) => !own.includes(field)))
  if (shared['durability'] === 'memory')
    throw invalidOption('durability', 'memory', 'flush-before-ack or acked-before-flush')
  return resolveClusterOptions(shared as ClusterOptions)
}

function readPeers({ id, peers, join = false }: NodeOptions): Map<NodeId, Address> {
  if (peers === undefined) return new Map()
  if (typeof peers !== 'object' || peers === null || Array.isArray(peers))
    throw invalidOption('peers', peers, 'an object: the address (host:port) of each node, by its name')
  const addresses = new Map<NodeId, Address>()
  for (const [peer, address] of Object.entries(peers)) {
    checkNodeName('peers', peer)
    if (typeof address !== 'string') throw invalidOption(`peers.${peer}`, address, 'host:port')
    const parsed = parseAddress(address, `peers.${peer}`)
    if (parsed.port === 0) throw invalidOption(`peers.${peer}`, address, 'host:port, with the very port')
    addresses.set(peer, parsed)
  }
  if (!join && !addresses.has(id)) {
    const names = [...addresses.keys()].join(', ')
    throw invalidOption('peers', names, `the addresses of all nodes, that of this node (${id}) too`)
  }
  return addresses
}

function checkTls(tls: TlsFiles): TlsFiles {
  const fields = ['certificate', 'key', 'authority']
  for (const field of fields) {
    const path: unknown = tls?.[field as keyof TlsFiles]
    if (typeof path !== 'string' || path === '') throw invalidOption(`tls.${field}`, path, 'a PEM file')
  }
  return tls
}

function checkTokens(tokens: object): void {
  for (const [role, token] of Object.entries(tokens)) {
    if (role !== 'client' && role !== 'control')
      throw invalidOption(`tokens.${role}`, 'a token', 'one of tokens.client, tokens.control')
    // A token is not repeated in a message.
    if (typeof token !== 'string' || token === '')
      throw invalidOption(`tokens.${role}`, typeof token, 'a text that is not empty')
  }
}
