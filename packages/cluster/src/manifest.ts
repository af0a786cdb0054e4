/**
 * cluster.json: who belongs to the cluster of a directory. Written before the nodes' directories are made and marked
 * complete after, so that a start that was cut off can be taken up again, and a node's directory that vanished later is
 * noticed: that node has lost what it promised, and must not come back under its old identity.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { invalidOption, type Member, RaftError, simpleConfiguration } from '@troupe/core'
import { createNodeDirectory, DIRECTORY_FORMAT, makeDirectory, writeFileAtomic } from '@troupe/store'
import { defaultIds, drawNumber, GROUP } from './identities.ts'

export const MANIFEST_FILE = 'cluster.json'
/** A recovery that is under way: the files that it builds (no name of a node begins with a dot), and the record of it. */
export const RECOVERING = '.recovering'
export const RECOVERY_FILE = 'recovery.json'

export interface Manifest {
  readonly format: number
  readonly clusterId: string
  /** False while the nodes' directories are being made. */
  readonly complete: boolean
  readonly machine: string
  readonly members: readonly Member[]
}

export function nodePath(directory: string, id: string): string {
  return join(directory, id)
}

/** The membership of a cluster that leaves nothing on a disk. */
export function ephemeralManifest(ids: readonly string[], machine: string): Manifest {
  const members = ids.map((id) => ({ id, incarnation: drawNumber() }))
  return { format: DIRECTORY_FORMAT, clusterId: randomUUID(), complete: true, machine, members }
}

/**
 * Opens the cluster in `directory`, or makes one there.
 * @throws RaftError INVALID_DIRECTORY, INVALID_OPTIONS where nodes or machine are not those it was made with
 */
export function openManifest(
  directory: string,
  ids: readonly string[] | undefined,
  machine: string,
): Manifest {
  const path = resolve(directory)
  try {
    makeDirectory(path)
  } catch (error) {
    throw refused(path, `it cannot be created: ${(error as Error).message}`)
  }
  refuseRecovering(path)
  const found = readManifest(path)
  const manifest = renamed(path, found, machine) ?? {
    ...ephemeralManifest(ids ?? defaultIds(), machine),
    complete: false,
  }
  checkSame(manifest, ids, machine)
  if (manifest.complete) return manifest
  if (found === undefined) writeManifest(path, manifest)
  createNodes(path, manifest)
  const complete = { ...manifest, complete: true }
  writeManifest(path, complete)
  return complete
}

/** What is wrong with the directory of a cluster. */
export function refused(path: string, reason: string): RaftError<'INVALID_DIRECTORY'> {
  return new RaftError('INVALID_DIRECTORY', `data directory ${path}: ${reason}`, { path, reason })
}

/** Half of its nodes may belong to another cluster already. */
function refuseRecovering(path: string): void {
  if (!existsSync(join(path, RECOVERING, RECOVERY_FILE))) return
  throw refused(path, 'a recovery was cut off in it: run `troupe force-recover` again, which goes on with it')
}

/**
 * Undefined where there is none.
 * @throws RaftError INVALID_DIRECTORY where it cannot be read, or is of a later format
 */
export function readManifest(path: string): Manifest | undefined {
  const file = join(path, MANIFEST_FILE)
  if (!existsSync(file)) return undefined
  let found: Manifest
  try {
    found = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  } catch (error) {
    throw refused(path, `${MANIFEST_FILE} is not readable: ${(error as Error).message}`)
  }
  if (typeof found !== 'object' || found === null || typeof found.format !== 'number') {
    throw refused(path, `${MANIFEST_FILE} does not describe a cluster`)
  }
  if (found.format > DIRECTORY_FORMAT) {
    throw refused(
      path,
      `it has format ${found.format}, this version reads ${DIRECTORY_FORMAT}: upgrade Troupe`,
    )
  }
  const isWhole =
    typeof found.clusterId === 'string' && Array.isArray(found.members) && found.members.every(isMember)
  if (!isWhole) throw refused(path, `${MANIFEST_FILE} does not describe a cluster`)
  return found
}

