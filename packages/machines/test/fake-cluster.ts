/**
 * Clients and nodes around one log, without Raft: a world in which messages are lost, repeated, reordered and late,
 * leaders change, take commands that are never committed, and connections break.
 */
import assert from 'node:assert/strict'
import { type NodeId, type ProposalRefusal, type RaftHandle, type Random, seededRandom } from '@troupe/core'
import {
  type ClientConnection,
  ClientCore,
  decodeReplies,
  Gateway,
  ReplicatedMachine,
  ReplyKind,
  reject,
  resolveClientOptions,
  type SessionLimits,
  type StateMachine,
} from '../src/index.ts'
import { Caller, codec, entryOf } from './support.ts'

type Command = readonly [client: number, number: number, isGood: boolean]

/** Writes down what is applied. A result is the command's place in the history. */
class Chronicle implements StateMachine {
  readonly history: Command[] = []

  apply(command: unknown): unknown {
    const place = this.history.push(command as Command)
    if (!(command as Command)[2]) throw reject(`refused at ${place}`)
    return place
  }
  query(): unknown {
    return this.history.length
  }
  *save(): Iterable<Uint8Array> {
    yield codec.encode(this.history)
  }
  load(): void {}
}

interface Message {
  /** Gone with this connection. */
  readonly connection: Connection
  readonly toNode: boolean
  readonly bytes: Uint8Array
}

/** A client's connection to a node: both ends. */
class Connection implements ClientConnection {
  readonly world: FakeCluster
  readonly client: FakeClient
  readonly node: FakeNode
  isOpen = true

  constructor(world: FakeCluster, client: FakeClient, node: FakeNode) {
    this.world = world
    this.client = client
    this.node = node
  }
  send(bytes: Uint8Array): boolean {
    return this.post(false, bytes)
  }
  post(toNode: boolean, bytes: Uint8Array): boolean {
    if (!this.isOpen || this.world.chance(this.world.refusal)) return false
    this.world.messages.push({ connection: this, toNode, bytes })
    return true
  }
  /** Called by the gateway only where a client sends nonsense. */
  close(): void {
    assert.fail('a gateway expelled a client')
  }
}

interface Proposal {
  readonly parts: readonly Uint8Array[]
}

class FakeNode implements RaftHandle {
  readonly id: NodeId
  readonly world: FakeCluster
  readonly chronicle = new Chronicle()
  readonly machine: ReplicatedMachine
  readonly gateway: Gateway
  leader: NodeId | undefined
  term = 0
  /** Proposals on their way to the leader, by their numbers. */
  readonly #forwarding = new Map<number, Proposal>()
  #lastForward = 0

  constructor(world: FakeCluster, id: NodeId, limits: SessionLimits) {
    this.world = world
    this.id = id
    this.machine = new ReplicatedMachine(this.chronicle, codec, limits)
    const options = {
      group: 0,
      lingerMs: world.below(3),
      commitLingerMs: world.below(3),
      maxBatchBytes: 300,
      maxBatchCommands: 6,
      maxWaitingBytes: 600,
      maxPendingReads: 10,
    }
    this.gateway = new Gateway(this.machine, codec, options, () => world.nowMs)
  }
  get proposalRefusal(): ProposalRefusal | undefined {
    if (this.leader !== this.id) {
      return this.world.isForwarding && this.leader !== undefined ? undefined : 'NOT_LEADER'
    }
    return this.world.refusalOfLeader
  }
  get hasRoom(): boolean {
    return this.world.tail.length < 4
  }
  get hasUncommitted(): boolean {
    return this.leader === this.id && this.world.tail.length > 0
  }
  propose(parts: readonly Uint8Array[]): number {
    if (this.leader !== this.id) {
      this.#forwarding.set(++this.#lastForward, { parts: [...parts] })
      return -this.#lastForward
    }
    // A leader that was deposed and does not know it proposes into the void.
    if (this.term === this.world.term) this.world.tail.push({ parts: [...parts] })
    return 1
  }
  /** What was forwarded arrives, in any order, is refused, or lost. */
  forward(): void {
    const [...waiting] = this.#forwarding
    const [id, proposal] = waiting[this.world.below(waiting.length)] ?? []
    if (id === undefined || proposal === undefined) return
    this.#forwarding.delete(id)
    if (this.world.chance(this.world.loss)) return
    const refusal = this.term === this.world.term ? this.world.refusalOfLeader : 'NOT_LEADER'
    if (refusal === undefined) this.world.tail.push(proposal)
    else this.gateway.forwardRefused([{ id, refusal }])
  }
  readIndex(): void {}
  leaseIndex(): undefined {}
  holdsLease(): boolean {
    return false
  }

