/**
 * Faults inside a node: decorators of its transport, its store and its clock, and what stops its thread. Made only for a
 * node of a cluster that was started with `faults`, or of a process with `allowFaults`; without, none of this exists.
 *
 *     FaultOrder ─► links ─► FaultyTransport ─► PortTransport, TcpTransport
 *                ├► store ─► FaultyStore ─────► the store inside
 *                ├► clock ─► SkewedClock ─────► what the core, the gateway and the wake timer take for the time
 *                ├► failpoints ─► what it does at named places
 *                ├► heap ─► ballast in it
 *                ├► silence: hints of a peer's end are not believed
 *                └► pause, stall: this thread stops
 */
import { hrtimeMs } from '@troupe/actor'
import {
  type Clock,
  type LogStore,
  type NodeId,
  type PeerTransport,
  type Random,
  type StoreEvents,
  seededRandom,
} from '@troupe/core'
import {
  type FailpointName,
  FaultyStore,
  FaultyTransport,
  NodeFailpoints,
  SkewedClock,
  type Switchboard,
} from '@troupe/faults'
import { WakeTimer } from '../wake-timer.ts'
import type { EffectOrder, FaultBirth, FaultOrder } from './fault-orders.ts'
import { HeapFiller } from './heap-filler.ts'
import { PauseGate } from './pause-gate.ts'
import { TimerScheduler } from './timer-scheduler.ts'

/** No fault has this number. */
const FAILED_WRITE = -1

const trueClock: Clock = { nowMs: hrtimeMs }

/** Whether a clock runs true shows only at its deadlines: the timer looks for each at the true time. */
class SkewedWakeTimer extends WakeTimer {
  readonly #clock: SkewedClock

  constructor(clock: SkewedClock, wake: () => void) {
    super(wake)
    this.#clock = clock
  }

  override arm(deadlineMs: number, nowMs: number): void {
    super.arm(this.#clock.trueMsOf(deadlineMs), nowMs)
  }
}

export class NodeFaults {
  readonly clock = new SkewedClock(trueClock)
  readonly #birth: FaultBirth
  readonly #die: () => never
  readonly #random: Random
  readonly #scheduler = new TimerScheduler(trueClock)
  readonly #gate: PauseGate
  readonly #boards = new Map<EffectOrder['at'], Switchboard<never>>()
  readonly #silent = new Set<NodeId>()
  readonly #ended = new Set<number>()
  readonly failpoints: NodeFailpoints
  /** Told what failpoints print; set once the node can tell. */
  print: (detail: Readonly<Record<string, unknown>>) => void = () => {}
  /** Told that the node dies at a failpoint now; set once there is somebody to tell. */
  dying: (at: FailpointName) => void = () => {}
  #transport: FaultyTransport | undefined
  #store: FaultyStore | undefined
  #rearm: () => void = () => {}

  /** @param die ends the worker, or the process, at once */
  constructor(birth: FaultBirth, die: () => never) {
    this.#birth = birth
    this.#die = die
    this.#random = seededRandom(birth.seed)
    this.#gate = new PauseGate(birth.gate)
    this.#take('clock', this.clock)
    this.failpoints = new NodeFailpoints({
      random: this.#random,
      sleep: standStill,
      die: (at) => {
        this.dying(at)
        return die()
      },
      print: (name, value) => this.print({ name, value }),
      failWrite: () => this.#store?.add(FAILED_WRITE, { mode: 'fail' }),
    })
    this.#take('failpoints', this.failpoints)
    this.#take('heap', new HeapFiller())
  }

  /** Decorates the store that `open` opens. */
  async store(open: (events: StoreEvents) => Promise<LogStore>, events: StoreEvents): Promise<LogStore> {
    // The store inside is opened first, and reports nothing before it is handed something.
    let outer: StoreEvents | undefined
    const inner = await open({
      onPersisted: (token) => {
        this.failpoints.saved(token)
        outer?.onPersisted(token)
      },
      onFailed: (error) => (outer ?? events).onFailed(error),
      onFlushed: (ms) => events.onFlushed?.(ms),
      onSpace: (isFull) => outer?.onSpace(isFull),
    })
    const bind = (own: StoreEvents): LogStore => {
      outer = own
      return inner
    }
    const store = new FaultyStore(bind, { ...this.#edges, events })
    this.#store = store
    this.#take('store', store)
    this.failpoints.saving(store)
    return store
  }

  transport(inner: PeerTransport): PeerTransport {
    this.#transport = new FaultyTransport(inner, this.#edges)
    this.#take('links', this.#transport)
    return this.#transport
  }

  /** Frames to peers that were lost by faults. */
  get framesLost(): number {
    return this.#transport?.metrics.lost ?? 0
  }

  /** Something beside the messages is sent to a peer, by `deliver`: the faults of the link are its own too. */
  aside(from: NodeId, to: NodeId, deliver: () => void): void {
    this.#transport?.aside(from, to, deliver)
  }

  /** A wake timer for deadlines by the node's own clock. */
  timer(wake: () => void): WakeTimer {
    const timer = new SkewedWakeTimer(this.clock, wake)
    this.#rearm = () => {
      timer.clear()
      wake()
    }
    return timer
  }

  /** Whether news of the end of that peer are to be believed. */
  believes(peer: NodeId): boolean {
    return !this.#silent.has(peer)
  }

  /** A peer is connected again. */
  peerUp(peer: NodeId): void {
    this.#silent.delete(peer)
  }

  /** Does it. Returns when it took effect, by the clock of all threads; for a pause and a stall, when it was ordered. */
  obey(order: FaultOrder): number {
    switch (order.kind) {
      case 'add':
        this.#boards.get(order.at)?.add(order.id, order.effect as never)
        break
      case 'remove':
        // Its port may not be there yet: what a node was born with may be over before.
        this.#ended.add(order.id)
        this.#boards.get(order.at)?.remove(order.id)
        break
      case 'settle':
        this.clock.settle()
        break
      case 'silence':
        this.#silent.add(order.peer)
        break
      // Both after this call was answered, which a thread that stands still could not.
      case 'pause':
        setImmediate(() => this.#pause(order.forMs))
        break
      case 'stall':
        setImmediate(() => stall(order.forMs))
        break
    }
    if (order.kind === 'settle' || ('at' in order && order.at === 'clock')) this.#rearm()
    return hrtimeMs()
  }

  /** Nothing that is under way arrives any more. */
  close(): void {
    this.#transport?.close()
    this.#scheduler.close()
  }

  get #edges(): { readonly clock: Clock; readonly scheduler: TimerScheduler; readonly random: Random } {
    return { clock: trueClock, scheduler: this.#scheduler, random: this.#random }
  }

  #take<Effect>(at: EffectOrder['at'], board: Switchboard<Effect>): void {
    this.#boards.set(at, board)
    for (const order of this.#birth.effects) {
      if (order.at === at && !this.#ended.has(order.id)) board.add(order.id, order.effect as Effect)
    }
  }

  #pause(forMs: number | undefined): void {
    if (forMs !== undefined) return standStill(forMs)
    if (!this.#gate.hold(hrtimeMs())) this.#die()
  }
}

/** Neither turns nor timers, and no processor either: what a stopped process is to the others. */
function standStill(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, forMs)
}

function stall(forMs: number): void {
  const untilMs = hrtimeMs() + forMs
  while (hrtimeMs() < untilMs);
}
