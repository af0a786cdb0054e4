/** What `troupe soak` and the process with the cluster say to each other. All of it is JSON. */
import type { ClientSettings, ClusterOptions } from '@troupe/cluster'
import type { NodeId } from '@troupe/core'
import type { Verification } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'
import type { FaultKind, FaultPauses } from './fault-sequence.ts'
import type { RestSample, SoakSample } from './soak-sample.ts'

export type SoakLoad =
  | { readonly kind: 'open'; readonly commandsPerSecond: number }
  | { readonly kind: 'closed'; readonly window: number }

export interface SoakPlan {
  readonly cluster: ClusterOptions & { readonly directory: string }
  readonly client: ClientSettings
  readonly workload: WorkloadSpec
  readonly load: SoakLoad
  readonly seed: number
  /** Starts of the cluster, each of which is stopped in good order. One more is for a last look. */
  readonly epochs: number
  readonly epochMs: number
  readonly pauses: FaultPauses
  readonly sampleMs: number
}

export interface FaultReport {
  readonly atSeconds: number
  readonly kind: FaultKind
  readonly id: NodeId
  readonly downMs: number
  /** From its start to where it had applied what was committed then. */
  readonly catchUpMs: number
  readonly snapshotsInstalled: number
}

export interface EpochVerification extends Verification {
  readonly epoch: number
  readonly atSeconds: number
}

export type SoakOrder = { readonly kind: 'begin'; readonly plan: SoakPlan } | { readonly kind: 'stop' }

export type SoakNews =
  | { readonly kind: 'sample'; readonly sample: SoakSample }
  | { readonly kind: 'rest'; readonly rest: RestSample }
  | { readonly kind: 'fault'; readonly fault: FaultReport }
  | { readonly kind: 'verification'; readonly verification: EpochVerification }
  /** A node died that nobody had told to. */
  | { readonly kind: 'death'; readonly text: string }
  /** What it does now: for the progress. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly message: string }
