/** What operators ask for: each is answered once, when it has ended. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memberOf, Subject } from '../test/subject.ts'
import { Controls } from './controls.ts'
import { RaftError } from './errors.ts'
import type { ControlCommand, ControlOutcome, MemberChange } from './event.ts'
import type { SnapshotMeta } from './types.ts'

class Bench {
  readonly subject: Subject
  readonly controls: Controls
  readonly outcomes: ControlOutcome[] = []
  hasState = true

  constructor(subject: Subject) {
    this.subject = subject
    this.controls = new Controls(
      subject.core,
      () => this.hasState,
      (outcome) => void this.outcomes.push(outcome),
    )
  }

  take(command: ControlCommand, id = 1, applied = 0): this {
    this.controls.take(id, command, applied)
    return this.settle()
  }

  settle(): this {
    this.subject.turn()
    this.controls.settle()
    return this
  }

  /** `pending`, `done`, or the code of the error with its reason. */
  get outcome(): string {
    const [outcome, ...others] = this.outcomes
    assert.equal(others.length, 0, 'answered once')
    if (outcome === undefined) return 'pending'
    const { error } = outcome
    if (error === undefined) return 'done'
    return RaftError.is(error, 'REFUSED_CHANGE') ? error.data.reason : error.code
  }

  saved(index: number): this {
    this.controls.snapshotSaved({ index } as SnapshotMeta)
    return this.settle()
  }
}

const leading = (voters = 3): Bench => new Bench(new Subject({ voters }).becomeLeader().commitAll())
const addLearner: MemberChange = { kind: 'addLearner', member: memberOf('x') }
const change = (changes: readonly MemberChange[], leave: 'auto' | 'explicit' = 'auto') =>
  ({ kind: 'changeMembers', changes, leave }) as const
const transfer = (to?: string): ControlCommand => ({ kind: 'transferLeadership', to })
const laterTerm = { kind: 'heartbeat', term: 7, commit: 0, round: 0 } as const

test('campaign is answered at once', () => {
  const bench = new Bench(new Subject()).take({ kind: 'campaign' })
  assert.deepEqual([bench.outcome, bench.subject.core.role], ['done', 'preCandidate'])
})

test('a change is answered when it is committed', () => {
  const bench = leading().take(change([addLearner]), 42)
  assert.equal(bench.outcome, 'pending')
  bench.subject.flush()
  bench.subject.accept('b', 2)
  bench.settle().settle()
  assert.deepEqual([bench.outcome, bench.outcomes[0]?.id], ['done', 42])
})

test('a change through a joint configuration is answered when that is left, or with explicit when it is entered', () => {
  const removals = [
    { kind: 'remove', id: 'b' },
    { kind: 'remove', id: 'c' },
  ] as const
  const bench = leading().take(change(removals))
  bench.subject.flush()
  bench.subject.accept('b', 2)
  bench.settle()
  assert.deepEqual([bench.outcome, bench.subject.core.commitIndex], ['pending', 2])
  bench.subject.flush()
  bench.settle()
  assert.equal(bench.outcome, 'done')
  const explicit = leading().take(change(removals, 'explicit'))
  explicit.subject.flush()
  explicit.subject.accept('b', 2)
  assert.equal(explicit.settle().outcome, 'done')
  explicit.outcomes.length = 0
  explicit.take({ kind: 'leaveJoint' }, 2)
  assert.equal(explicit.outcome, 'pending')
  explicit.subject.flush()
  assert.equal(explicit.settle().outcome, 'done')
})

test('a change that makes no sense is refused at once, with the reason', () => {
  assert.equal(leading().take(change([{ kind: 'remove', id: 'x' }])).outcome, 'INVALID')
  assert.equal(leading().take({ kind: 'leaveJoint' }).outcome, 'NOT_JOINT')
  const early = new Bench(new Subject().becomeLeader())
  assert.equal(early.take(change([addLearner])).outcome, 'NOT_READY')
})

test('a change whose leader loses its term before the commit is indeterminate', () => {
  const bench = leading().take(change([addLearner]))
  bench.subject.receive('b', laterTerm)
  assert.equal(bench.settle().outcome, 'INDETERMINATE')
})

test('a leader that removes itself is told that it is done', () => {
  const bench = leading().take(change([{ kind: 'remove', id: 'a' }]))
  bench.subject.accept('b', 2).accept('c', 2)
  assert.deepEqual([bench.settle().outcome, bench.subject.core.role], ['done', 'follower'])
})

test('whoever does not lead refuses what only a leader can do, and names the leader', () => {
  for (const command of [change([addLearner]), { kind: 'leaveJoint' } as const, transfer('c')]) {
    const bench = new Bench(new Subject().receive('b', laterTerm)).take(command)
    const [outcome] = bench.outcomes
    assert.ok(RaftError.is(outcome?.error, 'NOT_LEADER'))
    assert.equal(outcome.error.data.leaderHint, 'b')
  }
})

test('a transfer is answered when the target leads', () => {
  const bench = leading().take(transfer('b'))
  assert.equal(bench.outcome, 'pending')
  bench.subject.receive('b', { kind: 'voteRequest', term: 2, lastIndex: 1, lastTerm: 1, isTransfer: true })
  assert.equal(bench.settle().outcome, 'pending', 'nobody leads yet')
  bench.subject.receive('b', { ...laterTerm, term: 2 })
  assert.equal(bench.settle().outcome, 'done')
})

test('a transfer is answered with ABANDONED when it takes too long, or another one is elected', () => {
  const late = leading().take(transfer('b'))
  for (let beats = 0; beats < 25; beats++) late.subject.beat()
  assert.equal(late.settle().outcome, 'ABANDONED')
  const other = leading().take(transfer('b'))
  other.subject.receive('c', laterTerm)
  assert.equal(other.settle().outcome, 'ABANDONED')
})

test('a transfer to nobody in particular is done whoever takes over', () => {
  const bench = leading().take(transfer())
  bench.subject.receive('c', laterTerm)
  assert.equal(bench.settle().outcome, 'done')
})

test('a transfer that cannot be begun is refused', () => {
  assert.equal(leading().take(transfer('x')).outcome, 'INVALID')
})

test('a snapshot is answered when one of what was applied is on the disk', () => {
  const bench = leading().take({ kind: 'takeSnapshot' }, 1, 8)
  assert.equal(bench.outcome, 'pending')
  assert.equal(bench.saved(7).outcome, 'pending', 'one that had been begun before')
  assert.equal(bench.saved(8).outcome, 'done')
})

test('a snapshot of nothing is refused', () => {
  const bench = leading()
  bench.hasState = false
  assert.equal(bench.take({ kind: 'takeSnapshot' }).outcome, 'INVALID')
})

test('several commands under way are answered each for itself', () => {
  const bench = leading()
  bench
    .take({ kind: 'takeSnapshot' }, 1, 1)
    .take(change([addLearner]), 2)
    .take({ kind: 'takeSnapshot' }, 3, 5)
  bench.saved(1)
  bench.subject.receive('b', laterTerm)
  bench.settle()
  bench.saved(9)
  assert.deepEqual(
    bench.outcomes.map(({ id, error }) => [id, error?.code]),
    [
      [1, undefined],
      [2, 'INDETERMINATE'],
      [3, undefined],
    ],
  )
})
