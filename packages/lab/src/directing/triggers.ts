/** Waits for messages and situations, for `when` and `until`. */
import type { SimEvent, Situation, Watcher, WorldView } from '@troupe/sim'
import type { Parties } from './targets.ts'

interface Awaited {
  readonly name: string
  seen: number
  readonly happen: () => void
}

export class Triggers implements Watcher {
  readonly on = ['sent', 'turned', 'started', 'crashed', 'persisting', 'flushing', 'readGranted'] as const
  readonly #messages = new Map<string, ((parties: Parties) => void)[]>()
  readonly #situations: Awaited[] = []
  #counted: readonly Situation[] = []

  attach(situations: readonly Situation[]): void {
    this.#counted = situations
  }

  /** `happen` is called each time that a message of this kind leaves. */
  onMessage(kind: string, happen: (parties: Parties) => void): void {
    this.#messages.set(kind, [...(this.#messages.get(kind) ?? []), happen])
  }

  /** `happen` is called each time that the situation is reached. */
  onSituation(name: string, happen: () => void): void {
    this.#situations.push({ name, seen: this.countOf(name), happen })
  }

  /** How often it was reached so far. */
  countOf(name: string): number {
    return this.#counted.find((situation) => situation.name === name)?.count ?? 0
  }

  check(_: WorldView, event: SimEvent): void {
    if (event.kind === 'sent') {
      const { message, node } = event
      for (const happen of this.#messages.get(message.kind) ?? []) {
        happen({ sender: node.id, receiver: message.to })
      }
    }
    for (const awaited of this.#situations) {
      const count = this.countOf(awaited.name)
      if (count === awaited.seen) continue
      awaited.seen = count
      awaited.happen()
    }
  }
}
