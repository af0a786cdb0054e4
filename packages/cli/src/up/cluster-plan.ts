/**
 * What a local cluster of processes is made of: names, addresses, a file for each node.
 *
 *     <directory>/n1/        the node's data
 *     <directory>/n1.json    what it runs with: `troupe node --config` takes it as it is
 *     <directory>/n1.log     what it logs, a line of JSON an event
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { DialSettings } from '@troupe/cluster'
import { invalidOption, membersOf, RaftError } from '@troupe/core'
import { type DirectoryIdentity, readNodeIdentity } from '@troupe/store'
import { freePorts, LOOPBACK } from '../free-ports.ts'

export interface PlanRequest {
  readonly nodes: number | undefined
  readonly directory: string | undefined
  /** The first of their ports; any free ones where it is undefined. */
  readonly port: number | undefined
  readonly cluster: string | undefined
  readonly machine: string | undefined
  /** Options of every node. */
  readonly common: Readonly<Record<string, unknown>>
  /** A directory as `troupe ca` makes it. */
  readonly tls: string | undefined
}

export interface PlannedNode {
  readonly id: string
  readonly address: string
  readonly configFile: string
  readonly logFile: string
}

export interface ClusterPlan {
  readonly cluster: string
  readonly directory: string
  readonly isTemporary: boolean
  readonly nodes: readonly PlannedNode[]
  /** How its supervisor asks the nodes for their state. */
  readonly dialing: DialSettings
  /** Variables of the nodes' environment. */
  readonly secrets: Readonly<Record<string, string>>
}

/**
 * For whoever wants to run a directory in threads.
 * @throws RaftError INVALID_DIRECTORY where its nodes were begun as processes: nothing says which of them belong together
 */
export function refuseProcesses(directory: string): void {
  const path = resolve(directory)
  if (existsSync(join(path, 'cluster.json')) || inspect(path) === undefined) return
  throw refused(path, 'its nodes were begun as processes: run it with --processes')
}

/** What each node has for itself. */
const OWN = ['id', 'cluster', 'peers', 'directory', 'listen', 'advertise', 'join', 'health', 'tls', 'tokens']

/**
 * Works out the cluster, and writes the nodes' files.
 * @throws RaftError INVALID_OPTIONS for what does not go together, and ports that are taken; INVALID_DIRECTORY for a
 *   directory of another cluster
 */
export async function planCluster(request: PlanRequest): Promise<ClusterPlan> {
  for (const field of OWN)
    if (field in request.common)
      throw invalidOption(field, request.common[field], 'what all nodes may have in common: not this one')
  const isTemporary = request.directory === undefined
  const directory = request.directory === undefined ? undefined : resolve(request.directory)
  const found = directory === undefined ? undefined : inspect(directory)
  const cluster = nameOf(directory ?? '', found, request.cluster)
  const ids = idsOf(found, request.nodes)
  const ports = await freePorts(ids.length, request.port)
  const addresses = ids.map((id, index) => [id, `${LOOPBACK}:${ports[index]}`] as const)
  const place = directory ?? mkdtempSync(join(tmpdir(), 'troupe-up-'))
  makePlace(place)
  const files = (id: string) => ({ configFile: join(place, `${id}.json`), logFile: join(place, `${id}.log`) })
  const nodes = addresses.map(([id, address]) => ({ id, address, ...files(id) }))
  for (const node of nodes) {
    const peers = Object.fromEntries(addresses)
    const config = { ...request.common, ...machineOf(request.machine), ...tlsOf(request.tls, node.id) }
    const own = { id: node.id, cluster, peers, directory: join(place, node.id) }
    const text = `${JSON.stringify({ ...own, ...config }, undefined, 2)}\n`
    writeFileSync(node.configFile, text, { mode: 0o600 })
  }
  return { cluster, directory: place, isTemporary, nodes, ...dialingOf(cluster, request.tls) }
}

/** The nodes' data that is there already. */
interface FoundCluster {
  readonly cluster: string
  readonly ids: readonly string[]
}

