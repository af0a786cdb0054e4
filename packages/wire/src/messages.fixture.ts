/** Messages of every kind for properties, and some entries. */
import {
  type Configuration,
  type Entry,
  EntryKind,
  encodeEntry,
  type Message,
  type MessageKind,
  PROPOSAL_REFUSALS,
} from '@troupe/core'
import fc from 'fast-check'
import { crc32 } from './crc32.ts'
import { VERDICTS } from './message-kinds.ts'

/** Who speaks to whom in all of these messages. */
export const ends = { from: 'n1', fromIncarnation: 11, fromBoot: 12, to: 'n2' }

export const number = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1),
)
const uint32 = fc.oneof(fc.nat(), fc.constantFrom(0, 0xffffffff))
const bytes = fc.uint8Array({ maxLength: 300 })

export function entry(
  index: number,
  term: number,
  payload: Uint8Array,
  change: Partial<Omit<Entry, 'record'>> = {},
): Entry {
  const kind = EntryKind.commands
  const header = { index, term, kind, timeMs: index / 2, commandCount: 1, configurationIndex: 0, ...change }
  return encodeEntry(header, [payload], crc32)
}

const entriesFrom = (first: number, term: number, payloads: readonly Uint8Array[]): Entry[] =>
  payloads.map((payload, offset) => {
    const kind = (offset % 3) as EntryKind
    return entry(first + offset, Math.max(1, term - offset), payload, { kind, configurationIndex: first })
  })

const members = fc.array(fc.record({ id: fc.string({ minLength: 1 }), incarnation: number }), {
  maxLength: 4,
})
const configuration: fc.Arbitrary<Configuration> = fc.record({
  voters: members,
  outgoing: members,
  learners: members,
  learnersNext: members,
  autoLeave: fc.boolean(),
})

const envelope = { toIncarnation: number, toBoot: number, term: number }
const leaderTerm = fc.integer({ min: 1, max: 2 ** 40 })
const place = fc.nat(2 ** 40)
const payloads = fc.array(bytes, { maxLength: 5 })

const of = <K extends MessageKind>(
  kind: K,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Message> =>
  fc.record({ ...envelope, ...fields }).map((rest) => ({ kind, ...ends, ...rest }) as unknown as Message)

const append: fc.Arbitrary<Message> = fc
  .record({ ...envelope, term: leaderTerm, prevIndex: place, prevTerm: number, commit: number, payloads })
  .map(({ payloads, ...rest }) => ({
    kind: 'appendRequest',
    ...ends,
    ...rest,
    entries: entriesFrom(rest.prevIndex + 1, rest.term, payloads),
  }))

const repairReply: fc.Arbitrary<Message> = fc
  .record({
    ...envelope,
    term: leaderTerm,
    from: fc.integer({ min: 1, max: 2 ** 40 }),
    more: fc.nat(9),
    verdict: fc.constantFrom(...VERDICTS),
    payloads,
  })
  .map(({ from, more, payloads, ...rest }) => ({
    kind: 'repairReply',
    ...ends,
    ...rest,
    range: { from, to: from + payloads.length + more },
    entries: entriesFrom(from, rest.term, payloads),
  }))

const repairRequest: fc.Arbitrary<Message> = fc
  .record({ ...envelope, from: fc.integer({ min: 1, max: 2 ** 40 }), more: fc.nat(), prevTerm: number })
  .map(({ from, more, ...rest }) => ({
    kind: 'repairRequest',
    ...ends,
    ...rest,
    range: { from, to: from + more },
    nextTerm: more,
  }))

const snapshotOffer: fc.Arbitrary<Message> = fc
  .record({
    ...envelope,
    isLeader: fc.boolean(),
    meta: fc.record({
      index: fc.integer({ min: 2 ** 31, max: 2 ** 53 - 1 }),
      term: number,
      timeMs: fc.double({ min: 0, max: 2 ** 60, noNaN: true }).map(Math.abs),
      configuration,
      configurationIndex: fc.nat(),
      bytes: number,
      checksum: uint32,
    }),
  })
  .map((rest) => ({ kind: 'snapshotOffer', ...ends, ...rest }))

/** By kind, so that a kind without messages does not compile. */
export const messageOfKind: Record<MessageKind, fc.Arbitrary<Message>> = {
  preVoteRequest: of('preVoteRequest', {
    lastIndex: number,
    lastTerm: number,
    priority: fc.double({ min: 0, max: 100, noNaN: true }).map(Math.abs),
  }),
  preVoteReply: of('preVoteReply', { granted: fc.boolean() }),
  voteRequest: of('voteRequest', { lastIndex: number, lastTerm: number, isTransfer: fc.boolean() }),
  voteReply: of('voteReply', { granted: fc.boolean() }),
  appendRequest: append,
  appendReply: of('appendReply', {
    accepted: fc.boolean(),
    matchIndex: number,
    rejected: number,
    hintIndex: number,
    hintTerm: number,
  }),
  heartbeat: of('heartbeat', { commit: number, round: number }),
  heartbeatReply: of('heartbeatReply', { round: number }),
  timeoutNow: of('timeoutNow', {}),
  readIndexRequest: of('readIndexRequest', { id: number }),
  readIndexReply: of('readIndexReply', { id: number, index: number }),
  proposal: of('proposal', { id: number, commandCount: uint32, payload: bytes }),
  proposalRefused: of('proposalRefused', {
    id: number,
    refusal: fc.constantFrom(...PROPOSAL_REFUSALS),
  }),
  snapshotOffer,
  snapshotPull: of('snapshotPull', { index: number, checksum: uint32, offset: number }),
  snapshotChunk: of('snapshotChunk', { index: number, checksum: uint32, offset: number, data: bytes }),
  repairRequest,
  repairReply,
}

export const message = fc.oneof(...Object.values(messageOfKind))
export const messages = fc.array(message, { minLength: 1, maxLength: 6 })

/** With text for bytes, for comparisons. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}
