/** Corner cases that were wrong once: the situations that reviews and simulations have found in the core. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import {
  checksum,
  configurationEntryOf,
  configurationOf,
  entriesOf,
  entryOf,
  memberOf,
  ofKind,
  Subject,
} from '../test/subject.ts'
import { simpleConfiguration } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { RepairReply } from './message.ts'
import type { IndexRange } from './types.ts'

test('thesis 4.2.2: a server not in its latest, uncommitted configuration still campaigns', () => {
  const without = simpleConfiguration([memberOf('b')])
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, [
      entryOf(1, 1),
      configurationEntryOf(2, 1, without),
    ]),
  )
  const subject = new Subject({ voters: 2, disk })
  assert.deepEqual(
    subject.core.configuration.voters.map(({ id }) => id),
    ['b'],
  )
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('damage below the own snapshot: an older snapshot must not take the state back', () => {
  const snapshots = new MemorySnapshots()
  const conf = { configuration: configurationOf(3), configurationIndex: 0, timeMs: 0 }
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entriesOf([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])),
  )
  disk.damaged = [{ from: 5, to: 5 }]
  snapshots.put({ index: 10, term: 1, ...conf }, Uint8Array.of(10))
  const subject = new Subject({ disk, snapshots })
  const first = subject.turn()
  assert.equal(first.install?.index, 10)
  subject.flush()
  const data = Uint8Array.of(7)
  const meta = { index: 7, term: 1, ...conf, bytes: 1, checksum: checksum(data) }
  subject.wait(200).turn()
  subject.receive('b', { kind: 'snapshotOffer', term: 1, meta, isLeader: false })
  subject.turn()
  subject.receive('b', { kind: 'snapshotChunk', term: 1, index: 7, checksum: meta.checksum, offset: 0, data })
  subject.turn()
  subject.tellSnapshots()
  const after = subject.turn()
  assert.equal(after.install, undefined, `state goes back to ${after.install?.index}`)
})

test('repair: a configuration in the damaged end', () => {
  // a knows {a,b,c}; its damaged end 3..6 has: 3 joint {a,d,e}/{a,b,c}, 4 leave, 5, 6 committed by a and d alone.
  const adj = [memberOf('a'), memberOf('d'), memberOf('e')]
  const joint = { ...simpleConfiguration(adj), outgoing: configurationOf(3).voters, autoLeave: true }
  const log = [
    entryOf(1, 1),
    entryOf(2, 1),
    configurationEntryOf(3, 1, joint),
    configurationEntryOf(4, 1, simpleConfiguration(adj)),
    entryOf(5, 1),
    entryOf(6, 1),
  ]
  const base = { ...simpleConfiguration(configurationOf(3).voters, [memberOf('d'), memberOf('e')]) }
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, log))
  disk.damaged = [{ from: 3, to: 6 }]
  const subject = new Subject({ disk, configuration: base })
  const answer = (from: string, verdict: RepairReply['verdict'], entries: Entry[], range: IndexRange) =>
    subject.receive(from, { kind: 'repairReply', term: 1, range, verdict, entries })
  subject.wait(200).turn()
  answer('b', 'intact', log.slice(2, 3), { from: 3, to: 6 })
  answer('c', 'absent', [], { from: 3, to: 6 })
  subject.turn()
  subject.flush()
  for (let i = 0; i < 3; i++) {
    subject.wait(200).turn()
    subject.flush()
  }
  answer('b', 'absent', [], { from: 4, to: 6 })
  answer('c', 'absent', [], { from: 4, to: 6 })
  assert.equal(subject.core.lastIndex, 6, 'cut what d may hold and have committed')
})

test('a namesake with another incarnation is no voter', () => {
  const configuration = simpleConfiguration([{ id: 'a', incarnation: 1 }, memberOf('b'), memberOf('c')])
  const subject = new Subject({ configuration, log: [1] })
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'follower')
})

test('lease: after a transfer whose target was asked, a second one that is given up does not restore it', () => {
  const subject = new Subject({ knobs: { leaseReads: true } }).becomeLeader().commitAll()
  const beat = (): void => {
    const r = ofKind(subject.wait(50).sent(), 'heartbeat')[0]?.round ?? -1
    for (const id of 'bc') subject.receive(id, { kind: 'heartbeatReply', term: 1, round: r })
    subject.turn()
  }
  beat()
  assert.equal(subject.core.holdsLease(subject.nowMs), true)
  subject.core.transferLeadership('b')
  assert.equal(ofKind(subject.sent(), 'timeoutNow').length, 1)
  for (let i = 0; i < 21; i++) beat()
  assert.equal(subject.core.transferTarget, undefined)
  assert.equal(subject.core.holdsLease(subject.nowMs), false)
  subject.propose()
  subject.turn()
  subject.flush()
  subject.accept('b', 2).turn()
  subject.core.transferLeadership('c') // lags
  for (let i = 0; i < 21; i++) beat()
  assert.equal(subject.core.transferTarget, undefined)
  assert.equal(subject.core.holdsLease(subject.nowMs), false, 'b may still be about to campaign')
})

test('a joined node whose snapshot is gone asks the leader', () => {
  const disk = new MemoryDisk({
    hardState: { term: 1, vote: '', voteIncarnation: 0 },
    base: { index: 5, term: 1 },
    entries: entriesOf([1], 6),
  })
  const subject = new Subject({ disk, configuration: simpleConfiguration([]) })

  subject.receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 0 })
  const m = [...subject.wait(200).sent(), ...subject.flush()]
  assert.ok(
    m.some(({ kind }) => kind === 'repairRequest'),
    'asks nobody',
  )
})

test('a fetch that the log has overtaken is given up', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
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
  subject.receive('b', { kind: 'snapshotOffer', term: 1, meta, isLeader: true }).turn()
  subject
    .receive('b', {
      kind: 'snapshotChunk',
      term: 1,
      index: 3,
      checksum: meta.checksum,
      offset: 0,
      data: data.slice(0, 1),
    })
    .turn()
  subject
    .receive('b', {
      kind: 'appendRequest',
      term: 1,
      prevIndex: 0,
      prevTerm: 0,
      commit: 4,
      entries: entriesOf([1, 1, 1, 1]),
    })
    .turn()
  subject.flush()
  const w = subject
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
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
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
  subject.receive('b', offer).turn()
  subject.receive('b', { kind: 'snapshotChunk', term: 1, index: 3, checksum: meta.checksum, offset: 0, data })
  subject.receive('b', offer)
  assert.deepEqual(ofKind(subject.sent(), 'snapshotPull'), [])
  subject.receive('b', offer)
  assert.deepEqual(ofKind(subject.sent(), 'snapshotPull'), [], 'complete, and not told yet')
})

test('thesis 4.2.2: the same for one that was promoted after the last known commit', () => {
  const disk = new MemoryDisk(
    contentOf({ term: 1, vote: '', voteIncarnation: 0 }, [
      entryOf(1, 1),
      configurationEntryOf(2, 1, simpleConfiguration(['a', 'b', 'c', 'd'].map(memberOf))),
      configurationEntryOf(3, 1, simpleConfiguration(['a', 'b', 'c'].map(memberOf))),
    ]),
  )
  const subject = new Subject({
    id: 'd',
    disk,
    configuration: simpleConfiguration(['a', 'b', 'c'].map(memberOf), [memberOf('d')]),
  })
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('a snapshot that is complete and only waits for its flush is not displaced, however long that takes', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
  const offerOf = (index: number, data: Uint8Array) => {
    const place = { index, term: 1, timeMs: 0, configuration: configurationOf(3), configurationIndex: 0 }
    const meta = { ...place, bytes: data.byteLength, checksum: checksum(data) }
    return { kind: 'snapshotOffer', term: 1, meta, isLeader: true } as const
  }
  const [older, newer] = [Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5)]
  const [first, second] = [offerOf(9, older), offerOf(12, newer)]
  subject.receive('b', first)
  const { index, checksum: sum } = first.meta
  subject
    .receive('b', { kind: 'snapshotChunk', term: 1, index, checksum: sum, offset: 0, data: older })
    .turn()
  subject.snapshots.pendingBytes = 2
  for (let waits = 0; waits < 20; waits++) {
    assert.deepEqual(ofKind(subject.wait(60).receive('b', second).sent(), 'snapshotPull'), [])
  }
  subject.snapshots.pendingBytes = 0
  assert.deepEqual(subject.tellSnapshots().turn().install, first.meta)
})
