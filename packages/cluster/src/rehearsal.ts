/**
 * A play of three nodes in memory, acted in a node's thread while it is young: they elect a leader, take commands, lose the
 * leader and elect another, with the code that is in earnest later.
 *
 * A node that has never led runs most of that for the first time when its leader has died, and V8 compiles it then, function
 * by function: a third of the time from the crash to the next leader's first write (ADR 4). Nothing of a play touches the node.
 */
import {
  type Configuration,
  type Message,
  NodeDriver,
  type NodeEvent,
  type NodeId,
  RaftCore,
  type RaftKnobs,
  seededRandom,
} from '@troupe/core'
import {
  type ClientConnection,
  ClientCore,
  type ClientEvent,
  Gateway,
  type GatewayOptions,
  kv,
  kvMachine,
  ReplicatedMachine,
  resolveClientOptions,
} from '@troupe/machines/host'
import { openMemoryLogStore, openMemorySnapshotStore } from '@troupe/store/node'
import { codec, crc32, decodePeerFrame, encodePeerFrame } from '@troupe/wire'

type Event = NodeEvent<ClientEvent>

const GROUP = 0
const CAST: readonly NodeId[] = ['a', 'b', 'c']
const CONFIGURATION: Configuration = {
  voters: CAST.map((id, index) => ({ id, incarnation: index + 1 })),
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}
const CALL = { commands: undefined, deadlineMs: Number.POSITIVE_INFINITY, reject: () => {} }
const COMMANDS = 8
/** More rounds than a play takes: it must not last for ever, whatever the knobs are. */
const MOST_ROUNDS = 1000

/** After its start a node has other things to do; and nodes that start together do not rehearse together. */
const DELAY_MS = 500
const SPREAD_MS = 1000
/** Between two pieces the thread, and others, get on with their work. */
const PAUSE_MS = 3
/** The first time compiles, the second runs what was compiled. */
const TIMES = 2

/** A piece of some ms on a busy machine must not look like the end of a leader. */
const LEAST_TIMEOUT_MS = 100

/** Acts it twice, in pieces of at most some ms, between whatever else this thread does; not where timeouts are short. */
export class Rehearsal {
  #timer: NodeJS.Timeout | undefined

  constructor(raft: RaftKnobs, gateway: GatewayOptions, seed: number) {
    if (raft.electionTimeoutMinMs < LEAST_TIMEOUT_MS) return
    const delayMs = DELAY_MS + SPREAD_MS * seededRandom(seed).next()
    this.#timer = setTimeout(() => this.#go(rehearse(raft, gateway, TIMES)), delayMs).unref()
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }

  #go(play: Iterator<undefined>): void {
    try {
      if (play.next().done !== true) this.#timer = setTimeout(() => this.#go(play), PAUSE_MS).unref()
    } catch {
      // Only practice: a play that fails is not worth a node. That it does not fail is for its tests to see.
    }
  }
}

/** Yields between turns of the play. Returns how often the second leader took commands. */
export function* rehearse(
  raft: RaftKnobs,
  gateway: GatewayOptions,
  times: number,
): Generator<undefined, number, undefined> {
  let successes = 0
  for (let time = 0; time < times; time++) {
    if (yield* new Play(raft, gateway).act()) successes++
  }
  return successes
}

class Play {
  nowMs = 1000
  readonly raft: RaftKnobs
  readonly gateway: GatewayOptions
  readonly actors = new Map<NodeId, Actor>()
  readonly client: ClientCore
  #rounds = 0
  #answered = 0

  constructor(raft: RaftKnobs, gateway: GatewayOptions) {
    this.raft = { ...raft, electionPriority: 100 }
    this.gateway = { ...gateway, group: GROUP, lingerMs: 0 }
    this.client = new ClientCore(resolveClientOptions(GROUP), codec, seededRandom(1))
  }

