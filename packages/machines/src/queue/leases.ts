/**
 * Leases of what consumers hold. A consumer's leases are all as long, and it holds its messages in the order in which they were
 * delivered: so the one that ends first is the first, and none of them needs a timer. Only one that was extended has one of its own, and
 * those whose end has come get one, so that all that falls due does so in one order.
 *
 * Invariant: of what a consumer holds without a timer, none ends before the one in front of it.
 */
import { Field } from './messages.ts'
import type { QueueState } from './queue-state.ts'
import type { Consumer } from './topology.ts'

/** The first that a consumer holds without a timer; 0 where there is none. */
function firstLeased({ messages }: QueueState, { held }: Consumer): number {
  let slot = held.head
  while (slot !== 0 && messages.get(slot, Field.timer) !== 0) slot = messages.get(slot, Field.next)
  return slot
}

/** When the first lease without a timer ends; Infinity where there is none. */
export function nextLeaseMsOf(state: QueueState): number {
  let nextMs = Number.POSITIVE_INFINITY
  for (const consumer of state.topology.consumers.values()) {
    const slot = firstLeased(state, consumer)
    if (slot !== 0) nextMs = Math.min(nextMs, state.messages.wide(slot, Field.leaseEndMs))
  }
  return nextMs
}

/** Gives leases that have ended their timers, up to `most` of them: the others get theirs with the next step of time. */
export function armEndedLeases(state: QueueState, most: number): void {
  const { messages, timers, nowMs } = state
  let left = most
  for (const consumer of state.topology.consumers.values()) {
    for (let slot = firstLeased(state, consumer); slot !== 0; slot = messages.get(slot, Field.next)) {
      if (messages.get(slot, Field.timer) !== 0) continue
      const endMs = messages.wide(slot, Field.leaseEndMs)
      if (endMs > nowMs) break
      if (left-- === 0) return
      timers.set(slot, endMs)
    }
  }
  state.nextLeaseMs = nextLeaseMsOf(state)
}
