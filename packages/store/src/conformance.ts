/**
 * What every store must do, as tests: call `logStoreConformance` and `snapshotStoreConformance` from a `*.test.ts`.
 * Whoever writes stores of their own runs the same suites as those of this package.
 */
export { logStoreConformance, type OpenedStore, type OpenStore } from './log-conformance.ts'
export { type RequestContent, StoreProbe, sampleEntries, sampleEntry, sampleHardState } from './log-probe.ts'
