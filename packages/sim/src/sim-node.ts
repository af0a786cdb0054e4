/**
 * One node: its lives, one after the other, each with a core, a driver and an application of its own, over one disk
 * and one clock. Its mailbox is drained by turns, which take time.
 */
import {
  type Configuration,
  type ControlCommand,
  type ControlOutcome,
  type Identity,
  type KeptState,
  type Message,
  NodeDriver,
  type NodeEvent,
  RaftCore,
  RaftError,
  type RaftKnobs,
  type SnapshotMeta,
} from '@troupe/core'
import { type FailpointName, SkewedClock } from '@troupe/faults'
import type { SessionLimits } from '@troupe/machines'
import {
  type ClientEvent,
  Gateway,
  type GatewayOptions,
  kvMachine,
  queueMachine,
  ReplicatedMachine,
} from '@troupe/machines'
import { codec, crc32 } from '@troupe/wire'
import { CheckedApplication } from './checked-application.ts'
import { CheckedMachine } from './checked-machine.ts'
import { CheckedStorage } from './checked-storage.ts'
import type { Connection } from './connection.ts'
import { demand, Violation } from './contract.ts'
import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import { NodeDeath, SimFailpoints } from './failpoints.ts'
import { type DiskOwner, MemoryDisk } from './memory-disk.ts'
import { NodeSupervisor } from './node-supervisor.ts'
import { noiseAt, places } from './noise.ts'
import { type DiskSpeed, GROUP, type TurnSpeed } from './plan.ts'
import { type QueueWorkload, queueMachineOptions } from './queue/queue-plan.ts'
import type { Scheduler, Task } from './scheduler.ts'
import type { TurnOrder } from './turn-order.ts'
import type { Life, NodeView, SimEvent } from './world-view.ts'

/** Everything about a node that does not change in a run. */
export interface NodeSettings {
  readonly seed: number
  readonly knobs: RaftKnobs
  /** `electionPriority` of each node. */
  readonly priorities: readonly number[]
  readonly gateway: GatewayOptions
  readonly sessions: SessionLimits
  readonly disk: DiskSpeed
  readonly stateOnDisk: boolean
  readonly turn: TurnSpeed
  readonly queue: QueueWorkload
}

/** What a node needs of its world. */
export interface NodeHost {
  readonly scheduler: Scheduler
  readonly coverage: Coverage
  readonly settings: NodeSettings
  readonly turnOrder: TurnOrder | undefined
  observe(event: SimEvent): void
  /** Something broke that must not. */
  failed(rule: string, error: unknown): void
  send(node: SimNode, messages: readonly Message[]): void
  /** A node went down by itself: its disk failed, or what it holds is damaged. */
  wentDown(node: SimNode, reason: string): void
  /** Takes a node down; it starts again after a while. */
  crash(node: SimNode, downMs: number, at: FailpointName): void
  line(text: string): void
  /** The machine of a node ran a payload. */
  ran(node: SimNode, count: number, digest: number, payload: Uint8Array, index: number): void
}

interface NodeLife extends Life {
  readonly machine: CheckedMachine
  readonly replica: ReplicatedMachine
  readonly storage: CheckedStorage | undefined
}

const MIN_ALARM_MS = 0.001
const CLUSTER_ID = 'sim'
const INCARNATIONS = 1000
/** Of all crashes. */
const POWER_LOSS = 0.2

export class SimNode implements NodeView, DiskOwner {
  readonly id: string
  readonly index: number
  readonly clock: SkewedClock
  incarnation: number
  boot = 0
  disk: MemoryDisk
  life: NodeLife | undefined
  /** What its directory was made with. */
  configuration: Configuration
  /** Clients' connections to the present life. */
  readonly connections = new Set<Connection>()
  isPaused = false
  /** Whether the death of this life closes no connection that its peers see. */
  diesSilently = false
  readonly failpoints: SimFailpoints
  /** Of those deaths that are its own. */
  readonly supervisor: NodeSupervisor
  readonly #host: NodeHost
  readonly #dice: Dice
  /** What its clock shows when the world begins: it means nothing to anyone. */
  readonly #clockOriginMs: number
  /** What waits until the node goes on. */
  readonly #held: (() => void)[] = []
  #inbox: NodeEvent<ClientEvent>[] = []
  #spare: NodeEvent<ClientEvent>[] = []
  #isWoken = false
  #busyUntilMs = 0
  /** Time of the earliest alarm that is scheduled. */
  #alarmMs = Number.POSITIVE_INFINITY
  readonly #controls = new Map<number, (outcome: ControlOutcome | undefined) => void>()
  #lastControl = 0
  readonly #turnTask: Task = { run: () => this.#woken() }
  readonly #alarmTask: Task = { run: () => this.#alarm() }

