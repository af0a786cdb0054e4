/** What a benchmark asks the processes of its nodes, beside what all nodes answer. */
import type { CpuProfile } from '@troupe/actor'
import type { NodeTrace } from '@troupe/cluster'
import type { CommonCalls, NodeChild } from '@troupe/cluster/children'
import type { HeartbeatMarks } from '../heartbeat/heartbeat-log.ts'

/** Beside the node's options: it watches its heartbeats. */
export const WATCH_HEARTBEATS = 'watch-heartbeats'

export interface BenchmarkCalls extends CommonCalls {
  readonly startTrace: { readonly ask: undefined; readonly answer: undefined }
  readonly takeTrace: { readonly ask: undefined; readonly answer: NodeTrace | undefined }
  readonly startProfile: { readonly ask: undefined; readonly answer: undefined }
  readonly takeProfile: { readonly ask: undefined; readonly answer: CpuProfile | undefined }
  /** Processor time of the whole process, in milliseconds. */
  readonly cpuMs: { readonly ask: undefined; readonly answer: number }
  /** Heartbeats since this was last asked; nothing where they are not watched. */
  readonly takeHeartbeats: { readonly ask: undefined; readonly answer: HeartbeatMarks | undefined }
}

export type BenchmarkNode = NodeChild<BenchmarkCalls>
