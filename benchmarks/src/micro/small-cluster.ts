/** Three drivers in one thread, without threads, disks and clients: what the protocol itself costs. */
import {
  type Application,
  type Message,
  NodeDriver,
  type NodeEvent,
  RaftCore,
  type RaftHandle,
  resolveRaftKnobs,
  seededRandom,
  simpleConfiguration,
} from '@troupe/core'
import { openMemoryLogStore, openMemorySnapshotStore } from '@troupe/store'
import { crc32 } from '@troupe/wire'

const IDS = ['a', 'b', 'c'] as const
const knobs = resolveRaftKnobs({ snapshotEntries: 0, snapshotBytes: 0 })
const configuration = simpleConfiguration(IDS.map((id, at) => ({ id, incarnation: at + 1 })))
const noEvents = { onSnapshotSaved: () => {}, onSnapshotReceived: () => {}, onFailed: () => {} }

/** Proposes what it is told to, and counts what is applied. */
class CountingApplication implements Application<Uint8Array> {
  applied = 0
  readonly kept = undefined
  readonly deadlineMs = undefined
  #waiting: Uint8Array[] = []

  client(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  gather(raft: RaftHandle): void {
    if (this.#waiting.length === 0) return
    raft.propose(this.#waiting, this.#waiting.length)
    this.#waiting = []
  }

  apply(entries: readonly unknown[]): void {
    this.applied += entries.length
  }

  save(): Iterator<Uint8Array> {
    return [].values()
  }

  load() {
    return { chunk: () => {}, end: () => {} }
  }

  discard(): void {}
  reads(): void {}
  forwardRefused(): void {}
  roleChanged(): void {}
  flush(): void {}
}

class SmallNode {
  readonly application = new CountingApplication()
  readonly inbox: NodeEvent<Uint8Array>[] = []
  readonly driver: NodeDriver<Uint8Array>
  /** Completions of the store, which come after the turn. */
  readonly flushes: (() => void)[] = []

  constructor(id: string, at: number, send: (messages: readonly Message[]) => void, nowMs: () => number) {
    const onPersisted = (token: number): void => void this.inbox.push({ kind: 'persisted', token })
    const schedule = (task: () => void): void => void this.flushes.push(task)
    const events = { onPersisted, onFailed: () => {}, onSpace: () => {} }
    const store = openMemoryLogStore({ events, schedule })
    const snapshots = openMemorySnapshotStore({ events: noEvents, schedule })
    const identity = { clusterId: 'micro', group: 0, id, incarnation: at + 1, boot: 1 }
    const random = seededRandom(at + 1)
    const options = { ...knobs, identity, configuration, random, checksum: crc32 }
    const core = new RaftCore(options, store, snapshots, nowMs())
    const { application } = this
    const clock = { nowMs }
    this.driver = new NodeDriver({
      core,
      store,
      snapshots,
      transport: { send },
      application,
      clock,
      checksum: crc32,
      knobs,
    })
  }

  /** One turn with all that waits; false where nothing does. */
  turn(): boolean {
    for (const flush of this.flushes.splice(0)) flush()
    if (this.inbox.length === 0 && !this.driver.hasMore) return false
    this.driver.handle(this.inbox.splice(0))
    return true
  }
}

export class SmallCluster {
  readonly #nodes: readonly SmallNode[]
  #nowMs = 1000

  constructor() {
    const nodes = new Map<string, SmallNode>()
    const send = (messages: readonly Message[]): void => {
      for (const message of messages) nodes.get(message.to)?.inbox.push({ kind: 'peer', message })
    }
    for (const [at, id] of IDS.entries()) nodes.set(id, new SmallNode(id, at, send, () => this.#nowMs))
    this.#nodes = [...nodes.values()]
    this.#leader.driver.core.campaign()
    this.#leader.driver.handle([])
    this.#settle()
  }

  get #leader(): SmallNode {
    return this.#nodes[0] as SmallNode
  }

  /** Entries that each node has applied. */
  get applied(): readonly number[] {
    return this.#nodes.map(({ application }) => application.applied)
  }

  /** One entry, until no node has anything left to do: appended, replicated, flushed, committed and applied at the leader. */
  propose(payload: Uint8Array): void {
    this.#nowMs += 1
    this.#leader.inbox.push({ kind: 'client', event: payload })
    this.#settle()
  }

  #settle(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false
      for (const node of this.#nodes) if (node.turn()) isBusy = true
    }
  }
}
