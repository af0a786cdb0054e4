/** What operators asked for and waits for its end: each is answered once. */
import { isJoint, type RefusedChange } from './configuration.ts'
import { RaftError } from './errors.ts'
import type { ControlCommand, ControlOutcome } from './event.ts'
import type { RaftCore } from './raft-core.ts'
import type { NodeId, SnapshotMeta } from './types.ts'

interface Pending {
  readonly id: number
  /** Undefined while it is under way, else how it ended. */
  readonly outcome: () => { readonly error: RaftError | undefined } | undefined
}

const DONE = { error: undefined } as const

export class Controls {
  readonly #core: RaftCore
  /** Asks the snapshotter; false where there is nothing to take a snapshot of. */
  readonly #wantSnapshot: () => boolean
  readonly #tell: (outcome: ControlOutcome) => void
  #pending: Pending[] = []
  #savedIndex = 0

  constructor(core: RaftCore, wantSnapshot: () => boolean, tell: (outcome: ControlOutcome) => void) {
    this.#core = core
    this.#wantSnapshot = wantSnapshot
    this.#tell = tell
  }

  snapshotSaved({ index }: SnapshotMeta): void {
    // An own snapshot may be done after a later one was received.
    this.#savedIndex = Math.max(this.#savedIndex, index)
  }

  take(id: number, command: ControlCommand, applied: number): void {
    const core = this.#core
    switch (command.kind) {
      case 'campaign':
        core.campaign()
        return this.#tell({ id, error: undefined })
      case 'takeSnapshot':
        return this.#takeSnapshot(id, applied)
      case 'changeMembers':
        return this.#begin(id, (term) =>
          this.#change(
            id,
            term,
            core.changeMembers(command.changes, command.leave),
            command.leave === 'auto',
          ),
        )
      case 'leaveJoint':
        return this.#begin(id, (term) => this.#change(id, term, core.leaveJoint(), true))
      case 'transferLeadership':
        return this.#begin(id, (term) => this.#transfer(id, term, command.to))
    }
  }

  #takeSnapshot(id: number, applied: number): void {
    if (!this.#wantSnapshot()) {
      return this.#tell({ id, error: refused({ reason: 'INVALID', detail: 'nothing has been applied yet' }) })
    }
    this.#pending.push({ id, outcome: () => (this.#savedIndex >= applied ? DONE : undefined) })
  }

  /** What only a leader can do. */
  #begin(id: number, act: (term: number) => void): void {
    const { role, term, leader } = this.#core
    if (role === 'leader') return act(term)
    const hint = leader === undefined ? 'there is none' : `${leader} does`
    const error = new RaftError('NOT_LEADER', `${this.#core.id} does not lead: ${hint}`, {
      leaderHint: leader,
    })
    this.#tell({ id, error })
  }

  #change(id: number, term: number, begun: number | RefusedChange, mustLeave: boolean): void {
    if (typeof begun !== 'number') return this.#tell({ id, error: refused(begun) })
    const core = this.#core
    this.#pending.push({
      id,
      outcome: () => {
        const isCommitted = core.commitIndex >= core.configurationIndex
        // The entry is in the log of this leader's term, or was overwritten by a later one's.
        if (core.commitIndex >= begun && isCommitted && !(mustLeave && isJoint(core.configuration))) {
          const holds = core.termAt(begun) === term || core.baseIndex >= begun
          return holds ? DONE : { error: indeterminate('the change was overwritten by a later leader') }
        }
        const isLost = core.term !== term || core.role !== 'leader'
        return isLost
          ? { error: indeterminate('leadership was lost before the change was committed') }
          : undefined
      },
    })
  }

  #transfer(id: number, term: number, to: NodeId | undefined): void {
    const core = this.#core
    const refusal = core.transferLeadership(to)
    if (refusal !== undefined) return this.#tell({ id, error: refused(refusal) })
    const target = core.transferTarget
    this.#pending.push({
      id,
      outcome: () => {
        const { leader } = core
        if (core.term === term && core.role === 'leader') {
          if (core.transferTarget !== undefined) return undefined
          const detail = `${target} did not take over in time`
          return { error: refused({ reason: 'ABANDONED', detail }) }
        }
        if (leader === undefined) return undefined
        if (to === undefined || leader === to) return leader === core.id ? abandoned(leader) : DONE
        return abandoned(leader)
      },
    })
  }

  /** At the end of a turn: answers what has ended. */
  settle(): void {
    if (this.#pending.length === 0) return
    const open: Pending[] = []
    for (const pending of this.#pending) {
      const outcome = pending.outcome()
      if (outcome === undefined) open.push(pending)
      else this.#tell({ id: pending.id, error: outcome.error })
    }
    this.#pending = open
  }
}

function abandoned(leader: NodeId): { readonly error: RaftError } {
  return { error: refused({ reason: 'ABANDONED', detail: `${leader} was elected instead` }) }
}

function refused({ reason, detail }: RefusedChange): RaftError<'REFUSED_CHANGE'> {
  return new RaftError('REFUSED_CHANGE', `refused (${reason}): ${detail}`, { reason, detail })
}

function indeterminate(reason: string): RaftError<'INDETERMINATE'> {
  return new RaftError('INDETERMINATE', `it may or may not have happened: ${reason}`, { reason })
}