  constructor(host: NodeHost, index: number, configuration: Configuration) {
    this.#host = host
    this.index = index
    this.id = nodeId(index)
    this.incarnation = firstIncarnation(index)
    this.configuration = configuration
    const { scheduler, settings } = host
    this.#dice = noiseAt(scheduler, settings.seed, places.node + index)
    this.#clockOriginMs = this.#dice.between(0, 1e6)
    this.clock = new SkewedClock({ nowMs: () => scheduler.nowMs + this.#clockOriginMs })
    const random = (): Dice => noiseAt(scheduler, settings.seed, places.failpoint + index)
    this.failpoints = new SimFailpoints(random, (text) => host.line(`${this.id} at ${text}`))
    this.supervisor = new NodeSupervisor(host, this)
    this.disk = this.#newDisk()
  }

  #newDisk(): MemoryDisk {
    const { scheduler, settings } = this.#host
    const dice = noiseAt(scheduler, settings.seed, places.disk + this.index)
    const disk = new MemoryDisk(scheduler, dice, settings.disk, crc32, this)
    disk.log.observer = {
      persisting: (request) => {
        this.#host.observe({ kind: 'persisting', node: this, request })
        this.failpoints.save(request)
      },
      flushing: (request) => this.#host.observe({ kind: 'flushing', node: this, request }),
    }
    disk.snapshots.finishing = () => this.failpoints.reached('before-snapshot')
    return disk
  }

  get isUp(): boolean {
    return this.life !== undefined
  }

  /** Events that wait for the next turn. */
  get inboxLength(): number {
    return this.#inbox.length
  }

  // ---- lives

  /** Starts. `damaged`: the directory cannot be used any more. */
  start(): 'started' | 'died' | 'damaged' {
    this.boot++
    this.diesSilently = false
    try {
      this.failpoints.started()
      this.disk.open()
      this.life = this.#newLife()
    } catch (error) {
      this.disk.crash()
      if (error instanceof NodeDeath) {
        this.#host.line(`${this.id}: ${error.message}`)
        return 'died'
      }
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) this.#host.failed('start', error)
      return 'damaged'
    }
    this.#host.observe({ kind: 'started', node: this })
    this.#turn()
    return 'started'
  }

  #newLife(): NodeLife {
    const { settings, scheduler } = this.#host
    const { id, incarnation, boot, configuration, disk, clock } = this
    const identity: Identity = { clusterId: CLUSTER_ID, group: GROUP, id, incarnation, boot }
    const electionPriority = settings.priorities[this.index] ?? 100
    const random = noiseAt(scheduler, settings.seed, places.core + this.index)
    const { machine, replica, storage } = this.#newReplica()
    const { kept } = replica
    if (kept !== undefined) this.#checkKept(kept)
    const core = new RaftCore(
      { ...settings.knobs, electionPriority, identity, configuration, random, checksum: crc32, kept },
      disk.log,
      disk.snapshots,
      clock.nowMs(),
    )
    const application = new CheckedApplication(
      new Gateway(replica, codec, settings.gateway, () => clock.nowMs()),
      {
        applying: (entries) => this.#host.observe({ kind: 'applied', node: this, entries }),
        loaded: (index) => this.#host.observe({ kind: 'loaded', node: this, index }),
        readAsked: (read) => this.#host.observe({ kind: 'readAsked', node: this, read }),
        readGranted: (read, index) => this.#host.observe({ kind: 'readGranted', node: this, read, index }),
      },
    )
    this.failpoints.applying(application)
    const driver = new NodeDriver<ClientEvent>({
      core,
      store: disk.log,
      snapshots: disk.snapshots,
      transport: { send: (messages) => this.#host.send(this, messages) },
      application,
      clock,
      checksum: crc32,
      knobs: settings.knobs,
      onControl: (outcome) => this.#answered(outcome),
    })
    this.#busyUntilMs = scheduler.nowMs
    this.#alarmMs = Number.POSITIVE_INFINITY
    return { core, driver, machine, replica, storage }
  }

