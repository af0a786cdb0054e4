/**
 * Makes the directory of a node that does not begin with nothing, but with a state, and what follows on it in a log: for
 * clusters that are made of a backup, or of what is left of another cluster.
 *
 *     identity ─► snapshot file (verified) ─► log: begins behind the snapshot, entries, term ─► log.made ─► names flushed
 *
 * The log begins behind the snapshot from the start: should the snapshot be lost later, the node knows that it has lost
 * something, and does not take itself for a new one.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Entry,
  type HardState,
  type LogStore,
  RaftError,
  type SnapshotMeta,
  type StoreEvents,
} from '@troupe/core'
import { openLmdbLogStore } from '../log/open-lmdb-log-store.ts'
import { GivenUp } from '../snapshots/chunked-snapshot-store.ts'
import { realDisk } from '../snapshots/snapshot-disk.ts'
import { SnapshotDraft } from '../snapshots/snapshot-draft.ts'
import { SnapshotDraftFile } from '../snapshots/snapshot-draft-file.ts'
import type { StatePieces } from '../snapshots/snapshot-file.ts'
import { completeName, draftName, type SnapshotOwner } from '../snapshots/snapshot-format.ts'
import { storageFailed } from '../storage-errors.ts'
import { makeDirectory, syncPath } from '../sync-files.ts'
import { createNodeDirectory, type NewDirectoryIdentity, openNodeDirectory } from './node-directory.ts'

/** What a node begins with. */
export interface NodeSeed {
  /** Undefined: the log begins at its first entry. */
  readonly snapshot: { readonly meta: SnapshotMeta; readonly pieces: StatePieces } | undefined
  readonly hardState: HardState
  /** What follows on the snapshot, in order, in batches that fit into memory. */
  entries(): Iterable<readonly Entry[]>
  /** Told after each piece how many bytes of the snapshot are written. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/**
 * Makes a node's directory. All of it is on the disk when this resolves.
 * @throws RaftError INVALID_DIRECTORY where it holds a node already; STORAGE_FAILED where it cannot be written, for want of
 *   space too; STORAGE_DAMAGED where the pieces turn out to be damaged. Then something half-made is left
 */
export async function seedNodeDirectory(
  path: string,
  identity: NewDirectoryIdentity,
  seed: NodeSeed,
): Promise<void> {
  const { clusterId, nodeId, incarnation, group } = createNodeDirectory(path, identity)
  const directory = openNodeDirectory(path, { clusterId, nodeId, incarnation, group })
  try {
    const { snapshotPath, logPath } = directory
    if (seed.snapshot !== undefined) {
      await writeSnapshot(snapshotPath, { clusterId, group }, seed.snapshot, seed.onProgress)
    }
    const log = { path: logPath, group, owner: { clusterId, nodeId, incarnation } }
    await writeLog(log, seed)
    directory.logMade()
    syncTree(directory.path)
  } finally {
    directory.close()
  }
}

async function writeSnapshot(
  snapshotPath: string,
  owner: SnapshotOwner,
  { meta, pieces }: NonNullable<NodeSeed['snapshot']>,
  onProgress: ((bytes: number) => void) | undefined,
): Promise<void> {
  const path = join(snapshotPath, String(owner.group))
  makeDirectory(path)
  const file = new SnapshotDraftFile({
    disk: realDisk,
    path: join(path, draftName(1, false)),
    header: { ...owner, meta },
    isFlushed: true,
    prepare: async () => {},
  })
  // Nobody makes room while a command waits for it.
  file.giveUp()
  const cutter = new SnapshotDraft(1, meta)
  try {
    for await (const parts of pieces()) {
      for (const part of parts) cutter.append(part)
      const next = cutter.take()
      if (next !== undefined) await file.write(next.chunks)
      onProgress?.(cutter.bytes)
    }
    const complete = await file.complete(meta)
    await realDisk.close(complete.file)
    await file.rename(join(path, completeName(meta)))
  } catch (error) {
    if (error instanceof RaftError) throw error
    throw storageFailed(path, error instanceof GivenUp ? 'no space is left' : error)
  } finally {
    await file.close()
  }
}

interface LogPlace {
  readonly path: string
  readonly group: number
  readonly owner: { readonly clusterId: string; readonly nodeId: string; readonly incarnation: number }
}

async function writeLog(place: LogPlace, { snapshot, hardState, entries }: NodeSeed): Promise<void> {
  const writer = new LogWriter(place.path)
  const store = await openLmdbLogStore({ ...place, events: writer.events })
  try {
    const reset = snapshot && { index: snapshot.meta.index, term: snapshot.meta.term }
    await writer.persist(store, { hardState, reset, entries: [] })
    for (const batch of entries()) {
      await writer.persist(store, { hardState: undefined, reset: undefined, entries: batch })
    }
  } finally {
    await store.close()
  }
}

/** Hands over one request after the other. */
class LogWriter {
  readonly #path: string
  #token = 0
  #flushed = Promise.withResolvers<void>()

  constructor(path: string) {
    this.#path = path
  }

  readonly events: StoreEvents & { onSpace(isFull: boolean): void } = {
    onPersisted: () => this.#flushed.resolve(),
    onFailed: (error) => this.#flushed.reject(error),
    // Nobody makes room while a command waits for it.
    onSpace: () => this.#flushed.reject(storageFailed(this.#path, 'no space is left')),
  }

  async persist(
    store: LogStore,
    step: Pick<Parameters<LogStore['persist']>[0], 'hardState' | 'reset' | 'entries'>,
  ): Promise<void> {
    this.#flushed = Promise.withResolvers<void>()
    const nothing = { truncateFrom: undefined, repairs: [], compactTo: undefined, messages: [] }
    store.persist({ ...nothing, ...step, token: ++this.#token })
    await this.#flushed.promise
  }
}

/** Files are flushed by those who wrote them; here the names that lead to them are. */
function syncTree(path: string): void {
  for (const name of readdirSync(path)) {
    const inner = join(path, name)
    if (lstatSync(inner).isDirectory()) syncTree(inner)
  }
  syncPath(path)
}
