import assert from 'node:assert/strict'
import { type Message, type RaftKnobs, type Random, seededRandom } from '../src/index.ts'
import { TestCluster, type TestNode } from './cluster.ts'
import { type Coverage, Invariants } from './invariants.ts'

const eventCount = 1500
const electionTimeoutMaxMs = 160

export const newCoverage = (): Coverage => ({
  leaders: 0,
  commits: 0,
  truncations: 0,
  lostWrites: 0,
  refusals: 0,
  oldTermCommits: 0,
  reads: 0,
})

type Action = readonly [name: string, weight: number, act: () => string | undefined]

/** One run: everything follows from the seed. A phase of faults, then a phase in which all must heal. */
export class Chaos {
  readonly #random: Random
  readonly #cluster: TestCluster
  readonly #invariants: Invariants
  readonly #actions: readonly Action[]
  /** Directed pairs `from>to` that no message passes. */
  readonly #cut = new Set<string>()
  readonly #trace: ((line: string) => void) | undefined
  #proposals = 0

  constructor(seed: number, coverage: Coverage, trace?: (line: string) => void) {
    this.#random = seededRandom(seed)
    this.#trace = trace
    this.#invariants = new Invariants(coverage)
    this.#cluster = new TestCluster(1 + this.#below(5), this.#drawKnobs(), seed, this.#invariants)
    this.#invariants.cluster = this.#cluster
    for (const node of this.#cluster.nodes) if (this.#below(4) === 0) node.clockRate = this.#pick([0.5, 2])
    this.#actions = this.#drawActions()
  }

  run(): void {
    const total = this.#actions.reduce((sum, [, weight]) => sum + weight, 0)
    for (let event = 0; event < eventCount; event++) {
      const [name, act] = this.#drawAction(total)
      const detail = act()
      if (detail !== undefined) this.#trace?.(`${this.#cluster.nowMs.toFixed(1)} ${name} ${detail}`)
    }
    this.#heal()
  }

  #drawAction(total: number): readonly [name: string, act: Action[2]] {
    let at = this.#random.next() * total
    for (const [name, weight, act] of this.#actions) {
      if (at < weight) return [name, act]
      at -= weight
    }
    return ['nothing', () => undefined]
  }