  #newReplica(): Pick<NodeLife, 'machine' | 'replica' | 'storage'> {
    const { settings } = this.#host
    const storage = settings.stateOnDisk ? new CheckedStorage(this.disk.state) : undefined
    const { isOn } = settings.queue
    const options = isOn ? queueMachineOptions : {}
    const context = { codec, checksum: crc32, options, storage: storage?.machine }
    const inner = (isOn ? queueMachine : kvMachine).create(context)
    const onRun = (count: number, digest: number, payload: Uint8Array, index: number): void =>
      this.#host.ran(this, count, digest, payload, index)
    const machine = new CheckedMachine(inner, onRun, {
      inPieces: isOn || storage !== undefined,
      withResults: isOn,
    })
    storage?.watch(machine)
    return { machine, replica: new ReplicatedMachine(machine, codec, settings.sessions, storage), storage }
  }

  /** A state on the disk stands for nothing that is not flushed. */
  #checkKept({ index, term }: KeptState): void {
    const { log, snapshots, isWhole } = this.disk
    if (!isWhole || index <= (snapshots.latest?.index ?? 0)) return
    demand(index <= log.lastIndex && log.termAt(index) === term, 'kept state', () => {
      return `${this.id} has applied ${index} of ${term}, flushed is ${log.lastIndex}`
    })
  }

  /** Loses all but what is flushed. Harmless on a node that is down. */
  crash(at?: FailpointName): void {
    if (this.life === undefined) return
    const { coverage } = this.#host
    coverage.crashes++
    if (this.disk.log.waiting.some(({ entries }) => entries.length > 0)) coverage.lostWrites++
    this.#keepState(this.life)
    this.life = undefined
    this.#inbox.length = 0
    this.#held.length = 0
    this.disk.crash()
    for (const connection of [...this.connections]) connection.close()
    this.connections.clear()
    for (const answer of [...this.#controls.values()]) answer(undefined)
    this.#controls.clear()
    this.#host.observe({ kind: 'crashed', node: this, at })
  }

  /** Some crashes are of the whole computer: the state is given up then. */
  #keepState({ storage }: NodeLife): void {
    if (storage !== undefined)
      this.disk.state = this.#dice.next() < POWER_LOSS ? undefined : storage.committed
  }

  /** An empty directory in the place of this one: whoever starts from it is another member. */
  wipe(configuration: Configuration): void {
    this.incarnation++
    this.configuration = configuration
    this.disk = this.#newDisk()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    for (const run of this.#held.splice(0)) run()
    this.wake()
  }

  /** Does in this node's thread what needs no turn: now, or when the node goes on. */
  whenRunning(run: () => void): void {
    if (this.isPaused) this.#held.push(run)
    else run()
  }

  // ---- mailbox

  /** Something for the next turn; lost where the node is down. */
  push(event: NodeEvent<ClientEvent>): void {
    if (this.life === undefined) return
    this.#inbox.push(event)
    this.wake()
  }

  /** Asks something as an operator. The outcome is undefined where the node goes down before it answers. */
  control(command: ControlCommand, answer: (outcome: ControlOutcome | undefined) => void): void {
    if (this.life === undefined) return answer(undefined)
    const id = ++this.#lastControl
    this.#controls.set(id, answer)
    this.push({ kind: 'control', id, command })
  }

  #answered(outcome: ControlOutcome): void {
    const answer = this.#controls.get(outcome.id)
    if (answer === undefined) {
      return this.#host.failed('control', new Violation('control', `${outcome.id} is answered twice`))
    }
    this.#controls.delete(outcome.id)
    answer(outcome)
  }

  wake(): void {
    if (this.#isWoken || this.life === undefined || this.isPaused) return
    this.#isWoken = true
    const { scheduler, turnOrder } = this.#host
    const waitMs = turnOrder?.waitMs(this.index, scheduler.nowMs) ?? 0
    scheduler.at(Math.max(scheduler.nowMs, this.#busyUntilMs) + waitMs, this.#turnTask)
  }

  #woken(): void {
    this.#isWoken = false
    if (this.life !== undefined && !this.isPaused) this.#turn()
  }

  /** The clock has been changed: what was due may be due at another time. */
  rearm(): void {
    if (this.life !== undefined) this.#arm()
  }

  /** A clock that stands still after a jump back is a fault that lasts: it goes on from where it stands. */
  settleClock(): void {
    if (this.clock.settle()) this.rearm()
  }

  #arm(): void {
    const deadlineMs = this.life?.driver.deadlineMs ?? Number.POSITIVE_INFINITY
    const dueMs = this.clock.trueMsOf(deadlineMs) - this.#clockOriginMs
    if (dueMs >= this.#alarmMs || dueMs === Number.POSITIVE_INFINITY) return
    // Never at the very moment: rounding may have the clock show a little less than what it should by then.
    this.#alarmMs = Math.max(dueMs, this.#busyUntilMs, this.#host.scheduler.nowMs + MIN_ALARM_MS)
    this.#host.scheduler.at(this.#alarmMs, this.#alarmTask)
  }

  #alarm(): void {
    const { nowMs } = this.#host.scheduler
    // An earlier one has been scheduled since.
    if (nowMs !== this.#alarmMs) return
    this.#alarmMs = Number.POSITIVE_INFINITY
    if (this.life === undefined || this.isPaused) return
    if (this.clock.nowMs() >= this.life.driver.deadlineMs) this.wake()
    else this.#arm()
  }

  #turn(): void {
    const life = this.life as NodeLife
    const { scheduler, coverage, settings } = this.#host
    const events = this.#inbox
    this.#inbox = this.#spare
    coverage.coreEvents += events.length + 1
    coverage.turns++
    try {
      life.driver.handle(events)
      this.disk.kick()
      this.#host.observe({ kind: 'turned', node: this, events })
    } catch (error) {
      this.#broke(error)
    }
    events.length = 0
    this.#spare = events
    if (this.life !== life) return
    this.#busyUntilMs = scheduler.nowMs + settings.turn.leastMs + settings.turn.jitterMs * this.#dice.next()
    if (this.#inbox.length > 0 || life.driver.hasMore) this.wake()
    this.#arm()
  }

  #broke(error: unknown): void {
    if (error instanceof NodeDeath) this.#died(error)
    else if (RaftError.is(error, 'STORAGE_DAMAGED')) {
      this.#host.coverage.damageCrashes++
      this.#host.wentDown(this, error.message)
    } else {
      this.#host.failed('node', error)
    }
  }

  #died({ at, isByDisk, message }: NodeDeath): void {
    this.#host.line(`${this.id}: ${message}`)
    if (isByDisk) this.#host.coverage.storageFailures++
    // In the middle of a turn: what it has sent may have told others of what it has committed. Before it is saved nothing is sent.
    const isToldOf = at !== 'before-save' && at !== 'before-compact'
    if (isToldOf) this.#host.observe({ kind: 'applied', node: this, entries: [] })
    this.#host.crash(this, this.supervisor.downMs(), at)
  }

  // ---- the disk reports

  persisted(token: number): void {
    this.#at(() => this.failpoints.saved(token), { kind: 'persisted', token })
  }
  spaceChanged(isFull: boolean): void {
    this.push({ kind: 'diskSpace', isFull })
  }
  snapshotSaved(meta: SnapshotMeta): void {
    this.#host.coverage.snapshotsSaved++
    this.#at(() => this.failpoints.reached('after-snapshot'), { kind: 'snapshotSaved', meta })
  }
  snapshotReceived(meta: SnapshotMeta): void {
    this.#host.coverage.snapshotsInstalled++
    this.#at(() => this.failpoints.reached('after-receive'), { kind: 'snapshotReceived', meta })
  }
  /** Tells it, unless the node dies in that place. */
  #at(place: () => void, event: NodeEvent<ClientEvent>): void {
    try {
      place()
    } catch (error) {
      return this.#broke(error)
    }
    this.push(event)
  }
  storageFailed(): void {
    this.#host.coverage.storageFailures++
    this.#host.wentDown(this, 'a flush failed')
  }

  /** The whole replicated state, as bytes that are equal where the states are. */
  stateChecksum(): number {
    let checksum = 0
    for (const chunk of this.life?.replica.save() ?? []) checksum = crc32(chunk, checksum)
    return checksum
  }
}

/** The name of the node with this index. */
export const nodeId = (index: number): string => `n${index + 1}`

/** The incarnation that the node with this index begins with; each wiping gives it the next. */
export const firstIncarnation = (index: number): number => (index + 1) * INCARNATIONS
