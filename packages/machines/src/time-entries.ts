/**
 * Lets log time pass where nobody sends commands: when a deadline of the machine has come, its leader proposes an entry without
 * commands, which bears the time. Every replica applies it, and does what has fallen due.
 *
 *     applied entry ─► log time as of now      leader's clock ─► goes on from there ─► deadline reached ─► entry
 *
 * The estimate is behind the time that the core gives the entry, by how long the last one took to be applied: never ahead.
 */
import type { RaftHandle } from '@troupe/core'
import type { ReplicatedMachine } from './replicated-machine.ts'

/** A leader that cannot propose is not asked at every turn. */
const RETRY_MS = 10

export class TimeEntries {
  readonly #machine: ReplicatedMachine
  readonly #nowMs: () => number
  /** Others have no time to give. */
  #isLeading = false
  /** The node's own time when log time was what the machine says. */
  #seenMs = 0
  /** Nothing is proposed before this entry is applied: it brings time itself. */
  #awaited = 0
  /** Nor before this time: it was refused. */
  #notBeforeMs = Number.NEGATIVE_INFINITY

  /** @param nowMs the clock that the node's turns are timed by */
  constructor(machine: ReplicatedMachine, nowMs: () => number) {
    this.#machine = machine
    this.#nowMs = nowMs
  }

  roleChanged(isLeading: boolean): void {
    this.#isLeading = isLeading
    this.#awaited = 0
    this.applied()
  }

  /** Entries were applied. */
  applied(): void {
    if (this.#isLeading) this.#seenMs = this.#nowMs()
  }

  /** When {@link propose} wants to be called, by the node's clock; Infinity where nothing falls due here. */
  get deadlineMs(): number {
    const machine = this.#machine
    if (!this.#isLeading || machine.appliedIndex < this.#awaited) return Number.POSITIVE_INFINITY
    return Math.max(this.#seenMs + machine.dueMs - machine.timeMs, this.#notBeforeMs)
  }

  /** @param hasCommands whether there are commands that will bring time anyway */
  propose(raft: RaftHandle, nowMs: number, hasCommands: boolean): void {
    if (this.deadlineMs > nowMs) return
    if (raft.proposalRefusal !== undefined) {
      this.#notBeforeMs = nowMs + RETRY_MS
      return
    }
    // What fills the log is applied soon.
    if (hasCommands || !raft.hasRoom) this.#awaited = this.#machine.appliedIndex + 1
    else this.#awaited = raft.propose([], 0)
  }
}
