import type { NodeId } from '@troupe/core'

/** Starts of one name that are remembered. */
const MAX_BOOTS = 16

/** Names that are remembered, the latest ones: where nobody has to prove a name there are as many as somebody makes up. */
const MAX_NAMES = 256

/**
 * Notices two running nodes with one name. A start of a node that was replaced by another one is over, and its number is
 * never drawn again; who comes with it all the same runs beside the other one, and is refused: the two would replace each
 * other's links for ever.
 */
export class Namesakes {
  readonly #current = new Map<NodeId, number>()
  /** Starts that were replaced, the latest last. */
  readonly #replaced = new Map<NodeId, Set<number>>()

  /** The reason why that start of `id` is not to be taken; undefined where it may be. */
  refusalOf(id: NodeId, boot: number): string | undefined {
    if (this.#replaced.get(id)?.has(boot) !== true) return undefined
    return `two nodes run with the name "${id}": another start of it has come since`
  }

  /** A link to that start of `id` stands. */
  linked(id: NodeId, boot: number): void {
    const before = this.#current.get(id)
    remember(this.#current, id, boot)
    if (before !== undefined && before !== boot) this.#replace(id, before)
  }

  /** That start of `id` has asked for a link; who was reached at its address tells whether it is the one that is there. */
  asked(id: NodeId, asking: number, reached: number): void {
    if (asking !== reached) this.#replace(id, asking)
  }

  #replace(id: NodeId, boot: number): void {
    const replaced = this.#replaced.get(id) ?? new Set<number>()
    remember(this.#replaced, id, replaced)
    replaced.add(boot)
    if (replaced.size > MAX_BOOTS) replaced.delete(replaced.values().next().value as number)
  }
}

function remember<Value>(names: Map<NodeId, Value>, id: NodeId, value: Value): void {
  names.delete(id)
  names.set(id, value)
  if (names.size > MAX_NAMES) names.delete(names.keys().next().value as NodeId)
}
