/**
 * What is done to a world, as plain data: faults, operations of clients and of operators, and what happens to single frames.
 * A run is its plan and its steps: a seed draws them as it goes (nemesis.ts, workload.ts), a schedule has them (schedule.ts).
 */
import type { FailpointName, LinkEffect } from '@troupe/faults'
import type { Consistency } from '@troupe/machines'

/** A change of the members; who joins does so under the incarnation that it has then. */
export interface NamedChange {
  readonly kind: 'addLearner' | 'promote' | 'demote' | 'remove'
  readonly id: string
}

/** What happens to nodes, disks, clocks and links. Links are written `n1>n2`; clients are `c1`, `c2`, …. */
export type FaultDeed =
  /** Nothing arrives, or all is held back until it is over. */
  | { readonly do: 'cut'; readonly links: readonly string[]; readonly forMs: number }
  | { readonly do: 'jam'; readonly links: readonly string[]; readonly forMs: number }
  /** Effects on all links, or on these, each by chance. */
  | {
      readonly do: 'weather'
      readonly effects: readonly LinkEffect[]
      readonly links?: readonly string[]
      readonly forMs: number
    }
  /** The connection of two nodes closes and opens again. */
  | { readonly do: 'flap'; readonly nodes: readonly [string, string] }
  | { readonly do: 'hangUp'; readonly client: string; readonly node: string }
  /** `isSilent`: no peer sees its connection close, and nobody proves its death. */
  | { readonly do: 'crash'; readonly node: string; readonly forMs: number; readonly isSilent?: true }
  /** Comes back before its time. */
  | { readonly do: 'start'; readonly node: string }
  /** Whatever lasts is over, and whoever is down comes back. */
  | { readonly do: 'recover' }
  /** An empty directory, under another incarnation. */
  | { readonly do: 'wipe'; readonly node: string }
  /** A bit of a flushed entry, so many places before the last one; of the latest snapshot. */
  | { readonly do: 'flipEntry'; readonly node: string; readonly back: number }
  | { readonly do: 'flipSnapshot'; readonly node: string }
  /** The node goes down, and the last flushed entries are gone when it comes back: an older state of its disk. */
  | { readonly do: 'rollBack'; readonly node: string; readonly entries: number; readonly forMs: number }
  /** The node goes down and comes back in this term, where it is a later one than its own. */
  | { readonly do: 'setTerm'; readonly node: string; readonly term: number; readonly forMs: number }
  /** Each start is followed by a crash, `afterMs` later; its supervisor waits longer each time, and gives it up in the end. */
  | { readonly do: 'crashLoop'; readonly node: string; readonly afterMs: number; readonly forMs: number }
  /** At that place the node does what the terms say, in each of its lives. */
  | {
      readonly do: 'failpoint'
      readonly node: string
      readonly name: FailpointName
      readonly term: string
      readonly forMs: number
    }
  /** What is said to be flushed is not: a crash in that time loses all of it that the budget allows. */
  | { readonly do: 'lieDisk'; readonly node: string; readonly forMs: number }
  | { readonly do: 'slowDisk'; readonly node: string; readonly by: number; readonly forMs: number }
  | { readonly do: 'stallDisk'; readonly node: string; readonly forMs: number }
  | { readonly do: 'fullDisk'; readonly node: string; readonly forMs: number }
  | { readonly do: 'failDisk'; readonly node: string; readonly forMs: number }
  /** `isBlocked`: by its own event loop, which is the same in virtual time. */
  | { readonly do: 'pause'; readonly node: string; readonly forMs: number; readonly isBlocked?: true }
  | { readonly do: 'skew'; readonly node: string; readonly rate: number; readonly forMs: number }
  | { readonly do: 'jump'; readonly node: string; readonly byMs: number }

/** What operators ask for. */
export type OperatorDeed =
  /** `also`: what somebody else asks for at the same time. */
  | {
      readonly do: 'changeMembers'
      readonly changes: readonly NamedChange[]
      readonly leave: 'auto' | 'explicit'
      readonly also?: NamedChange
    }
  /** To nobody in particular: to the best. */
  | { readonly do: 'transfer'; readonly to?: string }
  | { readonly do: 'takeSnapshot'; readonly node: string }
  | { readonly do: 'campaign'; readonly node: string }

/** What clients ask for. */
export type OperationDeed =
  /** `conditional`: a compare-and-set that expects what the key holds then. */
  | {
      readonly do: 'write'
      readonly client: string
      readonly key: string
      readonly conditional: boolean
      readonly withinMs: number
      /** Of the value, at least. */
      readonly bytes?: number
    }
  /** `node` answers, where the consistency lets it. */
  | {
      readonly do: 'read'
      readonly client: string
      readonly key: string
      readonly consistency: Consistency
      readonly node?: string
      readonly withinMs: number
    }

