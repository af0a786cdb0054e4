/**
 * What happens in a run, one object for each thing: a line of its event log (NDJSON), whatever engine runs it.
 * docs/lab-reports.md has the same for readers of the files. Figures, detectors and pages are made of these alone, so that an
 * engine which tells of them gets all three.
 *
 *     run ─► phase, started, role, log, cut, sent, received, operation, fault, … ─► end
 *
 * - In the order of cause and effect: what is received stands behind its sending. `atMs` falls by no more than a turn of a
 *   node lasts, and clocks of one machine differ.
 * - Fields are only ever added; what a reader does not know it leaves out. `version` of the first event rises otherwise.
 */

/** Of the log as it is now: raised when a field changes its meaning or goes. */
export const EVENTS_VERSION = 1

export type RunPhase = 'before' | 'during' | 'after'
export type NodeRole = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/** What the first event says of the run. */
export interface RunIdentity {
  readonly version: typeof EVENTS_VERSION
  readonly case: string
  readonly file: string
  readonly engine: string
  readonly seed: number
  /** Everybody who may take part: voters, then learners, then spares. */
  readonly nodes: readonly string[]
  readonly clients: readonly string[]
}

/** A stretch of a log whose entries have one term. */
export interface TermRange {
  readonly from: number
  readonly to: number
  readonly term: number
}

/** How a message is named: unique in its run, the same where it is sent and where it comes. */
export type MessageId = string

/** What is said of a message on either end; what does not belong to its kind is left out. */
export interface MessageFacts {
  /** As the core names them: `appendRequest`, `voteReply`, …. */
  readonly name: string
  /** Of the message. */
  readonly term: number
  /** Of an append: the entry before its entries. Of a reply to it: the match, or what was refused. Of a vote: the last entry. */
  readonly index?: number
  /** Of an append: how many. */
  readonly entries?: number
  readonly commit?: number
  /** Of replies: whether it was granted, or fits. */
  readonly isGranted?: boolean
}

type Happened =
  | ({ readonly kind: 'run' } & RunIdentity)
  /** `during` begins with the first fault, `after` with the healing of all. */
  | { readonly kind: 'phase'; readonly phase: RunPhase }
  /** Who belongs to the cluster, by what is committed. */
  | { readonly kind: 'members'; readonly nodes: readonly string[] }
  /** A life of a node begins and ends, in whatever way. */
  | { readonly kind: 'started'; readonly node: string; readonly boot: number }
  | { readonly kind: 'stopped'; readonly node: string; readonly boot: number; readonly why?: string }
  /** Its role, its term or whom it follows is another than before. */
  | {
      readonly kind: 'role'
      readonly node: string
      readonly role: NodeRole
      readonly term: number
      readonly leader?: string
    }
  /** Its log is another than before: the last entry, what is committed, as far as it knows, and what it has applied. */
  | {
      readonly kind: 'log'
      readonly node: string
      readonly last: number
      readonly lastTerm: number
      readonly commit: number
      readonly applied: number
    }
  /** Entries from `index` on did not fit the leader's log, and are gone: these terms they had. */
  | {
      readonly kind: 'cut'
      readonly node: string
      readonly index: number
      readonly entries: number
      readonly terms: readonly TermRange[]
      /** Of the node by then: whose leader overwrites them. */
      readonly term: number
    }
  /** All of its log from behind its snapshot on, by terms: what logs are compared by. When faults end, and at the end. */
  | {
      readonly kind: 'terms'
      readonly node: string
      readonly base: number
      readonly baseTerm: number
      readonly terms: readonly TermRange[]
      readonly commit: number
    }
  | ({
      readonly kind: 'sent'
      readonly node: string
      readonly to: string
      readonly message?: MessageId
    } & MessageFacts)
  /** `isStale`: of an earlier term than the receiver's. */
  | ({
      readonly kind: 'received'
      readonly node: string
      readonly from: string
      readonly message?: MessageId
      readonly isStale?: true
    } & MessageFacts)
  /** What a client asked is over; it began `tookMs` before. */
  | {
      readonly kind: 'operation'
      readonly client: string
      readonly what: 'write' | 'read'
      /** `open`: nobody knows whether it happened. */
      readonly outcome: 'ok' | 'refused' | 'open'
      readonly tookMs: number
      /** Why there was no answer. */
      readonly code?: string
    }
  /** `id` joins the two ends of what lasts; what happens at once ends as it begins, and has one event, with neither. */
  | {
      readonly kind: 'fault'
      readonly what: string
      readonly nodes: readonly string[]
      readonly id?: string
      readonly edge?: 'begin' | 'end'
    }
  /** A trap that the scenario asks for, or another dangerous place, was reached. */
  | { readonly kind: 'situation'; readonly name: string }
  /** Does not hold. */
  | { readonly kind: 'broken'; readonly invariant: string; readonly message: string }
  | { readonly kind: 'note'; readonly text: string }
  /** The last one. */
  | { readonly kind: 'end'; readonly verdict: 'pass' | 'fail' | 'unknown'; readonly reason?: string }

/** One line. `atMs`: since the run began, in the time of the engine, which may be virtual. */
export type RunEvent = { readonly atMs: number } & Happened
export type RunEventKind = RunEvent['kind']

/** Takes events as they happen. */
export type OnRunEvent = (event: RunEvent) => void
