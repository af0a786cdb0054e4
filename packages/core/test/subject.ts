import {
  type Configuration,
  type Entry,
  EntryKind,
  encodeConfiguration,
  encodeEntry,
  type HardState,
  type KeptState,
  type Member,
  type Message,
  type NodeId,
  type PersistRequest,
  RaftCore,
  type RaftKnobs,
  type Random,
  type Ready,
  resolveRaftKnobs,
  type SnapshotMeta,
  seededRandom,
  simpleConfiguration,
} from '../src/index.ts'
import { checksum } from './checksum.ts'
import { contentOf, MemoryDisk } from './memory-disk.ts'
import { MemorySnapshots } from './memory-snapshots.ts'

export { checksum } from './checksum.ts'

type FilledIn =
  | 'from'
  | 'fromIncarnation'
  | 'fromBoot'
  | 'to'
  | 'toIncarnation'
  | 'toBoot'
  | 'priority'
  | 'isTransfer'
type BodyOf<M> = M extends Message ? Omit<M, FilledIn> & Partial<Pick<M, Extract<keyof M, FilledIn>>> : never
/** A message without its envelope. */
export type Body = BodyOf<Message>

/** Incarnation of a node: different for each, so that mixing them up shows. */
export const incarnationOf = (id: NodeId): number => 100 + id.charCodeAt(0)

/** A node as a member of a configuration. */
export const memberOf = (id: NodeId): Member => ({ id, incarnation: incarnationOf(id) })

/** Voters `a`, `b`, `c` ... */
export function configurationOf(count: number): Configuration {
  const ids = 'abcdefg'.slice(0, count).split('')
  return simpleConfiguration(ids.map((id) => memberOf(id)))
}

export function entryOf(index: number, term: number, payload = `${index}/${term}`): Entry {
  const header = { index, term, kind: EntryKind.commands, timeMs: 0, commandCount: 1, configurationIndex: 0 }
  return encodeEntry(header, [new TextEncoder().encode(payload)], checksum)
}

/** A persist request that asks for nothing but what is given. */
export const requestOf = (token: number, given: Partial<PersistRequest> = {}): PersistRequest => ({
  token,
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
  messages: [],
  ...given,
})

/** A configuration as an entry. */
export function configurationEntryOf(index: number, term: number, configuration: Configuration): Entry {
  const header = { index, term, kind: EntryKind.configuration, timeMs: 0, commandCount: 0 }
  return encodeEntry({ ...header, configurationIndex: index }, [encodeConfiguration(configuration)], checksum)
}

/** A log by its terms: `[1, 1, 4]` has index 1 and 2 in term 1 and index 3 in term 4. */
export const entriesOf = (terms: readonly number[], first = 1): Entry[] =>
  terms.map((term, i) => entryOf(first + i, term))

export interface SubjectOptions {
  /** @default 'a' */
  readonly id?: NodeId
  readonly voters?: number
  readonly knobs?: Partial<RaftKnobs>
  /** Terms of the log that is found on the disk. */
  readonly log?: readonly number[]
  readonly hardState?: Omit<HardState, 'voteIncarnation'>
  readonly boot?: number
  readonly disk?: MemoryDisk
  readonly snapshots?: MemorySnapshots
  /** What the log begins with. @default that many voters */
  readonly configuration?: Configuration
  readonly random?: Random
  /** What its application has on the disk. */
  readonly kept?: KeptState
}

/** One core, node `a`, with its disk: the test plays the others, the clock and the flush. */
export class Subject {
  readonly core: RaftCore
  readonly disk: MemoryDisk
  readonly snapshots: MemorySnapshots
  readonly boot: number
  readonly #given: SubjectOptions
  nowMs = 1000

  constructor(options: SubjectOptions = {}) {
    const { id = 'a', voters = 3, knobs = {}, log = [], hardState, boot = 7, ...given } = options
    this.#given = options
    const { term, vote } = hardState ?? { term: log.at(-1) ?? 0, vote: '' }
    const voteIncarnation = vote === '' ? 0 : incarnationOf(vote)
    this.disk = given.disk ?? new MemoryDisk(contentOf({ term, vote, voteIncarnation }, entriesOf(log)))
    this.snapshots = given.snapshots ?? new MemorySnapshots()
    this.boot = boot
    const identity = { clusterId: 'test', group: 1, id, incarnation: incarnationOf(id), boot }
    const random = given.random ?? seededRandom(1)
    const raftOptions = {
      ...resolveRaftKnobs(knobs),
      identity,
      configuration: given.configuration ?? configurationOf(voters),
      random,
      checksum,
      kept: given.kept,
    }
    this.core = new RaftCore(raftOptions, this.disk, this.snapshots, this.nowMs)
  }

