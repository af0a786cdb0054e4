/** Changes of the members: Raft §6, thesis §4. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import {
  configurationEntryOf,
  configurationOf,
  entriesOf,
  entryOf,
  incarnationOf,
  memberOf,
  ofKind,
  Subject,
} from '../test/subject.ts'
import { isJoint, simpleConfiguration } from './configuration.ts'
import type { MemberChange } from './event.ts'
import type { Message } from './message.ts'
import type { RaftKnobs } from './options.ts'
import type { Configuration, Member, NodeId } from './types.ts'

const idsOf = (members: readonly Member[]): string => members.map(({ id }) => id).join('')
const shapeOf = ({ voters, outgoing, learners }: Configuration): string[] =>
  [voters, outgoing, learners].map(idsOf)
const members = (ids: string): Member[] => [...ids].map(memberOf)
const remove = (id: NodeId): MemberChange => ({ kind: 'remove', id })
const promote = (id: NodeId): MemberChange => ({ kind: 'promote', id })
const addLearner = (id: NodeId): MemberChange => ({ kind: 'addLearner', member: memberOf(id) })
const appendsTo = (messages: readonly Message[], id: NodeId) =>
  ofKind(messages, 'appendRequest').filter(({ to }) => to === id)

/** A leader of these voters and learners that has committed its no-op, acknowledged by all. */
const leading = (voters: string, learners = '', knobs: Partial<RaftKnobs> = {}): Subject =>
  new Subject({ configuration: simpleConfiguration(members(voters), members(learners)), knobs })
    .becomeLeader()
    .commitAll()

/** Begins a change that must not be refused. */
function begin(
  subject: Subject,
  changes: readonly MemberChange[],
  leave: 'auto' | 'explicit' = 'auto',
): number {
  const index = subject.core.changeMembers(changes, leave)
  assert.ok(typeof index === 'number', JSON.stringify(index))
  return index
}

function reasonOf(result: ReturnType<Subject['core']['changeMembers']>): string {
  assert.ok(typeof result !== 'number')
  return result.reason
}

/** A node with an empty vote that finds these entries on its disk. */
const found = (entries: ReturnType<typeof entriesOf>, given: ConstructorParameters<typeof Subject>[0] = {}) =>
  new Subject({
    ...given,
    disk: new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entries)),
  })

test('§6 a configuration takes effect on the leader when it is appended, committed or not', () => {
  const subject = leading('abc')
  const index = begin(subject, [addLearner('d')])
  assert.deepEqual(shapeOf(subject.core.configuration), ['abc', '', 'd'])
  assert.deepEqual([subject.core.configurationIndex, subject.core.commitIndex], [index, index - 1])
  const { configuration, messages } = subject.turn()
  assert.deepEqual(configuration, subject.core.configuration, 'the host is told')
  assert.equal(appendsTo(messages, 'd').length, 1, 'the new member is probed at once')
  assert.equal(subject.turn().configuration, undefined, 'once')
})

test('§6 a configuration takes effect on a follower when it is appended, and is undone by truncation', () => {
  const subject = new Subject({ log: [1] })
  const entries = [configurationEntryOf(2, 1, simpleConfiguration(members('abcd'))), entryOf(3, 1)]
  subject.receive('b', { kind: 'appendRequest', term: 1, prevIndex: 1, prevTerm: 1, commit: 0, entries })
  assert.deepEqual(shapeOf(subject.core.configuration), ['abcd', '', ''])
  assert.equal(subject.turn().configuration, subject.core.configuration)
  const other = { kind: 'appendRequest', term: 2, prevIndex: 1, prevTerm: 1, commit: 0 } as const
  subject.receive('c', { ...other, entries: entriesOf([2], 2) })
  assert.deepEqual(shapeOf(subject.core.configuration), ['abc', '', ''])
  assert.equal(subject.core.configurationIndex, 0)
  assert.equal(subject.turn().configuration, subject.core.configuration)
})

