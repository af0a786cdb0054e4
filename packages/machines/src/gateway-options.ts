import type { GroupId } from '@troupe/core'

/** The batching knobs of a node. */
export interface GatewayOptions {
  readonly group: GroupId
  /** How long a batch that could go waits for more. @default 0 */
  readonly lingerMs: number
  /**
   * How long a small batch waits, while the entry before it is not committed, for that: it would wait for the disks anyway, and what
   * comes meanwhile shares its entry, flushes and turns. Where a commit takes longer, as over a long line, entries follow each other
   * at this distance. @default 5
   */
  readonly commitLingerMs: number
  /** Bytes of command frames in one entry; a single larger client frame still makes one. @default 1 MiB */
  readonly maxBatchBytes: number
  /** Commands in one entry, likewise. @default 65,536 */
  readonly maxBatchCommands: number
  /** Bytes of command frames that wait for room in the log; beyond, clients get BUSY. @default 64 MiB */
  readonly maxWaitingBytes: number
  /** Reads that are under way, in whole batches; beyond, clients get BUSY. @default 65,536 */
  readonly maxPendingReads: number
}
