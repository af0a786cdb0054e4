/** Draws what clients ask for, each again some time after it was answered. */
import { type Dice, diceOf, streams } from './dice.ts'
import type { Workload } from './plan.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimClient } from './sim-client.ts'
import type { Stage } from './stage.ts'
import { nextMicrosecond, type OperationDeed } from './step.ts'

/** What the workload needs of its world. */
export interface WorkloadHost {
  readonly plan: { readonly seed: number; readonly workload: Workload }
  readonly scheduler: Scheduler
  readonly nodeIds: readonly string[]
  readonly simClients: readonly SimClient[]
  readonly stage: Stage
}

/** Lets every client of the world work until the stage is healed. */
export function startWorkload(host: WorkloadHost): void {
  const { seed, workload } = host.plan
  for (const { index, name } of host.simClients) {
    const dice = diceOf(seed, streams.client + index)
    for (let caller = 0; caller < workload.concurrency; caller++) think(host, name, dice)
  }
}

function think(host: WorkloadHost, client: string, dice: Dice): void {
  const { scheduler, stage, plan } = host
  scheduler.at(nextMicrosecond(scheduler.nowMs + dice.exponential(plan.workload.thinkMs)), {
    run: () => {
      stage.perform(draw(host, client, dice), () => think(host, client, dice))
    },
  })
}

function draw({ plan, nodeIds }: WorkloadHost, client: string, dice: Dice): OperationDeed {
  const { reads, keys, consistencies, deadlineMs, compareAndSets } = plan.workload
  const key = `k${dice.below(keys)}`
  const withinMs = nextMicrosecond(deadlineMs * (0.5 + dice.next()))
  const node = dice.chance(0.5) ? dice.pick(nodeIds) : undefined
  if (!dice.chance(reads)) {
    return { do: 'write', client, key, conditional: dice.chance(compareAndSets), withinMs }
  }
  const consistency = dice.pick(consistencies)
  const mayName = consistency === 'stale' || consistency === 'follower'
  return {
    do: 'read',
    client,
    key,
    consistency,
    withinMs,
    ...(mayName && node !== undefined ? { node } : {}),
  }
}
