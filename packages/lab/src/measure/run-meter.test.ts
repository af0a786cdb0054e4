import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunEvent } from '../events/run-event.ts'
import { RunMeter } from './run-meter.ts'

type Untimed<Event> = Event extends RunEvent ? Omit<Event, 'atMs'> : never

/** A run of three nodes that is told by hand. */
class Told {
  readonly meter = new RunMeter()
  atMs = 0

  constructor() {
    this.meter.members(['n1', 'n2', 'n3'])
    this.leads('n1', 1)
    for (const node of ['n1', 'n2', 'n3']) this.log(node, 1, 1)
  }

  at(atMs: number): this {
    this.atMs = atMs
    return this
  }

  tell(event: Untimed<RunEvent>): this {
    this.meter.feed({ atMs: this.atMs, ...event } as RunEvent)
    return this
  }

  leads(node: string, term: number): this {
    return this.tell({ kind: 'role', node, role: 'leader', term })
  }

  log(node: string, commit: number, applied: number): this {
    return this.tell({ kind: 'log', node, last: commit, lastTerm: 1, commit, applied })
  }

  write(outcome: 'ok' | 'refused'): this {
    return this.tell({ kind: 'operation', client: 'c1', what: 'write', outcome, tookMs: 1 })
  }

  figures() {
    return this.meter.finish(this.atMs)
  }
}

