import type { Message } from '@troupe/core'

/**
 * Numbers for messages, from their sending to every arrival: messages are encoded on the way, and are other objects where they
 * come. For whoever draws what happened; a run without a reader has none.
 */
export class MessageIds {
  readonly #ids = new WeakMap<Message, number>()
  #last = 0

  /** The number of a message on either end. */
  of(message: Message): number {
    let id = this.#ids.get(message)
    if (id === undefined) {
      id = ++this.#last
      this.#ids.set(message, id)
    }
    return id
  }

  /** These have come, as those numbers were sent. */
  arrived(messages: readonly Message[], ids: readonly number[]): void {
    for (const [at, message] of messages.entries()) {
      const id = ids[at]
      if (id !== undefined) this.#ids.set(message, id)
    }
  }
}
