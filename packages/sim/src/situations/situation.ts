/**
 * Situations: the dangerous places that a campaign has to reach (the "sometimes" of Antithesis, the coverage probes of
 * FoundationDB). An invariant says what must never be; a situation says what must have been, or the faults are too tame
 * for the invariants to mean anything.
 *
 * They look from outside, at what nodes send, get, store and become, and change nothing.
 */
import type {
  Configuration,
  ControlCommand,
  ControlOutcome,
  Message,
  MessageKind,
  MessageOf,
  NodeEvent,
  NodeId,
  PersistRequest,
  RaftCore,
  Role,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { ClientEvent } from '@troupe/machines'
import type { CommittedEntry } from '../ledger.ts'
import type { NodeView, WorldView } from '../world-view.ts'

/** What a node was after its turn before: this one began there. */
export interface Stance {
  readonly role: Role
  readonly term: number
  readonly leader: NodeId | undefined
  readonly commitIndex: number
  readonly lastIndex: number
  readonly configuration: Configuration
  readonly configurationIndex: number
  /** Times that it has stepped down for its disk in this life. */
  readonly persistStalls: number
  /** When that turn was, in virtual ms. */
  readonly atMs: number
}

/** A node that is up, in or after a turn. */
export interface Actor {
  readonly node: NodeView
  readonly core: RaftCore
  readonly before: Stance
}

type OfMessages = {
  readonly [K in MessageKind]?: (message: MessageOf<K>, actor: Actor) => void
}

type NodeEventKind = Exclude<NodeEvent<ClientEvent>['kind'], 'peer' | 'client' | 'control'>

type OfEvents = {
  readonly [K in NodeEventKind]?: (event: Extract<NodeEvent<ClientEvent>, { kind: K }>, actor: Actor) => void
}

/** When a situation looks. Whatever happens often is told by its kind, so that nobody looks at what it does not mean. */
export interface Hooks {
  /** A life begins, before its first turn. */
  readonly started?: (actor: Actor) => void
  /** A life has ended, perhaps `at` a failpoint: `before` is what it was, the disk is what is left. */
  readonly crashed?: (node: NodeView, before: Stance, at: FailpointName | undefined) => void
  /** Role, term or leader are not what they were before this turn. */
  readonly became?: (actor: Actor) => void
  /** After every turn of a leader: the most frequent of all. */
  readonly led?: (actor: Actor) => void
  /** A message leaves. */
  readonly sent?: OfMessages
  /** A message was in the mailbox of the turn that is over. */
  readonly got?: OfMessages
  /** An answer was in it that an earlier life of this node had asked for. */
  readonly strayed?: (message: Message, actor: Actor) => void
  /** Something else was in it. */
  readonly event?: OfEvents
  /** A frame of a client was in it. */
  readonly clientFrame?: (bytes: Uint8Array, actor: Actor) => void
  /** Entries from `from` on are to be removed from the log: `disk.log.seen` has them still. */
  readonly truncating?: (from: number, actor: Actor, token: number) => void
  /** A leader has appended a configuration: `before` has the one before it. */
  readonly configuring?: (actor: Actor) => void
  /** See SimEvent of the same names. */
  readonly persisting?: (request: PersistRequest, actor: Actor) => void
  readonly flushing?: (request: PersistRequest, node: NodeView) => void
  /** An entry is committed that was not yet committed anywhere, by this node. In the order of the log. */
  readonly committed?: (committed: CommittedEntry, actor: Actor) => void
  /** A read is granted by the lease. */
  readonly leaseRead?: (actor: Actor) => void
  readonly frameRefused?: () => void
  readonly operated?: (command: ControlCommand, outcome: ControlOutcome | undefined) => void
}

/** One dangerous place. */
export interface Situation {
  /** A few words: what happened. Unique. */
  readonly name: string
  /** Why it matters, or what exactly counts, in one line. */
  readonly about: string
  readonly hooks: Hooks
  /** How often it was reached. */
  readonly count: number
}

/** Makes situations for one run. */
export type SituationMaker = (world: WorldView) => readonly Situation[]

/** One of its own. `look` is given what to call whenever the place is reached. */
export function situation(
  name: string,
  about: string,
  look: (reached: () => void, world: WorldView) => Hooks,
): SituationMaker {
  return (world) => {
    let count = 0
    const hooks = look(() => {
      count++
    }, world)
    return [
      {
        ...{ name, about, hooks },
        get count() {
          return count
        },
      },
    ]
  }
}
