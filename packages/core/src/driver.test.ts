/** The turn of a node: in the order that ready.ts demands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import { checksum, configurationOf, entriesOf, incarnationOf } from '../test/subject.ts'
import type { Application, RaftHandle, StateLoader } from './application.ts'
import { NodeDriver } from './driver.ts'
import type { ControlOutcome, NodeEvent } from './event.ts'
import type { KeptState } from './kept-state.ts'
import type { Message } from './message.ts'
import { type RaftKnobs, resolveRaftKnobs } from './options.ts'
import type { RefusedProposal } from './proposal.ts'
import { RaftCore } from './raft-core.ts'
import { seededRandom } from './random.ts'
import type { PersistRequest } from './ready.ts'
import type { Configuration, SnapshotMeta } from './types.ts'

const utf8 = new TextEncoder()

interface Found {
  readonly disk: MemoryDisk
  readonly snapshots: MemorySnapshots
  readonly kept?: KeptState
}

/** A node whose every call to the outside is written down. */
class Recorded implements Application<string> {
  readonly calls: string[] = []
  readonly waiting: string[] = []
  readonly outcomes: ControlOutcome[] = []
  readonly configurations: Configuration[] = []
  readonly disk: MemoryDisk
  readonly snapshots: MemorySnapshots
  readonly driver: NodeDriver<string>
  nowMs = 0
  deadlineMs: number | undefined
  /** What {@link save} gives. */
  state = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]
  readonly kept: KeptState | undefined

  constructor(voters: number, log: readonly number[] = [], given: Partial<RaftKnobs> = {}, found?: Found) {
    const hardState = { term: log.at(-1) ?? 0, vote: '', voteIncarnation: 0 }
    this.disk = found?.disk ?? new MemoryDisk(contentOf(hardState, entriesOf(log)))
    this.snapshots = found?.snapshots ?? new MemorySnapshots()
    this.kept = found?.kept
    const persist = this.disk.persist.bind(this.disk)
    this.disk.persist = (request: PersistRequest): void => {
      this.calls.push('persist')
      persist(request)
    }
    const identity = { clusterId: 'test', group: 1, id: 'a', incarnation: incarnationOf('a'), boot: 1 }
    const knobs = resolveRaftKnobs({ snapshotEntries: 0, snapshotBytes: 0, ...given })
    const others = { identity, configuration: configurationOf(voters), random: seededRandom(1), checksum }
    const { kept } = this
    const core = new RaftCore({ ...knobs, ...others, kept }, this.disk, this.snapshots, 0)
    const send = (messages: readonly Message[]): void =>
      void this.calls.push(`send ${messages.map(({ kind, to }) => `${kind}>${to}`)}`)
    const clock = { nowMs: () => this.nowMs }
    const parts = { core, store: this.disk, snapshots: this.snapshots, transport: { send }, clock, checksum }
    const onControl = (outcome: ControlOutcome): void => void this.outcomes.push(outcome)
    const onConfiguration = (of: Configuration): void => void this.configurations.push(of)
    this.driver = new NodeDriver({ ...parts, application: this, knobs, onControl, onConfiguration })
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0
  }
  client(event: string): void {
    this.calls.push(`client ${event}`)
    this.waiting.push(event)
  }
  gather(raft: RaftHandle): void {
    this.calls.push('gather')
    for (const command of this.waiting.splice(0)) {
      if (raft.proposalRefusal === undefined) raft.propose([utf8.encode(command)], 1)
    }
  }
  apply(entries: readonly { index: number }[]): void {
    this.calls.push(`apply ${entries.map(({ index }) => index)}`)
  }
  reads(granted: readonly { id: number }[], refused: readonly number[]): void {
    this.calls.push(`reads ${granted.map(({ id }) => id)}|${refused}`)
  }
  roleChanged({ role }: { role: string }): void {
    this.calls.push(role)
  }
  forwardRefused(refused: readonly RefusedProposal[]): void {
    this.calls.push(`forward refused ${refused.map(({ id }) => id)}`)
  }
  save(): Iterator<Uint8Array> {
    this.calls.push('save')
    return this.state.values()
  }
  load(): StateLoader {
    this.calls.push('load')
    return {
      chunk: (bytes) => void this.calls.push(`chunk ${bytes}`),
      end: () => void this.calls.push('loaded'),
    }
  }
  discard(): void {
    this.calls.push('discard')
  }
  flush(): void {
    this.calls.push('flush')
  }

  /** One turn; returns what was called. */
  turn(...events: NodeEvent<string>[]): string[] {
    this.calls.length = 0
    this.driver.handle(events)
    return [...this.calls]
  }

  written(): NodeEvent<string> {
    return { kind: 'persisted', token: this.disk.write() }
  }

  /** What the snapshot store has completed. */
  completed(): NodeEvent<string>[] {
    const events: NodeEvent<string>[] = []
    this.snapshots.tell({
      onSnapshotSaved: (meta: SnapshotMeta) => void events.push({ kind: 'snapshotSaved', meta }),
      onSnapshotReceived: (meta: SnapshotMeta) => void events.push({ kind: 'snapshotReceived', meta }),
    })
    return events
  }
}

