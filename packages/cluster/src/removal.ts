/**
 * How a node learns that it is no member any more. Whoever is taken out of the members gets no entries from then on, not even
 * the one that says so: the operator's tool tells it, or, where it did not run then, it asks the others once it has heard no
 * leader for a while.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { incarnationIn, type NodeId, RaftError } from '@troupe/core'
import { writeFileAtomic } from '@troupe/store'
import type { NodeReport } from './cluster-status.ts'
import type { NodeStatus } from './node-control.ts'

const MARK_FILE = 'removed.json'

/** The members in effect at some node. */
type SeenMembers = Pick<NodeStatus, 'configuration' | 'configurationIndex' | 'isConfigurationCommitted'>

/**
 * Whether what the nodes have proves that `own` was removed: the latest committed configuration of them all is later than any
 * that it has, and without this incarnation of it. One that waits to be added was no member yet, and is not meant.
 */
export function isRemoved(
  own: Pick<NodeStatus, 'id' | 'incarnation' | 'configuration' | 'configurationIndex'>,
  seen: readonly ((SeenMembers & { readonly running: true }) | Extract<NodeReport, { running: false }>)[],
): boolean {
  if (incarnationIn(own.configuration, own.id) !== own.incarnation) return false
  let latest: SeenMembers | undefined
  for (const node of seen) {
    if (!node.running || !node.isConfigurationCommitted) continue
    if (node.configurationIndex > (latest?.configurationIndex ?? own.configurationIndex)) latest = node
  }
  return latest !== undefined && incarnationIn(latest.configuration, own.id) !== own.incarnation
}

/** The directory of a node that was removed says so from now on. */
export function markRemoved(path: string): void {
  writeFileAtomic(join(path, MARK_FILE), `${JSON.stringify({ removed: new Date().toISOString() })}\n`)
}

/** @throws RaftError INVALID_DIRECTORY for the directory of a node that was removed */
export function refuseRemoved(path: string): void {
  if (!existsSync(join(path, MARK_FILE))) return
  const reason = 'its node was removed from the cluster; to add it again, let it join with an empty directory'
  throw new RaftError('INVALID_DIRECTORY', `data directory ${path}: ${reason}`, { path, reason })
}

export interface RemovalWatchEvents {
  /** Asks the others whether this node was removed. May fail: then it is asked again. */
  ask(): Promise<boolean>
  removed(): void
}

/** A cluster that has been without a quorum for hours need not be asked every second. */
const MOST_WAIT_MS = 30_000

/** Asks now and then, for as long as no leader is heard, less often each time. */
export class RemovalWatch {
  readonly #afterMs: number
  #waitMs: number
  readonly #events: RemovalWatchEvents
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param afterMs without a leader, before the first question; twice as long before each further one */
  constructor(afterMs: number, events: RemovalWatchEvents) {
    this.#afterMs = afterMs
    this.#waitMs = afterMs
    this.#events = events
  }

  leaderChanged(leader: NodeId | null): void {
    if (leader === null) return this.#arm()
    this.#waitMs = this.#afterMs
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #arm(): void {
    if (this.#isClosed || this.#timer !== undefined) return
    const timer = setTimeout(() => void this.#ask(timer), this.#waitMs)
    this.#waitMs = Math.max(this.#afterMs, Math.min(MOST_WAIT_MS, 2 * this.#waitMs))
    this.#timer = timer
  }

  async #ask(timer: NodeJS.Timeout): Promise<void> {
    const isOut = await this.#events.ask().catch(() => false)
    // A leader was heard meanwhile.
    if (this.#isClosed || this.#timer !== timer) return
    this.#timer = undefined
    if (isOut) this.#events.removed()
    else this.#arm()
  }
}
