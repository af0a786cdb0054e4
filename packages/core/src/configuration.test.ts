/** Configurations, and how they follow from each other (Raft §6, thesis §4.1, §4.3). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configurationOf, memberOf } from '../test/subject.ts'
import {
  changeConfiguration,
  checkConfiguration,
  decodeConfiguration,
  EMPTY_CONFIGURATION,
  encodeConfiguration,
  incarnationIn,
  isJoint,
  isVoter,
  leaveJoint,
  membersOf,
  type RefusedChange,
  simpleConfiguration,
} from './configuration.ts'
import type { MemberChange } from './event.ts'
import { hasQuorum } from './quorum.ts'
import type { Configuration, Member, NodeId } from './types.ts'

const names = 'abcdefg'.split('')
const always = (): boolean => true
const idsOf = (members: readonly Member[]): string => members.map(({ id }) => id).join('')

const someMember = fc.record({ id: fc.constantFrom(...names), incarnation: fc.nat(3) })
const someChange: fc.Arbitrary<MemberChange> = fc.oneof(
  someMember.map((member) => ({ kind: 'addLearner', member }) as const),
  fc.record({ kind: fc.constantFrom('promote', 'demote', 'remove'), id: fc.constantFrom(...names) }),
)

/** A simple configuration: each of the seven is a voter, a learner or none; most are voters. */
const someConfiguration = fc
  .array(fc.constantFrom('voter', 'voter', 'learner', 'none'), { minLength: 7, maxLength: 7 })
  .filter((roles) => roles.includes('voter'))
  .map((roles) => {
    const of = (role: string): Member[] => names.filter((_, at) => roles[at] === role).map(memberOf)
    return simpleConfiguration(of('voter'), of('learner'))
  })

/** Changes of different members that make sense for a configuration. */
function fitting(before: Configuration, seeds: readonly number[]): MemberChange[] {
  return names.flatMap((id, at): MemberChange[] => {
    const seed = seeds[at] as number
    if (seed < 4) return []
    if (before.voters.some((voter) => voter.id === id)) {
      return [seed < 7 ? { kind: 'demote', id } : { kind: 'remove', id }]
    }
    if (before.learners.some((learner) => learner.id === id)) {
      return [seed < 7 ? { kind: 'promote', id } : { kind: 'remove', id }]
    }
    return [{ kind: 'addLearner', member: { id, incarnation: seed } }]
  })
}

/** What the changes ask for, by the definition of each. */
function asked(before: Configuration, changes: readonly MemberChange[]): Map<NodeId, string> {
  const roles = new Map<NodeId, string>()
  for (const { id, incarnation } of before.voters) roles.set(id, `voter ${incarnation}`)
  for (const { id, incarnation } of before.learners) roles.set(id, `learner ${incarnation}`)
  for (const change of changes) {
    if (change.kind === 'addLearner') {
      roles.set(change.member.id, `learner ${change.member.incarnation}`)
      continue
    }
    const incarnation = roles.get(change.id)?.split(' ')[1]
    if (change.kind === 'remove') roles.delete(change.id)
    else roles.set(change.id, `${change.kind === 'promote' ? 'voter' : 'learner'} ${incarnation}`)
  }
  return roles
}

function rolesOf(configuration: Configuration): Map<NodeId, string> {
  return asked(configuration, [])
}

const sorted = (roles: Map<NodeId, string>): string[] => [...roles].map(String).sort()

const seeds = fc.array(fc.nat(9), { minLength: 7, maxLength: 7 })
const leave = fc.constantFrom('auto', 'explicit')

/** The configurations that one change goes through, the one before included. */
function path(before: Configuration, changes: readonly MemberChange[], how: 'auto' | 'explicit') {
  const next = changeConfiguration(before, changes, how, always)
  if ('reason' in next) return undefined
  return isJoint(next) ? [before, next, leaveJoint(next)] : [before, next]
}

