/**
 * The state of the queue machine, and how a message goes from one list to another. What commands do with it stands beside:
 * `sending`, `settling`, `upkeep`; `deliver` is here, because everything that makes a message ready ends with it.
 *
 * Invariants: a message is in the list of its state and nowhere else; of a key's messages in a lane one at most is its *active* one,
 * and only that is ready, leased or waiting for its retry; a lane that is neither paused nor at its rate has ready messages or idle
 * consumers, not both.
 */
import type { SegmentSpace } from '@troupe/core'
import type { Codec } from '../machine.ts'
import { viewed } from '../viewed-bytes.ts'
import type { Fingerprint } from './fingerprint.ts'
import { FingerprintTable } from './fingerprint-table.ts'
import { KeptResults } from './kept-results.ts'
import { eventCountOf, type LaneEvent } from './lane-watch.ts'
import { Field, MessageState, Messages, type SlotList } from './messages.ts'
import { Payloads } from './payloads.ts'
import type { QueueMessage } from './queue-commands.ts'
import { Timers } from './timers.ts'
import { type Consumer, type Lane, Topology } from './topology.ts'

/** Words of a key's record. */
export const KeyField = { active: 0, head: 1, tail: 2, messages: 3 } as const
/** Words of an id's record. */
export const IdField = {
  position: 0,
  positionHigh: 1,
  /** The slot that owns the bytes; 0 where the message is done. */
  slot: 2,
  /** End of the window. */
  expiresMs: 3,
  expiresMsHigh: 4,
  /** The id whose window ends next. */
  next: 5,
  /** Whether the record is in that list, and whether its window began anew since. */
  windowed: 6,
} as const

/** What the machine is made with: the same on every replica. */
export interface QueueLimits {
  /** How long an id is remembered. @default 5 minutes */
  readonly idWindowMs: number
  /** How long results are kept. @default 5 minutes */
  readonly resultMs: number
  /** Results that are kept at most; the oldest go first. @default 100,000 */
  readonly maxResults: number
  /** Bytes of one encoded message. @default 256 KiB */
  readonly maxMessageBytes: number
  /** @default 4,096 */
  readonly maxPrefetch: number
  /** @default 4,096 */
  readonly maxConsumers: number
  /** @default 4,096 */
  readonly maxLanes: number
  /** Bytes of one segment of payloads. @default 4 MiB */
  readonly segmentBytes: number
}

export class QueueState {
  readonly limits: QueueLimits
  readonly codec: Codec
  readonly space: SegmentSpace
  readonly messages = new Messages()
  readonly timers = new Timers(this.messages)
  readonly keys = new FingerprintTable(4)
  readonly ids = new FingerprintTable(7)
  readonly topology = new Topology()
  readonly results: KeptResults
  readonly payloads: Payloads
  /** Encoded values, by position. */
  readonly progress = new Map<number, Uint8Array>()
  /** Ids by the end of their windows. */
  readonly idWindow = { head: 0, tail: 0 }
  nowMs = 0
  /** The client's session whose commands are run; 0 where there is none. */
  session = 0
  lastPosition = 0
  /** No consumer is gone before. */
  nextConsumerMs = Number.POSITIVE_INFINITY
  /** No lease without a timer ends before. */
  nextLeaseMs = Number.POSITIVE_INFINITY
  /** No lane that is at its rate may deliver again before. */
  nextRateMs = Number.POSITIVE_INFINITY
  /** Encoded once: it is what most handlers return. */
  #null: Uint8Array | undefined

  constructor(limits: QueueLimits, codec: Codec, space: SegmentSpace) {
    this.limits = limits
    this.codec = codec
    this.space = space
    this.results = new KeptResults(limits)
    const { messages } = this
    const moved = (slot: number, from: number, to: number): void => this.#moved(slot, from, to)
    this.payloads = new Payloads(space, { words: messages.words, moved }, limits.segmentBytes)
  }

