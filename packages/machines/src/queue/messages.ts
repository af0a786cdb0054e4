/**
 * What the queue knows of each message, but for its bytes: a record of 20 words for each, found by its *slot*.
 *
 * A message of several groups has a slot for each: they are a ring of siblings that share the bytes. The first of them owns the
 * bytes, and stays (spent) until the last sibling is gone.
 *
 *     free ──► delayed ──► lined (behind another of its key) ──► ready ──► active (leased) ──► free
 *                 ▲                                                ▲          │ ▲
 *                 └──────────────── nack ──────────────────────────┴──────────┤ └─ redrive ─┐
 *                                                                             └──► dead ────┘
 *
 * Invariant: a slot is in exactly one list, that of its state; its links are of that list.
 */
import { invariant } from '@troupe/core'
import { PagedWords } from './paged-words.ts'

export const MessageState = {
  free: 0,
  ready: 1,
  delayed: 2,
  lined: 3,
  active: 4,
  dead: 5,
  /** Done itself, kept for the bytes that its siblings need. */
  spent: 6,
} as const
export type MessageState = (typeof MessageState)[keyof typeof MessageState]

/** Words of a record, from its beginning. */
export const Field = {
  position: 0,
  positionHigh: 1,
  /** Lane in 16 bits, state in 8, priority in 8. */
  place: 2,
  /** Deliveries in 16 bits, failures in 8, losses in 8. */
  counts: 3,
  address: 4,
  bytes: 5,
  next: 6,
  previous: 7,
  /** Place in the heap of timers, from 1. */
  timer: 8,
  key: 9,
  id: 10,
  sibling: 11,
  /** Of a dead one: the address of the reason, 0 where there is none. */
  consumer: 12,
  /** Of a dead one: the bytes of the reason. */
  delivery: 13,
  sentMs: 14,
  sentMsHigh: 15,
  /** 0 where it does not expire. */
  expiresMs: 16,
  expiresMsHigh: 17,
  /** Of a leased one, where it has no timer (leases.ts). */
  leaseEndMs: 18,
  leaseEndMsHigh: 19,
} as const

const SLOT_WORDS = 20
const HIGH = 0x100000000

/** Slots in a row. Only {@link Messages} changes it. */
export interface SlotList {
  head: number
  tail: number
  count: number
}

export const emptyList = (): SlotList => ({ head: 0, tail: 0, count: 0 })

export class Messages {
  readonly words = new PagedWords()
  /** First freed slot; further ones by their `next`. */
  #freed = 0
  #count = 0

  constructor() {
    this.words.grow(SLOT_WORDS)
  }

  /** Slots in use. */
  get count(): number {
    return this.#count
  }

  get freed(): number {
    return this.#freed
  }

  /** What a saved state says of them. */
  restore(count: number, freed: number): void {
    this.#count = count
    this.#freed = freed
  }

  /** A slot whose words are all 0. */
  allocate(): number {
    this.#count++
    const slot = this.#freed
    if (slot === 0) return this.words.grow(SLOT_WORDS) / SLOT_WORDS
    this.#freed = this.get(slot, Field.next)
    this.words.clearAt(slot * SLOT_WORDS, SLOT_WORDS)
    return slot
  }

  free(slot: number): void {
    this.#count--
    if (this.#count === 0) {
      // Gives back what a deep queue has taken. Handles of old name their positions, so none fits a new message.
      this.words.clear()
      this.words.grow(SLOT_WORDS)
      this.#freed = 0
      return
    }
    this.set(slot, Field.place, 0)
    this.set(slot, Field.next, this.#freed)
    this.#freed = slot
  }

  get(slot: number, field: number): number {
    return this.words.get(slot * SLOT_WORDS + field)
  }

  set(slot: number, field: number, value: number): void {
    this.words.set(slot * SLOT_WORDS + field, value)
  }

  /** Of a slot that may not exist. */
  isUsed(slot: number): boolean {
    if (!Number.isSafeInteger(slot) || slot < 1 || slot * SLOT_WORDS >= this.words.length) return false
    return this.stateOf(slot) !== MessageState.free
  }

  /** Two words, from `field` on. */
  wide(slot: number, field: number): number {
    const at = slot * SLOT_WORDS + field
    return this.words.get(at) + this.words.get(at + 1) * HIGH
  }

  setWide(slot: number, field: number, value: number): void {
    const at = slot * SLOT_WORDS + field
    this.words.set(at, value >>> 0)
    this.words.set(at + 1, Math.floor(value / HIGH))
  }

  laneOf(slot: number): number {
    return this.get(slot, Field.place) & 0xffff
  }

  stateOf(slot: number): MessageState {
    return ((this.get(slot, Field.place) >>> 16) & 0xff) as MessageState
  }

  priorityOf(slot: number): number {
    return this.get(slot, Field.place) >>> 24
  }

  setPlace(slot: number, lane: number, state: MessageState, priority: number): void {
    this.set(slot, Field.place, (lane | (state << 16) | (priority << 24)) >>> 0)
  }

  setState(slot: number, state: MessageState): void {
    const place = this.get(slot, Field.place)
    this.set(slot, Field.place, ((place & 0xff00ffff) | (state << 16)) >>> 0)
  }

  deliveriesOf(slot: number): number {
    return this.get(slot, Field.counts) & 0xffff
  }

  failuresOf(slot: number): number {
    return (this.get(slot, Field.counts) >>> 16) & 0xff
  }

  lossesOf(slot: number): number {
    return this.get(slot, Field.counts) >>> 24
  }

  /** Each stays at the most that it can be. */
  count1(slot: number, what: 'delivery' | 'failure' | 'loss'): void {
    const counts = this.get(slot, Field.counts)
    const [shift, most] = what === 'delivery' ? [0, 0xffff] : what === 'failure' ? [16, 0xff] : [24, 0xff]
    if (((counts >>> shift) & most) === most) return
    this.set(slot, Field.counts, (counts + 2 ** shift) >>> 0)
  }

  // ---- lists

  pushBack(list: SlotList, slot: number): void {
    this.set(slot, Field.next, 0)
    this.set(slot, Field.previous, list.tail)
    if (list.tail === 0) list.head = slot
    else this.set(list.tail, Field.next, slot)
    list.tail = slot
    list.count++
  }

  pushFront(list: SlotList, slot: number): void {
    this.set(slot, Field.next, list.head)
    this.set(slot, Field.previous, 0)
    if (list.head === 0) list.tail = slot
    else this.set(list.head, Field.previous, slot)
    list.head = slot
    list.count++
  }

  unlink(list: SlotList, slot: number): void {
    invariant(list.count > 0, `slot ${slot} is taken out of an empty list`)
    const next = this.get(slot, Field.next)
    const previous = this.get(slot, Field.previous)
    if (next === 0) list.tail = previous
    else this.set(next, Field.previous, previous)
    if (previous === 0) list.head = next
    else this.set(previous, Field.next, next)
    list.count--
  }
}

/** Whether the slot has the bytes at `address`, by a view of the words: as a message's or as the reason of its death. */
export function holdsBytes(
  words: { readonly length: number; get(address: number): number },
  slot: number,
  address: number,
): boolean {
  const at = slot * SLOT_WORDS
  if (slot === 0 || at >= words.length) return false
  const state = (words.get(at + Field.place) >>> 16) & 0xff
  if (state === MessageState.free) return false
  if (words.get(at + Field.address) === address) return true
  return state === MessageState.dead && words.get(at + Field.consumer) === address
}
