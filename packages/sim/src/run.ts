import { checkLinearizability, kvModel, type Verdict } from '@troupe/check'
import type { Coverage } from './coverage.ts'
import { type Failure, World, type WorldOptions } from './world.ts'

/** What a run came to. */
export interface Run {
  /** `unknown`: nothing was committed. */
  readonly verdict: Verdict
  /** Events of the simulation. */
  readonly events: number
  readonly virtualMs: number
  readonly coverage: Coverage
  /** How often each of the situations was reached, by name. */
  readonly situations: Readonly<Record<string, number>>
  readonly failure: Omit<Failure, 'stack'> | undefined
  /** Of everything that happened: the same for the same plan and steps. */
  readonly traceHash: string
}

/**
 * Of the search for an order of the history. Where they do not suffice nothing is lost: the order of the log is one, and the
 * oracle has held every answer against it.
 */
const MAX_STEPS = 500_000

/** Runs a world from its beginning to its end, or to its first failure. Deterministic. */
export function run(options: WorldOptions): Run {
  const world = new World(options)
  while (world.step());
  const verdict = judge(world, options.bounds?.maxSteps ?? MAX_STEPS)
  const { failure } = world
  return {
    verdict,
    events: world.scheduler.steps,
    virtualMs: world.nowMs,
    coverage: world.coverage,
    situations: world.situations.counts,
    failure: failure === undefined ? undefined : withoutStack(failure),
    traceHash: world.trace.hash,
  }
}

function judge(world: World, maxStepsPerPartition: number): Verdict {
  if (world.failure !== undefined) return 'fail'
  if (world.queueUsers.length > 0) return judgeQueue(world)
  const result = checkLinearizability(kvModel, world.history.operations(), { maxStepsPerPartition })
  if (result.failure !== undefined) {
    const { partition, blocked } = result.failure
    const message = `the history of ${partition} is not linearizable: ${JSON.stringify(blocked)}`
    const { nowMs: atMs, scheduler } = world
    const invariant = 'linearizability'
    world.failure = { kind: 'invariant', invariant, message, atMs, event: scheduler.steps, stack: undefined }
  }
  if (result.verdict === 'unknown') world.coverage.undecidedHistories++
  if (result.verdict === 'fail') return 'fail'
  return world.coverage.commits === 0 ? 'unknown' : 'pass'
}

/** A run that was ended before its queue was drained says nothing of what is lost. */
function judgeQueue(world: World): Verdict {
  const message = world.queueBooks.complaint()
  if (message !== undefined) {
    const { nowMs: atMs, scheduler } = world
    world.failure = {
      ...{ kind: 'invariant', invariant: 'queue', message, atMs, event: scheduler.steps, stack: undefined },
    }
    return 'fail'
  }
  return world.queueBooks.isDrained ? 'pass' : 'unknown'
}

function withoutStack({ stack: _, ...rest }: Failure): Omit<Failure, 'stack'> {
  return rest
}
