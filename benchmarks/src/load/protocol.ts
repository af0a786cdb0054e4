/** What the main thread and a load generator's thread say to each other. */
import type { MessagePort } from 'node:worker_threads'
import type { CpuProfile, ThreadUsage } from '@troupe/actor'
import type { ClientSettings, ClientTrace } from '@troupe/cluster'
import type { NodeId, WireError } from '@troupe/core'
import type { DialingSettings } from '../engine/tested-cluster.ts'
import type { LatencySummary } from '../latency.ts'
import type { WorkloadSpec } from '../workload.ts'
import type { ClosedLoopResult, ClosedLoopSpec } from './closed-loop.ts'
import type { PositionFindings } from './ledger.ts'
import type { OpenLoopResult, OpenLoopSpec } from './open-loop.ts'

/** How the thread's client gets to the nodes. */
export type ClientWay =
  | { readonly port: MessagePort }
  | { readonly seeds: readonly string[]; readonly dialing: DialingSettings }

/** `workerData` of the thread. */
export interface LoadBirth {
  readonly way: ClientWay
  readonly settings: ClientSettings
  readonly workload: WorkloadSpec
  /** For `keyCounts`. */
  readonly counts: SharedArrayBuffer
}

/** Requests by name: what is asked and what is answered. */
export interface LoadCalls {
  closedLoop: { readonly ask: ClosedLoopSpec; readonly answer: ClosedLoopResult }
  /** Ends the closed loop that runs, if one does, before its time. */
  stopClosedLoop: { readonly ask: undefined; readonly answer: undefined }
  /** Writes every key once. */
  fill: { readonly ask: undefined; readonly answer: undefined }
  startOpenLoop: { readonly ask: OpenLoopSpec; readonly answer: undefined }
  stopOpenLoop: { readonly ask: undefined; readonly answer: OpenLoopResult }
  /** When the first acknowledgement at or after an instant came that a leader did not give. */
  firstAck: {
    readonly ask: { readonly afterMs: number; readonly notLeader: NodeId | undefined }
    readonly answer: number
  }
  /** Latency of the loop that runs, since the last lap. */
  lap: { readonly ask: undefined; readonly answer: LatencySummary }
  totals: { readonly ask: undefined; readonly answer: LoadTotals }
  startTrace: { readonly ask: undefined; readonly answer: undefined }
  /** Ends the client's trace; undefined where none was begun. */
  takeTrace: { readonly ask: undefined; readonly answer: ClientTrace | undefined }
  startProfile: { readonly ask: undefined; readonly answer: undefined }
  /** Ends the thread's profile; undefined where none was begun. */
  takeProfile: { readonly ask: undefined; readonly answer: CpuProfile | undefined }
  positions: { readonly ask: { readonly next: number }; readonly answer: PositionFindings }
  close: { readonly ask: undefined; readonly answer: undefined }
}

export type LoadCallName = keyof LoadCalls

export interface LoadRequest<Name extends LoadCallName = LoadCallName> {
  readonly id: number
  readonly name: Name
  readonly ask: LoadCalls[Name]['ask']
}

/** Commands since the thread started, and how busy it was. */
export interface LoadTotals extends ThreadUsage {
  readonly acknowledged: number
  readonly unknown: number
  /** Reads that were answered. */
  readonly reads: number
  readonly outstanding: number
}

export type LoadMessage =
  | { readonly kind: 'totals'; readonly totals: LoadTotals }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string; readonly error?: WireError }
