export { BACKUP_FORMAT, type BackupDescription } from './backup-format.ts'
export { type DirectoryLock, isDirectoryInUse, lockDirectory } from './directory-lock.ts'
export {
  type DamagedSnapshot,
  type FileSnapshotStoreOptions,
  openFileSnapshotStore,
} from './file-snapshot-store.ts'
export { describeFileSystem, type FileSystem } from './file-system.ts'
export type { LmdbDamage } from './lmdb-file/damage-list.ts'
export { type LmdbFileReport, type LmdbReadOptions, readLmdbFile } from './lmdb-file/read-lmdb-file.ts'
export type { ItemVisitor } from './lmdb-file/tree-walk.ts'
export {
  type LmdbMachineStorage,
  type LmdbMachineStorageOptions,
  openLmdbMachineStorage,
  type StateIdentity,
} from './lmdb-machine-storage.ts'
export { defaultLogLimits, type LogLimits, resolveLogLimits } from './log-limits.ts'
export { type FoundLog, type FoundSegment, type Problem, scanLog, WITNESS_FILE } from './log-scan.ts'
export { type FoundWitness, type Remembered, readWitness } from './log-witness.ts'
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
export { type OpenBackup, type VerifiedBackup, verifyBackup, withBackup } from './read-backup.ts'
export { type NodeSeed, seedNodeDirectory } from './seed-node.ts'
export { LOG_FORMAT, type LogOwner, type SegmentHeader, type SegmentPlace } from './segment-records.ts'
export type { ScannedSegment } from './segment-scan.ts'
export {
  type ListedSnapshot,
  listSnapshots,
  type OpenSnapshot,
  type StatePieces,
  type VerifiedSnapshot,
  verifySnapshotFile,
  withSnapshotFile,
} from './snapshot-file.ts'
export type { SnapshotOwner } from './snapshot-format.ts'
export { type NodeSurvey, surveyNode } from './survey-node.ts'
export { makeDirectory, syncPath, writeFileAtomic } from './sync-files.ts'
export { TRACED_CALLS, tracedCalls } from './traced-calls.ts'
export { type WriteBackupOptions, writeBackup } from './write-backup.ts'
