/**
 * The person who leaves joint configurations that were entered to be left by hand, as the simulator's operators do: whoever leads
 * by then, and whatever became of the change. Who entered it may have lost its office before it could answer, and as long as a
 * configuration is joint every other change is refused.
 */
import { isJoint } from '@troupe/core'
import type { RealCluster } from './real-cluster.ts'

/** So long it stays joint, since it was seen. */
const JOINT_MS = 200
const POLL_MS = 50

type Asked = Pick<RealCluster, 'status' | 'leaveJoint'>

export class JointOperator {
  readonly #cluster: Asked
  readonly #line: (text: string) => void
  readonly #closed = Promise.withResolvers<void>()
  #working: Promise<void> | undefined
  #isClosed = false

  /** @param line is told of refusals: it asks again */
  constructor(cluster: Asked, line: (text: string) => void) {
    this.#cluster = cluster
    this.#line = line
  }

  /** From now on, until {@link close}. Idempotent. */
  begin(): void {
    if (!this.#isClosed) this.#working ??= this.#work()
  }

  /** Resolves when nothing is asked any more. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#closed.resolve()
    await this.#working
  }

  async #work(): Promise<void> {
    let sinceMs: number | undefined
    while (!this.#isClosed) {
      const isSo = await this.#isJoint()
      if (isSo === false) sinceMs = undefined
      if (isSo === true) {
        sinceMs ??= performance.now()
        if (performance.now() - sinceMs >= JOINT_MS) await this.#leave()
      }
      await this.#pause()
    }
  }

  /** Undefined: nobody leads, so nobody can say. */
  async #isJoint(): Promise<boolean | undefined> {
    const statuses = await this.#cluster.status().catch(() => [])
    const leaders = statuses.filter(({ role }) => role === 'leader')
    const [leader] = leaders.sort((one, other) => other.term - one.term)
    return leader && isJoint(leader.configuration) && !leader.configuration.autoLeave
  }

  async #leave(): Promise<void> {
    if (this.#isClosed) return
    await this.#cluster.leaveJoint().catch((error: Error) => this.#line(`leaveJoint: ${error.message}`))
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, POLL_MS)
    await Promise.race([promise, this.#closed.promise])
    clearTimeout(timer)
  }
}
