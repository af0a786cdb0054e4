/**
 * A node that dies soon after each start, under the policy of the supervisor of threads: it waits longer each time, and gives the
 * node up in the end. Then only a person starts it, or the end of all faults.
 *
 *     crash ─► wait (RestartBudget) ─► start ─► crash …        quarantine: it stays down
 */
import { FOR_GOOD_MS } from './node-supervisor.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'

/** What it does to its world. */
export interface CrashLoopHost {
  readonly scheduler: Scheduler
  crash(node: SimNode, downMs: number): void
}

export class CrashLoop {
  readonly #host: CrashLoopHost
  readonly #node: SimNode
  readonly #afterMs: number
  #isOver = false

  constructor(host: CrashLoopHost, node: SimNode, afterMs: number) {
    this.#host = host
    this.#node = node
    this.#afterMs = afterMs
  }

  /** The first crash comes now. Returns what ends the loop; whoever is given up stays down. */
  begin(): () => void {
    this.#crash()
    return () => {
      this.#isOver = true
    }
  }

  #crash(): void {
    const delayMs = this.#node.supervisor.died()
    if (delayMs === undefined) {
      this.#isOver = true
      return this.#host.crash(this.#node, FOR_GOOD_MS)
    }
    this.#host.crash(this.#node, delayMs)
    this.#await()
  }

  /** It dies as soon as it is up, or `afterMs` later: by whatever it was started. */
  #await(): void {
    const { scheduler } = this.#host
    scheduler.after(1, {
      run: () => {
        if (this.#isOver) return
        if (!this.#node.isUp) return this.#await()
        scheduler.after(this.#afterMs, { run: () => this.#isOver || this.#crash() })
      },
    })
  }
}
