/**
 * Damage to the files of a node that is down, chosen to the place: for a laboratory that does to real disks what it does to
 * simulated ones.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LogStore, PersistRequest, Random } from '@troupe/core'
import { listSnapshots, openLmdbLogStore, readNodeIdentity } from '@troupe/store'
import { GROUP } from '../identities.ts'
import { flipBitInFile, flipBitOfEntry } from './disk-damage.ts'

export type FileDamage =
  /** A bit of the entry so many places before the last one. */
  | { readonly kind: 'flip-entry'; readonly back: number }
  /** A bit of the latest complete snapshot. */
  | { readonly kind: 'flip-snapshot' }
  /**
   * The last entries were never flushed: they are gone, but for those that a snapshot covers. Term and vote stay as they are.
   */
  | { readonly kind: 'forget'; readonly entries: number }
  /** It says a later term, in which it has voted for nobody. */
  | { readonly kind: 'set-term'; readonly term: number }

/**
 * Does it. False where there is nothing to do it to.
 * @param directory of a node that nobody has open
 * @throws RaftError INVALID_DIRECTORY, STORAGE_DAMAGED, STORAGE_FAILED
 */
export async function damageFiles(directory: string, damage: FileDamage, random: Random): Promise<boolean> {
  if (!existsSync(join(directory, 'log', String(GROUP)))) return false
  switch (damage.kind) {
    case 'flip-entry':
      return flipBitOfEntry(directory, GROUP, damage.back, random)
    case 'flip-snapshot':
      return flipSnapshot(directory, random)
    case 'forget':
      return withLog(directory, (store) => forgotten(store, directory, damage.entries))
    case 'set-term':
      return withLog(directory, (store) => inTerm(store, damage.term))
  }
}

/** Complete ones, the latest first. */
const snapshotsOf = (directory: string) =>
  listSnapshots(join(directory, 'snapshots'))
    .filter(({ group, kind, meta }) => group === GROUP && kind === 'complete' && meta !== undefined)
    .toSorted((left, right) => (right.meta?.index ?? 0) - (left.meta?.index ?? 0))

function flipSnapshot(directory: string, random: Random): boolean {
  const [latest] = snapshotsOf(directory)
  if (latest === undefined) return false
  flipBitInFile(latest.path, Math.floor(latest.fileBytes * (0.25 + random.next() / 2)), random)
  return true
}

/** Writes what `change` makes of the log; false where that is nothing. */
async function withLog(
  directory: string,
  change: (store: LogStore) => Partial<PersistRequest> | undefined,
): Promise<boolean> {
  const { clusterId, nodeId, incarnation } = readNodeIdentity(directory)
  const written = Promise.withResolvers<void>()
  const store = await openLmdbLogStore({
    ...{ path: join(directory, 'log'), group: GROUP, owner: { clusterId, nodeId, incarnation } },
    events: { onPersisted: () => written.resolve(), onFailed: written.reject, onSpace: () => {} },
  })
  try {
    const request = change(store)
    if (request === undefined) return false
    store.persist({ ...nothingToWrite, ...request })
    await written.promise
    return true
  } finally {
    await store.close()
  }
}

const nothingToWrite: PersistRequest = {
  ...{ token: 1, truncateFrom: undefined, entries: [], repairs: [], messages: [] },
  ...{ hardState: undefined, reset: undefined, compactTo: undefined },
}

function forgotten(store: LogStore, directory: string, count: number): Partial<PersistRequest> | undefined {
  const covered = snapshotsOf(directory)[0]?.meta?.index ?? 0
  const gone = Math.min(count, store.lastIndex - Math.max(store.base.index, covered))
  return gone > 0 ? { truncateFrom: store.lastIndex - gone + 1 } : undefined
}

function inTerm({ hardState }: LogStore, term: number): Partial<PersistRequest> | undefined {
  return term > hardState.term ? { hardState: { term, vote: '', voteIncarnation: 0 } } : undefined
}
