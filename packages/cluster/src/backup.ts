/**
 * Backups of clusters in a directory, made of the snapshot files that the nodes have anyway: nothing is locked or changed,
 * so they may run.
 *
 *     nodes' snapshots, the furthest first ─► read, checked ─► backup file, verified
 *
 * A backup is a snapshot and no more: what the logs hold behind it is not in it, and the report says how much that is.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type NodeId, RaftError, type SnapshotMeta } from '@troupe/core'
import {
  type DirectoryIdentity,
  listSnapshots,
  readNodeIdentity,
  scanLog,
  withSnapshotFile,
  writeBackup,
} from '@troupe/store'
import type { Cluster } from './cluster.ts'
import { GROUP } from './identities.ts'
import { MANIFEST_FILE, nodePath, readManifest, refused } from './manifest.ts'
import { type MemberOptions, timeoutOf } from './members.ts'

/** How a backup is made. */
export interface BackupOptions extends MemberOptions {
  /** Replace a file that is there. @default false */
  readonly force?: boolean
  /** Told how far it is, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A snapshot that could not be used, and why. */
export interface SkippedSnapshot {
  readonly node: NodeId
  readonly path: string
  readonly reason: string
}

/** What a backup holds. */
export interface BackupReport {
  readonly file: string
  readonly fileBytes: number
  /** The cluster that it is of. */
  readonly clusterId: string
  /** Undefined for a backup of a node's directory that does not stand in its cluster's. */
  readonly machine: string | undefined
  /** Whose snapshot it is. */
  readonly node: NodeId
  /** The last entry that the state stands for. */
  readonly index: number
  readonly term: number
  readonly stateBytes: number
  /** The last entry that any log here holds, committed or not. */
  readonly lastIndex: number
  /** Entries behind the snapshot, which are not in the backup. */
  readonly entriesBehind: number
  readonly skipped: readonly SkippedSnapshot[]
}

interface Place {
  readonly id: NodeId
  readonly path: string
}

interface Source {
  readonly path: string
  readonly clusterId: string
  readonly machine: string | undefined
  readonly nodes: readonly Place[]
}

interface Candidate extends Place {
  readonly node: NodeId
  readonly meta: SnapshotMeta
}

/** A running node removes a snapshot when it has two later ones: then those are looked for. */
const ATTEMPTS = 3

/**
 * Writes a verified backup file of a cluster's latest complete snapshot. Given a running {@link Cluster}, its leader takes
 * one first, so that the backup holds all that was acknowledged before the call. Given the directory of a cluster, or of a
 * single node, the latest there is; stopped or running. Streams: memory does not depend on the state's size.
 * @throws RaftError INVALID_OPTIONS where the file exists (unless forced) or the cluster has no directory;
 *   INVALID_DIRECTORY where there is no cluster, or no snapshot; STORAGE_DAMAGED where all are damaged; STORAGE_FAILED;
 *   what {@link Cluster.takeSnapshot} throws
 */
export async function backupCluster(
  source: string | Cluster,
  file: string,
  options: BackupOptions = {},
): Promise<BackupReport> {
  const directory = typeof source === 'string' ? source : await snapshotted(source, options)
  const found = findSource(resolve(directory))
  for (let attempt = 1; ; attempt++) {
    try {
      return await backupOf(found, resolve(file), options)
    } catch (error) {
      if (attempt === ATTEMPTS || !hasVanished(error)) throw error
    }
  }
}

async function snapshotted(cluster: Cluster, options: BackupOptions): Promise<string> {
  const { directory, leader, ids } = cluster
  if (directory === undefined) {
    const expected = 'a cluster with a directory'
    const message = `a cluster in memory has no snapshot files; expected ${expected}`
    throw new RaftError('INVALID_OPTIONS', message, { field: 'source', value: 'memory', expected })
  }
  await cluster.takeSnapshot(leader ?? (ids[0] as NodeId), { timeoutMs: timeoutOf(options) })
  return directory
}

function findSource(path: string): Source {
  const manifest = readManifest(path)
  if (manifest !== undefined) {
    const nodes = manifest.members.map(({ id }) => ({ id, path: nodePath(path, id) }))
    return { path, ...manifest, nodes }
  }
  if (!existsSync(join(path, 'identity.json'))) {
    throw refused(path, `it holds neither a cluster (${MANIFEST_FILE}) nor a node (identity.json)`)
  }
  const { clusterId, nodeId } = readNodeIdentity(path)
  const around = readManifest(resolve(path, '..'))
  const machine = around?.clusterId === clusterId ? around.machine : undefined
  return { path, clusterId, machine, nodes: [{ id: nodeId, path }] }
}

async function backupOf(source: Source, file: string, options: BackupOptions): Promise<BackupReport> {
  const skipped: SkippedSnapshot[] = []
  const lastIndex = Math.max(0, ...source.nodes.map(({ path }) => logEnd(path)))
  for (const candidate of candidatesOf(source, skipped)) {
    const { node, path, meta } = candidate
    try {
      const { fileBytes } = await copy(source, candidate, file, options)
      const { index, term, bytes: stateBytes } = meta
      const end = Math.max(lastIndex, index)
      const { clusterId, machine } = source
      const state = { node, index, term, stateBytes, lastIndex: end, entriesBehind: end - index }
      return { file, fileBytes, clusterId, machine, ...state, skipped }
    } catch (error) {
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      skipped.push({ node, path, reason: error.message })
    }
  }
  const [first] = skipped
  if (first === undefined) {
    throw refused(source.path, 'no node has a complete snapshot yet: let the running cluster take one')
  }
  const reason = `no node has a sound snapshot: ${first.reason}`
  throw new RaftError('STORAGE_DAMAGED', reason, { path: first.path, reason })
}

function copy(source: Source, { path, node, meta }: Candidate, file: string, options: BackupOptions) {
  const { clusterId, machine } = source
  const { force, onProgress } = options
  return withSnapshotFile(path, { clusterId, group: GROUP }, (snapshot) => {
    const created = new Date().toISOString()
    const description = { clusterId, group: GROUP, nodeId: node, machine, created, meta: snapshot.meta }
    const progress = onProgress && ((bytes: number) => onProgress(bytes / meta.bytes))
    return writeBackup(file, description, snapshot.pieces, { force, onProgress: progress })
  })
}

/** The furthest first. */
function candidatesOf({ nodes, clusterId }: Source, skipped: SkippedSnapshot[]): Candidate[] {
  const candidates: Candidate[] = []
  for (const { id, path } of nodes) {
    for (const found of listSnapshots(join(path, 'snapshots'))) {
      if (found.kind !== 'complete' || found.group !== GROUP) continue
      const isOther = found.clusterId !== undefined && found.clusterId !== clusterId
      const reason = found.damage ?? (isOther ? `it belongs to cluster ${found.clusterId}` : undefined)
      if (reason !== undefined) skipped.push({ node: id, path: found.path, reason })
      else candidates.push({ id, node: id, path: found.path, meta: found.meta as SnapshotMeta })
    }
  }
  return candidates.sort((a, b) => b.meta.index - a.meta.index || b.meta.term - a.meta.term)
}

/** The last entry that stands in a node's log; 0 where that cannot be told. */
function logEnd(path: string): number {
  let identity: DirectoryIdentity
  try {
    identity = readNodeIdentity(path)
    const { clusterId, nodeId, incarnation, group } = identity
    const log = join(path, 'log', String(group))
    const { base, segments } = scanLog(log, { clusterId, nodeId, incarnation, group })
    const ends = segments.map(({ scanned, lastIndex }) => Math.min(lastIndex, scanned?.lastKey ?? 0))
    return Math.max(base.index, ...ends)
  } catch (error) {
    // The node may be damaged, gone, or just writing: the snapshots are what counts.
    if (error instanceof RaftError || (error as NodeJS.ErrnoException).syscall !== undefined) return 0
    throw error
  }
}

function hasVanished(error: unknown): boolean {
  return error instanceof RaftError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
