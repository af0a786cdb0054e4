import {
  type Application,
  type Entry,
  type Message,
  NodeDriver,
  type NodeEvent,
  type NodeId,
  RaftCore,
  type RaftHandle,
  type RaftKnobs,
  type ReadGrant,
  resolveRaftKnobs,
  type StateLoader,
  seededRandom,
} from '../src/index.ts'
import { MemoryDisk } from './memory-disk.ts'
import { MemorySnapshots } from './memory-snapshots.ts'
import { checksum, configurationOf, incarnationOf } from './subject.ts'

/** What a client asks of a node: a command, or a read with its number. */
export type Request = { readonly command: string } | { readonly read: number }

/** A state machine that keeps what it was given. */
class Recorder implements Application<Request> {
  readonly deadlineMs = undefined
  readonly kept = undefined
  readonly applied: Entry[] = []
  readonly granted: ReadGrant[] = []
  #commands: string[] = []
  #reads: number[] = []

  get hasWaiting(): boolean {
    return this.#commands.length > 0
  }
  client(request: Request): void {
    if ('command' in request) this.#commands.push(request.command)
    else this.#reads.push(request.read)
  }
  discard(): void {}
  gather(raft: RaftHandle): void {
    for (const id of this.#reads) raft.readIndex(id, false)
    this.#reads = []
    // Like the gateway of machines: what is refused is not kept.
    if (raft.proposalRefusal !== undefined) this.#commands = []
    while (this.#commands.length > 0 && raft.proposalRefusal === undefined && raft.hasRoom) {
      raft.propose([new TextEncoder().encode(this.#commands.shift())], 1)
    }
  }
  apply(entries: readonly Entry[]): void {
    this.applied.push(...entries)
  }
  reads(granted: readonly ReadGrant[]): void {
    this.granted.push(...granted)
  }
  /** Indexes and terms of all that was applied. */
  save(): Iterator<Uint8Array> {
    const text = JSON.stringify(this.applied.map(({ index, term }) => [index, term]))
    return [new TextEncoder().encode(text)].values()
  }
  load(): StateLoader {
    return { chunk: () => {}, end: () => {} }
  }
  forwardRefused(): void {}
  roleChanged(): void {}
  flush(): void {}
}

/** One life of a node, from its start to its crash. */
export class Life {
  readonly core: RaftCore
  readonly driver: NodeDriver<Request>
  readonly application = new Recorder()

  constructor(
    core: RaftCore,
    disk: MemoryDisk,
    send: (messages: readonly Message[]) => void,
    nowMs: () => number,
  ) {
    this.core = core
    const parts = { store: disk, snapshots: new MemorySnapshots(), transport: { send }, clock: { nowMs } }
    // No snapshots here: the simulator has them.
    const knobs = { snapshotEntries: 0, snapshotBytes: 0, snapshotChunkBytes: 1000 }
    this.driver = new NodeDriver({ core, application: this.application, ...parts, checksum, knobs })
  }
}

export interface TestNode {
  readonly id: NodeId
  readonly disk: MemoryDisk
  boot: number
  /** Undefined while the node is down. */
  life: Life | undefined
  /** What has arrived and waits for the next turn. */
  inbox: NodeEvent<Request>[]
  /** How fast its clock goes. */
  clockRate: number
}

/** Told of everything that a test may want to check. */
export interface Observer {
  sent(node: TestNode, message: Message): void
  wrote(node: TestNode, truncatedFrom: number): void
  turned(node: TestNode): void
}

const noObserver: Observer = { sent: () => {}, wrote: () => {}, turned: () => {} }

/** A cluster in virtual time. Nothing happens by itself: not a delivery, not a flush, not a turn. */
export class TestCluster {
  readonly nodes: readonly TestNode[]
  /** Messages on their way, oldest first. */
  readonly network: Message[] = []
  readonly #knobs: Partial<RaftKnobs>
  readonly #seed: number
  readonly #observer: Observer
  nowMs = 0

  constructor(size: number, knobs: Partial<RaftKnobs> = {}, seed = 1, observer: Observer = noObserver) {
    this.#knobs = knobs
    this.#seed = seed
    this.#observer = observer
    this.nodes = configurationOf(size).voters.map(({ id }) => this.#newNode(id))
    for (const node of this.nodes) this.start(node)
  }

  get alive(): TestNode[] {
    return this.nodes.filter(({ life }) => life !== undefined)
  }
  get leaders(): TestNode[] {
    return this.nodes.filter(({ life }) => life?.core.role === 'leader')
  }
  node(id: NodeId): TestNode {
    return this.nodes.find((node) => node.id === id) as TestNode
  }

  start(node: TestNode): void {
    node.boot++
    const identity = {
      clusterId: 'test',
      group: 1,
      id: node.id,
      incarnation: incarnationOf(node.id),
      boot: node.boot,
    }
    const options = {
      ...resolveRaftKnobs(this.#knobs),
      identity,
      configuration: configurationOf(this.nodes.length),
      random: seededRandom(this.#seed * 1000 + node.boot * 10 + node.id.charCodeAt(0)),
      checksum,
    }
    const clock = (): number => this.nowMs * node.clockRate
    const send = (messages: readonly Message[]): void => {
      for (const message of messages) this.#observer.sent(node, message)
      this.network.push(...messages)
    }
    node.life = new Life(
      new RaftCore(options, node.disk, new MemorySnapshots(), clock()),
      node.disk,
      send,
      clock,
    )
    this.turn(node)
  }

  /** Loses everything but what is flushed; the first `written` requests were, but nobody was told. */
  crash(node: TestNode, written = 0): void {
    const truncatedFrom = lowestTruncation(node.disk, written)
    node.life = undefined
    node.inbox = []
    node.disk.crash(written)
    this.#observer.wrote(node, truncatedFrom)
  }

  /** One turn of a node with all that is in its inbox. */
  turn(node: TestNode): void {
    const events = node.inbox
    node.inbox = []
    node.life?.driver.handle(events)
    if (node.life !== undefined) this.#observer.turned(node)
  }

  /** Writes `count` requests; the node hears of it in its next turn. */
  flush(node: TestNode, count = node.disk.waiting.length): void {
    const truncatedFrom = lowestTruncation(node.disk, count)
    const token = node.disk.write(count)
    if (token === 0) return
    this.#observer.wrote(node, truncatedFrom)
    if (node.life !== undefined) node.inbox.push({ kind: 'persisted', token })
  }

  /** Takes the message at `at` off the network and puts it into its receiver's inbox. */
  deliver(at = 0): void {
    for (const message of this.network.splice(at, 1)) {
      const node = this.node(message.to)
      if (node.life !== undefined) node.inbox.push({ kind: 'peer', message })
    }
  }

  /** Delivers, flushes and turns until nothing moves any more. Time stands still. */
  settle(maxRounds = 10_000): void {
    for (let round = 0; round < maxRounds; round++) {
      while (this.network.length > 0) this.deliver()
      for (const node of this.alive) this.flush(node)
      const busy = this.alive.filter(({ inbox, life }) => inbox.length > 0 || life?.driver.hasMore)
      if (busy.length === 0) return
      for (const node of busy) this.turn(node)
    }
    throw new Error(`still busy after ${maxRounds} rounds`)
  }

  /** Lets time pass from deadline to deadline until `isReached`. Returns whether it was, within `maxMs`. */
  runUntil(isReached: () => boolean, maxMs: number): boolean {
    const endMs = this.nowMs + maxMs
    this.settle()
    while (!isReached()) {
      const dueMs = Math.min(
        ...this.alive.map(({ life, clockRate }) => (life?.driver.deadlineMs ?? 0) / clockRate),
      )
      this.nowMs = Math.max(this.nowMs, dueMs)
      if (this.nowMs > endMs) return false
      for (const node of this.alive) this.turn(node)
      this.settle()
    }
    return true
  }

  #newNode(id: NodeId): TestNode {
    return { id, disk: new MemoryDisk(), boot: 0, life: undefined, inbox: [], clockRate: 1 }
  }
}

function lowestTruncation(disk: MemoryDisk, count: number): number {
  const starts = disk.waiting.slice(0, count).map(({ truncateFrom }) => truncateFrom ?? Infinity)
  return Math.min(Infinity, ...starts)
}
