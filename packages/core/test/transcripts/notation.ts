/**
 * How transcripts write things: one line each, the same for ever.
 *
 *     4/2           the place of index 4, term 2
 *     4/2 x         an entry: its place and its command; - is the no-op of a new leader, {...} a configuration
 *     {1 2 3 ~4}    a configuration: voters, ~learners
 *     {1 2 4 <- 1 2 3 next~3 auto}   a joint one: incoming <- outgoing voters, who becomes a learner, how it is left
 *     2'            node 2 in its second incarnation
 */
import {
  type Configuration,
  decodeConfiguration,
  type Entry,
  EntryKind,
  entryPayload,
  isJoint,
  type LogPosition,
  type Member,
  type Message,
  type MessageKind,
  type MessageOf,
  type NodeId,
  type PersistRequest,
  type SnapshotMeta,
} from '../../src/index.ts'

/** The incarnation that a node has at first; each wiped directory adds 100. */
export const firstIncarnationOf = (id: NodeId): number => 100 + Number(id)

const memberName = ({ id, incarnation }: Member): string =>
  id + "'".repeat((incarnation - firstIncarnationOf(id)) / 100)

export const place = ({ index, term }: LogPosition): string => `${index}/${term}`

const last = ({ lastIndex: index, lastTerm: term }: { lastIndex: number; lastTerm: number }): string =>
  `last=${place({ index, term })}`

/** What stands in an entry that a script has put into a log by its term alone. */
export const payloadOf = (index: number, term: number): string => place({ index, term })

export function configurationText(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration
  const parts = voters.map(memberName)
  if (isJoint(configuration)) parts.push('<-', ...outgoing.map(memberName))
  parts.push(...learners.map((member) => `~${memberName(member)}`))
  parts.push(...learnersNext.map((member) => `next~${memberName(member)}`))
  if (isJoint(configuration)) parts.push(autoLeave ? 'auto' : 'explicit')
  return `{${parts.join(' ')}}`
}

/** The command of an entry, `-` for a no-op, the configuration; empty where the place says it all. */
export function contentText(entry: Entry): string {
  if (entry.kind === EntryKind.noop) return '-'
  if (entry.kind === EntryKind.configuration) {
    return configurationText(decodeConfiguration(entryPayload(entry)) as Configuration)
  }
  const payload = new TextDecoder().decode(entryPayload(entry))
  return payload === payloadOf(entry.index, entry.term) ? '' : payload
}

export const entryText = (entry: Entry): string => `${place(entry)} ${contentText(entry)}`.trimEnd()

export const entriesText = (entries: readonly Entry[]): string => `[${entries.map(entryText).join(', ')}]`

export const snapshotText = ({ index, term, bytes, configuration }: SnapshotMeta): string =>
  `${place({ index, term })} ${configurationText(configuration)} ${bytes} bytes`

export function persistText(request: PersistRequest): string {
  const { token, hardState, reset, truncateFrom, repairs, entries, compactTo, messages } = request
  const parts = [`#${token}`]
  if (hardState !== undefined) parts.push(`term=${hardState.term} vote=${hardState.vote || '-'}`)
  if (reset !== undefined) parts.push(`reset=${place(reset)}`)
  if (truncateFrom !== undefined) parts.push(`truncate=${truncateFrom}`)
  if (repairs.length > 0) parts.push(`repair=${entriesText(repairs)}`)
  if (entries.length > 0) parts.push(entriesText(entries))
  if (compactTo !== undefined) parts.push(`compact=${place(compactTo)}`)
  if (messages.length > 0) parts.push(`then ${messages.map(({ kind, to }) => `${kind}>${to}`).join(', ')}`)
  return parts.join(' ')
}

const granted = ({ granted: isGranted }: { granted: boolean }): string => (isGranted ? 'granted' : 'refused')

const text = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes))

const bodyTexts: { readonly [K in MessageKind]: (message: MessageOf<K>) => string } = {
  preVoteRequest: (message) =>
    `${last(message)}${message.priority === 100 ? '' : ` priority=${message.priority}`}`,
  preVoteReply: granted,
  voteRequest: (message) => `${last(message)}${message.isTransfer ? ' transfer' : ''}`,
  voteReply: granted,
  appendRequest: ({ prevIndex: index, prevTerm: term, commit, entries }) =>
    `prev=${place({ index, term })} commit=${commit} ${entriesText(entries)}`,
  appendReply: ({ accepted, matchIndex, rejected, hintIndex: index, hintTerm: term }) =>
    accepted ? `match=${matchIndex}` : `refused=${rejected} hint=${place({ index, term })}`,
  heartbeat: ({ round, commit }) => `round=${round} commit=${commit}`,
  heartbeatReply: ({ round }) => `round=${round}`,
  timeoutNow: () => '',
  readIndexRequest: ({ id }) => `id=${id}`,
  readIndexReply: ({ id, index }) => `id=${id} ${index === 0 ? 'refused' : `index=${index}`}`,
  proposal: ({ id, payload }) => `id=${id} ${text(payload)}`,
  proposalRefused: ({ id, refusal }) => `id=${id} ${refusal}`,
  snapshotOffer: ({ meta, isLeader }) => `${snapshotText(meta)}${isLeader ? '' : ' for repair'}`,
  snapshotPull: ({ index, offset }) => `index=${index} offset=${offset}`,
  snapshotChunk: ({ index, offset, data }) => `index=${index} offset=${offset} ${text(data)}`,
  repairRequest: ({ range, prevTerm, nextTerm }) =>
    `${range.from}..${range.to} between terms ${prevTerm} and ${nextTerm}`,
  repairReply: ({ range, verdict, entries }) =>
    `${range.from}..${range.to} ${verdict} ${entriesText(entries)}`,
}

/** A message without its ends. */
export function messageText(message: Message): string {
  const body = bodyTexts[message.kind] as (of: Message) => string
  return `${message.kind} t${message.term} ${body(message)}`.trimEnd()
}

/** The sender of a message, as it called itself. */
export const senderName = ({ from: id, fromIncarnation: incarnation }: Message): string =>
  memberName({ id, incarnation })
