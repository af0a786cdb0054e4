import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterStatus, NodeDigest } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { allConverged, equallyApplied } from './replicas.ts'

/** A cluster of two that answers so, one after the other; the last answer again and again. */
function clusterOf(...answers: readonly (readonly [leader: string | undefined, ...applied: number[]])[]) {
  let at = 0
  return {
    status: async () => {
      const [leader, ...applied] = answers[Math.min(at++, answers.length - 1)] ?? [undefined]
      const nodes = applied.map((index, place) => {
        const id = `n${place + 1}`
        return {
          running: true,
          id,
          role: id === leader ? 'leader' : 'follower',
          term: 1,
          lastIndex: 9,
          applied: index,
        }
      })
      return { leader, term: 1, nodes } as unknown as ClusterStatus
    },
    asked: () => at,
  }
}

test('waits until all have applied what the leader has', async () => {
  const cluster = clusterOf([undefined, 9, 9], ['n1', 9, 7], ['n1', 9, 9])
  await allConverged(cluster, 10_000)
  assert.equal(cluster.asked(), 3)
})

test('says who is behind, or that nobody leads', async () => {
  const isLate = (text: RegExp) => (error: unknown) =>
    RaftError.is(error, 'TIMEOUT') && text.test(error.message)
  await assert.rejects(allConverged(clusterOf(['n1', 9, 7]), 0), isLate(/n2 behind/))
  await assert.rejects(allConverged(clusterOf([undefined, 9]), 0), isLate(/there is no leader/))
})

test('digests of different states are taken again, and are none where that does not end', async () => {
  const digests = (...applied: readonly number[]) =>
    new Map(applied.map((index, at) => [`n${at}`, { applied: index, sha256: '' } satisfies NodeDigest]))
  const taken = [digests(1, 2), digests(3, 3)]
  const found = await equallyApplied(async () => taken.shift() as Map<string, NodeDigest>, 10_000)
  assert.deepEqual(found, digests(3, 3))
  await assert.rejects(
    equallyApplied(async () => digests(1, 2), 0),
    (error) => RaftError.is(error, 'TIMEOUT') && /others write/.test(error.message),
  )
})