function leaderOfOne(): Recorded {
  const node = new Recorded(1)
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  node.turn(node.written())
  node.turn(node.written())
  return node
}

test('a turn: events, gather, persist, send, role, apply, flush', () => {
  const node = new Recorded(1)
  assert.deepEqual(node.turn(), ['gather', 'follower', 'flush'])
  assert.deepEqual(node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } }), [
    'gather',
    'persist',
    'candidate',
    'flush',
  ])
  assert.deepEqual(node.turn(node.written()), ['gather', 'persist', 'leader', 'flush'])
  assert.deepEqual(node.turn({ kind: 'client', event: 'x' }, node.written()), [
    'client x',
    'gather',
    'persist',
    'apply 1',
    'flush',
  ])
  assert.deepEqual(node.turn(node.written()), ['gather', 'apply 2', 'flush'])
  assert.equal(node.driver.applied, 2)
})

test('all messages of a turn leave together, those that waited for the flush first', () => {
  const node = new Recorded(3)
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  const peer = {
    fromBoot: 1,
    to: 'a',
    toIncarnation: incarnationOf('a'),
    toBoot: 1,
    term: 1,
    granted: true,
  } as const
  const grant = { ...peer, kind: 'preVoteReply', from: 'b', fromIncarnation: incarnationOf('b') } as const
  const request = { kind: 'preVoteRequest', term: 9, lastIndex: 9, lastTerm: 9, priority: 100 } as const
  const from = {
    from: 'c',
    fromIncarnation: incarnationOf('c'),
    fromBoot: 1,
    to: 'a',
    toIncarnation: 0,
    toBoot: 0,
  }
  node.turn({ kind: 'peer', message: grant })
  const calls = node.turn(node.written(), { kind: 'peer', message: { ...from, ...request } })
  assert.deepEqual(calls, ['gather', 'send voteRequest>b,voteRequest>c,preVoteReply>c', 'flush'])
})

test('a completion releases the messages of every request up to it, once', () => {
  const node = new Recorded(3)
  const base = {
    from: 'b',
    fromIncarnation: incarnationOf('b'),
    fromBoot: 1,
    to: 'a',
    toIncarnation: 0,
    toBoot: 0,
  }
  const append = (prevIndex: number): NodeEvent<string> => ({
    kind: 'peer',
    message: {
      ...{ ...base, kind: 'appendRequest', term: 1, prevIndex, prevTerm: prevIndex === 0 ? 0 : 1, commit: 0 },
      entries: entriesOf([1], prevIndex + 1),
    },
  })
  node.turn(append(0))
  node.turn(append(1))
  assert.deepEqual(node.turn(node.written()), ['gather', 'send appendReply>b,appendReply>b', 'flush'])
  assert.deepEqual(node.turn({ kind: 'persisted', token: 2 }), ['gather', 'flush'])
})

