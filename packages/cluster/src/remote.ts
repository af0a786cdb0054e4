/** A running cluster over TCP, as operators and tools see it: without what only a node needs. */
export { DISTRIBUTIONS, FAILPOINTS } from '@troupe/faults'
export type { DialSettings } from './client-dialer.ts'
export { DEFAULT_FAULT_MS, MAX_FAULT_MS } from './faults/fault-parts.ts'
export { RemoteCluster } from './remote-cluster.ts'
export { tlsFilesOf } from './tls-files.ts'
