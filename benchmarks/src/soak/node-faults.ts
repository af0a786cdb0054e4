/** Crashes one node of a running cluster at a time, and has it come back. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, NodeReport } from '@troupe/cluster'
import { type NodeId, RaftError } from '@troupe/core'
import { rounded } from '../terminal/format.ts'
import type { SoakFault } from './fault-sequence.ts'
import type { FaultReport } from './soak-protocol.ts'

const POLL_MS = 50
/** Longest that a lagging node stays down, where the others do not compact. */
const MAX_LAG_MS = 30_000
/** A node that has not caught up by then never will. */
const MAX_CATCH_UP_MS = 60_000

type RunningNode = Extract<NodeReport, { readonly running: true }>

export class NodeFaults {
  readonly #cluster: Cluster
  readonly #signal: AbortSignal

  constructor(cluster: Cluster, signal: AbortSignal) {
    this.#cluster = cluster
    this.#signal = signal
  }

  /**
   * Resolves when the node is back and has applied what was committed at its start.
   * @throws RaftError TIMEOUT where it does not catch up; what `crash` and `restart` throw
   */
  async run(fault: SoakFault): Promise<Omit<FaultReport, 'atSeconds'>> {
    const id = this.#victim(fault)
    const lastIndex = (await this.#status(id))?.lastIndex ?? 0
    const downAtMs = performance.now()
    await this.#cluster.crash(id)
    if (fault.kind === 'lag') await this.#untilCompacted(lastIndex)
    else await this.#sleep(fault.downMs)
    const upAtMs = performance.now()
    await this.#cluster.restart(id)
    const snapshotsInstalled = await this.#untilCaughtUp(id)
    const downMs = rounded(upAtMs - downAtMs, 0)
    const catchUpMs = rounded(performance.now() - upAtMs, 0)
    return { kind: fault.kind, id, downMs, catchUpMs, snapshotsInstalled }
  }

  #victim({ kind, pick }: SoakFault): NodeId {
    const { ids, leader } = this.#cluster
    if (kind === 'leader' && leader !== undefined) return leader
    const followers = ids.filter((id) => id !== leader)
    return followers[Math.floor(pick * followers.length)] as NodeId
  }

  /** Until the others no longer have the entry that the node needs next. */
  async #untilCompacted(lastIndex: number): Promise<void> {
    const deadlineMs = performance.now() + MAX_LAG_MS
    for (;;) {
      const bases = (await this.#running()).map(({ base }) => base)
      if (bases.length > 0 && Math.min(...bases) > lastIndex) return
      if (performance.now() >= deadlineMs) return
      await this.#sleep(POLL_MS)
    }
  }

  /** Resolves with how many snapshots it took. */
  async #untilCaughtUp(id: NodeId): Promise<number> {
    const target = Math.max(...(await this.#running()).map(({ commit }) => commit))
    const deadlineMs = performance.now() + MAX_CATCH_UP_MS
    for (;;) {
      const node = await this.#status(id)
      if (node !== undefined && node.applied >= target) return node.metrics.snapshotsInstalled
      if (performance.now() >= deadlineMs) {
        const where = node === undefined ? 'does not answer' : `has applied ${node.applied} of ${target}`
        const data = { timeoutMs: MAX_CATCH_UP_MS }
        throw new RaftError('TIMEOUT', `${id} ${where} ${MAX_CATCH_UP_MS} ms after its restart`, data)
      }
      await this.#sleep(POLL_MS)
    }
  }

  async #running(): Promise<RunningNode[]> {
    return (await this.#cluster.status()).nodes.filter((node) => node.running)
  }

  async #status(id: NodeId): Promise<RunningNode | undefined> {
    return (await this.#running()).find((node) => node.id === id)
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal })
  }
}
