/**
 * What a turn did, deed by deed, small: bytes that are large stand there by their length and checksum. Both sides keep it, the
 * recorder of a live node and whoever plays its recording; where they differ, the first deed that does is named.
 */
import {
  type Configuration,
  type ControlOutcome,
  type Entry,
  type HardState,
  type Message,
  type NodeDriver,
  type PersistRequest,
  RaftError,
  type Ready,
  recordChecksum,
  type SnapshotMeta,
} from '@troupe/core'
import { codec } from '../codec.ts'
import { crc32 } from '../crc32.ts'
import { packMessage } from '../pack-message.ts'

/** What can be done. The numbers stand in recordings: never reuse one. */
export const TurnDeed = {
  persist: 0,
  afterFlush: 1,
  message: 2,
  receive: 3,
  role: 4,
  configuration: 5,
  install: 6,
  committed: 7,
  reads: 8,
  readsRefused: 9,
  proposalsRefused: 10,
  forgotten: 11,
  snapshotWanted: 12,
  sent: 13,
  snapshot: 14,
  reply: 15,
  hangUp: 16,
  control: 17,
  threw: 18,
  state: 19,
} as const

/** A number of {@link TurnDeed}, and what belongs to it. */
export type Deeds = readonly (readonly unknown[])[]

/** The checksum of all accounts up to one, from that of those before. */
export const hashOf = (account: Uint8Array, before: number): number => crc32(account, before)

export class TurnAccount {
  #deeds: unknown[][] = []
  #sent = 0
  #isStopped = false
  /** The last that was told, as text. */
  #configuration = ''

  /**
   * What is in effect now; false where it was before. The core tells of another object, which may say the same: that depends on
   * whether a snapshot store gives back the very object that it was handed.
   */
  startsFrom(configuration: Configuration): boolean {
    const text = JSON.stringify(configuration)
    const isOther = text !== this.#configuration
    this.#configuration = text
    return isOther
  }

