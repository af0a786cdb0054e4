import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configurationOf } from '../test/subject.ts'
import { Campaign } from './campaign.ts'
import { hasQuorum, isVoter, majority, quorumIndex } from './quorum.ts'

const size = fc.integer({ min: 1, max: 7 })
const reached = fc.array(fc.nat(20), { minLength: 7, maxLength: 7 })

/** Position of a node in the configuration. */
const positionOf = (id: string): number => id.charCodeAt(0) - 'a'.charCodeAt(0)

/** By the definition: the highest index that more than half of the voters have reached, found by trying all. */
function naiveQuorumIndex(count: number, indexes: readonly number[]): number {
  let best = 0
  for (let index = 1; index <= 20; index++) {
    const holders = indexes.slice(0, count).filter((other) => other >= index).length
    if (holders * 2 > count) best = index
  }
  return best
}

test('quorumIndex is the highest index that more than half have reached', () => {
  fc.assert(
    fc.property(size, reached, (count, indexes) => {
      const found = quorumIndex(configurationOf(count), (id) => indexes[positionOf(id)] ?? 0)
      assert.equal(found, naiveQuorumIndex(count, indexes))
    }),
  )
})

test('hasQuorum holds exactly when more than half agree', () => {
  fc.assert(
    fc.property(size, fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }), (count, answers) => {
      const found = hasQuorum(configurationOf(count), (id) => answers[positionOf(id)] === true)
      assert.equal(found, answers.slice(0, count).filter(Boolean).length * 2 > count)
    }),
  )
})

test('any two quorums have a voter in common', () => {
  fc.assert(
    fc.property(size, fc.nat(127), fc.nat(127), (count, left, right) => {
      const has = (set: number) => (id: string) => (set & (1 << positionOf(id))) !== 0
      const configuration = configurationOf(count)
      if (!hasQuorum(configuration, has(left)) || !hasQuorum(configuration, has(right))) return
      assert.ok(configuration.voters.some(({ id }) => has(left & right)(id)))
    }),
  )
})

test('a configuration without voters has no quorum', () => {
  const nobody = { voters: [] }
  assert.equal(
    hasQuorum(nobody, () => true),
    false,
  )
  assert.equal(
    quorumIndex(nobody, () => 9),
    0,
  )
  assert.equal(isVoter(nobody, 'a'), false)
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((count) => majority(configurationOf(count))),
    [1, 2, 2, 3, 3],
  )
})

test('§5.2 each voter counts once in a campaign; a grant stands, a refusal may be taken back', () => {
  const campaign = new Campaign(configurationOf(3), 1, 1)
  campaign.record('b', false)
  campaign.record('a', true)
  campaign.record('a', false)
  campaign.record('a', true)
  assert.equal(campaign.isWon, false)
  campaign.record('a', true)
  assert.equal(campaign.isWon, false)
  campaign.record('z', true)
  assert.equal(campaign.isWon, false, 'not a voter')
  campaign.record('b', true)
  assert.equal(campaign.isWon, true)
})

test('a campaign is lost exactly when those that have not answered cannot win it any more', () => {
  const answers = fc.array(fc.constantFrom(true, false, undefined), { minLength: 7, maxLength: 7 })
  fc.assert(
    fc.property(size, answers, fc.nat(127), (count, given, goneSet) => {
      const configuration = configurationOf(count)
      const campaign = new Campaign(configuration, 1, 1)
      const gone = new Set(
        configuration.voters.map(({ id }) => id).filter((id) => goneSet & (1 << positionOf(id))),
      )
      let possible = 0
      for (const { id } of configuration.voters) {
        const answer = given[positionOf(id)]
        if (answer !== undefined) campaign.record(id, answer)
        if (answer ?? !gone.has(id)) possible++
      }
      assert.equal(campaign.isLost(gone), possible * 2 <= count)
    }),
  )
})
