export { BACKUP_FORMAT, type BackupDescription } from './backup/backup-format.ts'
export { type OpenBackup, type VerifiedBackup, verifyBackup, withBackup } from './backup/read-backup.ts'
export { type WriteBackupOptions, writeBackup } from './backup/write-backup.ts'
export { type DirectoryLock, isDirectoryInUse, lockDirectory } from './directory/directory-lock.ts'
export {
  createNodeDirectory,
  DIRECTORY_FORMAT,
  type DirectoryIdentity,
  type ExpectedIdentity,
  type NewDirectoryIdentity,
  type NodeDirectory,
  openNodeDirectory,
  readNodeIdentity,
} from './directory/node-directory.ts'
export { type NodeSeed, seedNodeDirectory } from './directory/seed-node.ts'
export { type NodeSurvey, surveyNode } from './directory/survey-node.ts'
export { describeFileSystem, type FileSystem } from './file-system.ts'
export type { LmdbDamage } from './lmdb-file/damage-list.ts'
export { type LmdbFileReport, type LmdbReadOptions, readLmdbFile } from './lmdb-file/read-lmdb-file.ts'
export type { ItemVisitor } from './lmdb-file/tree-walk.ts'
export { defaultLogLimits, type LogLimits, resolveLogLimits } from './log/log-limits.ts'
export { type FoundLog, type FoundSegment, type Problem, scanLog, WITNESS_FILE } from './log/log-scan.ts'
export { type FoundWitness, type Remembered, readWitness } from './log/log-witness.ts'
export { type MemoryLogStoreOptions, openMemoryLogStore, type Scheduler } from './log/memory-log-store.ts'
export { type LmdbLogStoreOptions, openLmdbLogStore } from './log/open-lmdb-log-store.ts'
export {
  indexOfKey,
  LOG_FORMAT,
  type LogOwner,
  type SegmentHeader,
  type SegmentPlace,
} from './log/segment-records.ts'
export type { ScannedSegment } from './log/segment-scan.ts'
export { TRACED_CALLS, tracedCalls } from './log/traced-calls.ts'
export {
  type DamagedSnapshot,
  type FileSnapshotStoreOptions,
  openFileSnapshotStore,
} from './snapshots/file-snapshot-store.ts'
export {
  type MemorySnapshotStoreOptions,
  openMemorySnapshotStore,
} from './snapshots/memory-snapshot-store.ts'
export {
  type ListedSnapshot,
  listSnapshots,
  type OpenSnapshot,
  type StatePieces,
  type VerifiedSnapshot,
  verifySnapshotFile,
  withSnapshotFile,
} from './snapshots/snapshot-file.ts'
export type { SnapshotOwner } from './snapshots/snapshot-format.ts'
export { openFileSegments, type SegmentFolder } from './states/file-segments.ts'
export {
  type LmdbMachineStorage,
  type LmdbMachineStorageOptions,
  openLmdbMachineStorage,
  type StateIdentity,
} from './states/lmdb-machine-storage.ts'
export { makeDirectory, syncPath, writeFileAtomic } from './sync-files.ts'
