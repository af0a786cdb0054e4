/** The commands of the script language, by name. What each means stands at the head of script.ts. */
import {
  EMPTY_CONFIGURATION,
  EntryKind,
  encodeEntry,
  type Member,
  type MemberChange,
  type Message,
  type NodeId,
  type RaftCore,
  type RaftKnobs,
  resolveRaftKnobs,
  simpleConfiguration,
} from '../../src/index.ts'
import { configurationText, firstIncarnationOf, messageText, payloadOf, place } from './notation.ts'
import { checksum } from './stores.ts'
import { isUp, type ScriptedNode, type World } from './world.ts'

type Command = (world: World, args: readonly string[]) => void

// ---- arguments

function nodeOf(world: World, id: string | undefined): ScriptedNode {
  const node = world.nodes.get(id ?? '')
  if (node === undefined) throw new Error(`there is no node ${id ?? 'named'}`)
  return node
}

function upNode(world: World, id: string | undefined): ScriptedNode & { core: RaftCore } {
  const node = nodeOf(world, id)
  if (!isUp(node)) throw new Error(`node ${id} is down`)
  return node
}

function downNode(world: World, id: string | undefined): ScriptedNode {
  const node = nodeOf(world, id)
  if (isUp(node)) throw new Error(`node ${id} runs`)
  return node
}

const idsOf = (world: World, list: string | undefined): ReadonlySet<NodeId> =>
  new Set(list === undefined ? world.nodes.keys() : list.split(',').map((id) => nodeOf(world, id).id))

function numberOf(text: string | undefined): number {
  const value = Number(text)
  if (text === undefined || text === '' || Number.isNaN(value)) throw new Error(`${text} is no number`)
  return value
}

function msOf(text: string | undefined): number {
  if (text?.endsWith('ms') !== true) throw new Error(`${text} is no time like 50ms`)
  return numberOf(text.slice(0, -2))
}

/** `key=value` words. */
function pairsOf(words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word) => {
      const at = word.indexOf('=')
      if (at < 1) throw new Error(`${word} is not of the form key=value`)
      return [word.slice(0, at), word.slice(at + 1)]
    }),
  )
}

function knobsOf(pairs: ReadonlyMap<string, string>): Partial<RaftKnobs> {
  const value = (text: string): boolean | number =>
    text === 'true' || text === 'false' ? text === 'true' : numberOf(text)
  const knobs = Object.fromEntries([...pairs].map(([key, text]) => [key, value(text)]))
  resolveRaftKnobs(knobs)
  return knobs
}

// ---- before the start

function nodes(world: World, [count, ...words]: readonly string[]): void {
  const { voters, learners, ...rest } = Object.fromEntries(pairsOf(words))
  const ids = Array.from({ length: numberOf(count) }, (_, at) => `${at + 1}`)
  const member = (id: NodeId): Member => ({ id, incarnation: firstIncarnationOf(id) })
  const [voting, learning] = [voters?.split(',') ?? ids, learners?.split(',') ?? []]
  const configuration = simpleConfiguration(
    voting.filter((id) => !learning.includes(id)).map(member),
    learning.map(member),
  )
  const knobs = knobsOf(new Map(Object.entries(rest)))
  for (const id of ids) {
    const isMember = voting.includes(id) || learning.includes(id)
    world.add(id, isMember ? configuration : EMPTY_CONFIGURATION, knobs)
  }
}

function log(world: World, [id, terms]: readonly string[]): void {
  const { disk } = downNode(world, id)
  const entries = (terms ?? '').split(',').map((term, at) => {
    const place = { index: at + 1, term: numberOf(term) }
    const header = { ...place, kind: EntryKind.commands, timeMs: 0, commandCount: 1, configurationIndex: 0 }
    return encodeEntry(header, [new TextEncoder().encode(payloadOf(place.index, place.term))], checksum)
  })
  const term = Math.max(disk.hardState.term, entries.at(-1)?.term ?? 0)
  disk.prepare({ entries, hardState: { ...disk.hardState, term } })
}

