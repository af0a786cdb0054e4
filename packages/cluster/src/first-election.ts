/** The first leader of a cluster that has just started: nobody needs to wait for a timeout to find out that nobody leads. */
import { setTimeout as pause } from 'node:timers/promises'

/** For the first that is asked. On an idle machine an election takes some ms. */
const FIRST_WAIT_MS = 30
const POLL_MS = 2

/**
 * Has one node after the other ask for votes until somebody leads or the deadline (by `performance.now()`) has passed. Each
 * gets twice the time of the one before: connections may come up only after the first has asked, and its requests are lost
 * then; one with a damaged log does not ask at all. Pre-votes keep it harmless. Rejects as `ask` does.
 */
export async function electFirst<Node>(
  nodes: readonly Node[],
  ask: (node: Node) => Promise<void>,
  isLed: () => boolean,
  deadlineMs: number,
): Promise<void> {
  let waitMs = FIRST_WAIT_MS
  while (true) {
    for (const node of nodes) {
      await ask(node)
      const endMs = Math.min(performance.now() + waitMs, deadlineMs)
      while (!isLed() && performance.now() < endMs) await pause(POLL_MS)
      if (isLed() || endMs === deadlineMs) return
      waitMs *= 2
    }
    // Nobody to ask: all members are lost.
    if (nodes.length === 0) return
  }
}