function inspect(directory: string): FoundCluster | undefined {
  if (!existsSync(directory)) return undefined
  const identities: DirectoryIdentity[] = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (!entry.isDirectory() || !existsSync(join(path, 'identity.json'))) continue
    const identity = readNodeIdentity(path)
    // Directories that were put aside (`n1.old-1`) bear another name than their node.
    if (identity.nodeId === entry.name) identities.push(identity)
  }
  const [first] = identities
  if (first === undefined) return undefined
  const stranger = identities.find(({ clusterId }) => clusterId !== first.clusterId)
  if (stranger !== undefined) {
    const own = `${first.nodeId} is of the cluster "${first.clusterId}"`
    throw refused(directory, `${own}, ${stranger.nodeId} of "${stranger.clusterId}"`)
  }
  const here = identities.filter(({ nodeId }) => !existsSync(join(directory, nodeId, 'removed.json')))
  const named = here.map(({ nodeId }) => nodeId)
  return { cluster: first.clusterId, ids: sorted([...named, ...foundersOf(directory, identities)]) }
}

/** Those that the cluster began with, as long as nobody has written down that they left. */
function foundersOf(directory: string, identities: readonly DirectoryIdentity[]): readonly string[] {
  const manifest = join(directory, 'cluster.json')
  if (existsSync(manifest)) {
    const { members } = JSON.parse(readFileSync(manifest, 'utf8')) as { members: readonly { id: string }[] }
    return members.map(({ id }) => id)
  }
  const known = new Set(identities.map(({ nodeId }) => nodeId))
  const founders = identities.flatMap(({ configuration }) => membersOf(configuration).map(({ id }) => id))
  return founders.filter((id) => !known.has(id))
}

const sorted = (ids: readonly string[]): readonly string[] =>
  [...new Set(ids)].sort((left, right) => left.localeCompare(right, 'en', { numeric: true }))

/** Drawn for a new one: nodes of two clusters of one name could take each other for their own. */
function nameOf(directory: string, found: FoundCluster | undefined, wanted: string | undefined): string {
  if (found === undefined) return wanted ?? `local-${randomBytes(4).toString('hex')}`
  if (wanted === undefined || wanted === found.cluster) return found.cluster
  throw refused(directory, `it is of the cluster "${found.cluster}", not of "${wanted}"`)
}

function idsOf(found: FoundCluster | undefined, count: number | undefined): readonly string[] {
  if (found === undefined) return Array.from({ length: count ?? 3 }, (_, index) => `n${index + 1}`)
  if (count !== undefined && count !== found.ids.length) {
    throw invalidOption('--nodes', count, `${found.ids.length}, as in the data directory`)
  }
  return found.ids
}

function makePlace(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw refused(directory, `it cannot be created: ${(error as Error).message}`)
  }
}

function machineOf(machine: string | undefined): { readonly machine?: string } {
  if (machine === undefined) return {}
  const isPath = machine.includes('/') && !/^\w+:/.test(machine)
  return { machine: isPath ? resolve(machine) : machine }
}

/** Files as `troupe ca` names them. */
function tlsOf(directory: string | undefined, id: string): { readonly tls?: object } {
  if (directory === undefined) return {}
  const file = (name: string): string => resolve(directory, name)
  return { tls: { certificate: file(`${id}.pem`), key: file(`${id}.key`), authority: file('ca.pem') } }
}

/** With TLS the supervisor proves itself by a token that nobody else knows. */
function dialingOf(cluster: string, tls: string | undefined): Pick<ClusterPlan, 'dialing' | 'secrets'> {
  if (tls === undefined) return { dialing: { cluster }, secrets: {} }
  const token = randomBytes(24).toString('base64url')
  const dialing = { cluster, token, tls: { authority: resolve(tls, 'ca.pem') } }
  return { dialing, secrets: { TROUPE_CONTROL_TOKEN: token } }
}

function refused(path: string, reason: string): RaftError<'INVALID_DIRECTORY'> {
  return new RaftError('INVALID_DIRECTORY', `data directory ${path}: ${reason}`, { path, reason })
}