test('§6 a restart finds the configurations of its log, also those it may have to go back to', () => {
  const subject = found([
    entryOf(1, 1),
    configurationEntryOf(2, 1, simpleConfiguration(members('abcd'))),
    { ...entryOf(3, 1), configurationIndex: 2 },
    configurationEntryOf(4, 1, simpleConfiguration(members('abcde'))),
  ])
  assert.deepEqual(shapeOf(subject.core.configuration), ['abcde', '', ''])
  const other = { kind: 'appendRequest', term: 2, prevIndex: 3, prevTerm: 1, commit: 0 } as const
  subject.receive('c', { ...other, entries: [{ ...entryOf(4, 2), configurationIndex: 2 }] })
  assert.deepEqual(shapeOf(subject.core.configuration), ['abcd', '', ''])
})

test('every entry names the configuration in effect at it', () => {
  const subject = leading('abc')
  subject.propose()
  begin(subject, [addLearner('d')])
  subject.propose()
  const entries = subject.turn().persist?.entries ?? []
  assert.deepEqual(
    entries.map(({ index, configurationIndex }) => [index, configurationIndex]),
    [
      [2, 0],
      [3, 3],
      [4, 3],
    ],
  )
})

test('thesis §4.1 (2015) no change before the leader has committed an entry of its own term', () => {
  const subject = new Subject({ log: [1, 1] }).becomeLeader()
  assert.equal(reasonOf(subject.core.changeMembers([remove('c')], 'auto')), 'NOT_READY')
  subject.flush()
  subject.accept('b', 2)
  assert.equal(reasonOf(subject.core.changeMembers([remove('c')], 'auto')), 'NOT_READY', 'only what it found')
  subject.accept('b', 3)
  begin(subject, [remove('c')])
})

test('thesis §4.1 one change at a time: the next is refused until the one before is committed', () => {
  const subject = leading('abc')
  const index = begin(subject, [addLearner('d')])
  subject.turn()
  subject.flush()
  assert.equal(reasonOf(subject.core.changeMembers([addLearner('e')], 'auto')), 'IN_PROGRESS')
  subject.accept('b', index)
  begin(subject, [addLearner('e')])
})

test('a change is refused while leadership is being transferred', () => {
  const subject = leading('abc')
  assert.equal(subject.core.transferLeadership('b'), undefined)
  assert.equal(reasonOf(subject.core.changeMembers([addLearner('d')], 'auto')), 'IN_PROGRESS')
})

test('what makes no sense changes nothing', () => {
  const subject = leading('abc')
  assert.equal(reasonOf(subject.core.changeMembers([remove('x')], 'auto')), 'INVALID')
  assert.equal(reasonOf(subject.core.leaveJoint()), 'NOT_JOINT')
  assert.deepEqual([subject.core.lastIndex, subject.turn().persist], [1, undefined])
})

test('§6 in a joint configuration an entry needs a majority of either half', () => {
  const subject = leading('abc', 'de')
  const index = begin(subject, [remove('b'), remove('c'), promote('d'), promote('e')])
  assert.deepEqual(shapeOf(subject.core.configuration), ['ade', 'abc', ''])
  subject.turn()
  subject.flush()
  subject.accept('d', index).accept('e', index)
  assert.equal(subject.core.commitIndex, index - 1, 'all of the new ones, one of the old')
  subject.accept('b', index)
  assert.equal(subject.core.commitIndex, index)
  const other = leading('abc', 'de')
  begin(other, [remove('b'), remove('c'), promote('d'), promote('e')])
  other.turn()
  other.flush()
  other.accept('b', index).accept('c', index)
  assert.equal(other.core.commitIndex, index - 1, 'all of the old ones, one of the new')
})

test('§6 in a joint configuration a candidate needs a majority of either half', () => {
  const joint = { ...simpleConfiguration(members('ade')), outgoing: members('abc'), autoLeave: true }
  const votes = (...ids: NodeId[]): string => {
    const subject = new Subject({ configuration: joint, knobs: { preVote: false } }).waitUntilDue()
    subject.turn()
    subject.flush()
    for (const id of ids) {
      if (subject.core.role === 'candidate')
        subject.receive(id, { kind: 'voteReply', term: 1, granted: true })
    }
    return subject.core.role
  }
  assert.equal(votes('b', 'c'), 'candidate')
  assert.equal(votes('d', 'e'), 'candidate')
  assert.equal(votes('b', 'd'), 'leader')
})