test('what was bounded in a turn makes another one due', () => {
  const node = new Recorded(1, [1, 1], { maxApplyBytes: 1 })
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  node.turn(node.written())
  assert.equal(node.driver.hasMore, false)
  assert.ok(node.turn(node.written()).includes('apply 1'))
  assert.equal(node.driver.hasMore, true)
  assert.deepEqual(node.turn(), ['gather', 'apply 2', 'flush'])
  assert.deepEqual(node.turn(), ['gather', 'apply 3', 'flush'])
  assert.equal(node.driver.hasMore, false)
})

test('reads that are refused are told in the same turn', () => {
  const node = new Recorded(3)
  node.turn()
  node.driver.core.readIndex(5)
  assert.deepEqual(node.turn(), ['gather', 'reads |5', 'flush'])
})

test('the deadline is the earlier one of core and application', () => {
  const node = leaderOfOne()
  const { deadlineMs } = node.driver.core
  assert.equal(node.driver.deadlineMs, deadlineMs)
  node.deadlineMs = deadlineMs - 1
  assert.equal(node.driver.deadlineMs, deadlineMs - 1)
  node.deadlineMs = deadlineMs + 1
  assert.equal(node.driver.deadlineMs, deadlineMs)
})

test('time never goes back for the core, whatever the clock says', () => {
  const node = leaderOfOne()
  node.nowMs = 1000
  node.turn()
  const { deadlineMs } = node.driver
  node.nowMs = 10
  node.turn()
  assert.equal(node.driver.deadlineMs, deadlineMs)
})

const saved = { index: 2, term: 1, timeMs: 0, configuration: configurationOf(1), configurationIndex: 0 }

test('a snapshot is taken after what is applied, a chunk a turn, and compacts the log when it is saved', () => {
  const node = new Recorded(1, [], { snapshotEntries: 2, snapshotChunkBytes: 3, keepEntries: 0 })
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  node.turn(node.written())
  node.turn(node.written())
  node.turn({ kind: 'client', event: 'x' })
  assert.deepEqual(node.turn(node.written()), ['gather', 'apply 2', 'save', 'flush'])
  assert.equal(node.driver.hasMore, true)
  assert.deepEqual(node.turn(), ['gather', 'flush'])
  assert.equal(node.driver.hasMore, false)
  const events = node.completed()
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['snapshotSaved'],
  )
  assert.deepEqual(node.turn(...events), ['gather', 'persist', 'flush'])
  assert.deepEqual(node.disk.waiting[0]?.compactTo, { index: 2, term: 1 })
})

test('takeSnapshot is answered when it is on the disk', () => {
  const node = new Recorded(1)
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  node.turn(node.written())
  node.turn(node.written())
  node.outcomes.length = 0
  const calls = node.turn({ kind: 'control', id: 5, command: { kind: 'takeSnapshot' } })
  assert.deepEqual(calls, ['gather', 'save', 'flush'])
  assert.deepEqual(node.outcomes, [])
  node.turn(...node.completed())
  assert.deepEqual(node.outcomes, [{ id: 5, error: undefined }])
})

test('a start with a snapshot loads it, a chunk a turn, and applies nothing before its end', () => {
  const snapshots = new MemorySnapshots()
  snapshots.put(saved, Uint8Array.of(1, 2, 3, 4, 5))
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entriesOf([1, 1, 1])))
  const node = new Recorded(3, [], { snapshotChunkBytes: 4 }, { disk, snapshots })
  const from = { from: 'b', fromIncarnation: incarnationOf('b'), fromBoot: 1 }
  const to = { to: 'a', toIncarnation: 0, toBoot: 0 }
  const message = { ...from, ...to, kind: 'heartbeat', term: 1, commit: 3, round: 0 } as const
  const calls = node.turn({ kind: 'peer', message })
  assert.deepEqual(calls, ['gather', 'send heartbeatReply>b', 'follower', 'load', 'chunk 1,2,3,4', 'flush'])
  assert.deepEqual([node.driver.isInstalling, node.driver.hasMore, node.driver.applied], [true, true, 0])
  assert.deepEqual(node.turn(), ['gather', 'chunk 5', 'loaded', 'flush'])
  assert.deepEqual([node.driver.isInstalling, node.driver.applied], [false, 2])
  assert.deepEqual(node.turn(), ['gather', 'apply 3', 'flush'])
})