  /** The core's Ready, before anybody acts on it. */
  ready(ready: Ready): void {
    if (this.#isStopped) return
    if (ready.forgotten !== undefined) this.#add(TurnDeed.forgotten, ready.forgotten)
    if (ready.persist !== undefined) this.#persist(ready.persist)
    for (const { meta, offset, data } of ready.snapshotWrites)
      this.#add(TurnDeed.receive, meta.index, offset, data.byteLength, crc32(data))
    for (const message of ready.messages) this.#message(TurnDeed.message, message)
    const { role, configuration, install, committed, reads, readsRefused, proposalsRefused } = ready
    if (role !== undefined) this.#add(TurnDeed.role, role.role, role.term, role.leader ?? null)
    if (configuration !== undefined && this.startsFrom(configuration))
      this.#add(TurnDeed.configuration, configuration)
    if (install !== undefined) this.#add(TurnDeed.install, install.index, install.term, install.checksum)
    if (committed.length > 0) this.#add(TurnDeed.committed, committed[0]?.index, checksumsOf(committed))
    if (reads.length > 0) this.#add(TurnDeed.reads, ...reads.flatMap(({ id, index }) => [id, index]))
    if (readsRefused.length > 0) this.#add(TurnDeed.readsRefused, ...readsRefused)
    for (const { id, refusal } of proposalsRefused) this.#add(TurnDeed.proposalsRefused, id, refusal)
    if (ready.snapshotWanted) this.#add(TurnDeed.snapshotWanted)
  }

  #persist({
    token,
    hardState,
    reset,
    truncateFrom,
    repairs,
    entries,
    compactTo,
    messages,
  }: PersistRequest): void {
    const promised = hardState === undefined ? 0 : hardStateOf(hardState)
    const from = reset === undefined ? 0 : [reset.index, reset.term]
    const to = compactTo === undefined ? 0 : [compactTo.index, compactTo.term]
    const mended = repairs.map((entry) => [entry.index, recordChecksum(entry.record)])
    const first = entries[0]?.index ?? 0
    const added = checksumsOf(entries)
    this.#add(TurnDeed.persist, token, promised, from, truncateFrom ?? 0, mended, first, added, to)
    for (const message of messages) this.#message(TurnDeed.afterFlush, message)
  }

  #message(deed: number, message: Message): void {
    const bulk: Uint8Array[] = []
    const [kind, , , term, ...fields] = packMessage(message, bulk)
    const { from, fromIncarnation, fromBoot, to, toIncarnation, toBoot } = message
    const ends = mixed(mixed(mixed(mixed(from.length, fromIncarnation), fromBoot), toIncarnation), toBoot)
    // Other bulk bytes than entries have their checksum among the fields.
    const entries = 'entries' in message ? checksumsOf(message.entries) : 0
    this.#add(deed, to, ends, entries, kind, term, ...fields)
  }

  /** Messages left for the peers: those of this Ready, and those of earlier ones that are flushed now. */
  sent(messages: readonly Message[]): void {
    let ends = 0
    for (const { kind, to, term } of messages) ends = mixed(ends + kind.length + to.length, term)
    this.#add(TurnDeed.sent, messages.length, ends)
  }

  /** Something of this node's own snapshot went to the store: bytes, or at its end what all of them are. */
  snapshot(what: 'begin' | 'write' | 'finish' | 'abort', of?: Uint8Array | SnapshotMeta): void {
    if (of === undefined) this.#add(TurnDeed.snapshot, what)
    else if (of instanceof Uint8Array) this.#add(TurnDeed.snapshot, what, of.byteLength, crc32(of))
    else this.#add(TurnDeed.snapshot, what, of.bytes, of.checksum, of.index, of.term)
  }

  /** A frame went to a client. Gives its place among those of this turn. */
  reply(connection: number, frame: Uint8Array): number {
    this.#add(TurnDeed.reply, connection, frame.byteLength, crc32(frame))
    return this.#sent++
  }

  hangUp(connection: number, offence: string | undefined): void {
    this.#add(TurnDeed.hangUp, connection, offence ?? null)
  }

  control({ id, error }: ControlOutcome): void {
    this.#add(TurnDeed.control, id, error === undefined ? null : [error.code, error.message])
  }

  /** The turn ended so: the node goes down. */
  threw(error: unknown): void {
    const name = error instanceof RaftError ? error.code : error instanceof Error ? error.name : typeof error
    this.#add(TurnDeed.threw, name, error instanceof Error ? error.message : String(error))
  }

  /** Where the node stands at the end of the turn. */
  state({ core, applied }: Pick<NodeDriver<never>, 'core' | 'applied'>): void {
    const { role, term, leader, commitIndex, lastIndex } = core
    this.#add(TurnDeed.state, role, term, leader ?? null, commitIndex, applied, lastIndex)
  }

  /** All of it, encoded, and forgotten. The view is valid until something else is encoded. */
  take(): Uint8Array {
    const encoded = codec.encodeView(this.#deeds)
    this.#deeds = []
    this.#sent = 0
    return encoded
  }

  /** Nothing more is kept. */
  stop(): void {
    this.#isStopped = true
    this.#deeds = []
  }

  #add(...deed: unknown[]): void {
    if (!this.#isStopped) this.#deeds.push(deed)
  }
}

/** @throws where the bytes are no account */
export const deedsOf = (account: Uint8Array): Deeds => codec.decode(account) as Deeds

const hardStateOf = ({ term, vote, voteIncarnation }: HardState): readonly unknown[] => [
  term,
  vote,
  voteIncarnation,
]

/** A record has a checksum of its own, over all of it. */
const checksumsOf = (entries: readonly Entry[]): number[] =>
  entries.map(({ record }) => recordChecksum(record))

/** A number of up to 53 bits, mixed into 32. */
function mixed(hash: number, value: number): number {
  const low = Math.imul(hash ^ (value >>> 0), 0x9e3779b1)
  return Math.imul((low ^ (low >>> 15)) + Math.floor(value / 0x1_0000_0000), 0x85ebca6b) >>> 0
}