function hard(world: World, [id, ...words]: readonly string[]): void {
  const { term, vote = '' } = Object.fromEntries(pairsOf(words))
  const voteIncarnation = vote === '' ? 0 : nodeOf(world, vote).incarnation
  downNode(world, id).disk.prepare({ hardState: { term: numberOf(term), vote, voteIncarnation } })
}

const beforeTheStart: Record<string, Command> = {
  nodes,
  log,
  hard,
  knobs: (world, [id, ...words]) => {
    const node = downNode(world, id)
    node.knobs = { ...node.knobs, ...knobsOf(pairsOf(words)) }
  },
  random: (world, [id, value]) => {
    nodeOf(world, id).random = numberOf(value)
  },
  start: (world, [ids]) => {
    for (const id of idsOf(world, ids)) world.start(downNode(world, id))
  },
}

// ---- what happens to a node

function propose(world: World, [id, ...commandTexts]: readonly string[]): void {
  const node = upNode(world, id)
  for (const text of commandTexts) {
    const refusal = node.core.proposalRefusal
    if (refusal !== undefined) world.lines.push(`${id} refuses ${text}: ${refusal}`)
    else world.event(node, (core) => core.propose([new TextEncoder().encode(text)], 1))
  }
}

function changeOf(world: World, word: string): MemberChange {
  const [kind, target] = word.split(':')
  const { id, incarnation } = nodeOf(world, target)
  if (kind === 'learner') return { kind: 'addLearner', member: { id, incarnation } }
  if (kind === 'promote' || kind === 'demote' || kind === 'remove') return { kind, id }
  throw new Error(`${word} is no change like promote:4`)
}

function change(world: World, [id, ...words]: readonly string[]): void {
  const leave = words.at(-1) === 'explicit' ? 'explicit' : 'auto'
  const changes = words.filter((word) => word !== 'explicit').map((word) => changeOf(world, word))
  world.event(upNode(world, id), (core) => {
    const result = core.changeMembers(changes, leave)
    if (typeof result !== 'number') world.lines.push(`${id} refuses: ${result.reason}, ${result.detail}`)
  })
}

function leave(world: World, [id]: readonly string[]): void {
  world.event(upNode(world, id), (core) => {
    const result = core.leaveJoint()
    if (typeof result !== 'number') world.lines.push(`${id} refuses: ${result.reason}, ${result.detail}`)
  })
}

function transfer(world: World, [id, to]: readonly string[]): void {
  world.event(upNode(world, id), (core) => {
    const refusal = core.transferLeadership(to)
    if (refusal !== undefined) world.lines.push(`${id} refuses: ${refusal.reason}, ${refusal.detail}`)
  })
}

function advance(world: World, [ms, ids]: readonly string[]): void {
  world.nowMs += msOf(ms)
  const seeing = idsOf(world, ids)
  for (const node of world.alive) if (seeing.has(node.id)) world.turn(node)
}

const events: Record<string, Command> = {
  propose,
  change,
  leave,
  transfer,
  advance,
  campaign: (world, [id]) => world.event(upNode(world, id), (core) => core.campaign()),
  read: (world, [id, number, forward]) =>
    world.event(upNode(world, id), (core) => core.readIndex(numberOf(number), forward === 'forward')),
  snapshot: (world, [id]) => world.takeSnapshot(upNode(world, id)),
  stored: (world, [id]) => world.stored(upNode(world, id)),
  gone: (world, [id, peer]) =>
    world.event(upNode(world, id), (core) => core.peerGone(nodeOf(world, peer).id)),
  up: (world, [id, peer]) => world.event(upNode(world, id), (core) => core.peerUp(nodeOf(world, peer).id)),
  exited: (world, [id, peer, ...words]) => {
    const { boot } = Object.fromEntries(pairsOf(words))
    const other = nodeOf(world, peer)
    world.event(upNode(world, id), (core) =>
      core.peerExited(other.id, boot === undefined ? other.boot : numberOf(boot)),
    )
  },
  timeout: (world, [id]) => {
    const node = upNode(world, id)
    const { role, electionDueMs, deadlineMs } = node.core
    const isAsking = role === 'preCandidate' || role === 'candidate'
    world.nowMs = Math.max(world.nowMs, isAsking ? electionDueMs : deadlineMs)
    world.turn(node)
  },
  ready: (world, [id]) => world.turn(upNode(world, id)),
}

