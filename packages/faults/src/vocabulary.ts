/**
 * Faults as data: what scenarios are made of, and what a {@link FaultPlane} applies. Plain values that survive JSON.
 *
 * The words are those of the field: Jepsen's splits and topologies, netem's link effects (percentages from 0 to 100),
 * clogging as FoundationDB has it, TigerBeetle's and Jepsen's clocks.
 */
import type { NodeId } from '@troupe/core'

export const NODE_SETS = [
  'all',
  'random',
  'one',
  'minority',
  'minority-third',
  'majority',
  'primaries',
] as const

/**
 * Which nodes: these, or a set that is drawn when the fault is applied.
 * - `random`: any subset but the empty one
 * - `one`, `minority`, `majority`: so many of them (the largest minority, the smallest majority)
 * - `minority-third`: fewer than a third, but at least one
 * - `primaries`: who believes to lead
 */
export type NodeSelector = (typeof NODE_SETS)[number] | readonly NodeId[]

export const DIRECTIONS = ['both', 'inbound', 'outbound'] as const

/** Seen from the nodes named first, or from the isolated side: what leaves them, what reaches them, or both. */
export type Direction = (typeof DIRECTIONS)[number]

/** The links between the nodes `from` and the nodes `to`. */
export interface Links {
  readonly from: NodeSelector
  readonly to: NodeSelector
  /** @default 'both' */
  readonly direction?: Direction
}

export const SPLITS = ['halves', 'one', 'minority-third', 'majority', 'primaries'] as const

/** Named after the isolated side. `primaries`: each of them alone. */
export type Split = (typeof SPLITS)[number]

export const TOPOLOGIES = ['bridge', 'majorities-ring', 'chain', 'star'] as const

/**
 * - `bridge`: two halves that do not see each other, and one node that sees both
 * - `majorities-ring`: each node hears a majority, and no two the same one
 * - `chain`: each sees its neighbours in a line
 * - `star`: all see one, and only that one sees all
 */
export type Topology = (typeof TOPOLOGIES)[number]

export type PartitionFault =
  | { readonly kind: 'partition'; readonly split: Split; readonly direction?: Direction }
  | { readonly kind: 'partition'; readonly topology: Topology }
  /** Nodes that no group names form one more group together; with a direction, all groups but that are isolated. */
  | {
      readonly kind: 'partition'
      readonly groups: readonly (readonly NodeId[])[]
      readonly direction?: Direction
    }

export const DISTRIBUTIONS = [
  'constant',
  'uniform',
  'normal',
  'exponential',
  'pareto',
  'paretonormal',
] as const
export type Distribution = (typeof DISTRIBUTIONS)[number]

/** How long a frame is on its way, never below 0. */
export interface Latency {
  readonly timeMs: number
  /** @default 0 */
  readonly jitterMs?: number
  /**
   * `uniform`: `timeMs` ± `jitterMs`; `normal`: mean and standard deviation; `exponential` and `pareto`: `timeMs`
   * plus a tail of mean `jitterMs`; `paretonormal`: netem's, a quarter of it normal and three quarters a tail, around
   * `timeMs`; `constant`: no jitter. @default 'uniform'
   */
  readonly distribution?: Distribution
  /** Chance in percent that a frame takes as long as the one before. @default 0 */
  readonly correlation?: number
}

/** Gilbert and Elliott's two states, in percent per frame. The link begins in the good one. */
export interface GilbertElliott {
  /** Chance to leave the good state, netem's `p`. */
  readonly toBad: number
  /** Chance to leave the bad state, netem's `r`. */
  readonly toGood: number
  /** Loss in the bad state, netem's `1-h`. @default 100 */
  readonly lossInBad?: number
  /** Loss in the good state, netem's `1-k`. @default 0 */
  readonly lossInGood?: number
}

/**
 * netem's `loss state`, a Markov chain of four states, in percent per frame: 1 gets frames through, 2 gets them through
 * within a burst, 3 is a burst of losses, 4 loses a single one and goes back to 1. It begins in 1.
 */
