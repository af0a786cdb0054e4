/**
 * When what happens to which message: a heap with four children, in words. The next is the one with the earliest time; of
 * those with the same, the message that was sent first; of one message's siblings, that of the first lane.
 *
 * A message has at most one timer and knows its place here, so that an ack takes it out without a search.
 */
import { Field, type Messages } from './messages.ts'
import { PagedWords } from './paged-words.ts'

const ENTRY_WORDS = 3
const HIGH = 0x100000000

export class Timers {
  readonly words = new PagedWords()
  readonly #messages: Messages

  constructor(messages: Messages) {
    this.#messages = messages
  }

  get count(): number {
    return this.words.length / ENTRY_WORDS
  }

  /** The earliest time; Infinity where there is none. */
  get nextMs(): number {
    return this.words.length === 0 ? Number.POSITIVE_INFINITY : this.#timeOf(0)
  }

  /** Takes out the slot whose time is the earliest. */
  shift(): number {
    const slot = this.#slotOf(0)
    this.remove(slot)
    return slot
  }

  /** The only timer of the slot from now on. */
  set(slot: number, timeMs: number): void {
    const place = this.#messages.get(slot, Field.timer)
    if (place === 0) {
      this.words.grow(ENTRY_WORDS)
      this.#rise(this.count - 1, timeMs, slot)
      return
    }
    this.#settle(place - 1, timeMs, slot)
  }

  remove(slot: number): void {
    const place = this.#messages.get(slot, Field.timer)
    if (place === 0) return
    this.#messages.set(slot, Field.timer, 0)
    const last = this.count - 1
    const timeMs = this.#timeOf(last)
    const moved = this.#slotOf(last)
    this.words.shrink(ENTRY_WORDS)
    if (place - 1 !== last) this.#settle(place - 1, timeMs, moved)
  }

  #settle(place: number, timeMs: number, slot: number): void {
    const parent = (place - 1) >>> 2
    if (place > 0 && this.#isBefore(timeMs, slot, parent)) this.#rise(place, timeMs, slot)
    else this.#sink(place, timeMs, slot)
  }

  #rise(from: number, timeMs: number, slot: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >>> 2
      if (!this.#isBefore(timeMs, slot, parent)) break
      this.#put(place, this.#timeOf(parent), this.#slotOf(parent))
      place = parent
    }
    this.#put(place, timeMs, slot)
  }

  #sink(from: number, timeMs: number, slot: number): void {
    const { count } = this
    let place = from
    for (;;) {
      const first = place * 4 + 1
      if (first >= count) break
      let least = first
      for (let child = first + 1; child < Math.min(first + 4, count); child++)
        if (this.#isBefore(this.#timeOf(child), this.#slotOf(child), least)) least = child
      if (this.#isBefore(timeMs, slot, least)) break
      this.#put(place, this.#timeOf(least), this.#slotOf(least))
      place = least
    }
    this.#put(place, timeMs, slot)
  }

  #isBefore(timeMs: number, slot: number, place: number): boolean {
    const other = this.#timeOf(place)
    if (timeMs !== other) return timeMs < other
    const messages = this.#messages
    const otherSlot = this.#slotOf(place)
    const position = messages.wide(slot, Field.position)
    const otherPosition = messages.wide(otherSlot, Field.position)
    if (position !== otherPosition) return position < otherPosition
    return messages.laneOf(slot) < messages.laneOf(otherSlot)
  }

  #timeOf(place: number): number {
    const at = place * ENTRY_WORDS
    return this.words.get(at) + this.words.get(at + 1) * HIGH
  }

  #slotOf(place: number): number {
    return this.words.get(place * ENTRY_WORDS + 2)
  }

  #put(place: number, timeMs: number, slot: number): void {
    const at = place * ENTRY_WORDS
    this.words.set(at, timeMs >>> 0)
    this.words.set(at + 1, Math.floor(timeMs / HIGH))
    this.words.set(at + 2, slot)
    this.#messages.set(slot, Field.timer, place + 1)
  }
}