  #moved(slot: number, from: number, to: number): void {
    const { messages } = this
    messages.set(slot, messages.get(slot, Field.address) === from ? Field.address : Field.consumer, to)
  }

  laneOf(slot: number): Lane {
    return this.topology.lane(this.messages.laneOf(slot))
  }

  /** The message as it was sent. Valid until bytes are appended or freed. */
  bytesOf(slot: number): Uint8Array {
    const { messages } = this
    const owner = this.ownerOf(slot)
    return this.payloads.read(messages.get(owner, Field.address), messages.get(owner, Field.bytes))
  }

  // ---- into the lists

  /** For the first time, or after a redrive: behind the others of its key. */
  enter(lane: Lane, slot: number): void {
    const { messages, keys } = this
    const key = messages.get(slot, Field.key)
    const active = key === 0 ? 0 : keys.get(key, KeyField.active)
    if (active === 0 || active === slot) {
      if (key !== 0) keys.set(key, KeyField.active, slot)
      this.makeReady(lane, slot, 'back')
      return
    }
    messages.setState(slot, MessageState.lined)
    this.#line(key, slot)
    lane.linedCount++
    this.#armExpiry(slot)
  }

  makeReady(lane: Lane, slot: number, end: 'back' | 'front'): void {
    const { messages } = this
    const priority = messages.priorityOf(slot)
    const list = lane.ready[priority] as SlotList
    messages.setState(slot, MessageState.ready)
    if (end === 'back') messages.pushBack(list, slot)
    else messages.pushFront(list, slot)
    lane.readyMask |= 1 << priority
    this.#armExpiry(slot)
  }

  delay(lane: Lane, slot: number, dueMs: number): void {
    const { messages } = this
    messages.setState(slot, MessageState.delayed)
    messages.pushBack(lane.delayed, slot)
    const expiresMs = messages.wide(slot, Field.expiresMs)
    this.timers.set(slot, expiresMs === 0 ? dueMs : Math.min(dueMs, expiresMs))
  }

  #armExpiry(slot: number): void {
    const expiresMs = this.messages.wide(slot, Field.expiresMs)
    if (expiresMs === 0) this.timers.remove(slot)
    else this.timers.set(slot, expiresMs)
  }

  /** Gives ready messages to consumers that have room, in turn. */
  deliver(lane: Lane): void {
    if (lane.queue.isPaused) return
    const { idle } = lane
    while (lane.readyMask !== 0) {
      const consumer = idle.first
      if (consumer === undefined) return
      const slot = headOf(lane)
      if (this.isExpired(slot)) {
        this.expire(lane, slot)
        continue
      }
      if (lane.queue.settings.rateMax > 0 && this.#isAtRate(lane)) return
      this.#lease(lane, consumer, slot)
      if (consumer.hasRoom && consumer.turn.next === undefined) continue
      idle.delete(consumer)
      if (consumer.hasRoom) idle.add(consumer)
    }
  }

  /** Whether no more may be delivered in this window; otherwise one more is counted. */
  #isAtRate(lane: Lane): boolean {
    const { rateMax, ratePerMs } = lane.queue.settings
    if (this.nowMs >= lane.rateEndMs) {
      lane.rateEndMs = this.nowMs + ratePerMs
      lane.rateCount = 0
    }
    if (lane.rateCount < rateMax) {
      lane.rateCount++
      return false
    }
    this.nextRateMs = Math.min(this.nextRateMs, lane.rateEndMs)
    return true
  }

  #lease(lane: Lane, consumer: Consumer, slot: number): void {
    const { messages } = this
    this.takeOut(lane, slot)
    messages.setState(slot, MessageState.active)
    messages.pushBack(consumer.held, slot)
    messages.set(slot, Field.consumer, consumer.id)
    messages.set(slot, Field.delivery, ++consumer.delivery)
    messages.count1(slot, 'delivery')
    lane.activeCount++
    lane.counters.delivered++
    if (messages.deliveriesOf(slot) > 1) lane.counters.redelivered++
    const endMs = this.nowMs + consumer.leaseMs
    messages.setWide(slot, Field.leaseEndMs, endMs)
    this.timers.remove(slot)
    if (endMs < this.nextLeaseMs) this.nextLeaseMs = endMs
  }

  isExpired(slot: number): boolean {
    const expiresMs = this.messages.wide(slot, Field.expiresMs)
    return expiresMs !== 0 && expiresMs <= this.nowMs
  }

  expire(lane: Lane, slot: number): void {
    lane.counters.expired++
    this.finish(lane, slot)
  }

  /** Whether a consumer may have more has changed. */
  offer(consumer: Consumer): void {
    const { idle } = consumer.lane
    if (!consumer.hasRoom) idle.delete(consumer)
    else idle.add(consumer)
  }

  // ---- out of the lists

  /** Out of the list of its state. It keeps its timer, its key and its bytes. */
  takeOut(lane: Lane, slot: number): void {
    const { messages } = this
    switch (messages.stateOf(slot)) {
      case MessageState.ready: {
        const priority = messages.priorityOf(slot)
        const list = lane.ready[priority] as SlotList
        messages.unlink(list, slot)
        if (list.count === 0) lane.readyMask &= ~(1 << priority)
        return
      }
      case MessageState.delayed:
        return messages.unlink(lane.delayed, slot)
      case MessageState.lined:
        lane.linedCount--
        return this.#unline(messages.get(slot, Field.key), slot)
      case MessageState.active: {
        const consumer = this.topology.consumers.get(messages.get(slot, Field.consumer)) as Consumer
        messages.unlink(consumer.held, slot)
        lane.activeCount--
        return this.offer(consumer)
      }
      case MessageState.dead:
        return messages.unlink(lane.dead, slot)
      default:
    }
  }

  /** Done: out of its list, and all that it had is given back. */
  finish(lane: Lane, slot: number): void {
    const { messages } = this
    if (messages.stateOf(slot) === MessageState.dead) this.forgetReason(slot)
    this.takeOut(lane, slot)
    this.timers.remove(slot)
    this.releaseKey(lane, slot)
    if (this.progress.size > 0) this.progress.delete(messages.wide(slot, Field.position))
    lane.queue.messageCount--
    if (messages.get(slot, Field.sibling) === 0) this.#freeBytes(lane, slot)
    else if (messages.get(slot, Field.address) !== 0) messages.setState(slot, MessageState.spent)
    else this.#leaveSiblings(lane, slot)
  }

  /** Frees a slot that shares the bytes of another. */
  #leaveSiblings(lane: Lane, slot: number): void {
    const { messages } = this
    const next = messages.get(slot, Field.sibling)
    let before = next
    while (messages.get(before, Field.sibling) !== slot) before = messages.get(before, Field.sibling)
    messages.free(slot)
    if (before !== next) return messages.set(before, Field.sibling, next)
    messages.set(next, Field.sibling, 0)
    if (messages.stateOf(next) === MessageState.spent) this.#freeBytes(lane, next)
  }

  #freeBytes(lane: Lane, owner: number): void {
    const { messages, ids } = this
    const bytes = messages.get(owner, Field.bytes)
    this.payloads.free(messages.get(owner, Field.address), bytes)
    lane.queue.byteCount -= bytes
    const id = messages.get(owner, Field.id)
    if (id !== 0) {
      ids.set(id, IdField.slot, 0)
      if (ids.get(id, IdField.windowed) === 0) ids.remove(id)
    }
    messages.free(owner)
  }

  /** The slot that owns the bytes. */
  ownerOf(slot: number): number {
    const { messages } = this
    let owner = slot
    while (messages.get(owner, Field.address) === 0) owner = messages.get(owner, Field.sibling)
    return owner
  }

  /** This one and its siblings, but for one that is spent. */
  siblingsOf(slot: number): number[] {
    const { messages } = this
    const all: number[] = []
    let each = slot
    do {
      if (messages.stateOf(each) !== MessageState.spent) all.push(each)
      each = messages.get(each, Field.sibling)
    } while (each !== slot && each !== 0)
    return all
  }

  // ---- keys

  /** The message will go through the lane in the order of its key. */
  holdKey(slot: number, print: Fingerprint): void {
    const { keys } = this
    const found = keys.find(print)
    const key = found === 0 ? keys.add(print) : found
    keys.set(key, KeyField.messages, keys.get(key, KeyField.messages) + 1)
    this.messages.set(slot, Field.key, key)
  }

  /** Does no longer hold the others of its key up. It must be out of its list. */
  releaseKey(lane: Lane, slot: number): void {
    const { keys, messages } = this
    const key = messages.get(slot, Field.key)
    if (key === 0) return
    messages.set(slot, Field.key, 0)
    const left = keys.get(key, KeyField.messages) - 1
    if (left === 0) return keys.remove(key)
    keys.set(key, KeyField.messages, left)
    if (keys.get(key, KeyField.active) !== slot) return
    const next = keys.get(key, KeyField.head)
    keys.set(key, KeyField.active, next)
    if (next === 0) return
    this.takeOut(lane, next)
    this.makeReady(lane, next, 'back')
  }

  #line(key: number, slot: number): void {
    const line = this.#lineOf(key)
    this.messages.pushBack(line, slot)
    this.#setLine(key, line)
  }

  #unline(key: number, slot: number): void {
    const line = this.#lineOf(key)
    this.messages.unlink(line, slot)
    this.#setLine(key, line)
  }

  #lineOf(key: number): SlotList {
    const { keys } = this
    // Its count is not kept: nobody asks.
    return { head: keys.get(key, KeyField.head), tail: keys.get(key, KeyField.tail), count: 1 }
  }

  #setLine(key: number, { head, tail }: SlotList): void {
    this.keys.set(key, KeyField.head, head)
    this.keys.set(key, KeyField.tail, tail)
  }

  // ---- events

  /** For those who watch. The lane's counters have counted it, and the message is still there. */
  note(lane: Lane, slot: number, kind: LaneEvent[0], value: unknown): void {
    if (lane.watch.untilMs <= this.nowMs) return
    const { messages } = this
    const [, id = null] = this.codec.decode(new Uint8Array(this.bytesOf(slot))) as QueueMessage
    const position = messages.wide(slot, Field.position)
    const event: LaneEvent = [kind, position, id as string | null, messages.deliveriesOf(slot), value]
    lane.watch.add(eventCountOf(lane.counters), event)
  }

  // ---- results

  /** For whoever waits for it. The message must still be there. */
  keepResult(slot: number, result: unknown): void {
    this.#null ??= this.codec.encode(null)
    const value = result === null ? this.#null : this.codec.encode(result)
    this.results.keep(this.messages.wide(slot, Field.position), this.nowMs, 'completed', value)
  }

  // ---- dead letters

  /** No more deliveries, until somebody redrives it. The message must be out of its list. */
  bury(lane: Lane, slot: number, reason: string): void {
    const { messages } = this
    this.timers.remove(slot)
    this.releaseKey(lane, slot)
    const bytes = this.codec.encode(reason)
    // Before it counts as dead: what is appended may have survivors copied, and a dead message's consumer is taken for an address.
    const address = this.payloads.append(slot, viewed(bytes), 0, bytes.byteLength)
    messages.setState(slot, MessageState.dead)
    messages.pushBack(lane.dead, slot)
    messages.set(slot, Field.delivery, bytes.byteLength)
    messages.set(slot, Field.consumer, address)
    lane.counters.died++
    this.note(lane, slot, 'dead', reason)
    this.results.keep(messages.wide(slot, Field.position), this.nowMs, 'dead', bytes)
  }

  reasonOf(slot: number): string {
    const { messages } = this
    const address = messages.get(slot, Field.consumer)
    return this.codec.decode(this.payloads.read(address, messages.get(slot, Field.delivery))) as string
  }

  forgetReason(slot: number): void {
    const { messages } = this
    const address = messages.get(slot, Field.consumer)
    this.payloads.free(address, messages.get(slot, Field.delivery))
    messages.set(slot, Field.consumer, 0)
    messages.set(slot, Field.delivery, 0)
  }
}

/** The next of the most urgent messages that are ready; there must be one. */
export function headOf({ readyMask, ready }: Lane): number {
  return (ready[31 - Math.clz32(readyMask & -readyMask)] as SlotList).head
}