  #drawKnobs(): Partial<RaftKnobs> {
    return {
      electionTimeoutMinMs: 80,
      electionTimeoutMaxMs,
      heartbeatIntervalMs: 10,
      preVote: this.#below(5) > 0,
      checkQuorum: this.#below(3) > 0,
      maxAppendBytes: this.#pick([1, 100, 1000, 1 << 20]),
      maxInflightMessages: this.#pick([1, 2, 8, 64]),
      maxInflightBytes: this.#pick([1, 200, 1 << 20]),
      maxUncommittedEntries: this.#pick([1, 4, 64]),
      maxUncommittedBytes: this.#pick([1, 500, 1 << 20]),
      maxApplyBytes: this.#pick([1, 100, 1 << 20]),
      maxTailBytes: this.#pick([1, 300, 1 << 20]),
    }
  }

  /** How often what happens differs from seed to seed: calm, slow, lossy, crashing. */
  #drawActions(): Action[] {
    const often = (most: number): number => this.#random.next() ** 2 * most
    const alive = (act: (node: TestNode) => string | undefined) => () => {
      const nodes = this.#cluster.alive
      return nodes.length === 0 ? undefined : act(this.#pick(nodes))
    }
    return [
      ['deliver', 60, () => this.#deliver(false)],
      ['reorder', often(40), () => this.#deliver(true)],
      ['turn', 60, alive((node) => this.#turn(node))],
      ['flush', 2 + often(50), alive((node) => this.#flush(node))],
      ['time', 10 + often(30), () => this.#passTime()],
      ['propose', often(30), () => this.#propose()],
      ['read', often(10), () => this.#read()],
      ['lose', often(10), () => this.#lose()],
      ['repeat', often(10), () => this.#repeat()],
      ['crash', often(6), alive((node) => this.#crash(node))],
      ['start', 1 + often(6), () => this.#startOne()],
      ['cut', often(4), () => this.#cutOff()],
      ['join', often(3), () => this.#uncut()],
      ['gone', often(3), alive((node) => this.#hint(node, 'peerGone'))],
      ['up', often(3), alive((node) => this.#hint(node, 'peerUp'))],
      ['campaign', often(1), alive((node) => this.#campaign(node))],
    ]
  }

  #deliver(anyOrder: boolean): string | undefined {
    const { network } = this.#cluster
    if (network.length === 0) return undefined
    const at = anyOrder ? this.#below(network.length) : 0
    const message = network[at] as Message
    if (this.#cut.has(`${message.from}>${message.to}`)) network.splice(at, 1)
    else this.#cluster.deliver(at)
    return show(message)
  }

  #turn(node: TestNode): string | undefined {
    this.#cluster.turn(node)
    const { core } = node.life as NonNullable<TestNode['life']>
    const log = node.disk.seen.entries.map(({ term }) => term)
    return `${node.id} ${core.role} t${core.term} v${core.vote} c${core.commitIndex} log ${log.slice(-12)}`
  }

  #flush(node: TestNode): string | undefined {
    const count = 1 + this.#below(node.disk.waiting.length + 1)
    this.#cluster.flush(node, count)
    return `${node.id} ${count}`
  }

  #passTime(): string {
    this.#cluster.nowMs +=
      this.#random.next() < 0.05 ? this.#below(electionTimeoutMaxMs) : this.#random.next() * 10
    return ''
  }

  /** To whoever believes to lead. */
  #propose(): string | undefined {
    const { leaders } = this.#cluster
    if (leaders.length === 0) return undefined
    const node = this.#pick(leaders)
    for (let count = 1 + this.#below(3); count > 0; count--) {
      node.inbox.push({ kind: 'client', event: { command: `command ${++this.#proposals}` } })
    }
    return `${node.id} up to ${this.#proposals}`
  }

  /** Mostly from whoever believes to lead. */
  #read(): string | undefined {
    const { leaders, alive } = this.#cluster
    const candidates = leaders.length > 0 && this.#below(5) > 0 ? leaders : alive
    if (candidates.length === 0) return undefined
    const node = this.#pick(candidates)
    const { readFloors, committed } = this.#invariants
    const id = readFloors.size
    readFloors.set(id, committed.length)
    node.inbox.push({ kind: 'client', event: { read: id } })
    return `${node.id} ${id} at ${committed.length}`
  }

  #lose(): string | undefined {
    const { network } = this.#cluster
    const [lost] = network.splice(this.#below(network.length + 1), 1)
    return lost === undefined ? undefined : show(lost)
  }

  #repeat(): string | undefined {
    const { network } = this.#cluster
    const message = network[this.#below(network.length + 1)]
    if (message === undefined) return undefined
    network.push(message)
    return show(message)
  }

  /** Mostly the others see the connection close; now and then they do not. */
  #crash(node: TestNode): string {
    const { waiting } = node.disk
    const written = this.#below(waiting.length + 1)
    if (waiting.slice(written).some(({ entries }) => entries.length > 0))
      this.#invariants.coverage.lostWrites++
    this.#cluster.crash(node, written)
    for (const peer of this.#cluster.alive) {
      if (this.#below(3) > 0) peer.inbox.push({ kind: 'peerGone', id: node.id })
    }
    return `${node.id}, ${written} requests were written`
  }

  #startOne(): string | undefined {
    const down = this.#cluster.nodes.filter(({ life }) => life === undefined)
    if (down.length === 0) return undefined
    const node = this.#pick(down)
    this.#cluster.start(node)
    for (const peer of this.#cluster.alive) {
      if (peer !== node && this.#below(2) > 0) peer.inbox.push({ kind: 'peerUp', id: node.id })
    }
    return node.id
  }

  /** Cuts one link, one way or both, or a leader off from all others. */
  #cutOff(): string {
    const { nodes, leaders } = this.#cluster
    if (leaders.length > 0 && this.#below(2) === 0) {
      const { id } = this.#pick(leaders)
      for (const peer of nodes) this.#cut.add(`${id}>${peer.id}`).add(`${peer.id}>${id}`)
      return `${id} off`
    }
    const [from, to] = [this.#pick(nodes).id, this.#pick(nodes).id]
    this.#cut.add(`${from}>${to}`)
    if (this.#below(2) === 0) this.#cut.add(`${to}>${from}`)
    return `${from} ${to}`
  }

  #uncut(): string | undefined {
    if (this.#cut.size === 0) return undefined
    this.#cut.clear()
    return ''
  }

  #hint(node: TestNode, kind: 'peerGone' | 'peerUp'): string | undefined {
    const { id } = this.#pick(this.#cluster.nodes)
    if (id === node.id) return undefined
    node.inbox.push({ kind, id })
    return `${node.id} of ${id}`
  }

  #campaign(node: TestNode): string {
    node.inbox.push({ kind: 'control', id: 0, command: { kind: 'campaign' } })
    return node.id
  }

  /** Liveness: all are up and connected; one leads, fresh commands commit everywhere, and nobody disturbs it. */
  #heal(): void {
    const cluster = this.#cluster
    this.#trace?.('---- heal')
    this.#cut.clear()
    for (const node of cluster.nodes) if (node.life === undefined) cluster.start(node)
    const boundMs = 60 * electionTimeoutMaxMs
    const isLed = (): boolean =>
      cluster.nodes.every(({ life }) => life?.core.leader !== undefined) && this.#isOneLed()
    assert.ok(cluster.runUntil(isLed, boundMs), `no leader: ${this.#state()}`)
    for (let fresh = 0; fresh < 3; fresh++) {
      const goal = this.#invariants.committed.length + 1
      cluster.leaders[0]?.inbox.push({ kind: 'client', event: { command: `fresh ${fresh}` } })
      const isThere = (): boolean =>
        cluster.nodes.every(({ life }) => (life?.driver.applied ?? 0) >= goal) && this.#areEqual()
      assert.ok(cluster.runUntil(isThere, boundMs), `no progress to ${goal}: ${this.#state()}`)
    }
    const { term } = cluster.leaders[0]?.life?.core ?? {}
    cluster.runUntil(() => false, 5 * electionTimeoutMaxMs)
    assert.equal(cluster.leaders[0]?.life?.core.term, term, 'a healthy leader was deposed')
  }

  #isOneLed(): boolean {
    const leaders = new Set(this.#cluster.nodes.map(({ life }) => life?.core.leader))
    return leaders.size === 1 && this.#cluster.leaders.length === 1
  }

  #areEqual(): boolean {
    const [first, ...rest] = this.#cluster.nodes.map(({ disk }) => disk.flushed.entries)
    return rest.every((log) => log.length === first?.length && log.at(-1)?.term === first.at(-1)?.term)
  }

  #state(): string {
    const states = this.#cluster.nodes.map(({ id, life }) => {
      const core = life?.core
      return `${id}=${core?.role} t${core?.term} c${core?.commitIndex} l${core?.lastIndex} a${life?.driver.applied}`
    })
    return states.join(', ')
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }
  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }
}

function show(message: Message): string {
  const { kind, from, to, term, fromIncarnation, fromBoot, toIncarnation, toBoot, ...rest } = message
  const detail = 'entries' in rest ? { ...rest, entries: rest.entries.length } : rest
  return `${kind} ${from}>${to} t${term} ${JSON.stringify(detail)}`
}
