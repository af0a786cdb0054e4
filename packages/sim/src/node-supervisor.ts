/**
 * Who decides how long a node stays down that has died by itself, under the policy of the supervisor of threads: it waits longer
 * each time, and gives the node up in the end.
 */
import { defaultRestartPolicy, RestartBudget, type RestartPolicy } from '@troupe/core'
import type { Coverage } from './coverage.ts'
import { noiseAt, places } from './noise.ts'
import type { Scheduler } from './scheduler.ts'

/** What a supervisor needs of it. */
export interface SupervisedHost {
  readonly settings: { readonly seed: number }
  readonly scheduler: Scheduler
  readonly coverage: Coverage
  line(text: string): void
}

/** As the default but for its times, which are those of a run. */
const policy: RestartPolicy = { ...defaultRestartPolicy, initialDelayMs: 10, maxDelayMs: 500 }

/** Longer than any run. */
export const FOR_GOOD_MS = 1e9

/** Decides how long a node stays down that has died by itself. */
export class NodeSupervisor {
  readonly #host: SupervisedHost
  readonly #node: { readonly id: string }
  readonly #budget: RestartBudget

  constructor(host: SupervisedHost, node: { readonly id: string; readonly index: number }) {
    this.#host = host
    this.#node = node
    const { scheduler, settings } = host
    const dice = noiseAt(scheduler, settings.seed, places.node + node.index)
    this.#budget = new RestartBudget(policy, () => dice.next())
  }

  /** It has died: the time until it is started again, undefined where it is given up. */
  died(): number | undefined {
    const { scheduler, coverage } = this.#host
    const decision = this.#budget.failed(scheduler.nowMs)
    if (decision.kind === 'restart') return decision.delayMs
    coverage.quarantines = (coverage.quarantines ?? 0) + 1
    this.#host.line(`${this.#node.id} is given up after ${decision.failures} failures`)
    return undefined
  }

  /** The same, in ms until it is started: for good is longer than any run. */
  downMs(): number {
    return this.died() ?? FOR_GOOD_MS
  }

  /** A person has started it. */
  forget(): void {
    this.#budget.reset()
  }
}