test('§6 pre-votes, heartbeat rounds and check-quorum need both halves too', () => {
  const joint = { ...simpleConfiguration(members('ade')), outgoing: members('abc'), autoLeave: false }
  const candidate = new Subject({ configuration: joint }).waitUntilDue()
  const granted = { kind: 'preVoteReply', term: 1, granted: true } as const
  candidate.receive('b', granted).receive('c', granted)
  assert.equal(candidate.core.role, 'preCandidate')
  candidate.receive('d', granted)
  assert.equal(candidate.core.role, 'candidate')
  const leader = new Subject({ configuration: joint }).becomeLeader().commitAll()
  leader.core.readIndex(1)
  const round = ofKind(leader.sent(), 'heartbeat')[0]?.round as number
  const beat = { kind: 'heartbeatReply', term: 1, round } as const
  leader.receive('b', beat).receive('c', beat)
  assert.deepEqual(leader.turn().reads, [])
  leader.receive('e', beat)
  assert.deepEqual(leader.turn().reads, [{ id: 1, index: 1 }])
  for (let beats = 0; beats < 20; beats++) if (leader.core.role === 'leader') leader.beat(['b', 'c'])
  assert.equal(leader.core.role, 'follower', 'nobody of the new ones is heard')
})

test('thesis §6.4 a read waits for nobody who was removed', () => {
  const subject = leading('ab')
  subject.core.readIndex(1)
  assert.deepEqual(subject.turn().reads, [], 'b has not answered')
  begin(subject, [remove('b')])
  subject.turn()
  subject.flush()
  assert.equal(subject.core.commitIndex, 2)
  subject.waitUntilDue()
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 1 }])
})

test('§6 the leader leaves a joint configuration by itself, once it is committed', () => {
  const subject = leading('abc', 'de')
  const index = begin(subject, [remove('b'), remove('c'), promote('d'), promote('e')])
  subject.turn()
  subject.flush()
  subject.accept('b', index).accept('d', index)
  assert.deepEqual([subject.core.configurationIndex, subject.core.lastIndex], [index + 1, index + 1])
  assert.deepEqual(shapeOf(subject.core.configuration), ['ade', '', ''])
  subject.turn()
  subject.flush()
  subject.accept('d', index + 1)
  assert.equal(subject.core.commitIndex, index + 1, 'the new ones decide alone')
})

test('§6 whoever leads next leaves a joint configuration that it finds', () => {
  const joint = { ...simpleConfiguration(members('ab')), outgoing: members('abc'), autoLeave: true }
  const subject = found([entryOf(1, 1), configurationEntryOf(2, 1, joint)]).becomeLeader()
  assert.equal(isJoint(subject.core.configuration), true)
  subject.flush()
  subject.accept('b', 3)
  assert.deepEqual([subject.core.commitIndex, subject.core.configurationIndex], [3, 4])
  assert.deepEqual(shapeOf(subject.core.configuration), ['ab', '', ''])
})

test('§6 a joint configuration entered with leave: explicit stays until it is asked to leave', () => {
  const subject = leading('abc', 'd')
  const index = begin(subject, [promote('d')], 'explicit')
  subject.commitAll()
  assert.deepEqual([subject.core.commitIndex, isJoint(subject.core.configuration)], [index, true])
  assert.equal(reasonOf(subject.core.changeMembers([remove('c')], 'auto')), 'IN_PROGRESS')
  assert.equal(subject.core.leaveJoint(), index + 1)
  assert.deepEqual(shapeOf(subject.core.configuration), ['abcd', '', ''])
  assert.equal(reasonOf(subject.core.leaveJoint()), 'NOT_JOINT')
})

test('§6 a joint configuration cannot be left before it is committed', () => {
  const subject = leading('abc', 'd')
  begin(subject, [promote('d')], 'explicit')
  assert.equal(reasonOf(subject.core.leaveJoint()), 'IN_PROGRESS')
})