test('no snapshot is taken of a state that is being loaded', () => {
  const snapshots = new MemorySnapshots()
  snapshots.put(saved, Uint8Array.of(1, 2, 3, 4, 5))
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entriesOf([1, 1])))
  const node = new Recorded(3, [], { snapshotChunkBytes: 2 }, { disk, snapshots })
  node.turn()
  const command: NodeEvent<string> = { kind: 'control', id: 1, command: { kind: 'takeSnapshot' } }
  assert.deepEqual(node.turn(command), ['gather', 'chunk 3,4', 'flush'])
  assert.deepEqual(node.turn(), ['gather', 'chunk 5', 'loaded', 'save', 'flush'])
})

test('a received snapshot replaces the state; one of the own that was being taken is given up', () => {
  const node = new Recorded(3, [1, 1], { snapshotEntries: 2, snapshotChunkBytes: 3 })
  const from = { from: 'b', fromIncarnation: incarnationOf('b'), fromBoot: 1 }
  const to = { to: 'a', toIncarnation: 0, toBoot: 0 }
  const message = { ...from, ...to, kind: 'heartbeat', term: 1, commit: 2, round: 0 } as const
  assert.ok(node.turn({ kind: 'peer', message }).includes('save'))
  const meta = node.snapshots.put({ ...saved, index: 9 }, Uint8Array.of(8))
  const calls = node.turn({ kind: 'snapshotReceived', meta })
  assert.deepEqual(calls, ['gather', 'persist', 'load', 'chunk 8', 'loaded', 'flush'])
  assert.equal(node.driver.applied, 9)
  assert.deepEqual([node.turn(), node.completed()], [['gather', 'flush'], []])
})

test('the proven end of the leader, a hint, and a connection reach the core', () => {
  const node = new Recorded(3, [1])
  const from = { from: 'b', fromIncarnation: incarnationOf('b'), fromBoot: 4 }
  const to = { to: 'a', toIncarnation: 0, toBoot: 0 }
  const message = { ...from, ...to, kind: 'heartbeat', term: 1, commit: 0, round: 0 } as const
  node.turn({ kind: 'peer', message })
  assert.equal(node.driver.core.leader, 'b')
  node.turn({ kind: 'peerExited', id: 'b', boot: 4 })
  assert.equal(node.driver.core.leader, undefined)
  node.turn({ kind: 'peer', message })
  node.turn({ kind: 'peerGone', id: 'b' }, { kind: 'peerUp', id: 'b' })
  assert.equal(node.driver.core.leader, undefined)
})

test('the host is told of the configuration in effect whenever it changes', () => {
  const node = leaderOfOne()
  const member = { id: 'b', incarnation: 5 }
  const change = { kind: 'changeMembers', changes: [{ kind: 'addLearner', member }], leave: 'auto' } as const
  node.turn({ kind: 'control', id: 3, command: change })
  assert.deepEqual(
    node.configurations.map(({ learners }) => learners),
    [[member]],
  )
  node.turn(node.written())
  assert.deepEqual(node.outcomes.at(-1), { id: 3, error: undefined })
})

/** A node that finds three entries of its own, with a snapshot of the first `snapshot` of them. */
function foundWith(kept: KeptState, snapshot: number, lastIndex = 3): Recorded {
  const hardState = { term: 1, vote: '', voteIncarnation: 0 }
  const disk = new MemoryDisk(contentOf(hardState, entriesOf([1, 1, 1].slice(0, lastIndex))))
  const snapshots = new MemorySnapshots()
  const place = { term: 1, timeMs: 0, configuration: configurationOf(1), configurationIndex: 0 }
  if (snapshot > 0) snapshots.put({ index: snapshot, ...place }, Uint8Array.of(7))
  return new Recorded(1, [], { snapshotEntries: 3 }, { disk, snapshots, kept })
}