  /** Hears of the present leader. */
  hear(): void {
    if (this.term === this.world.term) return
    this.term = this.world.term
    this.leader = this.world.leader
    this.gateway.roleChanged({ role: 'follower', term: this.term, leader: this.leader })
    this.gateway.flush(this)
  }
  apply(): void {
    const index = this.machine.appliedIndex
    const next = this.world.log[index]
    if (next === undefined) return
    this.gateway.apply([entryOf(index + 1, next.parts)])
    this.gateway.flush(this)
  }
  turn(): void {
    this.forward()
    this.gateway.gather(this, this.world.nowMs)
    this.gateway.flush(this)
  }
}

class FakeClient {
  readonly core: ClientCore
  readonly index: number
  readonly connections = new Map<FakeNode, Connection>()
  /** Each call with the numbers of its commands. */
  readonly calls: { readonly caller: Caller; readonly commands: readonly Command[] }[] = []
  #last = 0

  constructor(index: number, random: Random, via: NodeId | undefined) {
    this.index = index
    const options = {
      maxOutstandingCommands: 40,
      maxFrameCommands: 5,
      maxBatchCommands: 20,
      retransmitMs: 20,
      via,
    }
    this.core = new ClientCore(resolveClientOptions(0, options), codec, random)
  }
  propose(count: number, isMany: boolean, isGood: (number: number) => boolean, deadlineMs: number): void {
    if (this.core.outstandingCommands + count > 40) return
    const commands = Array.from({ length: count }, (): Command => {
      const number = ++this.#last
      return [this.index, number, isGood(number)]
    })
    const callers = isMany
      ? [{ caller: Caller.many(commands, deadlineMs), commands }]
      : commands.map((command) => ({ caller: new Caller(command, deadlineMs), commands: [command] }))
    for (const call of callers) {
      this.core.propose(call.caller)
      this.calls.push(call)
    }
  }
}

export class FakeCluster {
  readonly log: Proposal[] = []
  readonly messages: Message[] = []
  readonly nodes: FakeNode[]
  readonly clients: FakeClient[]
  tail: Proposal[] = []
  term = 0
  leader: NodeId = ''
  nowMs = 0
  loss = 0.1
  repetition = 0.1
  refusal = 0.05
  disorder = 0.2
  /** Whether the disk of the leader, whoever that is, has no space. */
  isFull = false
  /** Whether nodes hand proposals on, and clients make use of it. */
  readonly isForwarding: boolean
  readonly #random: Random