test('thesis §4.2.2 a leader that removes itself leads on, does not count itself, and steps down at the commit', () => {
  const subject = leading('abc')
  const index = begin(subject, [remove('a')])
  subject.propose()
  const { messages } = subject.turn()
  assert.equal(appendsTo(messages, 'b').length, 1)
  subject.flush()
  subject.accept('b', index + 1)
  assert.deepEqual([subject.core.commitIndex, subject.core.role], [index - 1, 'leader'], 'one of two voters')
  subject.accept('c', index)
  assert.deepEqual([subject.core.commitIndex, subject.core.role], [index, 'follower'])
  assert.deepEqual(
    ofKind(subject.sent(), 'timeoutNow').map(({ to }) => to),
    ['b'],
    'who has everything goes on at once',
  )
})

test('thesis §4.2.2 where no voter has everything, nobody is asked to campaign', () => {
  const subject = leading('abc')
  const index = begin(subject, [remove('a')])
  subject.propose()
  subject.turn()
  subject.accept('b', index).accept('c', index)
  assert.equal(subject.core.role, 'follower')
  assert.deepEqual(ofKind(subject.sent(), 'timeoutNow'), [])
})

test('thesis §4.2.2 a removed leader that has stepped down does not campaign', () => {
  const subject = leading('abc')
  const index = begin(subject, [remove('a')])
  subject.turn()
  subject.flush()
  subject.accept('b', index).accept('c', index).turn()
  for (let timeouts = 0; timeouts < 5; timeouts++) subject.waitUntilDue()
  assert.deepEqual([subject.core.role, subject.core.term], ['follower', 1])
})

test('thesis §4.2.2 a node that its uncommitted configuration leaves out still campaigns, and counts itself not', () => {
  // The leader of two that appended its own removal: with the longer log it votes for nobody.
  const removal = configurationEntryOf(2, 1, simpleConfiguration(members('b')))
  const subject = found([entryOf(1, 1), removal], { voters: 2 }).waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
  subject.receive('b', { kind: 'preVoteReply', term: 2, granted: true }).turn()
  subject.flush()
  assert.equal(subject.core.role, 'candidate', 'the own vote is none')
  subject.receive('b', { kind: 'voteReply', term: 2, granted: true }).turn()
  subject.flush()
  assert.deepEqual([subject.core.role, subject.core.commitIndex], ['leader', 0], 'nor is the own disk')
  subject.accept('b', 3)
  assert.deepEqual([subject.core.commitIndex, subject.core.role], [3, 'follower'])
  subject.turn()
  subject.wait(5000)
  assert.equal(subject.core.role, 'follower')
})

test('§6 a leader that becomes a learner steps down when that is committed', () => {
  const subject = leading('abc')
  const index = begin(subject, [{ kind: 'demote', id: 'a' }])
  assert.deepEqual(shapeOf(subject.core.configuration), ['bc', '', 'a'])
  subject.turn()
  subject.flush()
  subject.accept('b', index)
  assert.equal(subject.core.role, 'leader')
  subject.accept('c', index)
  assert.equal(subject.core.role, 'follower')
})

test('thesis §4.2.1 a learner gets the log and counts for nothing', () => {
  const subject = leading('abc', 'd')
  subject.propose()
  assert.equal(appendsTo(subject.sent(), 'd').length, 1)
  subject.flush()
  subject.accept('d', 2)
  assert.equal(subject.core.commitIndex, 1)
  subject.core.readIndex(1)
  const round = ofKind(subject.sent(), 'heartbeat')[0]?.round as number
  subject.receive('d', { kind: 'heartbeatReply', term: 1, round })
  assert.deepEqual(subject.turn().reads, [])
  for (let beats = 0; beats < 20; beats++) if (subject.core.role === 'leader') subject.beat(['d'])
  assert.equal(subject.core.role, 'follower', 'nor for check-quorum')
})

