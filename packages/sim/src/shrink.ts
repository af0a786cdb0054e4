/**
 * Makes a failing run smaller: the same kind of failure from fewer steps, fewer nodes, plainer options and timing.
 *
 *     seed ─► its steps ─► faults ─► operations ─► options ─► timing ─► nodes ─► single frames ─► details
 *                            ▲                                                                       │
 *                            └───────────────────── while anything got smaller ◄─────────────────────┘
 *
 * What is left out changes little of the rest: chance is a field over time (noise.ts). Deterministic: the bound is in
 * events, not in time.
 */
import { type Plan, plainPlan } from './plan.ts'
import { type Run, run } from './run.ts'
import { type FailureKind, failsAs, type Schedule } from './schedule.ts'
import { inTime, leaveOut, withoutNode } from './shrink-steps.ts'
import { isFrameDeed, isOperation, type Step } from './step.ts'

export interface ShrinkOptions {
  /** Events of the simulation that all tries together may take. @default 20,000,000 */
  readonly maxEvents?: number
  /** Told after each try that was smaller and failed in the same way. */
  readonly onSmaller?: ((schedule: Schedule) => void) | undefined
}

export interface Shrunk {
  readonly schedule: Schedule
  readonly tries: number
  readonly events: number
}

const MAX_EVENTS = 20_000_000
/** How much longer than the failing run a smaller one may take to fail. */
const SLACK = 1.3

/** A failing run, and all that was done in it. */
export interface Drawn {
  readonly schedule: Schedule
  readonly failure: NonNullable<Run['failure']>
}

/** The schedule of a seed's run: what it drew, written down. Undefined where it does not fail. */
export function scheduleOf(plan: Plan): Drawn | undefined {
  const steps: Step[] = []
  const onStep = (step: Step): void => {
    if (!isFrameDeed(step)) steps.push(step)
  }
  const { failure } = run({ plan, onStep })
  if (failure === undefined) return undefined
  const { kind, invariant } = failure
  return { schedule: { plan, steps, fails: { kind, invariant } }, failure }
}

/** The smallest schedule found that fails as `schedule` does. It must say how that is. */
export function shrink(schedule: Schedule, options: ShrinkOptions = {}): Shrunk {
  const shrinking = new Shrinking(schedule, options)
  shrinking.work()
  const { best: smallest, tries, events } = shrinking
  return { schedule: smallest, tries, events }
}

class Shrinking {
  best: Schedule
  tries = 0
  events = 0
  readonly #options: ShrinkOptions
  readonly #fails: FailureKind
  /** When the best one fails. */
  #failedMs = Number.POSITIVE_INFINITY

  constructor(schedule: Schedule, options: ShrinkOptions) {
    this.best = schedule
    this.#options = options
    this.#fails = schedule.fails as FailureKind
  }

  work(): void {
    if (!this.#try(this.best)) return
    let before: string
    do {
      before = JSON.stringify(this.best)
      this.#leaveOutSteps((step) => !isOperation(step) && !isFrameDeed(step))
      this.#leaveOutSteps(isOperation)
      this.#plainPlan()
      this.#nodes()
      this.#time()
      this.#frames()
      this.#details()
    } while (JSON.stringify(this.best) !== before && !this.#isSpent)
  }

  get #isSpent(): boolean {
    return this.events >= (this.#options.maxEvents ?? MAX_EVENTS)
  }

  /** Whether this one fails in the same way: then it is the best from now on. */
  #try(schedule: Schedule): boolean {
    if (this.#isSpent) return false
    const { plan, steps } = schedule
    const failsEarly = this.#failedMs < this.best.plan.faultMs
    const endMs = failsEarly ? this.#failedMs * SLACK + 50 : undefined
    const result = run({ plan, steps, endMs })
    this.tries++
    this.events += result.events
    if (!failsAs(result, this.#fails)) return false
    const atMs = result.failure?.atMs ?? 0
    this.#failedMs = atMs
    this.best = { ...schedule, steps: steps.filter((step) => step.atMs <= atMs) }
    this.#options.onSmaller?.(this.best)
    return true
  }

  #tryPlan(change: Partial<Plan>): boolean {
    const plan = { ...this.best.plan, ...change }
    if (JSON.stringify(plan) === JSON.stringify(this.best.plan)) return false
    return this.#try({ ...this.best, plan })
  }

  /** Leaves out as many as it can of the steps that `isMeant`, many at once first. */
  #leaveOutSteps(isMeant: (step: Step) => boolean): void {
    const meant = this.best.steps.filter(isMeant)
    leaveOut(meant, (left) => {
      const kept = new Set(left)
      return this.#try({
        ...this.best,
        steps: this.best.steps.filter((step) => !isMeant(step) || kept.has(step)),
      })
    })
  }

