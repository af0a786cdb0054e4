/**
 * Faults inside a node's worker: decorators of its transport, its store and its clock, and what stops its thread. Made only
 * for a node whose cluster was started with `faults`; without, none of this exists.
 *
 *     FaultOrder ─► links ─► FaultyTransport ─► PortTransport
 *                ├► store ─► FaultyStore ─────► the store inside
 *                ├► clock ─► SkewedClock ─────► what the core, the gateway and the wake timer take for the time
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
import { FaultyStore, FaultyTransport, SkewedClock, type Switchboard } from '@troupe/faults'
import { WakeTimer } from '../wake-timer.ts'
import type { EffectOrder, FaultBirth, FaultOrder } from './fault-orders.ts'
import { PauseGate } from './pause-gate.ts'
import { TimerScheduler } from './timer-scheduler.ts'

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
  #transport: FaultyTransport | undefined
  #rearm: () => void = () => {}

  /** @param die ends the worker at once */
  constructor(birth: FaultBirth, die: () => never) {
    this.#birth = birth
    this.#die = die
    this.#random = seededRandom(birth.seed)
    this.#gate = new PauseGate(birth.gate)
    this.#take('clock', this.clock)
  }

  /** Decorates the store that `open` opens. */
  async store(open: (events: StoreEvents) => Promise<LogStore>, events: StoreEvents): Promise<LogStore> {
    // The store inside is opened first, and reports nothing before it is handed something.
    let outer: StoreEvents | undefined
    const inner = await open({
      onPersisted: (token) => outer?.onPersisted(token),
      onFailed: (error) => (outer ?? events).onFailed(error),
      onFlushed: (ms) => events.onFlushed?.(ms),
      onSpace: (isFull) => outer?.onSpace(isFull),
    })
    const bind = (own: StoreEvents): LogStore => {
      outer = own
      return inner
    }
    const store = new FaultyStore(bind, { ...this.#edges, events })
    this.#take('store', store)
    return store
  }

  transport(inner: PeerTransport): PeerTransport {
    this.#transport = new FaultyTransport(inner, this.#edges)
    this.#take('links', this.#transport)
    return this.#transport
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
        setImmediate(() => this.#pause())
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
    for (const order of this.#birth.effects) if (order.at === at) board.add(order.id, order.effect as Effect)
  }

  #pause(): void {
    if (!this.#gate.hold(hrtimeMs())) this.#die()
  }
}

function stall(forMs: number): void {
  const untilMs = hrtimeMs() + forMs
  while (hrtimeMs() < untilMs);
}
