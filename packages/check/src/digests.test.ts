import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { compareDigests } from './digests.ts'

const at = (applied: number, digests: Record<string, string>) =>
  Object.entries(digests).map(([node, digest]) => ({ node, applied, digest }))

describe('digests of replicas', () => {
  it('pass when all are equal at the same index', () => {
    const result = compareDigests([...at(5, { a: 'x', b: 'x' }), ...at(9, { a: 'y', b: 'y', c: 'y' })])
    assert.deepEqual(result, { verdict: 'pass', divergences: [], behind: [] })
  })

  it('fail where some differ, and name them', () => {
    const result = compareDigests([...at(7, { a: 'x', b: 'y', c: 'x' }), ...at(5, { a: 'v', b: 'v' })])
    assert.equal(result.verdict, 'fail')
    assert.deepEqual(result.divergences, [
      {
        applied: 7,
        groups: [
          { digest: 'x', nodes: ['a', 'c'] },
          { digest: 'y', nodes: ['b'] },
        ],
        differing: ['b'],
      },
    ])
  })

  it('name all where there is no majority', () => {
    const [divergence] = compareDigests(at(7, { a: 'x', b: 'y' })).divergences
    assert.deepEqual(divergence?.differing, ['a', 'b'])
  })

  it('fail where one node had two states at one index', () => {
    const digests = [...at(7, { a: 'x', b: 'x', c: 'x' }), ...at(7, { a: 'y' })]
    assert.deepEqual(compareDigests(digests).divergences[0]?.differing, ['a'])
  })

  it('are unknown while some are behind, or there are none', () => {
    const result = compareDigests([...at(7, { a: 'x', b: 'x' }), ...at(6, { c: 'w' })])
    assert.equal(result.verdict, 'unknown')
    assert.deepEqual(result.behind, ['c'])
    assert.equal(compareDigests([]).verdict, 'unknown')
  })
})
