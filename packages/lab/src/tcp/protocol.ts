/** What the laboratory asks the processes of its nodes, beside what all nodes answer. */
import type { CommonCalls, NodeChild } from '@troupe/cluster/children'
import type { NodeId } from '@troupe/core'

export interface LabCalls extends CommonCalls {
  readonly addPeer: {
    readonly ask: { readonly id: NodeId; readonly address: string }
    readonly answer: undefined
  }
  readonly removePeer: { readonly ask: { readonly id: NodeId }; readonly answer: undefined }
  readonly injectFault: { readonly ask: NodeFaultRequest; readonly answer: undefined }
  readonly destroyFault: { readonly ask: { readonly id: string }; readonly answer: undefined }
}

export type LabNode = NodeChild<LabCalls>

/** What the fault desk of a node takes (packages/cluster, faults/fault-parts.ts), as far as it is asked for here. */
export interface NodeFaultRequest {
  readonly id: string
  readonly text: string
  readonly nodes: readonly NodeId[]
  readonly forMs: number
  readonly parts: readonly (NodeEffectPart | { readonly at: 'node'; readonly action: 'stall' })[]
}

/** What lasts in a node. */
export interface NodeEffectPart {
  readonly at: 'store' | 'clock' | 'failpoints' | 'heap'
  readonly effect: Readonly<Record<string, unknown>>
}

/** A named pipe for the chunks of all nodes, and the number of this one. */
export interface ObservedAs {
  readonly path: string
  readonly index: number
}
