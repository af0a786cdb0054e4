/** The first leader of a cluster that has just started: nobody needs to wait for a timeout to find out that nobody leads. */
import { setTimeout as pause } from 'node:timers/promises'

/** On an idle machine an election takes some ms. */
const FIRST_WAIT_MS = 50
const POLL_MS = 2

/**
 * Asks for an election, and again after twice the time, until somebody leads or the deadline (by `performance.now()`) has
 * passed: connections may come up only after the node has asked, and its requests are lost then. Always the same node is to
 * be asked: two would compete, and the second could depose the first before all have heard of it. Rejects as `ask` does.
 */
export async function electFirst(
  ask: () => Promise<void>,
  isLed: () => boolean,
  deadlineMs: number,
): Promise<void> {
  for (let waitMs = FIRST_WAIT_MS; !isLed() && performance.now() < deadlineMs; waitMs *= 2) {
    await ask()
    const endMs = Math.min(performance.now() + waitMs, deadlineMs)
    while (!isLed() && performance.now() < endMs) await pause(POLL_MS)
  }
}
