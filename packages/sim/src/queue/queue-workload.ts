/** Draws what clients ask of a queue. */
import type { Dice } from '../dice.ts'
import type { Workload } from '../plan.ts'
import { nextMicrosecond, type QueueDeed } from '../step.ts'
import type { QueueWorkload } from './queue-plan.ts'

export interface QueueDrawing {
  readonly plan: { readonly workload: Workload; readonly queue: QueueWorkload }
  readonly nodeIds: readonly string[]
}

/** Of all deeds; what is left is for redrives. */
const CHANCES = { send: 0.32, sendAgain: 0.06, fetch: 0.3, settle: 0.27, leave: 0.03 } as const

export function drawQueueDeed({ plan, nodeIds }: QueueDrawing, client: string, dice: Dice): QueueDeed {
  const { workload, queue } = plan
  const withinMs = nextMicrosecond(workload.deadlineMs * (0.5 + dice.next()))
  let chance = dice.next()
  const isIt = (what: keyof typeof CHANCES): boolean => {
    chance -= CHANCES[what]
    return chance < 0
  }
  if (isIt('send')) {
    const isDelayed = dice.chance(queue.delayed)
    return {
      ...{ do: 'send', client, withinMs, count: dice.pick([1, 1, 2, 5]) },
      key: dice.chance(queue.keyed) ? `k${dice.below(workload.keys)}` : '',
      named: dice.chance(queue.named),
      delayMs: isDelayed ? Math.ceil(dice.exponential(queue.delayMs)) : 0,
    }
  }
  if (isIt('sendAgain')) return { do: 'sendAgain', client, withinMs }
  if (isIt('fetch')) {
    const node = dice.chance(0.5) ? { node: dice.pick(nodeIds) } : {}
    const consistency = dice.chance(0.7) ? 'stale' : 'linearizable'
    return { do: 'fetch', client, consistency, withinMs, ...(consistency === 'stale' ? node : {}) }
  }
  if (isIt('settle')) {
    const how = dice.pick(['ack', 'ack', 'ack', 'ack', 'ack', 'nack', 'term', 'extend'] as const)
    return { do: 'settle', client, how, most: dice.pick([1, 3, 64]), withinMs }
  }
  if (isIt('leave')) return { do: 'leave', client, silently: dice.chance(0.5), withinMs }
  return { do: 'redrive', client, withinMs }
}
