import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EntryKind, encodeEntry, INITIAL_HARD_STATE, simpleConfiguration } from '@troupe/core'
import { defaultSessionLimits } from '@troupe/machines'
import type { RunFailure } from '../engine.ts'
import { knobsOf } from '../scenario/knobs.ts'
import { Mirror } from './mirror.ts'
import { OUT_OF_MEMORY } from './out-of-memory.ts'
import type { Chunk, CoreState, NodeRecord } from './records.ts'

const configuration = simpleConfiguration(['n1', 'n2', 'n3'].map((id, at) => ({ id, incarnation: at + 1 })))

const follower: CoreState = {
  role: 'follower',
  term: 0,
  vote: '',
  leader: undefined,
  commitIndex: 0,
  applied: 0,
  lastIndex: 0,
  stableIndex: 0,
  configurationIndex: 0,
  configuration,
  damaged: [],
  lost: undefined,
  isDiskFull: false,
  persistStalls: 0,
  snapshot: undefined,
  progress: [],
  leaseIndex: undefined,
  proposalRefusal: undefined,
  transferTarget: undefined,
  framesLost: 0,
}

/** Three nodes that have just started. */
function started() {
  const failures: RunFailure[] = []
  const mirror = new Mirror({
    nodeIds: ['n1', 'n2', 'n3'],
    knobs: knobsOf(),
    sessions: defaultSessionLimits,
    originMs: 0,
    nowMs: () => 0,
    onFailure: (failure) => failures.push(failure),
    onLine: () => {},
  })
  let number = 0
  const tell = (node: string, state: Partial<CoreState>, ...records: NodeRecord[]): void => {
    const chunk: Chunk = { number: ++number, atMs: number, state: { ...follower, ...state }, records }
    mirror.take(node, chunk)
  }
  for (const [at, node] of ['n1', 'n2', 'n3'].entries()) {
    const birth = { incarnation: at + 1, boot: at + 1, base: { index: 0, term: 0 }, entries: [] }
    tell(node, {}, { kind: 'started', hardState: INITIAL_HARD_STATE, damaged: [], ...birth })
  }
  return { mirror, failures, tell }
}

const turned: NodeRecord = { kind: 'turned', events: [] }

const hardState = (token: number, term: number, vote: string): NodeRecord => ({
  kind: 'persisting',
  request: {
    ...{ token, hardState: { term, vote, voteIncarnation: 1 }, reset: undefined, truncateFrom: undefined },
    ...{ repairs: [], entries: [], compactTo: undefined },
  },
})

const noop = (index: number, term: number, timeMs: number) =>
  encodeEntry(
    { index, term, kind: EntryKind.noop, timeMs, commandCount: 0, configurationIndex: 0 },
    [],
    () => timeMs,
  )

/** Appends an entry of that term, and has it flushed. */
const appended = (token: number, term: number, timeMs = 1): NodeRecord[] => [
  {
    kind: 'persisting',
    request: {
      ...{ token, hardState: undefined, reset: undefined, truncateFrom: undefined },
      ...{ repairs: [], entries: [noop(1, term, timeMs)], compactTo: undefined },
    },
  },
  { kind: 'flushed', token },
]

describe('what nodes tell, held against the invariants of the simulator', () => {
  /** n1 leads term 1 by the votes of n1 and n2. */
  function elected() {
    const run = started()
    for (const node of ['n1', 'n2']) {
      run.tell(node, { term: 1 }, hardState(1, 1, 'n1'), { kind: 'flushed', token: 1 })
    }
    run.tell('n1', { term: 1, vote: 'n1', role: 'leader', leader: 'n1' }, turned)
    return run
  }

  test('says nothing of what is right', () => {
    const { mirror, failures, tell } = elected()
    const leading = {
      term: 1,
      vote: 'n1',
      role: 'leader',
      leader: 'n1',
      lastIndex: 1,
      stableIndex: 1,
    } as const
    tell('n1', leading, ...appended(2, 1))
    tell('n2', { term: 1, lastIndex: 1 }, ...appended(2, 1))
    tell('n1', { ...leading, commitIndex: 1 }, turned)
    assert.deepEqual(failures, [])
    assert.equal(mirror.ledger.commitIndex, 1)
    assert.equal(mirror.leader?.id, 'n1')
    assert.deepEqual(
      mirror.members.map(({ id }) => id),
      ['n1', 'n2', 'n3'],
    )
  })

  test('counts who begins anew as another member, and nobody who only comes back', () => {
    const { mirror, tell } = started()
    const again = (incarnation: number): NodeRecord => ({
      ...{ kind: 'started', hardState: INITIAL_HARD_STATE, damaged: [], entries: [] },
      ...{ incarnation, boot: 9, base: { index: 0, term: 0 } },
    })
    tell('n1', {}, again(1))
    assert.equal(mirror.coverage.wipes, 0)
    tell('n1', {}, again(8))
    assert.equal(mirror.coverage.wipes, 1)
  })

  test('names an election without a quorum', () => {
    const { failures, tell } = started()
    tell('n3', { term: 1, vote: 'n3', role: 'leader', leader: 'n3' }, turned)
    assert.equal(failures[0]?.invariant, 'elected by a quorum')
  })

  test('names a second leader of a term', () => {
    const { failures, tell } = elected()
    tell('n2', { term: 1, vote: 'n1', role: 'leader', leader: 'n2' }, turned)
    assert.equal(failures[0]?.invariant, 'election safety')
  })

  test('names a commit that no quorum has flushed', () => {
    const { failures, tell } = elected()
    const leading = {
      term: 1,
      vote: 'n1',
      role: 'leader',
      leader: 'n1',
      lastIndex: 1,
      stableIndex: 1,
    } as const
    tell('n1', { ...leading, commitIndex: 1 }, ...appended(2, 1), turned)
    assert.equal(failures[0]?.invariant, 'committed on a quorum')
  })

  test('names a term that goes back, and what was not flushed before it was told', () => {
    const back = elected()
    back.tell('n2', { term: 1 }, turned)
    back.tell('n2', { term: 0 }, turned)
    assert.equal(back.failures[0]?.invariant, 'monotonic')
    const early = elected()
    const vote = { kind: 'voteReply', from: 'n3', to: 'n1', term: 1, granted: true } as never
    early.tell('n3', { term: 1 }, hardState(1, 1, 'n1'), { kind: 'sent', message: vote })
    assert.equal(early.failures[0]?.invariant, 'nothing told before its flush')
  })

  test('counts deaths at the limit of a heap, and no others, and is blind from what is told too late', () => {
    const { mirror, failures, tell } = started()
    mirror.exited('n1', 4, OUT_OF_MEMORY)
    mirror.exited('n2', 5, 'NODE_UNAVAILABLE')
    assert.deepEqual([mirror.coverage.heapDeaths, mirror.coverage.crashes], [1, 2])
    mirror.late('n3')
    assert.match(mirror.blindness ?? '', /n3 told too late/)
    tell('n3', { term: 2, commitIndex: 9 }, turned)
    assert.deepEqual(failures, [])
  })
})