// ---- the network

/** `[FROM>TO] [kind] [count]`: what of the network is meant. There must be something. */
function select(world: World, words: readonly string[]): Message[] {
  const rest = [...words]
  const [from = '*', to = '*'] = rest[0]?.includes('>') ? (rest.shift() as string).split('>') : []
  const count = /^\d+$/.test(rest.at(-1) ?? '') ? Number(rest.pop()) : Number.POSITIVE_INFINITY
  const kind = rest.shift() ?? ''
  if (rest.length > 0) throw new Error(`${rest.join(' ')} says nothing`)
  const isMeant = (message: Message): boolean =>
    (from === '*' || message.from === from) &&
    (to === '*' || message.to === to) &&
    message.kind.startsWith(kind)
  const found = world.network.filter(isMeant).slice(0, count)
  if (found.length === 0) throw new Error('no such message is on its way')
  return found
}

const without = (messages: readonly Message[], taken: readonly Message[]): Message[] =>
  messages.filter((message) => !taken.includes(message))

const line = (message: Message): string => `${message.from}>${message.to} ${messageText(message)}`

const network: Record<string, Command> = {
  deliver: (world, words) => world.deliver(select(world, words), false),
  drop: (world, words) => {
    world.network = without(world.network, select(world, words))
  },
  duplicate: (world, words) => {
    world.network.push(...select(world, words).map((message) => ({ ...message })))
  },
  hold: (world, words) => {
    const messages = select(world, words)
    world.network = without(world.network, messages)
    world.held.push(...messages)
  },
  release: (world) => {
    world.network.push(...world.held)
    world.held = []
  },
  reorder: (world, words) => {
    const messages = select(world, words)
    world.network = [...without(world.network, messages), ...messages.reverse()]
  },
  cut: (world, [sides = '']) => {
    world.cuts = sides.split('|').map((side) => [...idsOf(world, side)])
    if (world.cuts.length < 2) throw new Error('a cut needs two sides, as in 1|2,3')
  },
  heal: (world) => {
    world.cuts = []
  },
  network: (world) => {
    world.lines.push(...world.network.map(line))
    if (world.network.length === 0) world.lines.push('nothing')
  },
}

// ---- the disk

const disks: Record<string, Command> = {
  flush: (world, [id, count]) => {
    const node = upNode(world, id)
    const { waiting } = node.disk
    if (waiting.length === 0) throw new Error(`nothing waits at the disk of ${id}`)
    world.flush(node, count === undefined ? waiting.length : numberOf(count))
  },
  stall: (world, [id]) => {
    nodeOf(world, id).isStalled = true
  },
  unstall: (world, [id]) => {
    nodeOf(world, id).isStalled = false
  },
  full: (world, [id]) => world.spaceChanged(upNode(world, id), true),
  space: (world, [id]) => world.spaceChanged(upNode(world, id), false),
  crash: (world, [id, ...words]) => {
    const { written = '0' } = Object.fromEntries(pairsOf(words))
    world.crash(upNode(world, id), numberOf(written))
  },
  restart: (world, [id]) => world.start(downNode(world, id)),
  wipe: (world, [id]) => world.wipe(downNode(world, id), EMPTY_CONFIGURATION),
  rollback: (world, [id, count]) => downNode(world, id).disk.rollBack(numberOf(count)),
  damage: (world, [id, range = '']) => {
    const [from, to = from] = range.split('..').map(numberOf)
    const { disk } = downNode(world, id)
    disk.damaged = [...disk.damaged, { from: from as number, to: to as number }]
  },
}