test('an application with its state on the disk goes on from it, and no snapshot is loaded', () => {
  const node = foundWith({ index: 2, term: 1, timeMs: 5 }, 1)
  assert.deepEqual([node.calls, node.driver.applied], [[], 2])
  assert.deepEqual(node.turn(), ['gather', 'follower', 'flush'])
  node.turn({ kind: 'control', id: 0, command: { kind: 'campaign' } })
  node.turn(node.written())
  assert.deepEqual(node.turn(node.written()), ['gather', 'apply 3', 'flush'])
  // Two since the snapshot: with the one that had been applied before, it is time for another.
  assert.deepEqual(node.turn(), ['gather', 'apply 4', 'save', 'flush'])
})

test('an application with its state on the disk is given only what is flushed here, one that was at rest what is committed', () => {
  for (const isAtRest of [false, true]) {
    const hardState = { term: 1, vote: '', voteIncarnation: 0 }
    const disk = new MemoryDisk(contentOf(hardState, entriesOf([1])))
    const kept = { index: 1, term: 1, timeMs: 5, isAtRest }
    const node = new Recorded(3, [], {}, { disk, snapshots: new MemorySnapshots(), kept })
    const from = { from: 'b', fromIncarnation: incarnationOf('b'), fromBoot: 1 }
    const to = { to: 'a', toIncarnation: 0, toBoot: 0 }
    const append = { kind: 'appendRequest', term: 1, prevIndex: 1, prevTerm: 1, commit: 2 } as const
    const message = { ...from, ...to, ...append, entries: entriesOf([1], 2) }
    assert.equal(node.turn({ kind: 'peer', message }).includes('apply 2'), isAtRest)
    assert.ok(isAtRest || node.turn(node.written()).includes('apply 2'))
  }
})

test('a state on the disk that the snapshot is ahead of begins anew, with the snapshot', () => {
  const node = foundWith({ index: 1, term: 1, timeMs: 5 }, 2)
  assert.deepEqual([node.calls, node.driver.applied], [['discard'], 0])
  assert.deepEqual(node.turn(), ['gather', 'follower', 'load', 'chunk 7', 'loaded', 'flush'])
  assert.equal(node.driver.applied, 2)
})

test('a state on the disk that is ahead of the log begins anew, with the first entry', () => {
  const node = foundWith({ index: 3, term: 1, timeMs: 5 }, 0, 2)
  assert.deepEqual([node.calls, node.driver.applied], [['discard'], 0])
})

test('a state on the disk stays where the snapshot is lost, until another one comes', () => {
  const hardState = { term: 1, vote: '', voteIncarnation: 0 }
  const disk = new MemoryDisk({ hardState, base: { index: 2, term: 1 }, entries: entriesOf([1], 3) })
  const kept = { index: 3, term: 1, timeMs: 5 }
  const node = new Recorded(3, [], {}, { disk, snapshots: new MemorySnapshots(), kept })
  assert.deepEqual([node.calls, node.driver.core.damaged], [[], [{ from: 1, to: 2 }]])
})

test('a full disk refuses what clients propose, until it has space', () => {
  const node = leaderOfOne()
  node.turn({ kind: 'diskSpace', isFull: true })
  assert.equal(node.driver.core.proposalRefusal, 'NO_SPACE')
  assert.ok(!node.turn({ kind: 'client', event: 'x' }).includes('persist'))
  node.turn({ kind: 'diskSpace', isFull: false })
  assert.ok(node.turn({ kind: 'client', event: 'y' }).includes('persist'))
})

test('a log that is proven to be rolled back is told to the store, and takes the node down before anything leaves', () => {
  const node = new Recorded(3, [1, 1])
  const forgotten: number[] = []
  node.disk.forgotten = (to) => void forgotten.push(to)
  const from = { from: 'b', fromIncarnation: incarnationOf('b'), fromBoot: 1 }
  const to = { to: 'a', toIncarnation: incarnationOf('a'), toBoot: 0 }
  const message: Message = { kind: 'heartbeat', ...from, ...to, term: 1, commit: 5, round: 1 }
  const isProof = { code: 'STORAGE_DAMAGED', message: /ends at 2, .* up to 5/ }
  assert.throws(() => node.turn({ kind: 'client', event: 'x' }, { kind: 'peer', message }), isProof)
  assert.deepEqual(forgotten, [5])
  assert.deepEqual(node.calls, ['client x', 'gather'])
})
