import { invalidOption } from './errors.ts'

/** When and how fast a supervisor starts a dead actor again. */
export interface RestartPolicy {
  /**
   * `on-failure`: after every exit that `stop` did not ask for (a `crash()` too). `never`: the owner decides.
   * @default 'on-failure'
   */
  readonly mode: 'on-failure' | 'never'
  /** Delay before the first restart, in ms. @default 100 */
  readonly initialDelayMs: number
  /** By what the delay grows with each further failure within `withinMs`. @default 1.5 */
  readonly factor: number
  /** The greatest delay, in ms. @default 5000 */
  readonly maxDelayMs: number
  /** With more failures than this within `withinMs` the actor is quarantined. @default 10 */
  readonly maxRestarts: number
  /** How long a failure counts, in ms. @default 60000 */
  readonly withinMs: number
}

/** The defaults of {@link RestartPolicy}. */
export const defaultRestartPolicy: RestartPolicy = Object.freeze({
  mode: 'on-failure',
  initialDelayMs: 100,
  factor: 1.5,
  maxDelayMs: 5_000,
  maxRestarts: 10,
  withinMs: 60_000,
})

/**
 * Fills in the defaults.
 * @throws RaftError INVALID_OPTIONS when a field is out of range
 */
export function resolveRestartPolicy(policy: Partial<RestartPolicy> = {}): RestartPolicy {
  const resolved = Object.freeze({ ...defaultRestartPolicy, ...policy })
  if (resolved.mode !== 'on-failure' && resolved.mode !== 'never') {
    throw invalidOption('restart.mode', resolved.mode, "'on-failure' or 'never'")
  }
  atLeast('restart.initialDelayMs', resolved.initialDelayMs, 0)
  atLeast('restart.factor', resolved.factor, 1)
  atLeast('restart.maxDelayMs', resolved.maxDelayMs, resolved.initialDelayMs)
  atLeast('restart.maxRestarts', resolved.maxRestarts, 0)
  atLeast('restart.withinMs', resolved.withinMs, 0)
  return resolved
}

/** What follows a failure: a restart after a delay, or none any more. */
export type RestartDecision =
  | { readonly kind: 'restart'; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'quarantine'; readonly failures: number }

/**
 * Remembers the recent failures of one actor and decides what follows. Pure: time and chance are parameters.
 */
export class RestartBudget {
  readonly #policy: RestartPolicy
  readonly #random: () => number
  #failuresAtMs: number[] = []

  /** @param random draws from [0, 1) */
  constructor(policy: RestartPolicy, random: () => number) {
    this.#policy = policy
    this.#random = random
  }

  /** Counts a failure at `nowMs`, any monotonic clock. */
  failed(nowMs: number): RestartDecision {
    const { initialDelayMs, factor, maxDelayMs, maxRestarts, withinMs } = this.#policy
    this.#failuresAtMs = this.#failuresAtMs.filter((atMs) => nowMs - atMs < withinMs)
    this.#failuresAtMs.push(nowMs)
    const attempt = this.#failuresAtMs.length
    if (attempt > maxRestarts) return { kind: 'quarantine', failures: attempt }
    const delayMs = Math.min(maxDelayMs, initialDelayMs * factor ** (attempt - 1))
    // Half of the delay is chance: actors that died together do not come back in lockstep.
    return { kind: 'restart', attempt, delayMs: delayMs * (0.5 + this.#random() / 2) }
  }

  /** Forgets all failures: a person has started the actor by hand. */
  reset(): void {
    this.#failuresAtMs = []
  }
}

function atLeast(field: string, value: number, least: number): void {
  if (!(Number.isFinite(value) && value >= least)) throw invalidOption(field, value, `a number >= ${least}`)
}
