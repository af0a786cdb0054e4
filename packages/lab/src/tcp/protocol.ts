/** What the laboratory and the processes of its nodes say to each other, beside what goes over TCP. */
import type { LogLevel, NodeDigest, NodeStatus } from '@troupe/cluster'
import type { ControlCommand, NodeId, Role } from '@troupe/core'

/** Questions by name: what is asked and what is answered. */
export interface NodeCalls {
  status: { readonly ask: undefined; readonly answer: NodeStatus }
  digest: { readonly ask: undefined; readonly answer: NodeDigest }
  command: {
    readonly ask: { readonly command: ControlCommand; readonly timeoutMs: number }
    readonly answer: undefined
  }
  addPeer: { readonly ask: { readonly id: NodeId; readonly address: string }; readonly answer: undefined }
  removePeer: { readonly ask: { readonly id: NodeId }; readonly answer: undefined }
  injectFault: { readonly ask: NodeFaultRequest; readonly answer: undefined }
  destroyFault: { readonly ask: { readonly id: string }; readonly answer: undefined }
}

/** What the fault desk of a node takes (packages/cluster, faults/fault-parts.ts), as far as it is asked for here. */
export interface NodeFaultRequest {
  readonly id: string
  readonly text: string
  readonly nodes: readonly NodeId[]
  readonly forMs: number
  readonly parts: readonly (NodeEffectPart | { readonly at: 'node'; readonly action: 'stall' })[]
}

export type NodeCallName = keyof NodeCalls

export interface NodeCall<Name extends NodeCallName = NodeCallName> {
  readonly id: number
  readonly name: Name
  readonly ask: NodeCalls[Name]['ask']
}

/** What lasts in a node. */
export interface NodeEffectPart {
  readonly at: 'store' | 'clock'
  readonly effect: Readonly<Record<string, unknown>>
}

/** A named pipe for the chunks of all nodes, and the number of this one. */
export interface ObservedAs {
  readonly path: string
  readonly index: number
}

/** Laboratory to node. */
export type NodeOrder = { readonly kind: 'call'; readonly call: NodeCall } | { readonly kind: 'stop' }

/** Node to laboratory. Instants are those of the machine's monotonic clock, which all its processes read. */
export type NodeNews =
  /** It takes connections: of founders that look for each other, first of all. */
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'started' }
  /** It cannot start, or cannot go on; it ends. */
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string }
  | {
      readonly kind: 'role'
      readonly role: Role
      readonly term: number
      readonly leader: NodeId | null
      readonly atMs: number
    }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly event: string
      readonly detail: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly reason: string }
