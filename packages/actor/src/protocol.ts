/** What a supervisor and the inside of its workers say to each other. Internal to this package. */
import type { MessagePort } from 'node:worker_threads'

/** A port that leads to somebody else: what `connect` and `attach` hand to an actor. */
export interface PortMessage {
  readonly kind: 'port'
  /** Who is at the other end, as the mesh calls it. */
  readonly from: string
  /** What the owner of the mesh said about it. */
  readonly meta: unknown
  /** Open when it is handed over. */
  readonly port: MessagePort
}

/** To the worker, over its parent port: the control lane. */
export type HostCommand = PortMessage | { readonly kind: 'crash' } | { readonly kind: 'stop' }

/** From the worker: its actor runs. (Its failure is in its obituary.) */
export interface ReadyReport {
  readonly kind: 'ready'
  readonly value: unknown
}

/** The `workerData` of an actor's worker. */
export interface ActorBirth {
  readonly troupeActor: {
    readonly id: string
    readonly startCount: number
    readonly cell: SharedArrayBuffer
    readonly control: MessagePort
    readonly data: unknown
  }
}
