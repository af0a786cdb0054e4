/**
 * A real node that dies so long after each start, as by itself: its supervisor starts it again, later each time, and gives it up in
 * the end. Then only somebody else starts it; so it is in the simulator.
 *
 *     die ─► the supervisor waits ─► it runs ─► so much later ─► die …        given up: it stays down
 */
import type { RealCluster } from './real-cluster.ts'

export interface CrashLoopOptions {
  readonly cluster: Pick<RealCluster, 'isUp' | 'die'>
  readonly node: string
  readonly afterMs: number
  /** Whether it takes turns: one that only starts does not. */
  readonly lives: () => boolean
  /** Told of what keeps it from dying. */
  readonly line: (text: string) => void
}

const POLL_MS = 5

export class CrashLoop {
  readonly #options: CrashLoopOptions
  readonly #over = Promise.withResolvers<void>()
  #isOver = false
  #working: Promise<void> | undefined

  constructor(options: CrashLoopOptions) {
    this.#options = options
  }

  /** The first death is now. Rejects where it does not die. */
  async begin(): Promise<void> {
    await this.#options.cluster.die(this.#options.node)
    this.#working = this.#work()
  }

  /** It dies no more. Resolves when that is so. Idempotent. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#over.resolve()
    await this.#working
  }

  async #work(): Promise<void> {
    const { cluster, node, afterMs, lives, line } = this.#options
    while (!this.#isOver) {
      if (!cluster.isUp(node) || !lives()) {
        await this.#pause(POLL_MS)
        continue
      }
      await this.#pause(afterMs)
      // Somebody else may have been the death of it.
      if (this.#isOver || !cluster.isUp(node)) continue
      await cluster.die(node).catch((error: Error) => line(`${node} does not die: ${error.message}`))
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    await Promise.race([promise, this.#over.promise])
    clearTimeout(timer)
  }
}
