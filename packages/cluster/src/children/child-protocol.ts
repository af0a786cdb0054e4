/** What a parent and the processes of its nodes say to each other, beside what goes over TCP. */
import type { ControlCommand } from '@troupe/core'
import type { NodeDigest } from '../cluster-status.ts'
import type { LogLevel } from '../logger.ts'
import type { NodeStatus } from '../node-control.ts'

/** One kind of question. */
export interface Question {
  readonly ask: unknown
  readonly answer: unknown
}

/** Questions by name: an interface that extends {@link CommonCalls}. */
export type Calls<Own> = CommonCalls & Readonly<Record<keyof Own, Question>>

/** What every node answers. */
export interface CommonCalls {
  readonly status: { readonly ask: undefined; readonly answer: NodeStatus }
  readonly digest: { readonly ask: undefined; readonly answer: NodeDigest }
  /** Answered once it is done. */
  readonly command: {
    readonly ask: { readonly command: ControlCommand; readonly timeoutMs: number }
    readonly answer: undefined
  }
}

export interface NodeCall {
  readonly id: number
  readonly name: PropertyKey
  readonly ask: unknown
}

/** Parent to node. */
export type NodeOrder = { readonly kind: 'call'; readonly call: NodeCall } | { readonly kind: 'stop' }

/** Node to parent. Instants are those of the machine's monotonic clock, which all its processes read. */
export type NodeNews =
  | { readonly kind: 'started' }
  /** It cannot start, or cannot go on; it ends. */
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string }
  /** A line of its log, but for level `debug`. */
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly event: string
      readonly detail: Readonly<Record<string, unknown>>
      readonly atMs: number
    }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly code: string; readonly reason: string }
