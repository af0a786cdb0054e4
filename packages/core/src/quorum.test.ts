/** Quorums against a reference that tries all sets of voters: simple configurations and joint ones (Raft §6). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configurationOf, incarnationOf, memberOf } from '../test/subject.ts'
import { Campaign } from './campaign.ts'
import { EMPTY_CONFIGURATION, simpleConfiguration } from './configuration.ts'
import { hasQuorum, majority, quorumIndex } from './quorum.ts'
import type { Configuration, Member, NodeId } from './types.ts'

const names = 'abcdefg'.split('')
const reached = fc.array(fc.nat(20), { minLength: 7, maxLength: 7 })
const someSet = fc.nat(127)

/** Position of a node among the names. */
const positionOf = (id: NodeId): number => id.charCodeAt(0) - 'a'.charCodeAt(0)
const isIn =
  (set: number) =>
  (id: NodeId): boolean =>
    (set & (1 << positionOf(id))) !== 0

const someVoters = (minLength: number): fc.Arbitrary<Member[]> =>
  fc.subarray(names, { minLength }).map((ids) => ids.map(memberOf))

/** Simple ones and joint ones, of up to seven voters a half. */
const configuration: fc.Arbitrary<Configuration> = fc
  .record({ voters: someVoters(1), outgoing: someVoters(0), learners: someVoters(0) })
  .map(({ voters, outgoing, learners }) => ({ ...simpleConfiguration(voters, learners), outgoing }))

/** By the definition: more than half of each half's voters are in the set. */
function isQuorum({ voters, outgoing }: Configuration, set: number): boolean {
  const halves = outgoing.length === 0 ? [voters] : [voters, outgoing]
  return halves.every((half) => half.filter(({ id }) => isIn(set)(id)).length * 2 > half.length)
}

/** The highest index for which there is a quorum, of all 128 sets of nodes, whose members have all reached it. */
function naiveQuorumIndex(of: Configuration, indexes: readonly number[]): number {
  let best = 0
  for (let set = 0; set < 128; set++) {
    if (!isQuorum(of, set)) continue
    const lowest = Math.min(...names.filter(isIn(set)).map((id) => indexes[positionOf(id)] as number))
    best = Math.max(best, lowest)
  }
  return best
}

test('§5.3, §6 quorumIndex is the highest index that some quorum has reached', () => {
  fc.assert(
    fc.property(configuration, reached, (of, indexes) => {
      const found = quorumIndex(of, (id) => indexes[positionOf(id)] as number)
      assert.equal(found, naiveQuorumIndex(of, indexes))
    }),
  )
})

test('§5.2, §6 hasQuorum holds exactly for more than half of each half', () => {
  fc.assert(
    fc.property(configuration, someSet, (of, set) => {
      assert.equal(hasQuorum(of, isIn(set)), isQuorum(of, set))
    }),
  )
})

test('§5.2 any two quorums of a configuration have a voter in common', () => {
  fc.assert(
    fc.property(configuration, someSet, someSet, (of, left, right) => {
      if (!hasQuorum(of, isIn(left)) || !hasQuorum(of, isIn(right))) return
      assert.ok(of.voters.some(({ id }) => isIn(left & right)(id)))
    }),
  )
})

test('§6 a quorum of a joint configuration is one of either half alone, too', () => {
  fc.assert(
    fc.property(configuration, someSet, (of, set) => {
      if (of.outgoing.length === 0 || !hasQuorum(of, isIn(set))) return
      assert.ok(hasQuorum(simpleConfiguration(of.voters), isIn(set)))
      assert.ok(hasQuorum(simpleConfiguration(of.outgoing), isIn(set)))
    }),
  )
})

test('thesis §4.2.1 a learner is in no quorum', () => {
  fc.assert(
    fc.property(configuration, someSet, reached, (of, set, indexes) => {
      const without = { ...of, learners: [], learnersNext: [] }
      assert.equal(hasQuorum(of, isIn(set)), hasQuorum(without, isIn(set)))
      const indexOf = (id: NodeId): number => indexes[positionOf(id)] as number
      assert.equal(quorumIndex(of, indexOf), quorumIndex(without, indexOf))
    }),
  )
})

test('a configuration without voters has no quorum', () => {
  assert.equal(
    hasQuorum(EMPTY_CONFIGURATION, () => true),
    false,
  )
  assert.equal(
    quorumIndex(EMPTY_CONFIGURATION, () => 9),
    0,
  )
})

test('a majority is more than half', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((count) => majority(configurationOf(count).voters)),
    [1, 2, 2, 3, 3],
  )
})

test('§5.2 each voter counts once in a campaign; a grant stands, a refusal may be taken back', () => {
  const campaign = new Campaign(configurationOf(3), 1, 1)
  const record = (id: NodeId, granted: boolean): void => campaign.record(id, incarnationOf(id), granted)
  record('b', false)
  record('a', true)
  record('a', false)
  record('a', true)
  assert.equal(campaign.isWon, false)
  record('z', true)
  assert.equal(campaign.isWon, false, 'not a member')
  campaign.record('b', incarnationOf('b') + 1, true)
  assert.equal(campaign.isWon, false, 'not the incarnation that is a member')
  record('b', true)
  assert.equal(campaign.isWon, true)
})

test('a campaign is lost exactly when those that have not answered cannot win it any more', () => {
  const answers = fc.array(fc.constantFrom(true, false, undefined), { minLength: 7, maxLength: 7 })
  fc.assert(
    fc.property(configuration, answers, someSet, (of, given, goneSet) => {
      const campaign = new Campaign(of, 1, 1)
      let possible = 0
      for (const id of names) {
        const answer = given[positionOf(id)]
        if (answer !== undefined) campaign.record(id, incarnationOf(id), answer)
        if (answer ?? !isIn(goneSet)(id)) possible |= 1 << positionOf(id)
      }
      assert.equal(campaign.isLost(new Set(names.filter(isIn(goneSet)))), !isQuorum(of, possible))
    }),
  )
})