test('§6, thesis §4.1 any quorum of a configuration and any of the next one have a voter in common', () => {
  fc.assert(
    fc.property(someConfiguration, seeds, leave, fc.nat(127), fc.nat(127), (before, of, how, left, right) => {
      const steps = path(before, fitting(before, of), how) ?? []
      const isIn = (set: number) => (id: NodeId) => (set & (1 << names.indexOf(id))) !== 0
      for (let at = 1; at < steps.length; at++) {
        const [one, other] = [steps[at - 1] as Configuration, steps[at] as Configuration]
        if (hasQuorum(one, isIn(left)) && hasQuorum(other, isIn(right))) assert.notEqual(left & right, 0)
      }
    }),
    { numRuns: 2000 },
  )
})

test('thesis §4.3 entering and leaving gives what was asked for', () => {
  fc.assert(
    fc.property(someConfiguration, seeds, leave, (before, of, how) => {
      const changes = fitting(before, of)
      const last = path(before, changes, how)?.at(-1)
      if (last === undefined) return
      assert.equal(isJoint(last), false)
      assert.deepEqual([last.learnersNext, last.autoLeave], [[], false])
      assert.deepEqual(sorted(rolesOf(last)), sorted(asked(before, changes)))
    }),
  )
})

test('a name stands for one incarnation, whatever is asked for', () => {
  fc.assert(
    fc.property(someConfiguration, fc.array(someChange, { maxLength: 4 }), leave, (before, changes, how) => {
      for (const step of path(before, changes, how) ?? []) {
        const all = [...step.voters, ...step.outgoing, ...step.learners, ...step.learnersNext]
        for (const { id, incarnation } of all) assert.equal(incarnationIn(step, id), incarnation)
        assert.equal(new Set(step.voters.map(({ id }) => id)).size, step.voters.length)
        const learning = [...step.learners, ...step.learnersNext].map(({ id }) => id)
        assert.equal(new Set(learning).size, learning.length)
        assert.ok(
          step.learners.every(({ id }) => !isVoter(step, id)),
          'whoever votes learns later',
        )
        assert.deepEqual(
          membersOf(step)
            .map(({ id }) => id)
            .sort(),
          [...new Set(all.map(({ id }) => id))].sort(),
        )
      }
    }),
  )
})

test('thesis §4.1 one voter more or less needs no joint configuration, more do', () => {
  const before = simpleConfiguration(
    [memberOf('a'), memberOf('b'), memberOf('c')],
    [memberOf('d'), memberOf('e')],
  )
  const isJointAfter = (how: 'auto' | 'explicit', ...changes: MemberChange[]): boolean => {
    const next = changeConfiguration(before, changes, how, always)
    assert.ok(!('reason' in next))
    return isJoint(next)
  }
  const promote = (id: NodeId) => ({ kind: 'promote', id }) as const
  const remove = (id: NodeId) => ({ kind: 'remove', id }) as const
  assert.equal(isJointAfter('auto', promote('d')), false)
  assert.equal(isJointAfter('auto', remove('a')), false)
  assert.equal(isJointAfter('auto', { kind: 'demote', id: 'a' }), false)
  assert.equal(isJointAfter('auto', remove('a'), remove('d')), false, 'a learner is in no quorum')
  assert.equal(isJointAfter('auto', remove('a'), promote('d')), true, 'one for another')
  assert.equal(isJointAfter('auto', remove('a'), remove('b')), true)
  assert.equal(isJointAfter('auto', promote('d'), promote('e')), true)
  assert.equal(isJointAfter('explicit', promote('d')), true)
})

