/** Corner cases that were wrong once: the situations that reviews and simulations have found in the core. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import { checksum, configurationOf, entriesOf, entryOf, memberOf, ofKind, Subject } from '../test/subject.ts'
import { encodeConfiguration, simpleConfiguration } from './configuration.ts'
import { type Entry, EntryKind, encodeEntry } from './entry.ts'
import type { Message, RepairReply } from './message.ts'
import type { Configuration, IndexRange } from './types.ts'

const configurationEntry = (index: number, term: number, c: Configuration): Entry =>
  encodeEntry(
    { index, term, kind: EntryKind.configuration, timeMs: 0, commandCount: 0, configurationIndex: index },
    [encodeConfiguration(c)],
    checksum,
  )

test('idle learner gets the log', () => {
  const s = new Subject({ voters: 3 }).becomeLeader().commitAll()
  const begun = s.core.changeMembers([{ kind: 'addLearner', member: memberOf('d') }], 'auto')
  assert.equal(begun, 2)
  const sent = ofKind(s.sent(), 'appendRequest').filter(({ to }) => to === 'd')
  s.flush()
  s.accept('b', 2).accept('c', 2).turn()
  const beats: Message[] = [...sent]
  for (let i = 0; i < 5; i++) {
    const m = s.wait(50).sent()
    const hb = ofKind(m, 'heartbeat').find(({ to }) => to === 'd')
    for (const id of 'bcd') s.receive(id, { kind: 'heartbeatReply', term: 1, round: hb?.round ?? 0 })
    beats.push(...ofKind(m, 'appendRequest').filter(({ to }) => to === 'd'))
    beats.push(...ofKind(s.sent(), 'appendRequest').filter(({ to }) => to === 'd'))
  }
  assert.ok(beats.length > 0, 'nothing was sent to d')
})

test('thesis 4.2.2: a server not in its latest, uncommitted configuration still campaigns', () => {
  const without = simpleConfiguration([memberOf('b')])
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, [entryOf(1, 1), configurationEntry(2, 1, without)]),
  )
  const s = new Subject({ voters: 2, disk })
  assert.deepEqual(
    s.core.configuration.voters.map(({ id }) => id),
    ['b'],
  )
  s.waitUntilDue()
  assert.equal(s.core.role, 'preCandidate')
})

test('damage below the own snapshot: an older snapshot must not take the state back', () => {
  const snapshots = new MemorySnapshots()
  const conf = { configuration: configurationOf(3), configurationIndex: 0, timeMs: 0 }
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entriesOf([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])),
  )
  disk.damaged = [{ from: 5, to: 5 }]
  snapshots.put({ index: 10, term: 1, ...conf }, Uint8Array.of(10))
  const s = new Subject({ disk, snapshots })
  const first = s.turn()
  assert.equal(first.install?.index, 10)
  s.flush()
  console.log('damaged', s.core.damaged)
  const data = Uint8Array.of(7)
  const meta = { index: 7, term: 1, ...conf, bytes: 1, checksum: checksum(data) }
  s.wait(200).turn()
  s.receive('b', { kind: 'snapshotOffer', term: 1, meta, isLeader: false })
  s.turn()
  s.receive('b', { kind: 'snapshotChunk', term: 1, index: 7, checksum: meta.checksum, offset: 0, data })
  s.turn()
  s.tellSnapshots()
  const after = s.turn()
  assert.equal(after.install, undefined, `state goes back to ${after.install?.index}`)
})

test('repair: a configuration in the damaged end', () => {
  // a knows {a,b,c}; its damaged end 3..6 has: 3 joint {a,d,e}/{a,b,c}, 4 leave, 5, 6 committed by a and d alone.
  const adj = [memberOf('a'), memberOf('d'), memberOf('e')]
  const joint = { ...simpleConfiguration(adj), outgoing: configurationOf(3).voters, autoLeave: true }
  const log = [
    entryOf(1, 1),
    entryOf(2, 1),
    configurationEntry(3, 1, joint),
    configurationEntry(4, 1, simpleConfiguration(adj)),
    entryOf(5, 1),
    entryOf(6, 1),
  ]
  const base = { ...simpleConfiguration(configurationOf(3).voters, [memberOf('d'), memberOf('e')]) }
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, log))
  disk.damaged = [{ from: 3, to: 6 }]
  const s = new Subject({ disk, configuration: base })
  const answer = (from: string, verdict: RepairReply['verdict'], entries: Entry[], range: IndexRange) =>
    s.receive(from, { kind: 'repairReply', term: 1, range, verdict, entries })
  s.wait(200).turn()
  answer('b', 'intact', log.slice(2, 3), { from: 3, to: 6 })
  answer('c', 'absent', [], { from: 3, to: 6 })
  s.turn()
  s.flush()
  for (let i = 0; i < 3; i++) {
    s.wait(200).turn()
    s.flush()
  }
  answer('b', 'absent', [], { from: 4, to: 6 })
  answer('c', 'absent', [], { from: 4, to: 6 })
  assert.equal(s.core.lastIndex, 6, 'cut what d may hold and have committed')
})

test('a namesake with another incarnation is no voter', () => {
  const configuration = simpleConfiguration([{ id: 'a', incarnation: 1 }, memberOf('b'), memberOf('c')])
  const s = new Subject({ configuration, log: [1] })
  s.waitUntilDue()
  assert.equal(s.core.role, 'follower')
})

test('lease: after a transfer whose target was asked, a second one that is given up does not restore it', () => {
  const s = new Subject({ knobs: { leaseReads: true } }).becomeLeader().commitAll()
  const beat = (): void => {
    const r = ofKind(s.wait(50).sent(), 'heartbeat')[0]?.round ?? -1
    for (const id of 'bc') s.receive(id, { kind: 'heartbeatReply', term: 1, round: r })
    s.turn()
  }
  beat()
  assert.equal(s.core.holdsLease(s.nowMs), true)
  s.core.transferLeadership('b')
  assert.equal(ofKind(s.sent(), 'timeoutNow').length, 1)
  for (let i = 0; i < 21; i++) beat()
  assert.equal(s.core.transferTarget, undefined)
  assert.equal(s.core.holdsLease(s.nowMs), false)
  s.propose()
  s.turn()
  s.flush()
  s.accept('b', 2).turn()
  s.core.transferLeadership('c') // lags
  for (let i = 0; i < 21; i++) beat()
  assert.equal(s.core.transferTarget, undefined)
  assert.equal(s.core.holdsLease(s.nowMs), false, 'b may still be about to campaign')
})

test('a joined node whose snapshot is gone asks the leader', () => {
  const disk = new MemoryDisk({
    hardState: { term: 1, vote: '', voteIncarnation: 0 },
    base: { index: 5, term: 1 },
    entries: entriesOf([1], 6),
  })
  const s = new Subject({ disk, configuration: simpleConfiguration([]) })

  s.receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 0 })
  const m = [...s.wait(200).sent(), ...s.flush()]
  assert.ok(
    m.some(({ kind }) => kind === 'repairRequest'),
    'asks nobody',
  )
})

test('a fetch that the log has overtaken is given up', () => {
  const s = new Subject({ hardState: { term: 1, vote: '' } })
  const data = Uint8Array.of(5, 6)
  const meta = {
    index: 3,
    term: 1,
    timeMs: 0,
    configuration: configurationOf(3),
    configurationIndex: 0,
    bytes: 2,
    checksum: checksum(data),
  }
  s.receive('b', { kind: 'snapshotOffer', term: 1, meta, isLeader: true }).turn()
  s.receive('b', {
    kind: 'snapshotChunk',
    term: 1,
    index: 3,
    checksum: meta.checksum,
    offset: 0,
    data: data.slice(0, 1),
  }).turn()
  s.receive('b', {
    kind: 'appendRequest',
    term: 1,
    prevIndex: 0,
    prevTerm: 0,
    commit: 4,
    entries: entriesOf([1, 1, 1, 1]),
  }).turn()
  s.flush()
  const w = s
    .receive('b', {
      kind: 'snapshotChunk',
      term: 1,
      index: 3,
      checksum: meta.checksum,
      offset: 1,
      data: data.slice(1),
    })
    .turn()
  assert.equal(w.snapshotWrites.length, 0)
})

test('an offer while the last chunk is on its way to the disk does not begin the transfer again', () => {
  const s = new Subject({ hardState: { term: 1, vote: '' } })
  const data = Uint8Array.of(5, 6)
  const meta = {
    index: 3,
    term: 1,
    timeMs: 0,
    configuration: configurationOf(3),
    configurationIndex: 0,
    bytes: 2,
    checksum: checksum(data),
  }
  const offer = { kind: 'snapshotOffer', term: 1, meta, isLeader: true } as const
  s.receive('b', offer).turn()
  s.receive('b', { kind: 'snapshotChunk', term: 1, index: 3, checksum: meta.checksum, offset: 0, data })
  s.receive('b', offer)
  assert.deepEqual(ofKind(s.sent(), 'snapshotPull'), [])
  s.receive('b', offer)
  assert.deepEqual(ofKind(s.sent(), 'snapshotPull'), [], 'complete, and not told yet')
})

test('thesis 4.2.2: the same for one that was promoted after the last known commit', () => {
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, [
      entryOf(1, 1),
      configurationEntry(2, 1, simpleConfiguration(['a', 'b', 'c', 'd'].map(memberOf))),
      configurationEntry(3, 1, simpleConfiguration(['a', 'b', 'c'].map(memberOf))),
    ]),
  )
  const s = new Subject({
    id: 'd',
    disk,
    configuration: simpleConfiguration(['a', 'b', 'c'].map(memberOf), [memberOf('d')]),
  })
  s.waitUntilDue()
  assert.equal(s.core.role, 'preCandidate')
})
