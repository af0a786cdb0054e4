/**
 * What every store must do, as tests: call `logStoreConformance` and `snapshotStoreConformance` from a `*.test.ts`.
 * Whoever writes stores of their own runs the same suites as those of this package.
 */
export { logStoreConformance, type OpenStore } from './log/log-conformance.ts'
export {
  chainedEntries,
  contentOf,
  type OpenedStore,
  placesOf,
  type RequestContent,
  StoreProbe,
  sampleEntries,
  sampleEntry,
  sampleHardState,
} from './log/log-probe.ts'
export {
  type OpenedSnapshotStore,
  type OpenSnapshotStore,
  snapshotStoreConformance,
} from './snapshots/snapshot-conformance.ts'
export {
  quiescent,
  receiveAll,
  type SampleSnapshot,
  SnapshotProbe,
  sampleSnapshot,
  wholeOf,
  writeAll,
} from './snapshots/snapshot-probe.ts'