test('thesis §4.2.1 a learner never campaigns, whatever it is told', () => {
  const subject = new Subject({ id: 'd', configuration: simpleConfiguration(members('abc'), members('d')) })
  subject.waitUntilDue()
  subject.core.campaign()
  subject.receive('a', { kind: 'heartbeat', term: 1, commit: 0, round: 0 })
  subject.receive('a', { kind: 'timeoutNow', term: 1 })
  assert.deepEqual([subject.core.role, subject.core.term], ['follower', 1])
})

test('thesis §4.2.1 the vote of a learner does not count', () => {
  const subject = leading('abc', 'd').receive('b', { kind: 'heartbeatReply', term: 4, round: 0 })
  subject.turn()
  subject.flush()
  subject.becomeCandidate().turn()
  subject.flush()
  subject.receive('d', { kind: 'voteReply', term: 5, granted: true })
  assert.equal(subject.core.role, 'candidate')
})

test('thesis §4.1 a learner that does not know of its promotion still votes', () => {
  const subject = new Subject({ id: 'd', configuration: simpleConfiguration(members('abc'), members('d')) })
  subject.receive('b', { kind: 'voteRequest', term: 1, lastIndex: 0, lastTerm: 0 }).turn()
  assert.equal(ofKind(subject.flush(), 'voteReply')[0]?.granted, true)
})

test('thesis §4.1 a node that has no configuration is passive, but votes and follows', () => {
  const subject = new Subject({ id: 'd', configuration: simpleConfiguration([]) })
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'follower')
  subject.receive('b', { kind: 'voteRequest', term: 1, lastIndex: 0, lastTerm: 0 }).turn()
  assert.equal(ofKind(subject.flush(), 'voteReply')[0]?.granted, true)
  const entries = [configurationEntryOf(1, 1, simpleConfiguration(members('ab'), members('d')))]
  subject.receive('b', { kind: 'appendRequest', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries })
  subject.turn()
  assert.equal(ofKind(subject.flush(), 'appendReply')[0]?.matchIndex, 1)
  assert.deepEqual(shapeOf(subject.core.configuration), ['ab', '', 'd'])
})

test('thesis §4.2.1 a learner is promoted when it lags by no more than maxUncommittedEntries', () => {
  const subject = leading('abc', 'd', { maxUncommittedEntries: 2 })
  for (let count = 0; count < 3; count++) subject.propose()
  subject.turn()
  subject.flush()
  subject.accept('b', 4)
  assert.equal(reasonOf(subject.core.changeMembers([promote('d')], 'auto')), 'NOT_CAUGHT_UP')
  subject.accept('d', 2)
  begin(subject, [promote('d')])
})

test('thesis §4.2.1 a learner that has never answered is not promoted', () => {
  const subject = leading('abc')
  begin(subject, [addLearner('d')])
  subject.turn()
  subject.flush()
  subject.accept('b', 2)
  assert.equal(reasonOf(subject.core.changeMembers([promote('d')], 'auto')), 'NOT_CAUGHT_UP')
})

test('a new member is probed from the entry that brings it, and found from there', () => {
  const subject = leading('abc')
  begin(subject, [addLearner('d')])
  const [probe] = appendsTo(subject.sent(), 'd')
  assert.deepEqual([probe?.prevIndex, probe?.entries.length], [1, 1])
  subject.refuse('d', 1, 0, 0)
  assert.deepEqual(appendsTo(subject.sent(), 'd')[0]?.prevIndex, 0)
  subject.accept('d', 2)
  assert.equal(subject.core.matchIndexes.get('d'), 2)
})

test('a new incarnation after a removal begins with nothing acknowledged', () => {
  const subject = leading('abc')
  begin(subject, [remove('c')])
  subject.commitAll()
  assert.deepEqual([...subject.core.matchIndexes.keys()], ['b'], 'nothing more is sent to whom is removed')
  begin(subject, [{ kind: 'addLearner', member: { id: 'c', incarnation: 7 } }])
  assert.equal(subject.core.matchIndexes.get('c'), 0)
  subject.turn()
  subject.accept('c', 3)
  assert.equal(subject.core.matchIndexes.get('c'), 0, 'an acknowledgement of its namesake')
  const body = { kind: 'appendReply', term: 1, accepted: true, matchIndex: 3, rejected: 0 } as const
  subject.receive('c', { ...body, hintIndex: 0, hintTerm: 0, fromIncarnation: 7 })
  assert.equal(subject.core.matchIndexes.get('c'), 3)
})