/** What clients ask of a queue. Whoever consumes does so as one consumer, which holds what was delivered. */
export type QueueDeed =
  /** `key`: '' for none. `named`: with an id. */
  | {
      readonly do: 'send'
      readonly client: string
      readonly key: string
      readonly named: boolean
      readonly count: number
      readonly delayMs: number
      readonly withinMs: number
    }
  /** Once more what this client sent last under an id, where that has its answer, or will have none. */
  | { readonly do: 'sendAgain'; readonly client: string; readonly withinMs: number }
  /** Takes deliveries, of any replica or of the leader; subscribes first, where the client is no consumer. */
  | {
      readonly do: 'fetch'
      readonly client: string
      readonly consistency: Consistency
      readonly node?: string
      readonly withinMs: number
    }
  /** Says what becomes of the oldest messages that the client holds. */
  | {
      readonly do: 'settle'
      readonly client: string
      readonly how: 'ack' | 'nack' | 'term' | 'extend'
      readonly most: number
      readonly withinMs: number
    }
  /** The client is no consumer any more; or has forgotten that it is one. */
  | { readonly do: 'leave'; readonly client: string; readonly silently: boolean; readonly withinMs: number }
  | { readonly do: 'redrive'; readonly client: string; readonly withinMs: number }

/** What happens to one frame: the so-many-th that is sent on its link. */
export type FrameDeed =
  | { readonly do: 'lose' | 'repeat' | 'spoil'; readonly link: string; readonly frame: number }
  /** It arrives so much later than it would. */
  | { readonly do: 'delay'; readonly link: string; readonly frame: number; readonly byMs: number }

/** What a seed draws. Frames are only named in schedules: a seed has weather. */
export type Deed = FaultDeed | OperatorDeed | OperationDeed | QueueDeed

/** A deed and its time. Of a frame: the time at which it was sent when it was noted, for the reader alone. */
export type Step = { readonly atMs: number } & (Deed | FrameDeed)
export type TimedDeed = { readonly atMs: number } & Deed

const frameDeeds: ReadonlySet<string> = new Set(['lose', 'repeat', 'spoil', 'delay'])
const queueDeeds = ['send', 'sendAgain', 'fetch', 'settle', 'leave', 'redrive']
const operationDeeds: ReadonlySet<string> = new Set(['write', 'read', ...queueDeeds])

export const isFrameDeed = <T extends { readonly do: string }>(deed: T): deed is T & FrameDeed =>
  frameDeeds.has(deed.do)
export const isOperation = <T extends { readonly do: string }>(
  deed: T,
): deed is T & (OperationDeed | QueueDeed) => operationDeeds.has(deed.do)

/** Times of steps are whole microseconds: they read well. Never before `ms`. */
export const nextMicrosecond = (ms: number): number => Math.floor(ms * 1000 + 1) / 1000

/** `n1>n2` for the link between the two. */
export const linkName = (from: string, to: string): string => `${from}>${to}`

/** The two ends of a link by its name. */
export function linkEnds(link: string): { readonly from: string; readonly to: string } {
  const [from = '', to = ''] = link.split('>')
  return { from, to }
}

const describeChange = ({ kind, id }: NamedChange): string => `${kind} ${id}`

/** A deed in a few words, for people. */
export function describeDeed(deed: Deed | FrameDeed): string {
  const { do: what, ...rest } = deed
  const words = Object.entries(rest).map(([name, value]) => {
    if (name === 'atMs' || value === false) return ''
    if (value === true) return name
    if (name === 'forMs') return `for ${(value as number).toFixed(0)} ms`
    if (name === 'byMs') return `by ${(value as number).toFixed(1)} ms`
    if (name === 'by') return `by ${(value as number).toFixed(0)}`
    if (name === 'rate') return `by ${(value as number).toFixed(3)}`
    if (name === 'withinMs') return `within ${(value as number).toFixed(0)} ms`
    if (name === 'changes') return (value as readonly NamedChange[]).map(describeChange).join(', ')
    if (name === 'also') return `and ${describeChange(value as NamedChange)}`
    if (name === 'effects') return (value as readonly LinkEffect[]).map(({ kind }) => kind).join(' ')
    return Array.isArray(value) ? value.join(' ') : `${value}`
  })
  return [what, ...words.filter((word) => word !== '')].join(' ')
}
