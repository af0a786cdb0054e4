/**
 * Leadership of a node that stops goes to the voter that is furthest, as long as there is somebody who can take it.
 *
 * That takes its link, and a quorum of votes, of which the node that stops has one. Where all nodes are told to stop in one moment
 * neither is there for long, so nothing is waited for once the link to the successor has fallen, or the voters that are
 * linked are no quorum. Whoever stays is no worse off: closed connections tell at once that nobody leads any more.
 */
import { type Configuration, hasQuorum, type NodeId, RaftError } from '@troupe/core'
import type { NodeStatus } from './node-control.ts'

/** A node that stops, as far as its leadership is concerned. */
export interface LeavingNode {
  readonly id: NodeId
  status(): Promise<Pick<NodeStatus, 'role' | 'configuration' | 'match'>>
  isLinked(id: NodeId): boolean
  /** Resolves when `to` leads. */
  transfer(to: NodeId): Promise<void>
}

export class HandOver {
  readonly #node: LeavingNode
  readonly #givenUp = Promise.withResolvers<never>()
  #to: NodeId | undefined
  #configuration: Configuration | undefined

  constructor(node: LeavingNode) {
    this.#node = node
    this.#givenUp.promise.catch(() => {})
  }

  /**
   * Resolves with who leads now; undefined where there was nothing to hand over.
   * @throws RaftError REFUSED_CHANGE where nobody can take over; what `transfer` throws
   */
  async run(): Promise<NodeId | undefined> {
    const { role, configuration, match } = await this.#node.status()
    const { id: own } = this.#node
    const others = configuration.voters.filter(({ id }) => id !== own && this.#node.isLinked(id))
    if (role !== 'leader' || configuration.voters.length < 2) return undefined
    const [furthest] = others.sort((left, right) => (match[right.id] ?? -1) - (match[left.id] ?? -1))
    if (furthest === undefined) throw nobody('no other voter is linked')
    this.#to = furthest.id
    this.#configuration = configuration
    const problem = this.#problem()
    if (problem !== undefined) throw nobody(problem)
    const transferred = this.#node.transfer(furthest.id)
    // What comes of it after it was given up nobody asks any more.
    transferred.catch(() => {})
    await Promise.race([this.#givenUp.promise, transferred])
    return furthest.id
  }

  /** A link has fallen. */
  peerGone(): void {
    const problem = this.#problem()
    if (problem !== undefined) this.#givenUp.reject(nobody(problem))
  }

  #problem(): string | undefined {
    const { id: own } = this.#node
    if (this.#to === undefined || this.#configuration === undefined) return undefined
    const isThere = (id: NodeId): boolean => id === own || this.#node.isLinked(id)
    if (!isThere(this.#to)) return `the link to ${this.#to} has fallen`
    return hasQuorum(this.#configuration, isThere) ? undefined : 'the voters that are linked are no quorum'
  }
}

function nobody(detail: string): RaftError<'REFUSED_CHANGE'> {
  return new RaftError('REFUSED_CHANGE', `nobody can take over: ${detail}`, { reason: 'NO_QUORUM', detail })
}
