export {
  type DamagedSnapshot,
  type FileSnapshotStoreOptions,
  openFileSnapshotStore,
} from './file-snapshot-store.ts'
export { describeFileSystem, type FileSystem } from './file-system.ts'
export { defaultLogLimits, type LogLimits, resolveLogLimits } from './log-limits.ts'
export { type FoundLog, type FoundSegment, type Problem, scanLog, WITNESS_FILE } from './log-scan.ts'
export { type FoundWitness, type Remembered, readWitness } from './log-witness.ts'
export type { LmdbDamage } from './lmdb-file/damage-list.ts'
export { type LmdbFileReport, type LmdbReadOptions, readLmdbFile } from './lmdb-file/read-lmdb-file.ts'
export type { ItemVisitor } from './lmdb-file/tree-walk.ts'
export { type MemoryLogStoreOptions, openMemoryLogStore, type Scheduler } from './memory-log-store.ts'
export { type MemorySnapshotStoreOptions, openMemorySnapshotStore } from './memory-snapshot-store.ts'
export {
  createNodeDirectory,
  DIRECTORY_FORMAT,
  type DirectoryIdentity,
  type ExpectedIdentity,
  type NewDirectoryIdentity,
  type NodeDirectory,
  openNodeDirectory,
  readNodeIdentity,
} from './node-directory.ts'
export { type LmdbLogStoreOptions, openLmdbLogStore } from './open-lmdb-log-store.ts'
export { LOG_FORMAT, type LogOwner, type SegmentHeader, type SegmentPlace } from './segment-records.ts'
export type { ScannedSegment } from './segment-scan.ts'
export {
  type ListedSnapshot,
  listSnapshots,
  type VerifiedSnapshot,
  verifySnapshotFile,
} from './snapshot-file.ts'
export type { SnapshotOwner } from './snapshot-format.ts'
export { makeDirectory, writeFileAtomic } from './sync-files.ts'
export { TRACED_CALLS, tracedCalls } from './traced-calls.ts'
