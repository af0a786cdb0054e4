/** A real cluster, for the director: its deeds, its clients, and what the mirror shows of it. */
import { seededRandom } from '@troupe/core'
import { type Deed, type Dice, describeDeed, diceOf, isOperation, type QueueDeed, streams } from '@troupe/sim'
import type { DirectedWorld, LabDeed } from '../directing/directed-world.ts'
import { describeToxic } from '../proxy/toxic-of.ts'
import { nodeNames } from '../scenario/names.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { queueOf, workloadOf } from '../sim/plan-of.ts'
import { ClientFaults } from './client-faults.ts'
import type { Mirror } from './mirror.ts'
import { RealClients } from './real-clients.ts'
import type { RealCluster } from './real-cluster.ts'
import { RealQueue } from './real-queue.ts'
import { RealStage, type StageOptions } from './real-stage.ts'
import { isRefusal, Refusal } from './refusal.ts'

export interface RealWorldOptions {
  readonly scenario: Scenario
  readonly seed: number
  readonly cluster: RealCluster
  readonly mirror: Mirror
  readonly nowMs: () => number
  readonly line: (text: string) => void
  /** Of an answer that cannot be: by this rule. */
  readonly complain: (message: string, rule: string) => void
  /** All phases are over. */
  readonly onHeal: () => void
  readonly onGivenUp: () => void
}

/** Streams of chance beside those of the simulator's worlds. */
const CLIENT_STREAM = 4000
const CLIENT_LINK_STREAM = 4001
/** Of the simulator's books: what a queue answers is looked at as it comes. */
const QUEUE_ANSWERS = 'exactly once, and fresh answers'

export class RealWorld implements DirectedWorld {
  readonly dice: Dice
  readonly nodeIds: readonly string[]
  readonly clients: RealClients
  /** What they use instead of the kv. */
  readonly queue: RealQueue | undefined
  readonly stage: RealStage
  isHealed = false
  readonly #options: RealWorldOptions
  readonly #clientFaults: ClientFaults
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #asked = new Set<Promise<unknown>>()

  constructor(options: RealWorldOptions) {
    this.#options = options
    const { scenario, seed, cluster, mirror, line } = options
    const complain = (message: string): void => options.complain(message, 'answers')
    this.dice = diceOf(seed, streams.nemesis)
    this.nodeIds = nodeNames(scenario.cluster)
    const faults = new ClientFaults(seededRandom(seed * 4096 + CLIENT_LINK_STREAM))
    this.#clientFaults = faults
    this.clients = new RealClients({
      ...{ cluster, faults, complain, coverage: mirror.coverage },
      settled: (client, isWrite, tookMs, code) => {
        mirror.settled({ client, isWrite, calledMs: options.nowMs() - tookMs, code })
      },
      spec: scenario.workload ?? {},
      dice: diceOf(seed, CLIENT_STREAM),
      electionTimeoutMinMs: mirror.plan.knobs.electionTimeoutMinMs,
    })
    this.queue = this.#queue()
    const disk: StageOptions['disk'] = (id, what, isSo) => {
      const node = mirror.node(id)
      if (node === undefined) return
      if (what === 'stalled') node.disk.isStalled = isSo
      else node.disk.isFilled = isSo
    }
    const faulted = mirror.faulted.bind(mirror)
    const forgot: StageOptions['forgot'] = (id, entries) => mirror.node(id)?.forget(entries)
    const lives: StageOptions['lives'] = (id) => mirror.node(id)?.life !== undefined
    const leads: StageOptions['leads'] = (id) => mirror.leader?.id === id
    this.stage = new RealStage({ cluster, clients: faults, line, lives, leads, disk, forgot, faulted })
  }

