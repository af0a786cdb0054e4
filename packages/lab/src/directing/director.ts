/**
 * Plays a scenario on a world: its steps become deeds, at their time. All chance comes from the seed, so in virtual time the
 * same case with the same seed does the same again.
 *
 *     setup ─► phases ─► heal ─► (the world finds together again)
 *       │         └─ each step: done now, and `then` when it is over
 *       └─ not reached in time: the run is given up, and shows nothing
 */
import type { Situation, Watcher } from '@troupe/sim'
import type { FigureName } from '../figures.ts'
import { composedOf } from '../scenario/composed.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { type conditions, faultKinds, kindOf, type Step, type StepFields } from '../scenario/steps.ts'
import type { Span } from '../schema/units.ts'
import { type DeedKind, Deeds } from './deeds.ts'
import type { DirectedWorld } from './directed-world.ts'
import { Refusals } from './refusals.ts'
import { setupOf } from './setup.ts'
import { type Parties, Targets } from './targets.ts'
import { Triggers } from './triggers.ts'

const POLL_MS = 5

const faults: ReadonlySet<string> = new Set(faultKinds)

type Then = () => void

/** Measures the run. */
interface Measuring {
  /** The first fault is about to be applied. */
  begin(): void
  /** A deed was refused. */
  refused(): void
  now(figure: FigureName): number | undefined
}

export class Director {
  /** Why the run was given up. */
  aborted: string | undefined
  applied = 0
  skipped = 0
  readonly #scenario: Scenario
  readonly #figures: Measuring
  readonly #triggers = new Triggers()
  readonly #refusals = new Refusals()
  #world!: DirectedWorld
  #targets!: Targets
  #deeds!: Deeds

  constructor(scenario: Scenario, figures: Measuring) {
    this.#scenario = scenario
    this.#figures = figures
  }

  /** The step that could not be done at all, and why; undefined where there is none. */
  get undone(): string | undefined {
    return this.#refusals.undone
  }

  /** What it has to see of the world. */
  get watcher(): Watcher {
    return this.#triggers
  }

