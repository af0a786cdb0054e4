/**
 * A few real cores, and everything around them in the script's hands. Nothing happens by itself: not a delivery, not a
 * flush, not a tick. Every step leaves lines in `lines`: `<node> <what> <details>`.
 *
 * What no script may break is checked after every turn: one leader a term (Raft §5.2, Election Safety), the same entry
 * at an index wherever it is applied (§5.4.3, State Machine Safety), a commit index that never falls.
 */
import assert from 'node:assert/strict'
import {
  type Configuration,
  type Entry,
  EntryKind,
  type Message,
  type NodeId,
  RaftCore,
  type RaftKnobs,
  type Ready,
  resolveRaftKnobs,
  type SnapshotMeta,
} from '../../src/index.ts'
import {
  configurationText,
  contentText,
  entriesText,
  entryText,
  firstIncarnationOf,
  messageText,
  persistText,
  senderName,
  snapshotText,
} from './notation.ts'
import { checksum, ScriptedDisk, ScriptedSnapshots } from './stores.ts'

const MAX_ROUNDS = 200

/** What a node's state machine holds: the commands it was given. */
interface State {
  readonly commands: readonly string[]
  readonly at: { readonly index: number; readonly term: number; readonly timeMs: number }
}

const EMPTY_STATE: State = { commands: [], at: { index: 0, term: 0, timeMs: 0 } }

export interface ScriptedNode {
  readonly id: NodeId
  knobs: Partial<RaftKnobs>
  /** What its log begins with. */
  configuration: Configuration
  incarnation: number
  boot: number
  disk: ScriptedDisk
  snapshots: ScriptedSnapshots
  /** What its random source gives, always. */
  random: number
  /** Its disk does not answer: whoever flushes passes it by. */
  isStalled: boolean
  /** Undefined while it is down. */
  core: RaftCore | undefined
  state: State
  /** It has taken events, but its turn has not ended. */
  isInTurn: boolean
  highestCommit: number
}

export class World {
  readonly nodes = new Map<NodeId, ScriptedNode>()
  /** On their way, oldest first. */
  network: Message[] = []
  held: Message[] = []
  /** Sides that do not reach each other. */
  cuts: readonly (readonly NodeId[])[] = []
  nowMs = 0
  lines: string[] = []
  readonly #leaders = new Map<number, NodeId>()
  readonly #applied = new Map<number, string>()

  add(id: NodeId, configuration: Configuration, knobs: Partial<RaftKnobs>): void {
    this.nodes.set(id, {
      id,
      knobs,
      configuration,
      incarnation: firstIncarnationOf(id),
      boot: 0,
      disk: new ScriptedDisk(),
      snapshots: new ScriptedSnapshots(),
      // Each waits a tenth longer for a leader than the one before: nobody is first by chance.
      random: (Number(id) - 1) / 10,
      isStalled: false,
      core: undefined,
      state: EMPTY_STATE,
      isInTurn: false,
      highestCommit: 0,
    })
  }

  get alive(): (ScriptedNode & { core: RaftCore })[] {
    return [...this.nodes.values()].filter(isUp)
  }

  start(node: ScriptedNode): void {
    node.boot++
    const { id, incarnation, boot, configuration } = node
    const identity = { clusterId: 'transcript', group: 1, id, incarnation, boot }
    const knobs = resolveRaftKnobs(node.knobs)
    const random = { next: () => node.random }
    node.core = new RaftCore(
      { ...knobs, identity, configuration, random, checksum },
      node.disk,
      node.snapshots,
      this.nowMs,
    )
    node.state = { ...EMPTY_STATE, at: { ...EMPTY_STATE.at, ...node.disk.base } }
    node.highestCommit = 0
    this.turn(node)
  }

  crash(node: ScriptedNode, written: number): void {
    node.core = undefined
    node.isInTurn = false
    node.disk.crash(written)
    node.snapshots.news = []
  }

  /** Its directory is gone: a new one is made, which knows nobody. */
  wipe(node: ScriptedNode, configuration: Configuration): void {
    node.incarnation += 100
    node.boot = 0
    node.disk = new ScriptedDisk()
    node.snapshots = new ScriptedSnapshots()
    node.configuration = configuration
  }