describe('a run that is measured', () => {
  test('has the longest time without a read while the faults last, and none where nobody read', () => {
    const read = { kind: 'operation', client: 'c1', what: 'read', outcome: 'ok', tookMs: 1 } as const
    const run = new Told().at(500).tell(read).at(1100).tell({ kind: 'phase', phase: 'during' })
    run.at(1300).tell(read).at(1400).tell(read).at(1900).tell({ kind: 'phase', phase: 'after' })
    const { longestReadGapMs, readsBefore, readsDuring, readsAfter } = run.at(2000).tell(read).figures()
    assert.deepEqual(longestReadGapMs, [500])
    assert.deepEqual([readsBefore, readsDuring, readsAfter], [[1], [2], [1]])
    assert.equal(new Told().figures().longestReadGapMs, undefined)
  })

  test('knows the share of what failed in this phase while it lasts', () => {
    const run = new Told().at(500).write('refused').tell({ kind: 'phase', phase: 'during' })
    assert.equal(run.meter.now('failureRateDuring'), undefined)
    run.at(600).write('ok').write('ok').write('ok').write('refused')
    assert.equal(run.meter.now('failureRateDuring'), 0.25)
    assert.equal(run.meter.now('failureRateBefore'), 1)
  })

  test('has the steps from the death of a leader to all being as it was', () => {
    const run = new Told().at(1000).tell({ kind: 'phase', phase: 'during' })
    run.tell({ kind: 'stopped', node: 'n1', boot: 1 }).at(1200).leads('n2', 2)
    run.at(1250).log('n2', 2, 2).at(1260).log('n3', 2, 2).at(1300).write('ok')
    run.at(1500).tell({ kind: 'started', node: 'n1', boot: 2 }).at(1700).log('n1', 2, 2)
    const figures = run.figures()
    assert.deepEqual(figures.timeToLeaderMs, [200])
    assert.deepEqual(figures.timeToLeaderMsDuring, [200])
    assert.deepEqual(figures.timeToCommitMsDuring, [250])
    assert.deepEqual(figures.recoverySecondsDuring, [0.3])
    assert.deepEqual(figures.timeToReplicatedMsDuring, [700])
    assert.equal(figures.timeToLeaderMsBefore, undefined)
  })

  test('counts a leader that is cut off as lost from the last commit on, or from the fault where that is later', () => {
    const run = new Told().at(900).log('n1', 2, 2).at(1000).tell({ kind: 'phase', phase: 'during' })
    run.at(1050).log('n1', 3, 3).at(1400).leads('n2', 2).at(1450).log('n2', 4, 4)
    assert.deepEqual(run.figures().timeToLeaderMsDuring, [350])
    const idle = new Told().at(1000).tell({ kind: 'phase', phase: 'during' }).at(1400).leads('n2', 2)
    assert.deepEqual(idle.figures().timeToLeaderMsDuring, [400])
  })

  test('is one outage for clients where the next leader dies before it commits anything', () => {
    const run = new Told().at(1000).tell({ kind: 'phase', phase: 'during' })
    run.tell({ kind: 'stopped', node: 'n1', boot: 1 }).at(1200).leads('n2', 2)
    run.at(1210).tell({ kind: 'stopped', node: 'n2', boot: 1 }).at(1500).leads('n3', 3)
    run.at(1600).log('n3', 2, 2).write('ok')
    const figures = run.figures()
    assert.deepEqual(figures.timeToLeaderMsDuring, [200, 290])
    assert.deepEqual(figures.recoverySecondsDuring, [0.6])
  })

  test('lags by how long ago what the slowest member lacks was committed', () => {
    const run = new Told()
      .at(100)
      .log('n1', 2, 2)
      .log('n2', 2, 2)
      .at(201)
      .log('n3', 2, 2)
      .at(251)
      .log('n1', 2, 2)
    run.at(260).write('ok')
    // Looked at 50, 100, 150, 200, 250 ms: n3 lacks it from 100 to 201.
    assert.deepEqual(run.figures().replicaLagMsBefore, [0, 0, 50, 100, 0])
  })

  test('tells where a log had parted, by how much, and what it took to mend it', () => {
    const run = new Told()
    const answer = (isGranted: boolean) =>
      run.tell({ kind: 'received', node: 'n1', from: 'n3', name: 'appendReply', term: 2, isGranted })
    run.at(100)
    answer(false)
    run.at(110)
    answer(false)
    run.at(120).tell({ kind: 'cut', node: 'n3', index: 7, entries: 5, terms: [], term: 2 }).at(140)
    answer(true)
    answer(true)
    const { divergencePoints, overwrittenEntries, repairRounds, repairMs } = run.figures()
    assert.deepEqual([divergencePoints, overwrittenEntries, repairRounds, repairMs], [[7], [5], [2], [40]])
  })

  test('knows split votes, stale messages, and whom each node elected how often', () => {
    const run = new Told()
    const asks = (node: string, term: number) => run.tell({ kind: 'role', node, role: 'candidate', term })
    asks('n2', 2)
    asks('n3', 2)
    asks('n2', 3).leads('n2', 3)
    // Votes of a term that somebody won, or that goes on, are not split.
    asks('n3', 3)
    asks('n1', 4)
    asks('n2', 4)
    run.tell({
      ...{ kind: 'received', node: 'n2', from: 'n1', name: 'heartbeat', term: 1, isStale: true },
    })
    const { splitVotes, staleTermMessages, leadershipsPerNode, campaignsPerNode } = run.figures()
    assert.deepEqual([splitVotes, staleTermMessages], [[1], [1]])
    assert.deepEqual(
      [leadershipsPerNode, campaignsPerNode],
      [
        [1, 1, 0],
        [1, 3, 2],
      ],
    )
  })

  test('has rates of each phase', () => {
    const run = new Told().write('ok').at(60_000).tell({ kind: 'phase', phase: 'during' })
    run
      .write('refused')
      .write('ok')
      .at(90_000)
      .leads('n2', 5)
      .at(120_000)
      .tell({ kind: 'phase', phase: 'after' })
    const figures = run.at(120_001).figures()
    assert.deepEqual([figures.failureRateBefore, figures.failureRateDuring], [[0], [0.5]])
    assert.deepEqual([figures.termChangesPerMinuteBefore, figures.termChangesPerMinuteDuring], [[0], [4]])
    assert.equal(figures.failureRateAfter, undefined, 'nobody asked')
  })
})
