/** Faults that last as long as a load: `--fault NAME` of `bench throughput` and `bench latency`. */
import type { Fault } from '@troupe/cluster'

export interface SustainedFault {
  /** One line for people. */
  readonly help: string
  /** On from the beginning to the end. */
  readonly lasting: readonly Fault[]
  /** Strikes again and again, each time healed before the next. */
  readonly recurring?: { readonly fault: Fault; readonly everyMs: number; readonly healAfterMs: number }
}

const crashes = {
  help: 'the leader crashes every 5 s and comes back after 1 s',
  lasting: [],
  recurring: { fault: { kind: 'crash', nodes: 'primaries' }, everyMs: 5000, healAfterMs: 1000 },
} as const satisfies SustainedFault

export const sustainedFaults = {
  delay: {
    help: 'frames between nodes take 10 ± 2 ms',
    lasting: [{ kind: 'delay', timeMs: 10, jitterMs: 2 }],
  },
  loss: {
    help: '1 % of the frames between nodes are lost',
    lasting: [{ kind: 'loss', percent: 1 }],
  },
  'slow-disk': {
    help: 'each flush takes 20 ± 10 ms longer, on all nodes',
    lasting: [{ kind: 'storage', mode: 'slow', timeMs: 20, jitterMs: 10, nodes: 'all' }],
  },
  crash: crashes,
  crashes: { ...crashes, help: 'the same' },
} as const satisfies Readonly<Record<string, SustainedFault>>

/** How a fault is done; what it is worth depends on that. */
export type FaultMeans = 'decorators' | 'exit' | 'SIGKILL'

/**
 * What lasts: decorators at the nodes' own ports, the same on each engine (over TCP a frame is lost or late before it is
 * written). A crash: the worker's own exit, or a signal to the process.
 */
export const faultMeans = ({ lasting }: SustainedFault, engine: string): FaultMeans => {
  if (lasting.length > 0) return 'decorators'
  return engine === 'threads' ? 'exit' : 'SIGKILL'
}

const MAX_AFTER_MS = 2000

/** For so long the load goes on when a fault has been healed: the timeline shows what is left of it. */
export const afterFaultMs = (fault: SustainedFault | undefined, measuredSeconds: number): number =>
  fault === undefined ? 0 : Math.min(MAX_AFTER_MS, measuredSeconds * 1000)

export type SustainedFaultName = keyof typeof sustainedFaults

export const sustainedFaultNames = Object.keys(sustainedFaults) as readonly SustainedFaultName[]

/** What `--fault` names; undefined for `none`. */
export const sustainedFaultOf = (name: string): SustainedFault | undefined =>
  name === 'none' ? undefined : sustainedFaults[name as SustainedFaultName]