export interface LossStates {
  readonly p13: number
  /** @default 100 − p13 */
  readonly p31?: number
  /** @default 0 */
  readonly p32?: number
  /** @default 100 */
  readonly p23?: number
  /** @default 0 */
  readonly p14?: number
}

/** netem's `slot`: frames leave together, as from a radio that has its turn. */
export interface Slots {
  /** A turn comes so long after the one before, or after the first frame that waits for it. */
  readonly timeMs: number
  /** Drawn anew up to that. @default timeMs */
  readonly mostMs?: number
  /** So many leave in one turn. @default all that wait */
  readonly frames?: number
  /** A turn is over with the frame that reaches so many. @default all that wait */
  readonly bytes?: number
}

/** A chance in percent for each frame; `correlation` is the chance in percent that it fares as the one before. */
interface Chance {
  readonly percent: number
  /** @default 0 */
  readonly correlation?: number
}

/** What happens to frames on a link. */
export type LinkEffect =
  /** `drop`: nothing arrives (Antithesis: stopped). `jam`: frames are held until the fault is healed (clogged). */
  | { readonly kind: 'link'; readonly mode: 'drop' | 'jam' }
  | { readonly kind: 'link'; readonly mode: 'slow'; readonly timeMs: number }
  | ({ readonly kind: 'delay' } & Latency)
  | ({ readonly kind: 'loss' } & Chance)
  | { readonly kind: 'loss'; readonly gilbertElliott: GilbertElliott }
  | { readonly kind: 'loss'; readonly states: LossStates }
  | ({ readonly kind: 'duplicate' } & Chance)
  /**
   * So many frames are not delayed and overtake those that are: without a delay it does nothing. `gap`: only each
   * so-many-th frame may. @default gap 1
   */
  | ({ readonly kind: 'reorder'; readonly gap?: number } & Chance)
  /** `bits` different bits are flipped. @default bits 1 */
  | ({ readonly kind: 'corrupt'; readonly bits?: number } & Chance)
  /** Frames wait for each other; what would exceed `limitBytes` of waiting bytes is lost. @default limitBytes none */
  | { readonly kind: 'rate'; readonly bytesPerSecond: number; readonly limitBytes?: number }
  | ({ readonly kind: 'slot' } & Slots)
  /** So many frames are on their way at most; what comes beside them is lost. */
  | { readonly kind: 'limit'; readonly frames: number }

/** Without `links`: all links, of clients and of nodes that come later too. */
export type LinkFault = LinkEffect & { readonly links?: Links }

/** What a clock does. A bump is over at once; the others last. */
export type ClockEffect =
  /** Jumps once. */
  | { readonly mode: 'bump'; readonly byMs: number }
  /** Runs so many times as fast. */
  | { readonly mode: 'rate'; readonly rate: number }
  /** Jumps again and again. */
  | { readonly mode: 'step'; readonly byMs: number; readonly everyMs: number }
  /** Jumps there and back again, so often. A clock that may not run backwards stands still after each jump back. */
  | { readonly mode: 'strobe'; readonly byMs: number; readonly everyMs: number }

/** Places in a node, in the order a node comes to them. */
export const FAILPOINTS = [
  'start',
  'before-save',
  'after-save',
  'before-compact',
  'after-compact',
  'before-apply',
  'after-apply',
  'before-change',
  'after-change',
  'before-snapshot',
  'after-snapshot',
  'after-receive',
  'before-install',
  'after-install',
] as const

/**
 * - `start`: before anything is opened
 * - `before-save`: a turn hands something to the store; `after-save`: it is flushed, and nobody was told
 * - `before-compact`, `after-compact`: the same of a request that cuts the log behind a snapshot
 * - `before-apply`, `after-apply`: committed entries reach the state machine; `before-change`, `after-change`: a change of
 *   the members is among them
 * - `before-snapshot`, `after-snapshot`: a snapshot of its own is whole, before and after its flush
 * - `after-receive`: one that was fetched is whole and flushed, and nobody was told
 * - `before-install`, `after-install`: a received one becomes the state
 */
