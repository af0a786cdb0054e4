/**
 * Leadership transfer (thesis §3.10): the target is brought up to date, while new proposals wait, then told to campaign
 * at once. Given up after a bound. No lease holds from its beginning on; once the target was told, none does for
 * the rest of the term, for the order may arrive late.
 */
import type { RefusedChange } from './configuration.ts'
import type { Leadership } from './leadership.ts'
import type { Replica } from './replica.ts'
import type { NodeId } from './types.ts'

export class Handover {
  readonly #replica: Replica

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** Begins a transfer, to the voter that is furthest where none is named. */
  begin(leadership: Leadership, to: NodeId | undefined): RefusedChange | undefined {
    const { nowMs, options, self } = this.#replica
    if (leadership.transfer !== undefined) {
      return { reason: 'IN_PROGRESS', detail: `leadership is being transferred to ${leadership.transfer.to}` }
    }
    const target = to ?? this.#furthestVoter(leadership)
    if (target === undefined) return { reason: 'INVALID', detail: 'there is no other voter' }
    if (target === self) return { reason: 'INVALID', detail: `${self} leads already` }
    if (!this.#replica.configuration.voters.some(({ id }) => id === target)) {
      return { reason: 'INVALID', detail: `${target} is no voter` }
    }
    leadership.transfer = { to: target, untilMs: nowMs + options.transferTimeoutMs, isAsked: false }
    leadership.lease.revoke()
    this.caughtUp(leadership, target)
    return undefined
  }

  #furthestVoter(leadership: Leadership): NodeId | undefined {
    const { configuration, self, gone } = this.#replica
    const others = configuration.voters.filter(({ id }) => id !== self)
    const matchOf = (id: NodeId): number => (gone.has(id) ? -1 : (leadership.peers.get(id)?.match ?? -1))
    return others.sort((left, right) => matchOf(right.id) - matchOf(left.id))[0]?.id
  }

  /** `id` has acknowledged more: is it there? */
  caughtUp(leadership: Leadership, id: NodeId): void {
    const { transfer } = leadership
    if (transfer?.to !== id || transfer.isAsked) return
    if (leadership.peers.get(id)?.match !== this.#replica.log.lastIndex) return
    transfer.isAsked = true
    leadership.lease.forfeit()
    this.#ask(id)
  }

  #ask(id: NodeId): void {
    this.#replica.outbox.sendNow({ kind: 'timeoutNow', ...this.#replica.to(id) })
  }

  tick(leadership: Leadership): void {
    const { transfer } = leadership
    if (transfer === undefined || this.#replica.nowMs < transfer.untilMs) return
    leadership.transfer = undefined
    leadership.lease.restore()
  }

  /** This leader leaves the voters: whoever is furthest goes on at once, instead of after a timeout. */
  resign(leadership: Leadership): void {
    const successor = this.#furthestVoter(leadership)
    const isThere =
      successor !== undefined && leadership.peers.get(successor)?.match === this.#replica.log.lastIndex
    if (isThere) this.#ask(successor)
    this.#replica.becomeFollower(this.#replica.term, undefined)
  }
}