  constructor(seed: number, limits: SessionLimits, isForwarding = false) {
    this.#random = seededRandom(seed)
    this.isForwarding = isForwarding
    this.nodes = ['n1', 'n2', 'n3'].map((id) => new FakeNode(this, id, limits))
    this.clients = [0, 1].map(
      (index) => new FakeClient(index, this.#random, isForwarding ? this.#pick(this.nodes).id : undefined),
    )
    for (const client of this.clients) for (const node of this.nodes) this.#connect(client, node)
    this.elect()
  }

  below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }
  chance(probability: number): boolean {
    return this.#random.next() < probability
  }
  #pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  #connect(client: FakeClient, node: FakeNode): void {
    const old = client.connections.get(node)
    if (old !== undefined) {
      old.isOpen = false
      client.core.closed(node.id)
      node.gateway.client({ kind: 'closed', connection: old })
    }
    const connection = new Connection(this, client, node)
    client.connections.set(node, connection)
    client.core.opened(node.id, { send: (frame) => connection.post(true, frame) })
    node.gateway.client({ kind: 'opened', connection })
  }

  get refusalOfLeader(): ProposalRefusal | undefined {
    if (this.isFull) return 'NO_SPACE'
    return this.tail.length > 6 ? 'BUSY' : undefined
  }

  /** A new leader, who has a part of what was not committed. */
  elect(): void {
    this.term++
    this.leader = this.#pick(this.nodes).id
    this.tail.length = this.below(this.tail.length + 1)
    for (const node of this.nodes) if (node.id === this.leader || this.chance(0.5)) node.hear()
  }

  #commit(): void {
    const next = this.tail.shift()
    if (next !== undefined) this.log.push(next)
  }

  #deliver(): void {
    if (this.messages.length === 0) return
    const at = this.chance(this.disorder) ? this.below(this.messages.length) : 0
    // A connection takes what a client sends once: it breaks, or is late, but does not repeat. Nor does it repeat
    // refusals, from which clients infer something; that the rest may come twice is more than they have to bear.
    const next = this.messages[at]
    const isRepeated = next !== undefined && mayBeRepeated(next) && this.chance(this.repetition)
    const [message] = isRepeated ? [this.messages[at]] : this.messages.splice(at, 1)
    if (message === undefined || !message.connection.isOpen || this.chance(this.loss)) return
    const { connection, toNode, bytes } = message
    const copy = Uint8Array.from(bytes)
    if (toNode) connection.node.gateway.client({ kind: 'frame', connection, bytes: copy })
    else connection.client.core.frame(connection.node.id, copy)
  }

  #propose(): void {
    const deadlineMs = this.chance(0.2) ? this.nowMs + this.below(60) : Number.POSITIVE_INFINITY
    const isGood = (): boolean => !this.chance(0.2)
    this.#pick(this.clients).propose(1 + this.below(8), this.chance(0.3), isGood, deadlineMs)
  }

  /** One thing happens. */
  step(): void {
    this.nowMs += this.below(3)
    const dice = this.below(100)
    if (dice < 45) this.#deliver()
    else if (dice < 60) this.#pick(this.nodes).turn()
    else if (dice < 70) this.#commit()
    else if (dice < 80) this.#pick(this.nodes).apply()
    else if (dice < 86) this.#pick(this.clients).core.flush(this.nowMs)
    else if (dice < 91) this.#pick(this.clients).core.tick(this.nowMs)
    else if (dice < 95) this.#propose()
    else if (dice < 96) this.#pick(this.nodes).hear()
    else if (dice < 97) this.isFull = this.chance(0.3)
    else if (dice < 98) this.#connect(this.#pick(this.clients), this.#pick(this.nodes))
    else if (dice < 99) this.elect()
    else this.#abandon(this.#pick(this.clients))
  }

  /** One of the latest callers gives up. */
  #abandon({ core, calls }: FakeClient): void {
    const call = calls.at(-1 - this.below(5))
    if (call !== undefined) core.abandon(call.caller, 'enough')
  }

  /** From now on all goes well: until every call is settled, or for `rounds`. */
  heal(rounds = 3000): void {
    this.loss = 0
    this.repetition = 0
    this.refusal = 0
    this.disorder = 0
    this.isFull = false
    this.elect()
    for (const node of this.nodes) node.hear()
    for (let round = 0; round < rounds && this.#isBusy(); round++) {
      this.nowMs++
      for (const { core } of this.clients) core.tick(this.nowMs)
      for (let count = this.messages.length; count > 0; count--) this.#deliver()
      for (const node of this.nodes) node.turn()
      this.#commit()
      for (const node of this.nodes) node.apply()
    }
    assert.ok(!this.#isBusy(), 'a call was never settled')
  }

  #isBusy(): boolean {
    const isBehind = this.nodes.some(({ machine }) => machine.appliedIndex < this.log.length)
    return isBehind || this.tail.length > 0 || this.clients.some(({ core }) => core.outstandingCommands > 0)
  }
}

function mayBeRepeated({ toNode, bytes }: Message): boolean {
  const frame = toNode ? '' : decodeReplies(bytes, codec)
  return typeof frame !== 'string' && frame.replies.every(([kind]) => kind !== ReplyKind.refused)
}
