/**
 * What all nodes say of their connections, as far as this one has heard: each of its own, under a version that only
 * rises. Of two states of a node the later one counts, so it does not matter in which order, how often and over whom they
 * come: whoever has exchanged all of them knows the same.
 */
import type { NodeId } from '../types.ts'
import { type ByteReader, ByteWriter, nameBytes } from './names.ts'

/** A start of a node. */
export interface NodeStart {
  readonly incarnation: number
  readonly boot: number
}

/** What a start of a node says of its connections. */
export interface LinkState extends NodeStart {
  readonly id: NodeId
  readonly version: number
  /** Whom it is connected to. */
  readonly up: readonly NodeId[]
}

/** What became of states that came in. */
export interface Merged {
  /** They were later than what was known. */
  readonly news: readonly LinkState[]
  /** Whoever sent them knows less than this: they are later here, or not known there at all. */
  readonly unknownThere: readonly LinkState[]
}

export class LinkStates {
  readonly #self: NodeId
  readonly #states = new Map<NodeId, LinkState>()
  #digest: number | undefined

  constructor(self: NodeId, { incarnation, boot }: NodeStart) {
    this.#self = self
    this.#states.set(self, { id: self, incarnation, boot, version: 1, up: [] })
  }

  get own(): LinkState {
    return this.#states.get(this.#self) as LinkState
  }

  get all(): readonly LinkState[] {
    return [...this.#states.values()]
  }

  of(id: NodeId): LinkState | undefined {
    return this.#states.get(id)
  }

  /** Equal where the same is known. */
  get digest(): number {
    this.#digest ??= digestOf(this.#states)
    return this.#digest
  }

  /** This node is connected to these now. */
  tell(up: readonly NodeId[]): void {
    const { own } = this
    this.#set({ ...own, version: own.version + 1, up })
  }

  /**
   * Takes over what is later.
   * @param isWhole whether the sender has told all it knows
   */
  merge(states: readonly LinkState[], isWhole: boolean): Merged {
    const news: LinkState[] = []
    const unknownThere: LinkState[] = []
    for (const state of states) {
      const known = this.#states.get(state.id)
      if (state.id === this.#self) this.#outbid(state)
      else if (known === undefined || isLater(state, known)) {
        this.#set(state)
        news.push(state)
        continue
      }
      const mine = this.#states.get(state.id)
      if (mine !== undefined && isLater(mine, state)) unknownThere.push(mine)
    }
    if (!isWhole) return { news, unknownThere }
    const missing = this.all.filter(({ id }) => !states.some((state) => state.id === id))
    return { news, unknownThere: [...unknownThere, ...missing] }
  }

  /** Forgets those that are no longer among `nodes`. */
  keep(nodes: readonly NodeId[]): void {
    for (const id of this.#states.keys()) {
      if (id !== this.#self && !nodes.includes(id)) this.#states.delete(id)
    }
    this.#digest = undefined
  }

  /** An earlier start of this node has told more often than this one: what it said must not outlive it. */
  #outbid(state: LinkState): void {
    const { own } = this
    if (isLater(own, state) || (state.version === own.version && state.boot === own.boot)) return
    this.#set({ ...own, version: state.version + 1 })
  }

  #set(state: LinkState): void {
    this.#states.set(state.id, state)
    this.#digest = undefined
  }
}

/** Boots are drawn, and say nothing about order: they decide between starts that have told equally often. */
function isLater(one: LinkState, other: LinkState): boolean {
  return one.version > other.version || (one.version === other.version && one.boot > other.boot)
}

/** FNV-1a, over what tells states apart. */
function digestOf(states: ReadonlyMap<NodeId, LinkState>): number {
  let hash = 0x811c9dc5
  const add = (word: number): void => {
    hash = Math.imul(hash ^ (word & 0xffff), 0x01000193)
    hash = Math.imul(hash ^ ((word >>> 16) & 0xffff), 0x01000193)
  }
  for (const id of [...states.keys()].sort()) {
    const { boot, version } = states.get(id) as LinkState
    for (let at = 0; at < id.length; at++) add(id.charCodeAt(at))
    for (const number of [boot, version]) {
      add(number % 0x100000000)
      add(Math.floor(number / 0x100000000))
    }
  }
  return hash >>> 0
}

// ---- on the wire: [whole u8, count u8, (name, incarnation, boot, version, count u8, names)…]

/** Bytes for `states`, behind `headBytes` that are the caller's. */
export function writeLinkStates(
  states: readonly LinkState[],
  isWhole: boolean,
  headBytes: number,
): Uint8Array {
  let length = headBytes + 2
  for (const { id, up } of states) {
    length += nameBytes(id) + 3 * 8 + 1
    for (const name of up) length += nameBytes(name)
  }
  const writer = new ByteWriter(length, headBytes)
  writer.byte(isWhole ? 1 : 0).byte(states.length)
  for (const { id, incarnation, boot, version, up } of states) {
    writer.name(id).integer(incarnation).integer(boot).integer(version).byte(up.length)
    for (const name of up) writer.name(name)
  }
  return writer.bytes
}

/** @throws Unreadable */
export function readLinkStates(reader: ByteReader): {
  readonly states: readonly LinkState[]
  readonly isWhole: boolean
} {
  const isWhole = reader.byte() === 1
  const states: LinkState[] = []
  for (let count = reader.byte(); count > 0; count--) {
    const id = reader.name()
    const [incarnation, boot, version] = [reader.integer(), reader.integer(), reader.integer()]
    const up: NodeId[] = []
    for (let links = reader.byte(); links > 0; links--) up.push(reader.name())
    states.push({ id, incarnation, boot, version, up })
  }
  return { states, isWhole }
}
