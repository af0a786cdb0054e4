/** What a node that runs keeps its data with: without backups, surveys and readers of damaged files, which other commands load. */
export { type NodeDirectory, openNodeDirectory } from './directory/node-directory.ts'
export { openMemoryLogStore } from './log/memory-log-store.ts'
export { openLmdbLogStore } from './log/open-lmdb-log-store.ts'
export { openFileSnapshotStore } from './snapshots/file-snapshot-store.ts'
export { openMemorySnapshotStore } from './snapshots/memory-snapshot-store.ts'
export { openFileSegments, type SegmentFolder } from './states/file-segments.ts'
export { type LmdbMachineStorage, openLmdbMachineStorage } from './states/lmdb-machine-storage.ts'
