/** What a benchmark and the processes of its nodes say to each other, beside what goes over TCP. */
import type { CpuProfile } from '@troupe/actor'
import type { LogLevel, NodeDigest, NodeStatus, NodeTrace } from '@troupe/cluster'
import type { ControlCommand, NodeId, Role } from '@troupe/core'
import type { HeartbeatMarks } from '../heartbeat/heartbeat-log.ts'

/** Beside the node's options: it watches its heartbeats. */
export const WATCH_HEARTBEATS = 'watch-heartbeats'

/** Questions by name: what is asked and what is answered. */
export interface NodeCalls {
  status: { readonly ask: undefined; readonly answer: NodeStatus }
  digest: { readonly ask: undefined; readonly answer: NodeDigest }
  command: { readonly ask: ControlCommand; readonly answer: undefined }
  startTrace: { readonly ask: undefined; readonly answer: undefined }
  takeTrace: { readonly ask: undefined; readonly answer: NodeTrace | undefined }
  startProfile: { readonly ask: undefined; readonly answer: undefined }
  /** Heartbeats since this was last asked; nothing where they are not watched. */
  takeHeartbeats: { readonly ask: undefined; readonly answer: HeartbeatMarks | undefined }
  takeProfile: { readonly ask: undefined; readonly answer: CpuProfile | undefined }
}

export type NodeCallName = keyof NodeCalls

export interface NodeCall<Name extends NodeCallName = NodeCallName> {
  readonly id: number
  readonly name: Name
  readonly ask: NodeCalls[Name]['ask']
}

/** Benchmark to node. */
export type NodeOrder = { readonly kind: 'call'; readonly call: NodeCall } | { readonly kind: 'stop' }

/** Node to benchmark. Instants are those of the machine's monotonic clock, which all its processes read. */
export type NodeNews =
  | { readonly kind: 'started' }
  /** It cannot start, or cannot go on; it ends. */
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'role'
      readonly role: Role
      readonly term: number
      readonly leader: NodeId | null
      readonly atMs: number
    }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly text: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly reason: string }
