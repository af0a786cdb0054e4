/**
 * How a recovered cluster takes the place of the old one, in steps that a crash may come between:
 *
 *     .recovering/<node>/ ... built ─► .recovering/recovery.json: all of it is there ─► old directories renamed, new ones
 *     moved in, one after the other ─► cluster.json replaced ─► .recovering/ removed
 *
 * Before the first rename nothing has happened: what is staged is thrown away by the next attempt. After it the next attempt
 * goes on to the end, whatever it was asked. In between the cluster does not start (manifest.ts).
 */
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type NodeId, RaftError } from '@troupe/core'
import { makeDirectory, readNodeIdentity, syncPath, writeFileAtomic } from '@troupe/store'
import {
  archiveNode,
  MANIFEST_FILE,
  type Manifest,
  nodePath,
  RECOVERING,
  RECOVERY_FILE,
  readManifest,
  refused,
  writeManifest,
} from './manifest.ts'

/** What is to take the place of what. */
export interface Recovery {
  readonly manifest: Manifest
  /** All nodes of the old cluster that are known. */
  readonly old: readonly NodeId[]
  /** The survivor whose state it is. */
  readonly chosen: NodeId
}

/**
 * Builds a recovery beside the old cluster. All of it is on the disk when this resolves.
 * @param build fills the directory that it is given with the new nodes; they are flushed
 * @throws what `build` throws, and RaftError INVALID_DIRECTORY; then nothing is left of it
 */
export async function stageRecovery(
  directory: string,
  recovery: Recovery,
  build: (staging: string) => Promise<void>,
): Promise<void> {
  const staging = join(directory, RECOVERING)
  try {
    rmSync(staging, { recursive: true, force: true })
    makeDirectory(staging)
    await build(staging)
    syncPath(staging)
    writeFileAtomic(join(staging, RECOVERY_FILE), `${JSON.stringify(recovery, undefined, 2)}\n`)
    syncPath(directory)
  } catch (error) {
    rmSync(staging, { recursive: true, force: true })
    throw error instanceof RaftError ? error : refused(directory, (error as Error).message)
  }
}

/**
 * A recovery that was cut off while it switched over; undefined where there is none, or nothing has been renamed yet.
 * @throws RaftError INVALID_DIRECTORY where its record cannot be read
 */
export function unfinishedRecovery(directory: string): Recovery | undefined {
  const file = join(directory, RECOVERING, RECOVERY_FILE)
  if (!existsSync(file)) return undefined
  let recovery: Recovery
  try {
    recovery = JSON.parse(readFileSync(file, 'utf8')) as Recovery
  } catch (error) {
    throw refused(directory, `${file} is not readable: ${(error as Error).message}`)
  }
  return hasBegun(directory, recovery) ? recovery : undefined
}

function hasBegun(directory: string, { chosen, manifest }: Recovery): boolean {
  if (readManifest(directory)?.clusterId === manifest.clusterId) return true
  // The chosen one's directory goes first.
  const path = nodePath(directory, chosen)
  return !existsSync(path) || readNodeIdentity(path).clusterId === manifest.clusterId
}

/**
 * Switches over. May be called again after it was cut off.
 * @throws RaftError INVALID_DIRECTORY where something cannot be renamed
 */
export function finishRecovery(directory: string, recovery: Recovery): Recovery {
  const { manifest, old, chosen } = recovery
  const current = readManifest(directory)
  try {
    if (current?.clusterId !== manifest.clusterId) {
      const members = manifest.members.map(({ id }) => id)
      for (const id of new Set([chosen, ...old, ...members])) replaceNode(directory, id, members.includes(id))
      syncPath(directory)
      if (current !== undefined) keepManifest(directory)
      writeManifest(directory, manifest)
    }
    const staging = join(directory, RECOVERING)
    // Last: without it there is nothing to go on from.
    rmSync(join(staging, RECOVERY_FILE), { force: true })
    rmSync(staging, { recursive: true, force: true })
    syncPath(directory)
    return recovery
  } catch (error) {
    throw error instanceof RaftError ? error : refused(directory, (error as Error).message)
  }
}

/** One that is a member and is not staged any more has been moved already. */
function replaceNode(directory: string, id: NodeId, isMember: boolean): void {
  const staged = join(directory, RECOVERING, id)
  const isStaged = existsSync(staged)
  if (isMember && !isStaged) return
  archiveNode(directory, id)
  if (isStaged) renameSync(staged, nodePath(directory, id))
}

function keepManifest(directory: string): void {
  const file = join(directory, MANIFEST_FILE)
  for (let number = 1; ; number++) {
    const archive = `${file}.old-${number}`
    if (existsSync(archive)) continue
    copyFileSync(file, archive)
    return syncPath(archive)
  }
}
