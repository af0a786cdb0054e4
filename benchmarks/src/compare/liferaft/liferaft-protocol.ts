/** What the threads of a liferaft cluster, its client and the main thread say to each other. */
import type { MessagePort } from 'node:worker_threads'

export const LIFERAFT = '@markwylde/liferaft'

/** `workerData` of a node. */
export interface LiferaftBirth {
  readonly id: string
  /** Where LevelDB keeps the log. */
  readonly directory: string
  readonly peers: readonly { readonly id: string; readonly port: MessagePort }[]
  readonly client: MessagePort
}

export interface LiferaftCommand {
  readonly id: number
  readonly body: string
}

/** Client to node. */
export type LiferaftRequest =
  /** The commands of one turn. */
  { readonly kind: 'commands'; readonly commands: readonly LiferaftCommand[] } | { readonly kind: 'count' }

/** Node to client. */
export type LiferaftReply =
  | { readonly kind: 'committed'; readonly id: number }
  /** Not the leader: nothing happened. */
  | { readonly kind: 'refused'; readonly id: number; readonly leader: string }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  /** The index of the last entry. */
  | { readonly kind: 'counted'; readonly entries: number }

/** Node to main thread. */
export type LiferaftNews = { readonly kind: 'ready' } | { readonly kind: 'leads' }

/** Main thread to node. */
export type LiferaftOrder = 'begin' | 'stop'
