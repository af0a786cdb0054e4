import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogStore, RaftError, type StoreEvents } from '@troupe/core'
import { withTemporaryDirectory } from '../test/temporary-directory.ts'
import {
  contentOf,
  logStoreConformance,
  type OpenStore,
  placesOf,
  StoreProbe,
  sampleEntries,
  sampleEntry,
  sampleHardState,
} from './conformance.ts'
import { type LmdbLogStoreOptions, openLmdbLogStore } from './open-lmdb-log-store.ts'

function opener(options: Partial<LmdbLogStoreOptions>): OpenStore {
  return async (events, { base }) => {
    const path = mkdtempSync(join(tmpdir(), 'troupe-store-'))
    const openAgain = (to: StoreEvents): Promise<LogStore> =>
      openLmdbLogStore({ path, events: to, base, ...options })
    let store = await openAgain(events)
    const reopen = async (to: StoreEvents): Promise<LogStore> => {
      await store.close()
      store = await openAgain(to)
      return store
    }
    const cleanup = async (): Promise<void> => {
      await store.close()
      rmSync(path, { recursive: true })
    }
    return { store, reopen, cleanup }
  }
}

logStoreConformance('lmdb', opener({}))
logStoreConformance('lmdb, not flushed', opener({ durability: 'acked-before-flush', group: 3 }))
logStoreConformance('lmdb, small segments', opener({ segmentEntries: 2 }))
logStoreConformance('lmdb, segments of a single batch', opener({ segmentBytes: 1 }))
