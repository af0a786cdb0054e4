/**
 * When acknowledgements came, and from which leader: enough of the past to ask, after an election, for the first one
 * that the new leader gave.
 */
import type { NodeId } from '@troupe/core'

const CAPACITY = 1 << 16
const MASK = CAPACITY - 1
/** Acknowledgements of one frame come microseconds apart: one instant stands for them. */
const SAME_INSTANT_MS = 0.01

interface Waiter {
  readonly afterMs: number
  readonly notLeader: NodeId | undefined
  readonly resolve: (atMs: number) => void
}

export class AckTimes {
  readonly #times = new Float64Array(CAPACITY)
  readonly #leaders = new Array<NodeId | undefined>(CAPACITY).fill(undefined)
  readonly #leader: () => NodeId | undefined
  #count = 0
  #waiters: Waiter[] = []

  /** @param leader whom the client follows at the moment */
  constructor(leader: () => NodeId | undefined) {
    this.#leader = leader
  }

  /** An acknowledgement came. Instants rise from call to call. */
  record(nowMs: number): void {
    const leader = this.#leader()
    const last = (this.#count - 1) & MASK
    const isSame =
      this.#count > 0 &&
      nowMs - (this.#times[last] as number) < SAME_INSTANT_MS &&
      this.#leaders[last] === leader
    if (isSame) return
    this.#times[this.#count & MASK] = nowMs
    this.#leaders[this.#count & MASK] = leader
    this.#count++
    if (this.#waiters.length > 0) this.#serve(nowMs, leader)
  }

  /**
   * When the first acknowledgement at or after `afterMs` came that `notLeader` did not give; waits for it where
   * there was none yet.
   */
  first(afterMs: number, notLeader: NodeId | undefined): Promise<number> {
    for (let index = Math.max(0, this.#count - CAPACITY); index < this.#count; index++) {
      const atMs = this.#times[index & MASK] as number
      if (atMs >= afterMs && fits(this.#leaders[index & MASK], notLeader)) return Promise.resolve(atMs)
    }
    return new Promise((resolve) => this.#waiters.push({ afterMs, notLeader, resolve }))
  }

  #serve(nowMs: number, leader: NodeId | undefined): void {
    this.#waiters = this.#waiters.filter(({ afterMs, notLeader, resolve }) => {
      if (nowMs < afterMs || !fits(leader, notLeader)) return true
      resolve(nowMs)
      return false
    })
  }
}

const fits = (leader: NodeId | undefined, notLeader: NodeId | undefined): boolean =>
  notLeader === undefined || leader !== notLeader