test('law 6: acknowledgements, rounds and refusals of another incarnation or boot count for nothing', () => {
  const other = { fromIncarnation: incarnationOf('b') + 1 }
  const late = { toBoot: 6 }
  for (const envelope of [other, late]) {
    const subject = leading('abc')
    subject.propose()
    subject.turn()
    subject.flush()
    const body = { kind: 'appendReply', term: 1, rejected: 0, hintIndex: 0, hintTerm: 0 } as const
    subject.receive('b', { ...body, ...envelope, accepted: true, matchIndex: 2 })
    subject.receive('b', { ...body, ...envelope, accepted: false, matchIndex: 0, rejected: 2 })
    assert.deepEqual([subject.core.commitIndex, subject.core.progress.get('b')?.state], [1, 'replicate'])
    subject.core.readIndex(1)
    const round = ofKind(subject.sent(), 'heartbeat')[0]?.round as number
    subject.receive('b', { kind: 'heartbeatReply', term: 1, round, ...envelope })
    assert.deepEqual(subject.turn().reads, [])
    for (let beats = 0; beats < 20 && subject.core.role === 'leader'; beats++) {
      const { round: next = 0 } = ofKind(subject.waitUntilDue().sent(), 'heartbeat')[0] ?? {}
      subject.receive('b', { kind: 'heartbeatReply', term: 1, round: next, ...envelope })
    }
    assert.equal(subject.core.role, 'follower', 'nor is it heard')
  }
})

test('thesis §4.2.3 a removed node cannot disrupt: its requests are ignored while a leader is heard', () => {
  const follower = new Subject({ configuration: simpleConfiguration(members('abc')) })
  follower.receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 0 }).turn()
  follower.flush()
  const leader = leading('abc')
  for (const subject of [follower, leader]) {
    subject.receive('z', { kind: 'voteRequest', term: 9, lastIndex: 99, lastTerm: 8 })
    assert.equal(subject.core.term, 1, 'nor is the term raised')
    assert.deepEqual(subject.turn().messages, [])
    subject.receive('z', { kind: 'preVoteRequest', term: 9, lastIndex: 99, lastTerm: 8 })
    assert.deepEqual(
      ofKind(subject.sent(), 'preVoteReply').map(({ granted }) => granted),
      [false],
    )
  }
  assert.deepEqual([leader.core.role, follower.core.leader], ['leader', 'b'])
})

test('a voter that is being removed from a joint configuration still gets the log, and no more after it', () => {
  const subject = leading('abc', 'd')
  const index = begin(subject, [remove('c'), promote('d')])
  assert.equal(appendsTo(subject.sent(), 'c').length, 1)
  subject.flush()
  for (const id of 'bcd') subject.accept(id, index)
  const { messages } = subject.turn()
  assert.deepEqual(shapeOf(subject.core.configuration), ['abd', '', ''])
  assert.deepEqual([appendsTo(messages, 'b').length, appendsTo(messages, 'c').length], [1, 0])
})

test('a leader of one that gets a second voter needs both from the append on', () => {
  const subject = leading('a', 'b')
  subject.accept('b', 1)
  const index = begin(subject, [promote('b')])
  subject.turn()
  subject.flush()
  assert.equal(subject.core.commitIndex, index - 1)
  subject.accept('b', index)
  assert.equal(subject.core.commitIndex, index)
})

test('thesis §4.2.2 a follower that knows that its removal is committed does not campaign', () => {
  const subject = new Subject({ configuration: configurationOf(3) })
  const entries = [configurationEntryOf(1, 1, simpleConfiguration(members('bc')))]
  subject.receive('b', { kind: 'appendRequest', term: 1, prevIndex: 0, prevTerm: 0, commit: 1, entries })
  subject.turn()
  subject.flush()
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'follower', 'removed, and that is committed')
})
