import type { ObserveNode } from '@troupe/cluster'
import { computerMs } from './computer-clock.ts'
import { NodeProbe } from './node-probe.ts'

/** What the workers of one cluster share. */
export interface SharedByThreads {
  /** The number of the last chunk of all of them, in 8 bytes. */
  readonly counter: SharedArrayBuffer
}

export const newCounter = (): SharedArrayBuffer => new SharedArrayBuffer(8)

/** How many numbers it has given out. */
export const drawnFrom = (counter: SharedArrayBuffer): number =>
  Number(Atomics.load(new BigInt64Array(counter), 0))

/** Looks at a node on a thread. */
export const observeOnThread: ObserveNode = (tell, shared) => {
  const numbers = new BigInt64Array((shared as SharedByThreads).counter)
  return new NodeProbe({
    tell,
    next: () => Number(Atomics.add(numbers, 0, 1n)) + 1,
    nowMs: computerMs,
  })
}