export type FailpointName = (typeof FAILPOINTS)[number]

/** What the node does at a named place. */
export interface FailpointEffect {
  readonly name: FailpointName
  /** In the grammar of gofail. */
  readonly term: string
}

/** Its heap is filled until so much of its limit is in use; at 100 it dies of it. */
export interface HeapEffect {
  readonly percent: number
}

/** What a store does while the fault lasts. */
export type StoreEffect =
  /** Completions are late: all, or a share of them by chance. Those behind a late one wait for it. */
  | { readonly mode: 'slow'; readonly timeMs: number; readonly jitterMs?: number; readonly percent?: number }
  /** No completion is reported. */
  | { readonly mode: 'stall' }
  /** New requests are refused for space and wait; none is written in part. */
  | { readonly mode: 'full' }
  /** The next request fails, and with it the store. */
  | { readonly mode: 'fail' }

/** What happens to a disk at once. */
export type DiskDamage =
  /** In what is flushed. @default count 1 */
  | { readonly mode: 'bit-flip'; readonly count?: number }
  /** The last entry is there by half. */
  | { readonly mode: 'torn' }
  /** The node dies and what was not flushed is gone. */
  | { readonly mode: 'lose-unflushed' }

export const DISK_DAMAGES = ['bit-flip', 'torn', 'lose-unflushed'] as const satisfies DiskDamage['mode'][]

export function isDamage(mode: (StoreEffect | DiskDamage)['mode']): mode is DiskDamage['mode'] {
  return DISK_DAMAGES.some((each) => each === mode)
}

export const NODE_ACTIONS = [
  'crash',
  'restart',
  'wipe',
  'pause',
  'resume',
  'elect',
  'snapshot',
  'compact',
] as const

/**
 * - `crash`, `restart`: dies, comes back with what its disk has. A `silent` crash closes no connection that its peers see,
 *   and nobody proves it to them: as when a machine loses its power
 * - `wipe`: comes back with an empty directory
 * - `pause`, `resume`: stops taking turns, goes on
 * - `elect`: asks for votes; `snapshot`: takes one; `compact`: takes one and drops the log behind it
 */
export type NodeAction = (typeof NODE_ACTIONS)[number]

export const MEMBER_CHANGES = ['add', 'remove', 'replace', 'promote', 'demote'] as const

/** `replace`: by a new node with an empty directory under the same name. */
export type MembershipChange = (typeof MEMBER_CHANGES)[number]

export type NodeFault =
  | { readonly kind: Exclude<NodeAction, 'crash'>; readonly nodes: NodeSelector }
  /** @default silent false */
  | { readonly kind: 'crash'; readonly nodes: NodeSelector; readonly silent?: boolean }
  /** Its thread is busy with something else for so long: no turn, no timer. Over by itself. */
  | { readonly kind: 'stall'; readonly nodes: NodeSelector; readonly forMs: number }
  | ({ readonly kind: 'clock'; readonly nodes: NodeSelector } & ClockEffect)
  | ({ readonly kind: 'storage'; readonly nodes: NodeSelector } & (StoreEffect | DiskDamage))
  | ({ readonly kind: 'failpoint'; readonly nodes: NodeSelector } & FailpointEffect)
  | ({ readonly kind: 'heap'; readonly nodes: NodeSelector } & HeapEffect)
  | { readonly kind: 'membership'; readonly change: MembershipChange; readonly nodes: NodeSelector }
  /** To the first of the nodes; to the best voter where none is given. */
  | { readonly kind: 'transfer'; readonly nodes?: NodeSelector }

export type Fault = PartitionFault | LinkFault | NodeFault
export type FaultKind = Fault['kind']
