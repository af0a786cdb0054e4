import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Role } from '@troupe/core'
import { countCampaigns, RoleLog } from './role-log.ts'

const event = (atMs: number, id: string, role: Role, term: number) => ({ atMs, id, role, term })

describe('campaigns', () => {
  it('a term with one candidate that wins is neither wasted nor contested', () => {
    const counts = countCampaigns([
      event(1, 'n2', 'preCandidate', 1),
      event(2, 'n2', 'candidate', 2),
      event(3, 'n2', 'leader', 2),
      event(4, 'n3', 'follower', 2),
    ])
    assert.deepEqual(counts, { candidacies: 1, leaders: 1, wastedElections: 0, contestedTerms: 0 })
  })

  it('two candidates of a term contest it, whether one of them wins or nobody does', () => {
    const counts = countCampaigns([
      event(1, 'n2', 'candidate', 2),
      event(1, 'n3', 'candidate', 2),
      event(9, 'n2', 'candidate', 3),
      event(9, 'n3', 'candidate', 3),
      event(10, 'n3', 'leader', 3),
    ])
    assert.deepEqual(counts, { candidacies: 4, leaders: 1, wastedElections: 1, contestedTerms: 2 })
  })

  it('the same candidate told twice of a term counts once', () => {
    const { candidacies } = countCampaigns([event(1, 'n2', 'candidate', 2), event(2, 'n2', 'candidate', 2)])
    assert.equal(candidacies, 1)
  })
})

describe('the log of roles', () => {
  it('the detection is the first campaign of somebody who was not lost, from then on', () => {
    const log = new RoleLog()
    log.record(event(5, 'n3', 'preCandidate', 1))
    log.record(event(12, 'n1', 'preCandidate', 1))
    log.record(event(15, 'n2', 'follower', 1))
    log.record(event(17, 'n2', 'preCandidate', 1))
    assert.equal(log.detection(10, ['n1']), 17)
    assert.equal(log.detection(18, ['n1']), undefined)
  })

  it('finds the first leader of a later term, also one that is still to come', async () => {
    const log = new RoleLog()
    log.record(event(1, 'n1', 'leader', 1))
    const next = log.leaderAfter(log.lastTerm)
    log.record(event(2, 'n2', 'candidate', 2))
    log.record(event(3, 'n2', 'leader', 2))
    assert.deepEqual(await next, event(3, 'n2', 'leader', 2))
    assert.equal((await log.leaderAfter(0)).id, 'n1')
    assert.equal(log.lastTerm, 2)
  })

  it('counts a span of time, and forgets what came before', () => {
    const log = new RoleLog()
    for (const atMs of [1, 2, 3]) log.record(event(atMs, 'n1', 'candidate', atMs))
    assert.equal(log.count(2, 3).candidacies, 2)
    log.forget(3)
    assert.equal(log.count(0, 3).candidacies, 1)
    log.forget(10)
    assert.equal(log.count(0, 10).candidacies, 0)
  })
})
