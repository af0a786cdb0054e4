/**
 * Names messages on both ends. What is told of a message where it is sent and where it comes are two copies of it: they are known
 * by what stands in them, the earliest of those that are alike first.
 */
import type { Message } from '@troupe/core'

/** Of one kind on one link, that have not come: more are forgotten, the oldest first. */
const MAX_UNDER_WAY = 1000

export class MessageNumbers {
  readonly #underWay = new Map<string, number[]>()
  #last = 0

  /** The number of a message that is sent. */
  sent(message: Message): number {
    const key = keyOf(message)
    const numbers = this.#underWay.get(key) ?? []
    this.#underWay.set(key, numbers)
    numbers.push(++this.#last)
    if (numbers.length > MAX_UNDER_WAY) numbers.shift()
    return this.#last
  }

  /** Of one that has come; undefined where it was not seen to leave. A copy has the number of the last one alike. */
  received(message: Message): number | undefined {
    const numbers = this.#underWay.get(keyOf(message))
    return numbers !== undefined && numbers.length > 1 ? numbers.shift() : numbers?.[0]
  }
}

/** All that is small in it. */
const keyOf = (message: Message): string =>
  JSON.stringify(message, (key, value: unknown) => {
    if (key === 'entries') return (value as readonly unknown[]).length
    return key === 'data' || key === 'payload' || key === 'configuration' ? undefined : value
  })
