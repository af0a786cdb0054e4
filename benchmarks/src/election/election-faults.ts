/**
 * How a leader is lost: the faults of `bench election`, as data that every engine understands. Some take the leader away
 * by themselves; under the others it dies without a word while they last.
 */
import type { Fault } from '@troupe/cluster'
import type { NodeId } from '@troupe/core'
import { minority } from '../churn/churn-schedule.ts'
import type { Timeouts } from './timeouts.ts'

/** Where it happens. */
export interface Place {
  readonly ids: readonly NodeId[]
  readonly leader: NodeId
  readonly timeouts: Timeouts
}

export interface ElectionFault {
  /** One line for people. */
  readonly help: string
  /** What is on from before the leader is lost until the end. */
  readonly conditions: (place: Omit<Place, 'leader'>) => readonly Fault[]
  /** What takes the leader away; undefined: nothing does. */
  readonly strike: ((place: Place) => Fault) | undefined
  /** How many leaders are lost, one after the other. */
  readonly rounds: (nodes: number) => number
  readonly leastNodes: number
  /** The nodes are brought back at once, not only when another leader has committed something. */
  readonly healsAtOnce: boolean
  /** It takes no more than crashes of workers: the cluster runs without decorated ports. */
  readonly isPlain: boolean
  /** What it is where nodes are processes; undefined where those cannot have it. */
  readonly ofProcesses?: string
}

const plainly: Omit<ElectionFault, 'help' | 'strike'> = {
  conditions: () => [],
  rounds: () => 1,
  leastNodes: 3,
  healsAtOnce: false,
  isPlain: false,
}

const crash = ({ leader }: Place): Fault => ({ kind: 'crash', nodes: [leader] })
const silentCrash = ({ leader }: Place): Fault => ({ kind: 'crash', nodes: [leader], silent: true })

/** The leader dies without a word while these last. */
const under = (help: string, conditions: ElectionFault['conditions']): ElectionFault => ({
  ...plainly,
  help: `the leader dies without a word, ${help}`,
  conditions,
  strike: silentCrash,
})

const FAST_CLOCK = 1.25
const SLOW_CLOCK = 0.8

/** Every second clock runs fast, the others slow. */
const drifting: ElectionFault['conditions'] = ({ ids }) => {
  const odd = ids.filter((_, place) => place % 2 === 1)
  const even = ids.filter((_, place) => place % 2 === 0)
  return [
    { kind: 'clock', mode: 'rate', rate: FAST_CLOCK, nodes: odd },
    { kind: 'clock', mode: 'rate', rate: SLOW_CLOCK, nodes: even },
  ]
}

const electionFaults = {
  crash: {
    ...plainly,
    help: "the leader's worker ends; closed connections tell of it",
    strike: crash,
    isPlain: true,
    ofProcesses: "SIGKILL of the leader's process; closed connections tell of it",
  },
  'silent-crash': { ...plainly, help: 'the leader dies, and nothing tells of it', strike: silentCrash },
  stall: {
    ...plainly,
    help: "the leader's event loop stands still for two election timeouts",
    strike: ({ leader, timeouts }) => ({ kind: 'stall', nodes: [leader], forMs: 2 * timeouts.maxMs }),
  },
  pause: {
    ...plainly,
    help: "the leader's thread stands still until another has committed something",
    strike: ({ leader }) => ({ kind: 'pause', nodes: [leader] }),
    ofProcesses: "SIGSTOP of the leader's process until another has committed something",
  },
  isolation: {
    ...plainly,
    help: 'no node reaches the leader, nor it them',
    strike: ({ leader }) => ({ kind: 'partition', groups: [[leader]] }),
  },
  'one-way': {
    ...plainly,
    help: 'all hear the leader, it hears nobody',
    strike: ({ leader }) => ({ kind: 'partition', groups: [[leader]], direction: 'inbound' }),
  },
  mute: {
    ...plainly,
    help: 'the leader hears all, nobody hears it',
    strike: ({ leader }) => ({ kind: 'partition', groups: [[leader]], direction: 'outbound' }),
  },
  'slow-disk': under('while each flush takes 20 ± 10 ms longer', () => [
    { kind: 'storage', mode: 'slow', timeMs: 20, jitterMs: 10, nodes: 'all' },
  ]),
  'stalled-disk': {
    ...plainly,
    help: "the leader's disk does not answer",
    strike: ({ leader }) => ({ kind: 'storage', mode: 'stall', nodes: [leader] }),
  },
  'loss-10': under('while 10 % of all frames are lost', () => [{ kind: 'loss', percent: 10 }]),
  'loss-30': under('while 30 % of all frames are lost', () => [{ kind: 'loss', percent: 30 }]),
  'delay-200': under('while frames take 200 ± 50 ms', () => [{ kind: 'delay', timeMs: 200, jitterMs: 50 }]),
  'clock-drift': under(
    `while every second clock runs × ${FAST_CLOCK} and the others × ${SLOW_CLOCK}`,
    drifting,
  ),
  'restart-storm': {
    ...plainly,
    help: 'all nodes crash at the same time and are started again at once',
    strike: ({ ids }) => ({ kind: 'crash', nodes: ids }),
    healsAtOnce: true,
    isPlain: true,
    ofProcesses: 'SIGKILL of all processes at the same time; they are started again at once',
  },
  cascade: {
    ...plainly,
    help: 'the leader crashes, and so does each that follows, as long as a quorum is left',
    strike: crash,
    rounds: minority,
    leastNodes: 5,
    isPlain: true,
    ofProcesses: 'SIGKILL of the leader, and of each that follows, as long as a quorum is left',
  },
  none: {
    ...plainly,
    help: 'nothing happens: counts elections that nobody needed',
    strike: undefined,
    ofProcesses: 'nothing happens: counts elections that nobody needed',
  },
} as const satisfies Readonly<Record<string, ElectionFault>>

export type ElectionFaultName = keyof typeof electionFaults

export const electionFaultNames = Object.keys(electionFaults) as readonly ElectionFaultName[]

export const electionFaultOf = (name: ElectionFaultName): ElectionFault => electionFaults[name]

/** What it is, in one line. */
export function describeFault(name: ElectionFaultName, engine: 'threads' | 'tcp' | 'sim'): string {
  const { help, ofProcesses } = electionFaultOf(name)
  return (engine === 'tcp' ? ofProcesses : undefined) ?? help
}

export const processFaultNames = electionFaultNames.filter(
  (name) => electionFaultOf(name).ofProcesses !== undefined,
)
