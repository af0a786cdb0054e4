import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RaftKnobs, resolveRaftKnobs } from '@troupe/core'
import { Rehearsal, rehearse } from './rehearsal.ts'

const gateway = {
  group: 0,
  lingerMs: 5,
  commitLingerMs: 5,
  maxBatchBytes: 1 << 20,
  maxBatchCommands: 65_536,
  maxWaitingBytes: 64 << 20,
  maxPendingReads: 65_536,
}

/** How many plays of two succeed, and in how many pieces. */
function act(given: Partial<RaftKnobs>): { readonly successes: number; readonly pieces: number } {
  const play = rehearse(resolveRaftKnobs(given), gateway, 2)
  for (let pieces = 0; ; pieces++) {
    const { done, value } = play.next()
    if (done === true) return { successes: value, pieces }
    assert.ok(pieces < 5000, 'a play ends')
  }
}

const knobs: Readonly<Record<string, Partial<RaftKnobs>>> = {
  'the defaults': {},
  'lease reads: the hint releases nobody, time has to pass': { leaseReads: true },
  'no pre-vote': { preVote: false },
  'forwarded proposals': { forwardProposals: true },
  'a low priority': { electionPriority: 1 },
  'narrow timeouts': { electionTimeoutMinMs: 12, electionTimeoutMaxMs: 24, heartbeatIntervalMs: 4 },
  'one append at a time': { maxInflightMessages: 1 },
}

for (const [name, given] of Object.entries(knobs)) {
  test(`with ${name} a second leader takes commands, after some pieces`, () => {
    const { successes, pieces } = act(given)
    assert.equal(successes, 2)
    assert.ok(pieces > 10, `${pieces} pieces`)
  })
}

test('a play that fails takes nothing down, and is not acted on', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  let looks = 0
  const knobs = new Proxy(resolveRaftKnobs(), {
    ownKeys: () => {
      looks++
      throw new Error('no play')
    },
  })
  const rehearsal = new Rehearsal(knobs, gateway, 1)
  context.mock.timers.tick(1600)
  context.mock.timers.tick(1600)
  assert.equal(looks, 1)
  rehearsal.cancel()
})