  /** Begins: to be called before anything happens in the world. */
  direct(world: DirectedWorld, situations: readonly Situation[]): void {
    this.#world = world
    this.#targets = new Targets(world)
    this.#deeds = new Deeds(world, this.#targets)
    this.#triggers.attach(situations)
    const { phases } = this.#scenario
    world.after(0, () => {
      this.#serial(setupOf(this.#scenario), undefined, () => {
        this.#serial(phases, undefined, () => world.heal())
      })
    })
  }

  #abort(reason: string): void {
    if (this.aborted !== undefined) return
    this.aborted = reason
    this.#world.line(`given up: ${reason}`)
    this.#world.giveUp()
  }

  #after(delayMs: number, run: Then): void {
    this.#world.after(delayMs, () => {
      // After the healing, or once it was given up, nothing of a scenario happens any more.
      if (!this.#world.isHealed && this.aborted === undefined) run()
    })
  }

  #drawn({ leastMs, mostMs }: Span): number {
    return leastMs === mostMs ? leastMs : this.#world.dice.between(leastMs, mostMs)
  }

  #serial(steps: readonly Step[], parties: Parties | undefined, then: Then, from = 0): void {
    const step = steps[from]
    if (step === undefined) return then()
    this.#do(step, parties, () => this.#serial(steps, parties, then, from + 1))
  }

  #parallel(tasks: readonly ((then: Then) => void)[], then: Then): void {
    let left = tasks.length
    const done = (): void => {
      left--
      if (left === 0) then()
    }
    for (const task of tasks) task(done)
  }

  #do(step: Step, parties: Parties | undefined, then: Then): void {
    const kind = kindOf(step)
    const fields = (step as Readonly<Record<string, unknown>>)[kind]
    switch (kind) {
      case 'wait':
        return this.#after(this.#drawn(fields as Span), then)
      case 'serial':
        return this.#serial(fields as readonly Step[], parties, then)
      case 'parallel': {
        const branches = fields as readonly Step[]
        return this.#parallel(
          branches.map((one) => (done) => this.#do(one, parties, done)),
          then,
        )
      }
      case 'schedule':
        return this.#schedule(fields as StepFields['schedule'], parties, then)
      case 'every':
        return this.#every(fields as StepFields['every'], parties, then)
      case 'when':
        this.#when(fields as StepFields['when'])
        return then()
      case 'warmup': {
        const { writes, within } = fields as StepFields['warmup']
        const before = this.#world.acknowledgedWrites
        const isReached = (): boolean => this.#world.acknowledgedWrites - before >= writes
        return this.#await(isReached, `${writes} writes were acknowledged`, within, 'abort', then)
      }
      case 'until':
        return this.#until(fields as StepFields['until'], then)
      case 'statusCheck':
        return this.#statusCheck(fields as StepFields['statusCheck'], then)
      case 'select': {
        for (const [name, selector] of Object.entries(fields as StepFields['select'])) {
          this.#targets.select(name, selector, parties)
        }
        return then()
      }
      default: {
        const composed = composedOf(step, (selector) => this.#targets.of(selector, parties), this.#world.dice)
        if (composed !== undefined) return this.#do(composed, parties, then)
        return this.#perform(kind as DeedKind, fields, parties, then)
      }
    }
  }

  #perform(kind: DeedKind, fields: unknown, parties: Parties | undefined, then: Then): void {
    const { for: span } = (typeof fields === 'object' ? fields : {}) as { readonly for?: Span }
    const forMs = span === undefined ? undefined : this.#drawn(span)
    const deeds = this.#deeds.of(kind, fields, forMs, parties)
    if (faults.has(kind)) this.#figures.begin()
    if (deeds.length === 0) this.skipped++
    const over = forMs === undefined ? then : (): void => this.#after(forMs, then)
    if (deeds.length === 0) return over()
    this.#parallel(
      deeds.map((deed) => (done) => {
        const tally = this.#refusals.deedOf(kind, fields)
        const then = (isDone: boolean): void => {
          if (isDone) this.applied++
          else this.skipped++
          if (isDone) tally.begun()
          done()
        }
        const refused = (why: string): void => {
          this.#figures.refused()
          tally.refused(why)
        }
        this.#world.perform(deed, then, refused)
      }),
      over,
    )
  }

  #schedule(parts: StepFields['schedule'], parties: Parties | undefined, then: Then): void {
    this.#parallel(
      parts.map(
        ({ at, do: steps }) =>
          (done) =>
            this.#after(at, () => this.#serial(steps, parties, done)),
      ),
      then,
    )
  }

  #every(fields: StepFields['every'], parties: Parties | undefined, then: Then): void {
    const { interval, for: forMs, times = Number.POSITIVE_INFINITY, do: steps } = fields
    const untilMs = this.#world.nowMs + (forMs ?? Number.POSITIVE_INFINITY)
    const next = (count: number): void => {
      const delayMs = this.#drawn(interval)
      if (count >= times) return then()
      // It lasts as long as it says, whatever the last interval was.
      if (this.#world.nowMs + delayMs >= untilMs) return this.#after(untilMs - this.#world.nowMs, then)
      this.#after(delayMs, () => {
        this.#serial(steps, parties, () => {})
        next(count + 1)
      })
    }
    next(0)
  }

  #when({ reached, sends, chance = 100, times = 1, do: steps }: StepFields['when']): void {
    let left = times
    const happen = (parties: Parties | undefined): void => {
      if (left === 0 || !this.#world.dice.chance(chance / 100)) return
      left--
      // Not within the turn that has made it happen.
      this.#after(0, () => this.#serial(steps, parties, () => {}))
    }
    if (sends !== undefined) this.#triggers.onMessage(sends, happen)
    if (reached !== undefined) this.#triggers.onSituation(reached, () => happen(undefined))
  }

  #until({ is, reached, within, else: otherwise = 'abort' }: StepFields['until'], then: Then): void {
    const before = reached === undefined ? 0 : this.#triggers.countOf(reached)
    const isReached =
      reached === undefined
        ? this.#conditions[is ?? 'leader']
        : () => this.#triggers.countOf(reached) > before
    this.#await(isReached, reached ?? `${is}`, within, otherwise, then)
  }

  readonly #conditions: Readonly<Record<(typeof conditions)[number], () => boolean>> = {
    leader: () => this.#world.leader !== undefined,
    noLeader: () => this.#world.primaries.length === 0,
    settled: () => this.#world.isSettled,
    whole: () => this.#world.isWhole,
    givenUp: () => (this.#figures.now('quarantines') ?? 0) > 0,
  }

  #await(
    isReached: () => boolean,
    what: string,
    withinMs: number,
    otherwise: 'abort' | 'continue',
    then: Then,
  ): void {
    const untilMs = this.#world.nowMs + withinMs
    const look = (): void => {
      if (isReached()) return then()
      if (this.#world.nowMs < untilMs) return this.#after(POLL_MS, look)
      if (otherwise === 'continue') return then()
      this.#abort(`not within ${withinMs} ms: ${what}`)
    }
    look()
  }

  #statusCheck({ figure, max, min }: StepFields['statusCheck'], then: Then): void {
    const value = this.#figures.now(figure)
    if (value !== undefined && max !== undefined && value > max) {
      return this.#abort(`${figure} is ${value}, above ${max}`)
    }
    if (min !== undefined && (value ?? 0) < min)
      return this.#abort(`${figure} is ${value ?? 0}, below ${min}`)
    then()
  }
}
