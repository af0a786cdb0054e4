export { describeFileSystem, type FileSystem } from './file-system.ts'
export { type LmdbLogStoreOptions, openLmdbLogStore } from './lmdb-log-store.ts'
export { type LmdbSnapshotStoreOptions, openLmdbSnapshotStore } from './lmdb-snapshot-store.ts'
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
} from './node-directory.ts'
export { makeDirectory, writeFileAtomic } from './sync-files.ts'
