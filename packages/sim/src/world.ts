/**
 * A cluster, its clients, its network, and what goes wrong with them, in virtual time. Everything follows from the plan.
 *
 *     plan ─► nodes, clients, network, nemesis ─► step ─► one event ─► invariants ─► trace
 *
 * First a phase with faults, then a phase without any, in which the cluster must find together again (liveness.ts).
 */
import { History, type KvInput, type KvOutput } from '@troupe/check'
import {
  type Configuration,
  EMPTY_CONFIGURATION,
  EntryKind,
  isTerm,
  type Member,
  type Message,
  membersOf,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import { codec } from '@troupe/wire'
import { bootstrapOf, settingsOf } from './bootstrap.ts'
import { Carrier } from './carrier.ts'
import { ClientNetwork } from './client-network.ts'
import { Configurations } from './configurations.ts'
import { Violation } from './contract.ts'
import { type Coverage, noCoverage, noQueueCoverage } from './coverage.ts'
import { CrashLoop } from './crash-loop.ts'
import { type Dice, diceOf, streams } from './dice.ts'
import type { NemesisHost } from './draws.ts'
import { type BudgetView, mayLose, mayRollBack } from './fault-budget.ts'
import { allInvariants } from './invariant-set.ts'
import type { QuietAfterHeal } from './invariants/index.ts'
import { Ledger } from './ledger.ts'
import { Liveness, type LivenessHost } from './liveness.ts'
import type { LogContent } from './log-content.ts'
import { MessageIds } from './message-ids.ts'
import { Nemesis } from './nemesis.ts'
import { noiseAt, places } from './noise.ts'
import { Operator } from './operator.ts'
import { Oracle } from './oracle.ts'
import { OverlayNetwork } from './overlay-network.ts'
import { type PeerLinks, PeerNetwork } from './peer-network.ts'
import type { Plan } from './plan.ts'
import { QueueBooks } from './queue/queue-books.ts'
import { type QueueUser, type QueueUserHost, queueUsersOf } from './queue/queue-user.ts'
import type { RunBounds } from './run-bounds.ts'
import { Scheduler } from './scheduler.ts'
import { type ClientHost, SimClient } from './sim-client.ts'
import { type NodeHost, type NodeSettings, SimNode } from './sim-node.ts'
import { allSituations, directedSituations, SituationWatch } from './situations/index.ts'
import { Stage, type StageHost } from './stage.ts'
import { type Deed, type FrameDeed, isFrameDeed, type Step, type TimedDeed } from './step.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'
import { TurnOrder } from './turn-order.ts'
import { startWorkload, type WorkloadHost } from './workload.ts'
import type { FaultEdge, SettledOperation, SimEvent, SimEventKind, Watcher } from './world-view.ts'

/** Why a run failed. */
export interface Failure {
  /** `invariant`: a property does not hold; `crash`: something threw; `liveness`: it did not come together again. */
  readonly kind: 'invariant' | 'crash' | 'liveness'
  readonly invariant: string
  readonly message: string
  readonly atMs: number
  /** Number of the event. */
  readonly event: number
  readonly stack: string | undefined
}

const TURN = 1
const OTHER = 2
const QUEUE_WITHIN_MS = 60_000
const QUEUE_PAUSE_MS = 20

/** How a world is run. */
export interface WorldOptions {
  readonly plan: Plan
  /** What is done to it, in the order of time. Without it the seed of the plan draws that as it goes. */
  readonly steps?: readonly Step[] | undefined
  /**
   * Called once, before anything happens: does things to the world as it goes, through its stage and its scheduler, beside
   * what its seed draws. What it does follows from the plan alone, or the run is not the same again.
   */
  readonly direct?: ((world: World) => void) | undefined
  /** Look at events beside the invariants. They change nothing; what they throw fails the run. */
  readonly watchers?: readonly Watcher[] | undefined
  /** Ends it, whatever has been found by then: that time, in virtual ms. */
  readonly endMs?: number | undefined
  /** Told of every line of the trace. */
  readonly onLine?: ((line: string) => void) | undefined
  readonly bounds?: RunBounds | undefined
  /** Numbers messages, for watchers that want to tell which is which. @default false */
  readonly hasMessageIds?: boolean | undefined
  /** Told of every step, those of single frames too, when it is done. */
  readonly onStep?: ((step: Step) => void) | undefined
}

export class World
  implements
    NodeHost,
    ClientHost,
    QueueUserHost,
    StageHost,
    NemesisHost,
    WorkloadHost,
    BudgetView,
    LivenessHost
{
  readonly plan: Plan
  readonly scheduler = new Scheduler()
  readonly coverage: Coverage = noCoverage()
  readonly settings: NodeSettings
  readonly turnOrder: TurnOrder | undefined
  readonly nodes: readonly SimNode[]
  readonly simClients: readonly SimClient[]
  readonly ledger = new Ledger()
  readonly oracle: Oracle
  readonly history = new History<KvInput, KvOutput>()
  readonly queueBooks = new QueueBooks()
  /** One for each client where there is a queue. */
  readonly queueUsers: readonly QueueUser[]
  readonly carrier: Carrier
  readonly peers: PeerLinks
  readonly clients: ClientNetwork
  readonly operator: Operator
  readonly nodeIds: readonly string[]
  readonly trace: Trace
  readonly messageIds: MessageIds | undefined
  failure: Failure | undefined
  /** The run came to its end. */
  isDone = false
  readonly #timeline: Timeline | undefined
  readonly stage: Stage
  readonly #liveness: Liveness
  readonly #configurations: Configurations
  readonly #byKind = new Map<SimEventKind, Watcher[]>()
  readonly quiet: QuietAfterHeal
  readonly situations: SituationWatch
  /** What directories held when they were wiped, by name and incarnation. */
  readonly #graves = new Map<string, LogContent>()
  #isHealed = false

  constructor(options: WorldOptions) {
    const { plan, steps, direct, watchers = [], endMs, onLine, onStep } = options
    this.plan = plan
    this.messageIds = options.hasMessageIds === true ? new MessageIds() : undefined
    this.trace = new Trace(onLine)
    this.#timeline = onLine === undefined ? undefined : new Timeline(this)
    this.settings = settingsOf(plan)
    this.oracle = new Oracle(codec, !plan.queue.isOn)
    this.turnOrder = TurnOrder.of(plan, diceOf(plan.seed, streams.turnOrder))
    const bootstrap = bootstrapOf(plan)
    this.#configurations = new Configurations(bootstrap)
    const { invariants, quiet } = allInvariants(this.coverage, plan.isCalm)
    this.quiet = quiet
    const scripted = direct === undefined ? [] : directedSituations(this)
    this.situations = new SituationWatch(this, [...allSituations(this), ...scripted])
    this.#listen([...invariants, ...this.situations.watchers, ...watchers])
    this.nodes = this.#makeNodes(bootstrap)
    this.nodeIds = this.nodes.map(({ id }) => id)
    this.simClients = Array.from(
      { length: plan.workload.clients },
      (_, index) => new SimClient(this, index, plan),
    )
    this.queueUsers = queueUsersOf(this)
    const { scheduler, nodes, coverage } = this
    const dice = (place: number): Dice => noiseAt(scheduler, plan.seed, place)
    const onFrame = (deed: FrameDeed): void => onStep?.({ atMs: scheduler.nowMs, ...deed })
    this.carrier = new Carrier({
      ...{ scheduler, seed: plan.seed, speed: plan.network, coverage },
      frames: steps?.filter(isFrameDeed) ?? [],
      onFrame: onStep && onFrame,
    })
    const links = {
      ...{ scheduler, dice: dice(places.peers), nodes, carrier: this.carrier, chances: plan.hints },
      onRefused: () => this.observe({ kind: 'frameRefused' }),
      messageIds: this.messageIds,
    }
    const { topology } = plan
    this.peers = topology === 'mesh' ? new PeerNetwork(links) : new OverlayNetwork(links, topology)
    this.clients = new ClientNetwork({
      ...{ scheduler, dice: dice(places.clients), carrier: this.carrier, clients: this.simClients },
    })
    const onText = (text: string): void => this.line(text)
    this.operator = new Operator({
      ...{ scheduler, nodes, coverage, dice: dice(places.operator), onLine: onText },
      onAnswer: (command, outcome) => this.observe({ kind: 'operated', command, outcome }),
    })
    this.stage = new Stage(this, onStep)
    this.#liveness = new Liveness(this, options.bounds)
    for (const node of nodes) scheduler.after(0, { run: () => this.start(node) })
    if (plan.queue.isOn) this.#beginQueue()
    if (steps === undefined) {
      new Nemesis(this, diceOf(plan.seed, streams.nemesis)).start()
      startWorkload(this)
    } else {
      this.#follow(steps.filter((step) => !isFrameDeed(step)))
    }
    direct?.(this)
    scheduler.at(plan.faultMs, { run: () => this.heal() })
    if (endMs !== undefined) scheduler.at(endMs, { run: () => (this.isDone = true) })
  }

  #listen(watchers: readonly Watcher[]): void {
    for (const watcher of watchers) {
      for (const kind of watcher.on) this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), watcher])
    }
  }

  /** Members first, then those that may be added. */
  #makeNodes(bootstrap: Configuration): SimNode[] {
    const { voters, learners, spares } = this.plan
    return Array.from({ length: voters + learners + spares }, (_, index) => {
      return new SimNode(this, index, index < voters + learners ? bootstrap : EMPTY_CONFIGURATION)
    })
  }

  #beginQueue(): void {
    Object.assign(this.coverage, noQueueCoverage())
    this.scheduler.after(0, { run: () => this.#makeQueue() })
  }

  /** Until that is acknowledged: what is sent before is refused. */
  #makeQueue(): void {
    const [user] = this.queueUsers
    user?.create(QUEUE_WITHIN_MS, (isMade) => {
      if (!isMade) this.scheduler.after(QUEUE_PAUSE_MS, { run: () => this.#makeQueue() })
    })
    user?.client.turn()
  }

  /** Does what a schedule says. */
  #follow(steps: readonly TimedDeed[]): void {
    for (const { atMs, ...deed } of steps) {
      this.scheduler.at(atMs, { run: () => void this.stage.perform(deed) })
    }
  }

  get nowMs(): number {
    return this.scheduler.nowMs
  }

  get liveConfigurations(): readonly Configuration[] {
    return this.#configurations.live(this.ledger)
  }

  configurationOf(content: LogContent): Configuration {
    return this.#configurations.latestIn(content, this.ledger)
  }

  /** The members, as last committed. */
  get members(): readonly Member[] {
    return membersOf(this.#configurations.committed(this.ledger))
  }

  /** One event. False once the run is over. */
  step(): boolean {
    if (this.isDone || this.failure !== undefined) return false
    try {
      if (!this.scheduler.step())
        this.failed('scheduler', new Violation('scheduler', 'nothing is left to happen'))
    } catch (error) {
      this.failed('world', error)
    }
    return !this.isDone && this.failure === undefined
  }

  // ---- what nodes report

  observe(event: SimEvent): void {
    if (this.failure !== undefined) return
    try {
      this.#note(event)
      for (const watcher of this.#byKind.get(event.kind) ?? []) watcher.check(this, event)
    } catch (error) {
      this.failed('invariant', error)
      throw error
    }
  }

  #note(event: SimEvent): void {
    switch (event.kind) {
      case 'turned': {
        const { node } = event
        const core = node.life?.core
        if (core === undefined) return
        this.ledger.follow(node)
        const { term, commitIndex, lastIndex } = core
        this.trace.event(this.nowMs, TURN * 64 + node.index, term, commitIndex, lastIndex)
        break
      }
      case 'applied':
        this.ledger.follow(event.node)
        break
      case 'persisting':
        for (const entry of event.request.entries) {
          if (entry.kind === EntryKind.configuration) this.#configurations.note(entry)
        }
        break
      case 'started':
      case 'crashed':
        this.trace.event(
          this.nowMs,
          OTHER * 64 + event.node.index,
          event.node.boot,
          event.node.incarnation,
          0,
        )
        break
    }
    this.#timeline?.note(event)
  }

  failed(rule: string, error: unknown): void {
    if (this.failure !== undefined) return
    const isViolation = error instanceof Violation
    const message = error instanceof Error ? error.message : String(error)
    this.failure = {
      kind: isViolation ? (error.rule === 'liveness' ? 'liveness' : 'invariant') : 'crash',
      invariant: isViolation ? error.rule : rule,
      message,
      atMs: this.nowMs,
      event: this.scheduler.steps,
      stack: error instanceof Error ? error.stack : undefined,
    }
    this.line(`FAILED: ${this.failure.invariant}: ${message}`)
  }

  line(text: string): void {
    if (this.trace.wantsLines) this.#timeline?.text(text)
  }

  send(node: SimNode, messages: readonly Message[]): void {
    for (const message of messages) this.observe({ kind: 'sent', node, message })
    this.peers.send(node, messages)
  }

  ran(node: SimNode, count: number, digest: number, payload: Uint8Array, index: number): void {
    const complaint = this.oracle.ran(count, digest, payload, index)
    if (complaint !== undefined) this.complained(`${node.id}: ${complaint}`)
  }

  complained(complaint: string): void {
    this.observe({ kind: 'answered', complaint })
  }

  settled(operation: SettledOperation): void {
    this.observe({ kind: 'settled', ...operation })
  }

  faulted(id: number, deed: Deed, edge: FaultEdge): void {
    this.observe({ kind: 'fault', id, deed, edge })
  }

  contentOf({ id, incarnation }: Member): LogContent | undefined {
    const node = this.nodes.find((candidate) => candidate.id === id)
    if (node?.incarnation === incarnation) return node.disk.log.flushed
    return this.#graves.get(`${id}/${incarnation}`)
  }

  // ---- lives

  start(node: SimNode): void {
    if (node.isUp) return
    const outcome = node.start()
    if (outcome === 'died') return this.#startLater(node, node.supervisor.downMs())
    if (outcome === 'started') {
      this.peers.started(node)
      this.clients.started(node)
    }
    if (outcome !== 'damaged' || this.failure !== undefined) return
    this.line(`${node.id} cannot start: what is damaged has no other copy here`)
    this.#empty(node)
    this.#startLater(node, this.plan.downMs)
  }

  crash(node: SimNode, downMs: number, at?: FailpointName): void {
    if (!node.isUp) return
    this.#takeDown(node, at)
    this.#startLater(node, downMs)
  }

  #takeDown(node: SimNode, at?: FailpointName): void {
    node.crash(at)
    this.peers.crashed(node)
    this.#loseUnflushed(node)
  }

  /** What a disk had only said to be flushed is gone; what the cluster cannot do without had reached it after all. */
  #loseUnflushed(node: SimNode): void {
    const { disk } = node
    if (disk.lyingFrom === undefined) return
    const count = disk.log.flushed.lastIndex - disk.lyingFrom
    if (count > 0 && this.#mayForget(node) && disk.log.rollBack(count)) this.coverage.rollbacks++
    disk.lyingFrom = disk.log.flushed.lastIndex
  }

  setTerm(node: SimNode, term: number, downMs: number): boolean {
    // Who is beyond the bound cannot start any more, and begins anew.
    if (!isTerm(term) && !this.mayLose(node)) return false
    if (term <= node.disk.log.flushed.hardState.term) return false
    this.crash(node, downMs)
    node.disk.log.setTerm(term)
    return true
  }

  crashLoop(node: SimNode, afterMs: number): () => void {
    return new CrashLoop(this, node, afterMs).begin()
  }

  switchOff(node: SimNode): void {
    node.crash()
    this.peers.switchedOff(node)
  }

  wentDown(node: SimNode, reason: string): void {
    this.line(`${node.id} goes down: ${reason}`)
    this.crash(node, this.#isHealed ? 10 : this.plan.downMs)
  }

  #startLater(node: SimNode, downMs: number): void {
    const { boot } = node
    this.scheduler.after(downMs, {
      run: () => {
        if (node.boot === boot) this.start(node)
      },
    })
  }

  mayLose(node: SimNode): boolean {
    if (this.plan.exceedBudget) return true
    return !this.operator.hasUnanswered && mayLose(this, node)
  }

  rollBack(node: SimNode, count: number, downMs: number): boolean {
    const wasUp = node.isUp
    // A crash may leave more on the disk than anyone was told: it comes first.
    this.crash(node, downMs)
    const isDone = this.#mayForget(node) && node.disk.log.rollBack(count)
    if (isDone) this.coverage.rollbacks++
    return wasUp || isDone
  }

  #mayForget(node: SimNode): boolean {
    if (this.plan.exceedBudget) return true
    if (this.operator.hasUnanswered) return false
    return this.nodes.every(({ disk }) => !disk.log.isRolledBack) && mayRollBack(this, node)
  }

  wipe(node: SimNode): boolean {
    if (!this.mayLose(node)) return false
    if (node.isUp) {
      node.crash()
      this.peers.crashed(node)
    }
    this.#empty(node)
    this.#startLater(node, this.plan.downMs)
    return true
  }

  #empty(node: SimNode): void {
    const { id, incarnation } = node
    const isVoter = this.liveConfigurations.some(({ voters }) => voters.some((voter) => voter.id === id))
    const isMember = this.liveConfigurations.some((one) => membersOf(one).some((member) => member.id === id))
    this.#graves.set(`${id}/${incarnation}`, node.disk.log.flushed.copy())
    this.coverage.wipes++
    node.wipe(EMPTY_CONFIGURATION)
    if (isMember) this.operator.replace(node, isVoter)
  }

  // ---- the end

  /** Whether the phase with faults is over. */
  get isHealed(): boolean {
    return this.#isHealed
  }

  /** Nothing goes wrong any more, at the latest after `plan.faultMs`: from here on the cluster has to find together again. */
  heal(): void {
    if (this.#isHealed) return
    this.line('---- everything is healed')
    this.#isHealed = true
    this.stage.heal()
    this.carrier.heal()
    this.operator.isHurried = true
    for (const node of this.nodes) {
      node.disk.slowness = 1
      node.disk.isFailing = false
      node.disk.lyingFrom = undefined
      if (node.disk.isStalled) node.disk.release()
      if (node.disk.isFull) node.disk.makeRoom()
      if (node.isPaused) node.resume()
      node.settleClock()
      if (!node.isUp) this.#startLater(node, 5)
    }
    this.observe({ kind: 'healed' })
    this.#liveness.begin()
  }
}
