/**
 * A new cluster of a backup. It is built beside its place and gets its name last, so that there is all of it or nothing.
 *
 *     backup file, verified ─► DIR.<n>.restoring: a directory for each node, cluster.json ─► flushed ─► renamed to DIR
 *
 * It is another cluster than the one that the backup is of: with an id, members and incarnations of its own. No node of the
 * other can ever speak to it, vote in it or be taken for one of its own. See docs/adr/0012.
 */
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { invalidOption, type NodeId, RaftError, simpleConfiguration } from '@troupe/core'
import {
  makeDirectory,
  seedNodeDirectory,
  syncPath,
  type VerifiedBackup,
  verifyBackup,
  withBackup,
} from '@troupe/store'
import { defaultIds, GROUP } from './identities.ts'
import { ephemeralManifest, type Manifest, nodePath, refused, writeManifest } from './manifest.ts'
import { resolveIds, resolveMachine } from './options.ts'

/** How a cluster is restored. */
export interface RestoreOptions {
  /** How many nodes the new cluster has, named n1, n2, …; or their names. @default 3 */
  readonly nodes?: number | readonly string[]
  /** The machine, where the backup does not name it or its module has moved. @default as the backup says */
  readonly machine?: string | URL
  /** Told how far it is, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** What was restored. */
export interface RestoreReport {
  readonly directory: string
  /** The new cluster. */
  readonly clusterId: string
  readonly members: readonly NodeId[]
  readonly machine: string
  /** The backup that it was made of. */
  readonly backup: VerifiedBackup
}

/**
 * Makes a new cluster in `directory`, which does not exist or is empty, of a backup file: {@link Cluster.start} with that
 * directory runs it. Sessions of clients are part of the state and stay: what a client of the old cluster repeats is
 * recognised as far as the backup knows it.
 * @throws RaftError STORAGE_DAMAGED where the backup is damaged or cut off; INVALID_DIRECTORY where it has another format
 *   or the directory is not empty; INVALID_OPTIONS; STORAGE_FAILED. Then nothing is left of it
 */
export async function restoreCluster(
  file: string,
  directory: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const ids = options.nodes === undefined ? defaultIds() : resolveIds(options.nodes)
  const path = placeOf(directory)
  const steps = ids.length + 1
  const progress = (step: number, bytes: number, ofBytes: number): void =>
    options.onProgress?.((step + bytes / ofBytes) / steps)
  const backup = await verifyBackup(file, (bytes, ofBytes) => progress(0, bytes, ofBytes))
  if (backup.group !== GROUP) throw invalidOption('file', file, `a backup of group ${GROUP}`)
  const manifest = ephemeralManifest(ids, machineOf(backup, options))
  const building = `${path}.${randomUUID().slice(0, 8)}.restoring`
  try {
    makeDirectory(building)
    for (const [at, { id }] of manifest.members.entries()) {
      await restoreNode(file, building, manifest, id, (bytes, ofBytes) => progress(at + 1, bytes, ofBytes))
    }
    writeManifest(building, manifest)
    putInPlace(building, path)
  } catch (error) {
    throw error instanceof RaftError ? error : refused(path, (error as Error).message)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
  return { directory: path, clusterId: manifest.clusterId, members: ids, machine: manifest.machine, backup }
}

/** Where a link leads to: what it names is replaced, not the link. @throws RaftError INVALID_DIRECTORY */
function placeOf(directory: string): string {
  const path = existsSync(directory) ? realpathSync(directory) : resolve(directory)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return path
  if (!found.isDirectory()) throw refused(path, 'it is not a directory')
  const [name] = readdirSync(path)
  if (name !== undefined)
    throw refused(path, `it is not empty (${name}): a backup is restored into a new one`)
  return path
}

function machineOf({ machine }: VerifiedBackup, options: RestoreOptions): string {
  if (options.machine !== undefined) return resolveMachine(options.machine)
  if (machine !== undefined) return machine
  throw invalidOption('machine', undefined, 'the machine of the cluster, which the backup does not name')
}

function restoreNode(
  file: string,
  directory: string,
  { clusterId, members }: Manifest,
  id: NodeId,
  progress: (bytes: number, ofBytes: number) => void,
): Promise<void> {
  const { incarnation } = members.find((member) => member.id === id) as Manifest['members'][number]
  const configuration = simpleConfiguration(members)
  return withBackup(file, ({ description, pieces }) => {
    // Index 0: the configuration that this cluster begins with, as in the nodes' identity.
    const meta = { ...description.meta, configuration, configurationIndex: 0 }
    const identity = { clusterId, nodeId: id, incarnation, group: GROUP, configuration }
    return seedNodeDirectory(nodePath(directory, id), identity, {
      snapshot: { meta, pieces },
      hardState: { term: meta.term, vote: '', voteIncarnation: 0 },
      entries: () => [],
      onProgress: (bytes) => progress(bytes, meta.bytes),
    })
  })
}

/** In one step; an empty directory that was there is replaced, by one that as many may enter. */
function putInPlace(building: string, path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined) chmodSync(building, found.mode)
  syncPath(building)
  try {
    renameSync(building, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    throw refused(path, 'it is a mount point: restore into a directory below it')
  }
  syncPath(dirname(path))
}
