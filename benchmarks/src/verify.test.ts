import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Cluster } from '@troupe/cluster'
import type { KeyCounts } from './load/ledger.ts'
import type { LoadGenerator } from './load/load-generator.ts'
import { checkPositions, checkVersions, verdictOf, verify, worstOf } from './verify.ts'

const counts = (acknowledged: number[], unknown: number[]): KeyCounts => ({
  acknowledged: Uint32Array.from(acknowledged),
  unknown: Uint32Array.from(unknown),
  last: new Uint32Array(acknowledged.length),
})

describe('the versions of a kv', () => {
  test('are fine between acknowledged and acknowledged + unknown', () => {
    const kept = counts([0, 5, 5, 5], [0, 0, 2, 2])
    assert.deepEqual(checkVersions(kept, [0, 5, 5, 7]), { lost: 0, duplicated: 0 })
  })

  test('less than acknowledged is lost, however many were unknown', () => {
    assert.deepEqual(checkVersions(counts([5, 5], [0, 9]), [3, 4]), { lost: 3, duplicated: 0 })
  })

  test('more than acknowledged and unknown is applied twice', () => {
    assert.deepEqual(checkVersions(counts([5, 5], [0, 2]), [6, 9]), { lost: 0, duplicated: 3 })
  })

  test('a loss of one key is not made up by a surplus of another', () => {
    assert.deepEqual(checkVersions(counts([5, 5], [0, 0]), [4, 6]), { lost: 1, duplicated: 1 })
  })

  test('are compared from the key on that the query began with', () => {
    assert.deepEqual(checkVersions(counts([1, 2, 3], [0, 0, 0]), [3], 2), { lost: 0, duplicated: 0 })
  })
})

describe('the positions of a log', () => {
  const fine = { repeated: 0, beyond: 0, reordered: 0 }

  test('are fine between acknowledged and acknowledged + unknown', () => {
    assert.deepEqual(checkPositions({ acknowledged: 10, unknown: 3 }, 12, fine), {
      lost: 0,
      duplicated: 0,
      reordered: 0,
    })
  })

  test('too few records are lost ones', () => {
    assert.equal(checkPositions({ acknowledged: 10, unknown: 3 }, 8, fine).lost, 2)
  })

  test('too many records were appended twice', () => {
    assert.equal(checkPositions({ acknowledged: 10, unknown: 3 }, 15, fine).duplicated, 2)
  })

  test('two commands with one position are one command lost', () => {
    assert.equal(
      checkPositions({ acknowledged: 10, unknown: 0 }, 10, { repeated: 1, beyond: 0, reordered: 0 }).lost,
      1,
    )
  })

  test('positions in another order than the proposals are told', () => {
    const found = { repeated: 0, beyond: 0, reordered: 2 }
    assert.equal(checkPositions({ acknowledged: 10, unknown: 0 }, 10, found).reordered, 2)
  })

  test('a position behind the end is lost', () => {
    assert.equal(
      checkPositions({ acknowledged: 10, unknown: 5 }, 12, { repeated: 0, beyond: 2, reordered: 0 }).lost,
      2,
    )
  })
})

test('a verdict passes only where nothing is lost, nothing is doubled and all replicas are equal', () => {
  assert.equal(verdictOf({ lost: 0, duplicated: 0, reordered: 1 }, true), 'fail')
  assert.equal(verdictOf({ lost: 0, duplicated: 0, reordered: 0 }, true), 'pass')
  assert.equal(verdictOf({ lost: 1, duplicated: 0, reordered: 0 }, true), 'fail')
  assert.equal(verdictOf({ lost: 0, duplicated: 1, reordered: 0 }, true), 'fail')
  assert.equal(verdictOf({ lost: 0, duplicated: 0, reordered: 0 }, false), 'fail')
})

test('of several verdicts the worst counts', () => {
  const of = (...verdicts: ('pass' | 'fail' | 'unknown')[]) =>
    worstOf(verdicts.map((verdict) => ({ verdict })))
  assert.equal(of('pass', 'pass'), 'pass')
  assert.equal(of('pass', 'unknown'), 'unknown')
  assert.equal(of('unknown', 'fail'), 'fail')
})

describe('the whole check', () => {
  const load = {
    workload: { machine: 'kv', keys: 3, sizeBytes: 64, seed: 1 },
    counts: counts([1, 1, 1], [0, 0, 0]),
    totals: async () => ({ acknowledged: 3, unknown: 0, outstanding: 0 }),
  } as unknown as LoadGenerator

  interface Plan {
    readonly versions?: number[]
    readonly digests?: Record<string, string>
    readonly convergeError?: Error
  }

  const replicas = { n1: 'aa', n2: 'aa', n3: 'aa' }
  const cluster = ({ versions = [1, 1, 1], digests = replicas, convergeError }: Plan): Cluster => {
    const client = { query: async () => versions, [Symbol.asyncDispose]: async () => {} }
    return {
      ids: ['n1', 'n2', 'n3'],
      client: async () => client,
      converged: async () => {
        if (convergeError !== undefined) throw convergeError
      },
      digests: async () =>
        new Map(Object.entries(digests).map(([id, sha256]) => [id, { applied: 1, sha256 }])),
    } as unknown as Cluster
  }

  test('passes', async () => {
    const { verdict, digestsEqual } = await verify(cluster({}), load)
    assert.deepEqual([verdict, digestsEqual], ['pass', true])
  })

  test('finds a planted loss and a planted duplicate', async () => {
    const { verdict, lost, duplicated } = await verify(cluster({ versions: [0, 1, 3] }), load)
    assert.deepEqual([verdict, lost, duplicated], ['fail', 1, 2])
  })

  test('finds a replica that differs', async () => {
    const { verdict, digestsEqual } = await verify(cluster({ digests: { ...replicas, n2: 'bb' } }), load)
    assert.deepEqual([verdict, digestsEqual], ['fail', false])
  })

  test('decides nothing without one of the replicas', async () => {
    const { verdict, reason } = await verify(cluster({ digests: { n1: 'aa', n2: 'aa' } }), load)
    assert.deepEqual([verdict, reason], ['unknown', 'n3 did not run at the end'])
  })

  test('decides nothing where the replicas do not converge', async () => {
    const { verdict, reason } = await verify(cluster({ convergeError: new Error('n2 behind') }), load)
    assert.deepEqual([verdict, reason], ['unknown', 'n2 behind'])
  })

  test('a loss is one, although the replicas do not converge', async () => {
    const plan = { versions: [0, 1, 1], convergeError: new Error('n2 behind') }
    const { verdict, lost } = await verify(cluster(plan), load)
    assert.deepEqual([verdict, lost], ['fail', 1])
  })
})