  // ---- a turn

  /** Steps an event into a core. The turn ends with {@link turn}. */
  event(node: ScriptedNode, happen: (core: RaftCore) => void): void {
    const { core } = node
    if (core === undefined) throw new Error(`node ${node.id} is down`)
    core.advance(this.nowMs)
    happen(core)
    node.isInTurn = true
  }

  /** Ends the turn: what is due happens, and what follows from all of it is done. */
  turn(node: ScriptedNode): void {
    const { core } = node
    if (core === undefined) return
    node.isInTurn = false
    core.tick(this.nowMs)
    do this.#process(node, core.ready())
    while (core.hasCommitted && node.core !== undefined)
    if (node.core !== undefined) this.#check(node, core)
  }

  #process(node: ScriptedNode, ready: Ready): void {
    const { id } = node
    if (ready.forgotten !== undefined) return this.#forget(node, ready.forgotten)
    const { role, configuration, persist, install, committed } = ready
    if (role !== undefined) this.#say(id, 'role', `${role.role} t${role.term} leader=${role.leader ?? '-'}`)
    if (configuration !== undefined) this.#say(id, 'config', configurationText(configuration))
    if (persist !== undefined) {
      node.disk.waiting.push(persist)
      this.#say(id, 'persist', persistText(persist))
    }
    for (const { meta, offset, data } of ready.snapshotWrites) node.snapshots.receive(meta, offset, data)
    this.#send(id, ready.messages)
    if (install !== undefined) this.#install(node, install)
    if (committed.length > 0) this.#apply(node, committed)
    for (const { id: read, index } of ready.reads) this.#say(id, 'read', `${read} at ${index}`)
    for (const read of ready.readsRefused) this.#say(id, 'read', `${read} refused`)
    for (const { id: number, refusal } of ready.proposalsRefused) {
      this.#say(id, 'proposal', `${number} refused: ${refusal}`)
    }
  }

  /** It goes down, and says nothing more. */
  #forget(node: ScriptedNode, to: number): void {
    this.#say(node.id, 'forgot', `${node.disk.lastIndex + 1}..${to}`)
    this.crash(node, 0)
    node.disk.forgotten(to)
  }

  #send(from: NodeId, messages: readonly Message[]): void {
    for (const message of messages) {
      const isCut = this.#isCut(message)
      if (!isCut) this.network.push(message)
      this.#say(from, 'send', `>${message.to} ${messageText(message)}${isCut ? ' (cut)' : ''}`)
    }
  }

  #isCut({ from, to }: Message): boolean {
    const sideOf = (id: NodeId): number => this.cuts.findIndex((side) => side.includes(id))
    return this.cuts.length > 0 && sideOf(from) !== sideOf(to)
  }

  #apply(node: ScriptedNode, entries: readonly Entry[]): void {
    this.#say(node.id, 'apply', entriesText(entries))
    for (const entry of entries) {
      const { index, term } = entry
      assert.equal(index, node.state.at.index + 1, `${node.id} applies ${index} after ${node.state.at.index}`)
      const text = `${entryText(entry)} (checksum ${checksum(entry.record)})`
      assert.equal(this.#applied.get(index) ?? text, text, `another entry was applied at ${index}`)
      this.#applied.set(index, text)
      const command = entry.kind === EntryKind.commands ? [contentText(entry) || `${index}/${term}`] : []
      node.state = { commands: [...node.state.commands, ...command], at: entry }
    }
  }

  #install(node: ScriptedNode, meta: SnapshotMeta): void {
    const bytes = node.snapshots.read(meta.index, meta.checksum, 0, meta.bytes)
    const text = new TextDecoder().decode(bytes)
    node.state = { commands: text === '' ? [] : text.split(' '), at: meta }
    this.#say(node.id, 'install', snapshotText(meta))
  }

  #check(node: ScriptedNode, core: RaftCore): void {
    const { role, term, commitIndex } = core
    if (role === 'leader') {
      const leader = this.#leaders.get(term) ?? node.id
      assert.equal(leader, node.id, `two leaders in term ${term}`)
      this.#leaders.set(term, node.id)
    }
    assert.ok(commitIndex >= node.highestCommit, `${node.id}: the commit index fell to ${commitIndex}`)
    node.highestCommit = commitIndex
  }

  // ---- the network and the disks

  /** Hands messages over, each receiver's in one drain. */
  deliver(messages: readonly Message[], endsTurn = true): void {
    this.network = this.network.filter((message) => !messages.includes(message))
    for (const node of this.nodes.values()) {
      const mine = messages.filter(({ to }) => to === node.id)
      for (const message of mine) {
        const text = `<${senderName(message)} ${messageText(message)}`
        this.#say(node.id, node.core === undefined ? 'miss' : 'got', text)
        if (node.core !== undefined) this.event(node, (core) => core.step(message))
      }
      if (endsTurn && mine.length > 0) this.turn(node)
    }
  }

  /** Writes what waits at the disk, then tells the node, whose turn does not end. */
  flush(node: ScriptedNode, count: number): void {
    const first = node.disk.waiting[0]?.token
    const written = node.disk.write(count)
    const token = written.at(-1)?.token
    if (token === undefined) return
    this.#say(node.id, 'flushed', first === token ? `#${token}` : `#${first}..#${token}`)
    this.event(node, (core) => core.persisted(token))
    for (const { messages } of written) this.#send(node.id, messages)
  }

  /** Without space a disk takes nothing. Its node is told of it, and when it has space again. */
  spaceChanged(node: ScriptedNode, isFull: boolean): void {
    node.isStalled = isFull
    this.#say(node.id, 'disk', isFull ? 'is full' : 'has space')
    this.event(node, (core) => core.diskSpace(isFull))
  }

  /** The snapshot store reports what it has completed. */
  stored(node: ScriptedNode): void {
    const { news } = node.snapshots
    node.snapshots.news = []
    for (const { kind, meta } of news) {
      this.#say(node.id, kind, `snapshot ${snapshotText(meta)}`)
      this.event(node, (core) => (kind === 'saved' ? core.snapshotSaved(meta) : core.snapshotReceived(meta)))
    }
  }

  /** Takes a snapshot of what a node has applied. */
  takeSnapshot({ core, state, snapshots }: ScriptedNode & { core: RaftCore }): void {
    const { index, term, timeMs } = state.at
    const data = new TextEncoder().encode(state.commands.join(' '))
    const { index: configurationIndex, configuration } = core.configurationAt(index)
    snapshots.begin()
    snapshots.write(data)
    const sizes = { bytes: data.byteLength, checksum: checksum(data) }
    snapshots.finish({ index, term, timeMs, configuration, configurationIndex, ...sizes })
  }

  // ---- going on

  /** Delivers, flushes and ends turns among `ids` until nothing moves. Time stands still. */
  stabilize(ids: ReadonlySet<NodeId>): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const nodes = this.alive.filter(({ id }) => ids.has(id))
      for (const node of nodes) if (node.isInTurn) this.turn(node)
      const messages = this.network.filter(({ from, to }) => ids.has(from) && ids.has(to))
      this.deliver(messages)
      let isQuiet = messages.length === 0
      for (const node of nodes) {
        if (!node.isStalled) this.flush(node, node.disk.waiting.length)
        this.stored(node)
        if (!node.isInTurn) continue
        isQuiet = false
        this.turn(node)
      }
      if (isQuiet) return
    }
    throw new Error(`still busy after ${MAX_ROUNDS} rounds`)
  }

  /** Lets time pass from deadline to deadline. */
  run(ms: number, ids: ReadonlySet<NodeId>): void {
    const endMs = this.nowMs + ms
    this.stabilize(ids)
    for (;;) {
      const nodes = this.alive.filter(({ id }) => ids.has(id))
      const dueMs = Math.min(...nodes.map(({ core }) => core.deadlineMs))
      if (dueMs > endMs) break
      this.nowMs = Math.max(this.nowMs, dueMs)
      for (const node of nodes) this.turn(node)
      this.stabilize(ids)
    }
    this.nowMs = endMs
  }

  #say(id: NodeId, what: string, detail: string): void {
    this.lines.push(`${id} ${what} ${detail}`)
  }
}

export const isUp = (node: ScriptedNode): node is ScriptedNode & { core: RaftCore } => node.core !== undefined