  #queue(): RealQueue | undefined {
    const { scenario, seed, cluster, mirror, complain } = this.#options
    const { workload = {} } = scenario
    if (workload.kind !== 'queue') return undefined
    return new RealQueue({
      plan: {
        workload: workloadOf(workload, mirror.plan.knobs.electionTimeoutMinMs),
        queue: queueOf(workload),
      },
      clients: this.clients.connections,
      dice: diceOf(seed, CLIENT_STREAM),
      coverage: mirror.coverage,
      nodeIds: () => cluster.ids,
      answered: (name) => this.clients.countResent(name),
      complain: (message) => complain(message, QUEUE_ANSWERS),
    })
  }

  /** Begins the workload. */
  start(): void {
    if (this.queue === undefined) this.clients.start()
    else this.queue.start()
  }

  get nowMs(): number {
    return this.#options.nowMs()
  }
  get memberIds(): readonly string[] {
    return this.#options.mirror.members.map(({ id }) => id)
  }
  get leader(): string | undefined {
    const leader = this.#options.mirror.leader?.id
    return leader !== undefined && this.isUp(leader) ? leader : undefined
  }
  get primaries(): readonly string[] {
    return this.#options.mirror.nodes
      .filter(({ isLeader, id }) => isLeader && this.isUp(id))
      .map(({ id }) => id)
  }
  get clientNames(): readonly string[] {
    return this.clients.names
  }
  get connected(): DirectedWorld['connected'] {
    return this.#clientFaults.connected
  }
  get acknowledgedWrites(): number {
    const { writes, sends = 0 } = this.#options.mirror.coverage
    return writes + sends
  }

  get isSettled(): boolean {
    const { mirror } = this.#options
    const core = mirror.leader?.life?.core
    if (core === undefined || core.commitIndex !== core.lastIndex) return false
    return mirror.members.every(
      ({ id }) => mirror.node(id)?.life?.driver.applied === mirror.ledger.commitIndex,
    )
  }

  get isWhole(): boolean {
    const { mirror } = this.#options
    return mirror.members.every(({ id }) => {
      return this.isUp(id) && mirror.node(id)?.life?.core.damaged.length === 0
    })
  }

  isUp(node: string): boolean {
    const { cluster } = this.#options
    return cluster.ids.includes(node) && cluster.isUp(node)
  }

  after(delayMs: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, delayMs)
    this.#timers.add(timer)
  }

  perform(deed: LabDeed, then: (isDone: boolean) => void, refused: (why: string) => void): void {
    if (this.isHealed) return then(false)
    if (isOperation(deed)) return then(this.queue?.perform(deed as QueueDeed) ?? this.#ask(deed))
    const { mirror, line } = this.#options
    const text =
      deed.do === 'toxic'
        ? `${describeToxic(deed.order.toxic)} on ${deed.links.join(', ')}`
        : describeDeed(deed as Deed)
    this.stage.do(deed, refused).then(
      (isDone) => {
        if (isDone) {
          mirror.coverage.faults++
          if (deed.do === 'transfer') mirror.coverage.transfers++
          line(`fault: ${text}`)
        }
        then(isDone)
      },
      (error: unknown) => {
        const why = error instanceof Error ? error.message : `${error}`
        line(`refused: ${text}: ${why}`)
        // Whose node has died meanwhile makes no sense any more.
        const isSensible = error instanceof Refusal || !('node' in deed && !this.isUp(deed.node ?? ''))
        if (isSensible && isRefusal(error)) refused(why)
        then(false)
      },
    )
  }

  /** Clients ask beside the workload; nobody waits for the answer. */
  #ask(deed: LabDeed): boolean {
    const { clients } = this
    if (deed.do === 'write') {
      this.#note(clients.write(deed.client, deed.key, deed.withinMs, deed.conditional, deed.bytes))
      return true
    }
    if (deed.do !== 'read') return false
    this.#note(clients.read(deed.client, deed.key, deed.consistency, deed.withinMs, deed.node))
    return true
  }

  #note(asked: Promise<unknown>): void {
    this.#asked.add(asked)
    void asked.finally(() => this.#asked.delete(asked))
  }

  line(text: string): void {
    this.#options.line(text)
  }

  heal(): void {
    if (this.isHealed) return
    this.isHealed = true
    this.#options.onHeal()
  }

  giveUp(): void {
    this.#options.onGivenUp()
  }

  /** All that clients have asked for has ended. */
  async rest(): Promise<void> {
    await this.clients.rest()
    await this.queue?.rest()
    await Promise.all(this.#asked)
  }

  async close(): Promise<void> {
    this.isHealed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#clientFaults.close()
    this.queue?.close()
    await this.clients.close()
    await Promise.all(this.#asked)
    await this.stage.close()
  }
}