test('a change that makes no sense is refused, and says why', () => {
  const before = simpleConfiguration([memberOf('a'), memberOf('b')], [memberOf('l')])
  const refusal = (changes: readonly MemberChange[], of = before): string => {
    const next = changeConfiguration(of, changes, 'auto', (id) => id !== 'l')
    assert.ok('reason' in next)
    assert.ok((next as RefusedChange).detail.length > 0)
    return next.reason
  }
  const member = (id: NodeId, incarnation: number): MemberChange => ({
    kind: 'addLearner',
    member: { id, incarnation },
  })
  assert.equal(refusal([]), 'INVALID')
  assert.equal(refusal([member('a', 9)]), 'INVALID', 'a voter, under whichever incarnation')
  assert.equal(refusal([member('l', 9)]), 'INVALID', 'a learner')
  assert.equal(refusal([{ kind: 'promote', id: 'a' }]), 'INVALID')
  assert.equal(refusal([{ kind: 'promote', id: 'x' }]), 'INVALID', 'a voter is never added from nowhere')
  assert.equal(refusal([{ kind: 'demote', id: 'l' }]), 'INVALID')
  assert.equal(refusal([{ kind: 'remove', id: 'x' }]), 'INVALID')
  assert.equal(refusal([{ kind: 'remove', id: 'a' }, member('a', 9)]), 'INVALID', 'changed twice')
  assert.equal(
    refusal([
      { kind: 'remove', id: 'a' },
      { kind: 'demote', id: 'b' },
    ]),
    'INVALID',
    'nobody would vote',
  )
  assert.equal(refusal([{ kind: 'promote', id: 'l' }]), 'NOT_CAUGHT_UP')
  assert.equal(refusal([{ kind: 'remove', id: 'a' }], { ...before, outgoing: before.voters }), 'IN_PROGRESS')
})

test('§6 in a joint configuration a demoted voter still votes, and learns only after it', () => {
  const before = configurationOf(4)
  const changes = [
    { kind: 'demote', id: 'a' },
    { kind: 'remove', id: 'b' },
  ] as const
  const next = changeConfiguration(before, changes, 'auto', always)
  assert.ok(!('reason' in next))
  assert.deepEqual([next.voters, next.outgoing, next.learners, next.learnersNext].map(idsOf), [
    'cd',
    'abcd',
    '',
    'a',
  ])
  assert.equal(next.autoLeave, true)
  assert.equal(isVoter(next, 'a') && isVoter(next, 'b'), true)
  const last = leaveJoint(next)
  assert.deepEqual([last.voters, last.outgoing, last.learners].map(idsOf), ['cd', '', 'a'])
})

test('leave: explicit goes through a joint configuration for any change, and stays there', () => {
  const next = changeConfiguration(configurationOf(3), [{ kind: 'remove', id: 'c' }], 'explicit', always)
  assert.ok(!('reason' in next))
  assert.deepEqual([idsOf(next.voters), idsOf(next.outgoing), next.autoLeave], ['ab', 'abc', false])
})

test('what is encoded is decoded, whatever the names', () => {
  const anyMember = fc.record(
    {
      id: fc.string({ minLength: 1, unit: 'grapheme' }),
      incarnation: fc.maxSafeNat(),
    },
    { noNullPrototype: true },
  )
  const members = fc.array(anyMember, { maxLength: 4 })
  const any = fc.record(
    {
      voters: members,
      outgoing: members,
      learners: members,
      learnersNext: members,
      autoLeave: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(any, (configuration) => {
      assert.deepEqual(decodeConfiguration(encodeConfiguration(configuration)), configuration)
    }),
  )
})

test('what is no configuration is not decoded', () => {
  const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))
  const { voters, ...rest } = configurationOf(2)
  const broken = [
    null,
    7,
    [],
    rest,
    { ...rest, voters: {} },
    { ...rest, voters: [null] },
    { ...rest, voters: [{ id: '', incarnation: 1 }] },
    { ...rest, voters: [{ id: 'a' }] },
    { ...rest, voters: [{ id: 'a', incarnation: -1 }] },
    { ...rest, voters: [{ id: 'a', incarnation: 1.5 }] },
    { ...rest, voters, learners: 'abc' },
  ]
  for (const value of broken) assert.equal(checkConfiguration(value), undefined, JSON.stringify(value))
  for (const text of ['', '{', '{"voters":[]}']) assert.equal(decodeConfiguration(ascii(text)), undefined)
  assert.deepEqual(
    checkConfiguration({ ...rest, voters, more: 1 }),
    { ...rest, voters },
    'from a later version',
  )
})

test('an empty configuration has no members', () => {
  assert.deepEqual(membersOf(EMPTY_CONFIGURATION), [])
  assert.equal(incarnationIn(EMPTY_CONFIGURATION, 'a'), undefined)
})
