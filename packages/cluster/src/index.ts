/** Replicated state machines in worker threads: `Cluster` starts and supervises the nodes, `Client` uses them. */
export {
  type Configuration,
  type Member,
  type MemberChange,
  RaftError,
  type RaftErrorCode,
  type RaftErrorData,
} from '@troupe/core'
export { type AppliedFault, DISTRIBUTIONS, FAILPOINTS, type Fault } from '@troupe/faults'
export { type BackupOptions, type BackupReport, backupCluster, type SkippedSnapshot } from './backup.ts'
export { type CallOptions, Client, type QueryOptions, type Served, type TcpClientSettings } from './client.ts'
export { type DialSettings, NodeDialer } from './client-dialer.ts'
export { PortLinks } from './client-feed.ts'
export type { ClientLink, ClientLinkEvents, ClientLinks } from './client-links.ts'
export { Cluster } from './cluster.ts'
export type { ClusterEvents } from './cluster-events.ts'
export { type ClusterStatus, type NodeDigest, type NodeReport, viewOf } from './cluster-status.ts'
export type { InjectedFault } from './faults/cluster-faults.ts'
export { DEFAULT_FAULT_MS, MAX_FAULT_MS } from './faults/fault-parts.ts'
export { damageFiles, type FileDamage } from './faults/file-damage.ts'
export { KeptFaults } from './faults/kept-faults.ts'
export type {
  InjectedRemoteFault,
  InjectOptions,
  RemoteFault,
  RemoteFaults,
  Unheard,
} from './faults/remote-faults.ts'
export type { Instruments } from './instruments.ts'
export { loadMachine } from './load-machine.ts'
export type { Logger, LogLevel } from './logger.ts'
export type { AddMemberOptions, ChangeOptions, MemberOptions, Members } from './members.ts'
export type { NodeStatus } from './node-control.ts'
export type { NodeEdges, OpenEdges } from './node-edges.ts'
export type {
  Laboratory,
  NodeObserver,
  ObservedNode,
  ObserveNode,
} from './node-observer.ts'
export { NODE_OPTION_FIELDS, type NodeOptions } from './node-options.ts'
export { NodeProcess, type NodeProcessHooks } from './node-process.ts'
export {
  type ClientSettings,
  type ClusterOptions,
  DEFAULT_START_TIMEOUT_MS,
  defaultBatching,
} from './options.ts'
export type { RecordOption } from './recording/record-option.ts'
export {
  planRecovery,
  type RecoverOptions,
  type RecoveryPlan,
  type RecoveryReport,
  recoverCluster,
  type Survivor,
} from './recover.ts'
export { type OperatorSettings, RemoteCluster } from './remote-cluster.ts'
export { type RestoreOptions, type RestoreReport, restoreCluster } from './restore.ts'
export {
  AnsweredColumn,
  type ClientTrace,
  FlushColumn,
  type NodeTrace,
  ProposedColumn,
  SentColumn,
  TakenColumn,
  type TraceRows,
  TurnColumn,
} from './stage-trace.ts'
export { type TlsFileValues, tlsFilesOf } from './tls-files.ts'
export type { ClusterMember } from './view/cluster-view.ts'
export type { DiskHealth, NodeNews } from './view/node-news.ts'
export type { MemberView } from './view/status-board.ts'
export type { Suspicion } from './view/suspicion.ts'