  /** A crash, which loses what is not flushed, and another start on the same disk. */
  restart(): Subject {
    this.disk.crash()
    const { disk, snapshots, boot } = this
    return new Subject({ ...this.#given, disk, snapshots, boot: boot + 1 })
  }

  /** Terms of the log as the node sees it, what is not flushed included. After a {@link turn}. */
  get log(): number[] {
    return this.disk.seen.entries.map(({ term }) => term)
  }

  /** `from` sends a message. Replies are addressed to this very boot, unless `body` says otherwise. */
  receive(from: NodeId, body: Body): this {
    const isReply = body.kind.endsWith('Reply')
    const envelope = {
      from,
      fromIncarnation: incarnationOf(from),
      fromBoot: 1,
      to: this.core.id,
      toIncarnation: isReply ? incarnationOf(this.core.id) : 0,
      toBoot: isReply ? this.boot : 0,
      ...(body.kind === 'preVoteRequest' ? { priority: 100 } : {}),
      ...(body.kind === 'voteRequest' ? { isTransfer: false } : {}),
    }
    this.core.step({ ...envelope, ...body } as Message)
    return this
  }

  /** Ends the drain: what the node wants now. Its persist request waits at the disk. */
  turn(): Ready {
    const ready = this.core.ready()
    if (ready.persist !== undefined) this.disk.persist(ready.persist)
    for (const { meta, offset, data } of ready.snapshotWrites) this.snapshots.receive(meta, offset, data)
    return ready
  }

  /** Ends the drain and gives only what is sent at once. */
  sent(): readonly Message[] {
    return this.turn().messages
  }

  /** Flushes what waits (or the first `count` requests) and gives what may be sent because of it. */
  flush(count = this.disk.waiting.length): Message[] {
    const messages = this.disk.waiting.slice(0, count).flatMap((request) => request.messages)
    const token = this.disk.write(count)
    if (token > 0) this.core.persisted(token)
    return messages
  }

  /** What the snapshot store has completed since the last call. */
  tellSnapshots(): this {
    this.snapshots.tell({
      onSnapshotSaved: (meta: SnapshotMeta) => this.core.snapshotSaved(meta),
      onSnapshotReceived: (meta: SnapshotMeta) => this.core.snapshotReceived(meta),
    })
    return this
  }

  /** Lets time pass, then what is due happen. */
  wait(ms: number): this {
    this.nowMs += ms
    this.core.tick(this.nowMs)
    return this
  }

  /** Lets time pass until something is due. */
  waitUntilDue(): this {
    return this.wait(Math.max(0, this.core.deadlineMs - this.nowMs))
  }

  /** Lets time pass until votes are asked for, anew where that was done before. */
  waitForElection(): this {
    return this.wait(Math.max(0, this.core.electionDueMs - this.nowMs))
  }

  /** Through the election timeout and granted pre-votes; its vote and term are not flushed yet. */
  becomeCandidate(): this {
    this.waitUntilDue()
    this.#grant('preVoteReply', this.core.term + 1)
    return this
  }

  /** Elected by all, its no-op sent. The disk is idle, save for the no-op. */
  becomeLeader(): this {
    this.becomeCandidate().turn()
    this.flush()
    this.#grant('voteReply', this.core.term)
    this.turn()
    return this
  }

  /** Acknowledges everything, in the name of all peers and of the own disk. */
  commitAll(): this {
    this.turn()
    this.flush()
    for (const id of this.core.matchIndexes.keys()) this.accept(id, this.core.lastIndex)
    this.turn()
    return this
  }

  accept(from: NodeId, matchIndex: number): this {
    const { term } = this.core
    const body = { kind: 'appendReply', term, accepted: true, matchIndex, rejected: 0 } as const
    return this.receive(from, { ...body, hintIndex: 0, hintTerm: 0 })
  }

  refuse(from: NodeId, rejected: number, hintIndex: number, hintTerm: number): this {
    const { term } = this.core
    const body = { kind: 'appendReply', term, accepted: false, matchIndex: 0, rejected } as const
    return this.receive(from, { ...body, hintIndex, hintTerm })
  }

  /** The next round of heartbeats leaves, and these answer it. */
  beat(answering: Iterable<NodeId> = this.core.matchIndexes.keys()): this {
    const messages = this.waitUntilDue().sent()
    const round = ofKind(messages, 'heartbeat')[0]?.round ?? 0
    const { term } = this.core
    for (const id of answering) this.receive(id, { kind: 'heartbeatReply', term, round })
    return this
  }

  propose(payload = 'x'): number {
    return this.core.propose([new TextEncoder().encode(payload)], 1)
  }

  #grant(kind: 'preVoteReply' | 'voteReply', term: number): void {
    for (const id of 'bcdefg') {
      const isPending = this.core.role === (kind === 'voteReply' ? 'candidate' : 'preCandidate')
      if (isPending) this.receive(id, { kind, term, granted: true })
    }
  }
}

/** Messages of one kind, narrowed. */
export function ofKind<K extends Message['kind']>(
  messages: readonly Message[],
  kind: K,
): Extract<Message, { kind: K }>[] {
  return messages.filter((message) => message.kind === kind) as Extract<Message, { kind: K }>[]
}
