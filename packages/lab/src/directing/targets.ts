/** Whom steps mean, when they are done. */
import { type DirectedLink, type Direction, selectNodes } from '@troupe/faults'
import { isSome, namesIn, type Selector } from '../scenario/steps.ts'
import type { DirectedWorld } from './directed-world.ts'
import { countOf, someOf } from './some-of.ts'

/** The two ends of a message that a step was waiting for. */
export interface Parties {
  readonly sender: string
  readonly receiver: string
}

export class Targets {
  readonly #world: DirectedWorld
  readonly #named = new Map<string, readonly string[]>()

  constructor(world: DirectedWorld) {
    this.#world = world
  }

  /** Keeps who is meant now under a name. */
  select(name: string, selector: Selector, parties: Parties | undefined): void {
    this.#named.set(name, this.of(selector, parties))
  }

  /** The names of all that are meant, each once; none where nobody is. */
  of(selector: Selector, parties: Parties | undefined): string[] {
    const found = [...new Set(namesIn(selector).flatMap((name) => this.#one(name, parties)))]
    if (!isSome(selector)) return found
    const { dice } = this.#world
    return [...someOf(found, countOf(selector, found.length, dice), dice)]
  }

  #one(name: string, parties: Parties | undefined): readonly string[] {
    const { nodeIds: nodes, leader, clientNames, primaries, dice } = this.#world
    switch (name) {
      case 'leader':
        return leader === undefined ? [] : [leader]
      case 'followers':
        return this.#members.filter((id) => id !== leader)
      case 'follower': {
        const others = this.#members.filter((id) => id !== leader)
        return others.length === 0 ? [] : [dice.pick(others)]
      }
      case 'sender':
      case 'receiver':
        return parties === undefined ? [] : [parties[name]]
      case 'clients':
        return clientNames
      case 'all':
      case 'random':
      case 'one':
      case 'minority':
      case 'minority-third':
      case 'majority':
      case 'primaries':
        return selectNodes(name, { nodes: this.#members, primaries }, dice)
      default:
        return this.#named.get(name) ?? (nodes.includes(name) || clientNames.includes(name) ? [name] : [])
    }
  }

  /** Who is a member now; all nodes before anything is known. */
  get #members(): readonly string[] {
    const { memberIds, nodeIds } = this.#world
    const known = nodeIds.filter((id) => memberIds.includes(id))
    return known.length === 0 ? nodeIds : known
  }

  /** The links between the one and the other side, seen from the first. */
  links(from: Selector, to: Selector, direction: Direction, parties: Parties | undefined): DirectedLink[] {
    const [near, far] = [this.of(from, parties), this.of(to, parties)]
    return linksBetween(near, far, direction)
  }
}

/** Each link once. */
export function linksBetween(
  near: readonly string[],
  far: readonly string[],
  direction: Direction,
): DirectedLink[] {
  const links = new Map<string, DirectedLink>()
  for (const one of near) {
    for (const other of far) {
      if (one === other) continue
      if (direction !== 'inbound') links.set(`${one}>${other}`, { from: one, to: other })
      if (direction !== 'outbound') links.set(`${other}>${one}`, { from: other, to: one })
    }
  }
  return [...links.values()]
}