  /** Options and timing as they are in the plainest plan, all at once, by groups, or one by one. */
  #plainPlan(): void {
    const { seed, faultMs, voters, learners, spares, workload, queue } = this.best.plan
    const { clients: count, retransmitMs, throughNodes } = workload
    const clients = { ...plainPlan.workload, clients: count, retransmitMs, throughNodes }
    const { exceedBudget } = this.best.plan
    const size = { seed, faultMs, voters, learners, spares, exceedBudget, queue }
    // Nobody draws from these any more.
    this.#tryPlan({ rates: plainPlan.rates, weather: [], workload: clients })
    if (this.#tryPlan({ ...plainPlan, ...size, workload: clients })) return
    const steady = { network: plainPlan.network, disk: plainPlan.disk, turn: plainPlan.turn }
    if (!this.#tryPlan(steady)) this.#tryPlan(this.#withoutJitter())
    if (queue.isOn) this.#tryPlan({ queue: { ...plainPlan.queue, isOn: true } })
    const groups = ['hints', 'network', 'disk', 'turn', 'gateway', 'sessions', 'priorities', 'knobs'] as const
    for (const group of [...groups, 'faultDurationMs', 'downMs'] as const) {
      this.#tryPlan({ [group]: plainPlan[group] })
    }
    this.#tryPlan({ workload: { ...clients, retransmitMs: plainPlan.workload.retransmitMs } })
    this.#tryPlan({ workload: { ...this.best.plan.workload, throughNodes: false } })
    for (const group of ['knobs', 'gateway', 'sessions'] as const) this.#plainGroup(group)
  }

  #plainGroup(group: 'knobs' | 'gateway' | 'sessions'): void {
    for (const [name, value] of Object.entries(plainPlan[group])) {
      // The three timeouts belong together.
      if (/^election|^heartbeat/.test(name)) continue
      this.#tryPlan({ [group]: { ...this.best.plan[group], [name]: value } })
    }
  }

  #withoutJitter(): Partial<Plan> {
    const { network, disk, turn } = this.best.plan
    return {
      network: { ...network, jitterMs: 0 },
      disk: { ...disk, jitterMs: 0 },
      turn: { leastMs: turn.leastMs + turn.jitterMs / 2, jitterMs: 0 },
    }
  }

  /** Fewer nodes and clients. */
  #nodes(): void {
    for (let index = totalOf(this.best.plan) - 1; index >= 0; index--) {
      const { best } = this
      const plan = planWithout(best.plan, index)
      if (plan !== undefined) this.#try({ ...best, plan, steps: withoutNode(best.steps, index) })
    }
    const { workload } = this.best.plan
    const used = this.best.steps.map((step) => ('client' in step ? Number(step.client.slice(1)) : 1))
    this.#tryPlan({ workload: { ...workload, clients: Math.max(1, ...used) } })
  }

  /** Less idle time, and nothing behind the last step where the failure comes only when all is healed. */
  #time(): void {
    const { steps, plan } = this.best
    const lastMs = steps.at(-1)?.atMs ?? 0
    if (this.#failedMs >= plan.faultMs) this.#tryPlan({ faultMs: Math.ceil(lastMs + 1) })
    for (let at = 0; at < this.best.steps.length; at++) {
      for (const share of [0, 0.5]) {
        const shorter = inTime(this.best.steps, at, share)
        if (shorter === undefined) break
        const faultMs = this.best.plan.faultMs - shorter.savedMs
        if (this.#try({ ...this.best, plan: { ...this.best.plan, faultMs }, steps: shorter.steps })) break
      }
    }
  }

  /** What weather and jitter did, frame by frame, and then as little of that as it can. */
  #frames(): void {
    const { best } = this
    const { network } = best.plan
    if (best.steps.some(({ do: what }) => what === 'weather') || network.jitterMs > 0) {
      const frames: Step[] = []
      const onStep = (step: Step): void => {
        if (isFrameDeed(step)) frames.push(step)
      }
      run({ plan: best.plan, steps: best.steps, endMs: this.#failedMs + 1, onStep })
      const others = best.steps.filter(({ do: what }) => what !== 'weather')
      const steps = [...others, ...frames].sort((left, right) => left.atMs - right.atMs)
      const plan = { ...best.plan, network: { ...network, jitterMs: 0 } }
      if (!this.#try({ ...best, plan, steps })) return
    }
    const failedMs = this.#failedMs
    this.#leaveOutSteps(isFrameDeed)
    if (this.best.steps.length <= best.steps.length) return
    // One step of weather says it better.
    this.best = best
    this.#failedMs = failedMs
  }

  /** Fewer links in a cut, fewer changes at once. */
  #details(): void {
    for (let at = 0; at < this.best.steps.length; at++) {
      const step = this.best.steps[at] as Step
      const put = (changed: Step): boolean =>
        this.#try({
          ...this.best,
          steps: this.best.steps.map((one) => (one === this.best.steps[at] ? changed : one)),
        })
      if (step.do === 'cut' || step.do === 'jam')
        leaveOut(step.links, (links) => links.length > 0 && put({ ...step, links }))
      if (step.do === 'changeMembers') {
        leaveOut(step.changes, (changes) => changes.length > 0 && put({ ...step, changes }))
      }
      if (step.do === 'write' && step.conditional) put({ ...step, conditional: false })
    }
  }
}

const totalOf = ({ voters, learners, spares }: Plan): number => voters + learners + spares

/** The plan with a node less; undefined where no voter would be left. */
function planWithout(plan: Plan, index: number): Plan | undefined {
  const { voters, learners, spares } = plan
  const priorities = plan.priorities.filter((_, at) => at !== index)
  if (index < voters) return voters === 1 ? undefined : { ...plan, priorities, voters: voters - 1 }
  if (index < voters + learners) return { ...plan, priorities, learners: learners - 1 }
  return { ...plan, priorities, spares: spares - 1 }
}