// ---- going on, and looking

/** What `expect` can ask about, and `status` tells. */
function fieldsOf(node: ScriptedNode): Record<string, string | number> {
  const { core, disk, state } = node
  const { base, entries } = disk.seen
  const stored = {
    log: entries.map(({ term }) => term).join(',') || '-',
    base: place(base),
    state: state.commands.join(',') || '-',
    waiting: disk.waiting.length,
  }
  if (core === undefined) return { role: 'down', ...stored }
  return {
    role: core.role,
    term: core.term,
    vote: core.vote || '-',
    leader: core.leader ?? '-',
    commit: core.commitIndex,
    applied: state.at.index,
    last: core.lastIndex,
    flushed: core.stableIndex,
    config: configurationText(core.configuration).replaceAll(' ', ','),
    damaged: core.damaged.map(({ from, to }) => `${from}..${to}`).join(',') || '-',
    full: String(core.isDiskFull),
    lost: core.lost === undefined ? '-' : `${core.lost.from}..${core.lost.to}`,
    target: core.transferTarget ?? '-',
    elections: core.metrics.elections,
    matches: [...core.matchIndexes].map(([id, match]) => `${id}:${match}`).join(',') || '-',
    ...stored,
  }
}

function statusOf(node: ScriptedNode): string[] {
  const { role, term, vote, leader, commit, applied, last, flushed } = fieldsOf(node)
  if (node.core === undefined) return [`${node.id} down`]
  const config = configurationText(node.core.configuration)
  const who = `${node.id} ${role} t${term} vote=${vote} leader=${leader}`
  const lines = [`${who} applied=${applied} commit=${commit} flushed=${flushed} last=${last} ${config}`]
  for (const [id, { state, match, next, inflightMessages, probing }] of node.core.progress) {
    const waits = probing ? ' waits' : ''
    lines.push(`  ${id} ${state}${waits} match=${match} next=${next} inflight=${inflightMessages}`)
  }
  return lines
}

function expect(world: World, [id, ...words]: readonly string[]): void {
  const fields = fieldsOf(nodeOf(world, id))
  for (const [field, expected] of pairsOf(words)) {
    const actual = fields[field]
    if (actual === undefined)
      throw new Error(`no field ${field}; there are ${Object.keys(fields).join(', ')}`)
    if (String(actual) !== expected) throw new Error(`${field} of ${id} is ${actual}, expected ${expected}`)
  }
}

const others: Record<string, Command> = {
  stabilize: (world, [ids]) => world.stabilize(idsOf(world, ids)),
  run: (world, [ms, ids]) => world.run(msOf(ms), idsOf(world, ids)),
  status: (world, [ids]) => {
    for (const id of idsOf(world, ids)) world.lines.push(...statusOf(nodeOf(world, id)))
  },
  logs: (world) => {
    for (const node of world.nodes.values()) {
      const { log: terms, base, commit = '-', flushed = '-' } = fieldsOf(node)
      world.lines.push(`${node.id} base=${base} ${terms} commit=${commit} flushed=${flushed}`)
    }
  },
  lease: (world, [id]) => {
    const { core } = upNode(world, id)
    core.advance(world.nowMs)
    const index = core.leaseIndex(world.nowMs)
    const holds = core.holdsLease(world.nowMs) ? 'a lease' : 'no lease'
    world.lines.push(`${id} ${holds}${index === undefined ? '' : `, reads at ${index}`}`)
  },
  expect,
}

export const commands: Readonly<Record<string, Command>> = {
  ...beforeTheStart,
  ...events,
  ...network,
  ...disks,
  ...others,
}
