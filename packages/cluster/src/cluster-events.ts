import type { ExitInfo } from '@troupe/actor'
import type { NodeId, RaftError, Role } from '@troupe/core'

/** What a cluster tells of itself. Instants are milliseconds of the process-wide monotonic clock. */
export interface ClusterEvents {
  /** A node became leader of a term; `atMs` as that node saw it. */
  leader: [{ id: NodeId; term: number; atMs: number }]
  /** A node changed its role, its term or whom it follows; `atMs` as that node saw it. */
  role: [{ id: NodeId; role: Role; term: number; leader: NodeId | undefined; atMs: number }]
  /** A node's worker is gone. */
  exit: [ExitInfo]
  /** A node died without being told to and will be started again. */
  restarting: [{ id: NodeId; attempt: number; delayMs: number }]
  /** A node died too often; only `restart` starts it again. */
  quarantined: [{ id: NodeId; failures: number; error: RaftError | undefined }]
}