function isMember(member: Member | null): boolean {
  return typeof member?.id === 'string' && Number.isSafeInteger(member.incarnation)
}

/** A machine that no node ever could load (a slip in its URL) does not bind the directory: nothing is in any log. */
function renamed(path: string, found: Manifest | undefined, machine: string): Manifest | undefined {
  if (found === undefined || found.machine === machine) return found
  const hasLog = ({ id }: Member): boolean => existsSync(join(nodePath(path, id), 'log'))
  return found.members.some(hasLog) ? found : { ...found, machine, complete: false }
}

/** @throws RaftError INVALID_DIRECTORY */
export function writeManifest(path: string, manifest: Manifest): void {
  try {
    writeFileAtomic(join(path, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`)
  } catch (error) {
    throw refused(path, `it is not writable: ${(error as Error).message}`)
  }
}

function checkSame(manifest: Manifest, ids: readonly string[] | undefined, machine: string): void {
  const here = manifest.members.map(({ id }) => id)
  if (ids !== undefined && !isSameList(here, ids)) {
    throw invalidOption('nodes', ids.join(', '), `${here.join(', ')}, as in the data directory`)
  }
  if (manifest.machine !== machine) {
    throw invalidOption('machine', machine, `${manifest.machine}, as in the data directory`)
  }
}

const isSameList = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((item, index) => item === right[index])

/** Members whose directory is gone: they have lost what they promised to their peers. */
export function lostNodes(directory: string, { members }: Manifest): readonly string[] {
  return members.flatMap(({ id }) => (existsSync(nodePath(directory, id)) ? [] : [id]))
}

/** @throws RaftError INVALID_DIRECTORY */
export function refuseLost(directory: string, ids: readonly string[]): void {
  const [id] = ids
  if (id === undefined) return
  const reason = `the directory of node ${id} is gone: it has lost what it promised to its peers`
  throw refused(directory, `${reason}; with replaceLost it comes back as a new member`)
}

/**
 * Makes the directory of a node that joins, and the node a member of the manifest. A directory of an earlier
 * incarnation is kept under another name.
 * @throws RaftError INVALID_DIRECTORY
 */
export function joinManifest(directory: string, manifest: Manifest, member: Member): Manifest {
  archiveNode(directory, member.id)
  const { clusterId } = manifest
  const { id: nodeId, incarnation } = member
  createNodeDirectory(nodePath(directory, nodeId), { clusterId, nodeId, incarnation, group: GROUP })
  const joined = withMember(manifest, member)
  writeManifest(directory, joined)
  return joined
}

/** Takes a node that was removed out of the manifest; its directory is kept under another name. */
export function leaveManifest(directory: string, manifest: Manifest, id: string): Manifest {
  const left = withoutMember(manifest, id)
  writeManifest(directory, left)
  archiveNode(directory, id)
  return left
}

export function withMember(manifest: Manifest, member: Member): Manifest {
  const isKnown = manifest.members.some(({ id }) => id === member.id)
  const members = manifest.members.map((other) => (other.id === member.id ? member : other))
  return { ...manifest, members: isKnown ? members : [...members, member] }
}

export function withoutMember(manifest: Manifest, id: string): Manifest {
  return { ...manifest, members: manifest.members.filter((member) => member.id !== id) }
}

/** Nothing of a node is ever deleted: somebody may want to look at it. */
export function archiveNode(directory: string, id: string): void {
  const path = nodePath(directory, id)
  for (let number = 1; existsSync(path); number++) {
    const archive = `${path}.old-${number}`
    if (!existsSync(archive)) renameSync(path, archive)
  }
}

/** A node's directory that an earlier, cut off start has made already is kept if it is the very one. */
function createNodes(path: string, { clusterId, members }: Manifest): void {
  for (const { id, incarnation } of members) {
    const node = nodePath(path, id)
    if (existsSync(join(node, 'identity.json'))) continue
    createNodeDirectory(node, {
      clusterId,
      nodeId: id,
      incarnation,
      group: GROUP,
      configuration: simpleConfiguration(members),
    })
  }
}
