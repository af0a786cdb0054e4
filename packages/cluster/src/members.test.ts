import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Configuration,
  type ControlCommand,
  type Member,
  RaftError,
  simpleConfiguration,
} from '@troupe/core'
import { Members } from './members.ts'
import type { NodeStatus } from './node-control.ts'

const n4: Member = { id: 'n4', incarnation: 4 }

/** A leader that takes changes at once; the learner is caught up when the test says so. */
class Leader {
  configuration: Configuration = simpleConfiguration([{ id: 'n1', incarnation: 1 }])
  isCaughtUp = false
  readonly asked: string[] = []

  readonly members = new Members({
    ids: () => ['n1', 'n4'],
    leaderStatus: async () =>
      ({ id: 'n1', configuration: this.configuration, isConfigurationCommitted: true }) as NodeStatus,
    command: async (_node, command) => this.#take(command),
    begin: async () => {},
    end: async () => {},
    crash: async () => {},
  })

  #take(command: ControlCommand): void {
    assert.ok(command.kind === 'changeMembers')
    const [change] = command.changes
    this.asked.push(change?.kind ?? '')
    if (change?.kind === 'addLearner') {
      this.configuration = { ...this.configuration, learners: [change.member] }
    } else if (this.isCaughtUp) {
      this.configuration = simpleConfiguration([...this.configuration.voters, n4])
    } else {
      const data = { reason: 'NOT_CAUGHT_UP', detail: 'n4 lags' } as const
      throw new RaftError('REFUSED_CHANGE', 'n4 lags', data)
    }
  }
}

describe('a node that is admitted', () => {
  it('and does not catch up in time stays a learner, and the same goes on from there', async () => {
    const leader = new Leader()
    const late = (error: unknown) =>
      RaftError.is(error, 'TIMEOUT') && /^n4 is a learner, and no voter yet: .*n4 lags/.test(error.message)
    await assert.rejects(leader.members.admit(n4, 1500), late)
    leader.isCaughtUp = true
    const before = leader.asked.length
    await leader.members.admit(n4, 60_000)
    assert.deepEqual(leader.asked.slice(before), ['promote'])
    assert.deepEqual(leader.configuration.voters.at(-1), n4)
    // A member already: nothing is asked for.
    await leader.members.admit(n4, 60_000)
    assert.equal(leader.asked.length, before + 1)
  })
})