  *act(): Generator<undefined, boolean, undefined> {
    for (const id of CAST) {
      const actor = new Actor(this, id)
      this.actors.set(id, actor)
      this.client.opened(id, actor.connection)
      yield
    }
    const [first] = this.actors.values()
    first?.take({ kind: 'control', id: 1, command: { kind: 'campaign' } })
    yield* this.#write()
    const leader = this.client.leader
    if (leader === undefined || this.#answered < COMMANDS) return false
    this.actors.delete(leader)
    this.client.closed(leader)
    for (const actor of this.actors.values()) actor.take({ kind: 'peerGone', id: leader })
    yield* this.#write()
    return this.#answered === 2 * COMMANDS
  }

  *#write(): Generator<undefined, void, undefined> {
    const answered = (): void => void this.#answered++
    for (let number = 0; number < COMMANDS; number++) {
      const command = kv.set(`key ${number}`, 'value')
      this.client.propose({ ...CALL, command, resolve: answered, settled: false })
    }
    const goal = this.#answered + COMMANDS
    while (this.#answered < goal && this.#rounds++ < MOST_ROUNDS) yield* this.#round()
  }

  /** Everybody has a turn; where nobody has anything to do, time passes. */
  *#round(): Generator<undefined, void, undefined> {
    let isIdle = true
    for (const actor of this.actors.values()) {
      if (!actor.turn()) continue
      isIdle = false
      yield
    }
    if (isIdle) this.nowMs = Math.max(this.nowMs + 1, this.#dueMs())
    this.client.tick(this.nowMs)
  }

  #dueMs(): number {
    const deadlines = [...this.actors.values()].map(({ driver }) => driver.deadlineMs)
    const dueMs = Math.min(this.client.deadlineMs, ...deadlines)
    return Number.isFinite(dueMs) ? dueMs : this.nowMs
  }
}

/** A node in the play. */
class Actor {
  readonly driver: NodeDriver<ClientEvent>
  /** The client's link to it. */
  readonly connection: { send(frame: Uint8Array): boolean }
  readonly #play: Play
  #inbox: Event[] = []
  /** What a flush will have done. */
  readonly #flushes: (() => void)[] = []

  constructor(play: Play, id: NodeId) {
    this.#play = play
    const schedule = (task: () => void): void => void this.#flushes.push(task)
    const log = openMemoryLogStore({
      schedule,
      events: {
        onPersisted: (token) => this.take({ kind: 'persisted', token }),
        onFailed: () => {},
        onSpace: () => {},
      },
    })
    const snapshots = openMemorySnapshotStore({
      schedule,
      events: { onSnapshotSaved: () => {}, onSnapshotReceived: () => {}, onFailed: () => {} },
    })
    const clock = { nowMs: () => play.nowMs }
    const machine = kvMachine.create({ codec, checksum: crc32, options: {}, storage: undefined })
    const gateway = new Gateway(new ReplicatedMachine(machine, codec), codec, play.gateway, clock.nowMs)
    const incarnation = CAST.indexOf(id) + 1
    const core = new RaftCore(
      {
        ...play.raft,
        identity: { clusterId: 'play', group: GROUP, id, incarnation, boot: 1 },
        configuration: CONFIGURATION,
        random: seededRandom(incarnation),
        checksum: crc32,
        kept: undefined,
      },
      log,
      snapshots,
      play.nowMs,
    )
    this.driver = new NodeDriver({
      core,
      store: log,
      snapshots,
      transport: { send: (messages) => this.#send(messages) },
      application: gateway,
      clock,
      checksum: crc32,
      knobs: play.raft,
    })
    const toClient: ClientConnection = {
      send: (frame) => play.client.frame(id, frame) === undefined,
      close: () => {},
    }
    this.take({ kind: 'client', event: { kind: 'opened', connection: toClient } })
    this.connection = {
      send: (bytes) => {
        this.take({ kind: 'client', event: { kind: 'frame', connection: toClient, bytes } })
        return true
      },
    }
  }

  take(event: Event): void {
    this.#inbox.push(event)
  }

  /** Whether there was anything to do. */
  turn(): boolean {
    for (const flush of this.#flushes.splice(0)) flush()
    const events = this.#inbox
    if (events.length === 0 && !this.driver.hasMore && this.driver.deadlineMs > this.#play.nowMs) return false
    this.#inbox = []
    this.driver.handle(events)
    return true
  }

  #send(messages: readonly Message[]): void {
    for (const [to, some] of Map.groupBy(messages, (message) => message.to)) {
      const peer = this.#play.actors.get(to)
      const frame = decodePeerFrame(encodePeerFrame(GROUP, some))
      if (peer === undefined || typeof frame === 'string') continue
      for (const message of frame.messages) peer.take({ kind: 'peer', message })
    }
  }
}
