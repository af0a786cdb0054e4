import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RaftHandle } from '@troupe/core'
import { codec, entryOf } from '../test/support.ts'
import type { CommandMeta, StateMachine } from './machine.ts'
import { ReplicatedMachine } from './replicated-machine.ts'
import { TimeEntries } from './time-entries.ts'

/** Has one deadline. */
class Alarm implements StateMachine {
  dueMs = 100
  passed: number[] = []
  apply(): undefined {}
  query(): undefined {}
  *save(): Iterable<Uint8Array> {}
  load(): void {}
  passTime({ timeMs }: CommandMeta): void {
    this.passed.push(timeMs)
    if (timeMs >= this.dueMs) this.dueMs = Number.POSITIVE_INFINITY
  }
}

class Subject {
  readonly alarm = new Alarm()
  readonly machine = new ReplicatedMachine(this.alarm, codec)
  nowMs = 5000
  readonly time = new TimeEntries(this.machine, () => this.nowMs)
  proposed = 0
  hasRoom = true
  refusal: RaftHandle['proposalRefusal']

  /** @returns whether an entry was proposed */
  turn(hasCommands = false): boolean {
    const before = this.proposed
    const propose = (): number => {
      this.proposed++
      return this.machine.appliedIndex + 1
    }
    const { hasRoom, refusal: proposalRefusal } = this
    this.time.propose({ propose, hasRoom, proposalRefusal } as unknown as RaftHandle, this.nowMs, hasCommands)
    return this.proposed > before
  }

  /** An entry without commands, with a log time. */
  apply(timeMs: number): void {
    const entry = entryOf(this.machine.appliedIndex + 1, [])
    this.machine.apply({ ...entry, timeMs }, undefined as never)
    this.time.applied()
  }
}

describe('time entries', () => {
  it('are proposed by the leader when a deadline has come, one at a time', () => {
    const subject = new Subject()
    subject.time.roleChanged(true)
    subject.apply(40)
    assert.equal(subject.time.deadlineMs, 5060)
    subject.nowMs += 59
    assert.equal(subject.turn(), false)
    subject.nowMs += 1
    assert.equal(subject.turn(), true)
    assert.equal(subject.turn(), false, 'it is on its way')
    assert.equal(subject.time.deadlineMs, Number.POSITIVE_INFINITY)
    subject.apply(100)
    assert.deepEqual(subject.alarm.passed, [40, 100])
    assert.equal(subject.time.deadlineMs, Number.POSITIVE_INFINITY)
  })

  it('are not proposed where others bring time: commands, a full log, another leader', () => {
    const subject = new Subject()
    subject.nowMs += 1000
    assert.equal(subject.turn(), false, 'it does not lead')
    subject.time.roleChanged(true)
    subject.nowMs += 1000
    subject.refusal = 'NO_SPACE'
    assert.equal(subject.turn(), false)
    assert.equal(subject.time.deadlineMs, subject.nowMs + 10, 'not at once again')
    subject.nowMs += 10
    subject.refusal = undefined
    assert.equal(subject.turn(true), false)
    subject.apply(50)
    subject.nowMs += 50
    subject.hasRoom = false
    assert.equal(subject.turn(), false)
    subject.hasRoom = true
    assert.equal(subject.turn(), false, 'until what fills the log is applied')
    subject.apply(60)
    subject.nowMs += 40
    assert.equal(subject.turn(), true)
    subject.time.roleChanged(false)
    assert.equal(subject.time.deadlineMs, Number.POSITIVE_INFINITY)
  })

  it('are proposed again by the next leader, and where more is due', () => {
    const subject = new Subject()
    subject.time.roleChanged(true)
    subject.nowMs += 100
    assert.equal(subject.turn(), true)
    subject.time.roleChanged(true)
    subject.nowMs += 100
    assert.equal(subject.turn(), true, 'the first was lost')
    subject.alarm.dueMs = 99
    subject.apply(98)
    subject.nowMs += 1
    assert.equal(subject.turn(), true)
  })
})
