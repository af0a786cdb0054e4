/** Draws what clients ask for, each again some time after it was answered. */
import { type Dice, diceOf, streams } from './dice.ts'
import type { Workload } from './plan.ts'
import type { QueueWorkload } from './queue/queue-plan.ts'
import { drawQueueDeed } from './queue/queue-workload.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimClient } from './sim-client.ts'
import type { Stage } from './stage.ts'
import { nextMicrosecond, type OperationDeed, type QueueDeed } from './step.ts'

/** What the workload needs of its world. */
export interface WorkloadHost {
  readonly plan: { readonly seed: number; readonly workload: Workload; readonly queue: QueueWorkload }
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
      const again = (): void => think(host, client, dice)
      const isDone = stage.perform(draw(host, client, dice), again)
      // Nothing to settle, say: something else then. Without a queue there is always something.
      if (!isDone && plan.queue.isOn && !stage.isOver) again()
    },
  })
}

function draw(host: WorkloadHost, client: string, dice: Dice): OperationDeed | QueueDeed {
  return host.plan.queue.isOn ? drawQueueDeed(host, client, dice) : drawOperation(host, client, dice)
}

function drawOperation({ plan, nodeIds }: WorkloadHost, client: string, dice: Dice): OperationDeed {
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
