import type { ObserveNode } from '@troupe/cluster'
import { computerMs } from './computer-clock.ts'
import { NodeProbe } from './node-probe.ts'

/** What the workers of one cluster share: the number of the last chunk of all of them. */
export const newCounter = (): SharedArrayBuffer => new SharedArrayBuffer(8)

/** Looks at a node on a thread, whose laboratory is a counter of {@link newCounter}. */
export const observeOnThread: ObserveNode = (tell, counter) => {
  const numbers = new BigInt64Array(counter as SharedArrayBuffer)
  return new NodeProbe({
    tell,
    next: () => Number(Atomics.add(numbers, 0, 1n)) + 1,
    nowMs: computerMs,
  })
}
