/** What a client makes of a leader whose disk is full: its callers are told at once where that is certain, and only there. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import {
  codeOf,
  commandsOf,
  connected,
  leaderless,
  outcome,
  propose,
  replies,
  spanOf,
} from '../test/fake-link.ts'
import { Caller } from '../test/support.ts'
import { ReplyKind } from './protocol.ts'

const refused = (
  first: number,
  code: 'NO_SPACE' | 'BUSY' | 'NOT_LEADER' = 'NO_SPACE',
  session = 7,
): Uint8Array => replies([ReplyKind.refused, session, first, code, 50])

describe('a client of a leader without space', () => {
  it('tells its callers at once, and gives the numbers out again', () => {
    const { core, link } = connected()
    const many = Caller.many(['b', 'c'])
    const [a] = propose(core, 'a') as [Caller]
    core.propose(many)
    core.flush(0)
    assert.deepEqual(link.frames().map(spanOf), [
      [2, 1],
      [3, 2],
    ])
    core.frame('n1', refused(3))
    assert.deepEqual([a, many].map(codeOf), [undefined, 'NO_SPACE'])
    assert.ok(RaftError.is(many.error, 'NO_SPACE') && many.error.data.retryAfterMs === 50)
    core.frame('n1', outcome(2, 1))
    assert.deepEqual([a.value, core.outstandingCommands], ['r2', 0])
    const [d] = propose(core, 'd') as [Caller]
    core.flush(100)
    assert.deepEqual(link.frames().map(spanOf), [[3, 1]])
    core.frame('n1', outcome(3, 1))
    assert.equal(d.value, 'r3')
  })

  it('tells those too whose commands were not sent yet, and those that wait for a session', () => {
    const { core, link } = leaderless()
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    const [a, b] = propose(core, 'a', 'b') as [Caller, Caller]
    core.flush(0)
    const nonce = link.frames()[0]?.first ?? 0
    core.frame('n1', refused(nonce, 'NO_SPACE', 0))
    assert.deepEqual([a, b].map(codeOf), ['NO_SPACE', 'NO_SPACE'])
    assert.equal(core.outstandingCommands, 0)
    core.flush(100)
    assert.deepEqual(link.frames(), [], 'and asks for no session that nobody needs')
    propose(core, 'c')
    core.flush(100)
    assert.deepEqual(link.frames().map(spanOf), [[nonce, 1]])
  })

  it('begins a new session where what stood behind may still arrive: it must not follow another command', () => {
    const { core, link } = connected()
    const [a] = propose(core, 'a') as [Caller]
    core.flush(0)
    const [b] = propose(core, 'b') as [Caller]
    core.flush(0)
    link.frames()
    core.frame('n1', refused(2))
    assert.deepEqual([a, b].map(codeOf), ['NO_SPACE', 'NO_SPACE'])
    propose(core, 'c')
    core.flush(100)
    const [opening] = link.frames()
    assert.equal(opening?.session, 0)
    core.frame('n1', replies([ReplyKind.opened, opening?.first ?? 0, 8]))
    core.flush(100)
    const frames = link.frames()
    assert.deepEqual([frames[0]?.session, frames[0]?.first, commandsOf(frames)], [8, 1, ['c']])
  })

  it('does not know of what was sent before and not refused, until its deadline', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const doubtful = new Caller('doubtful', 1000)
    core.propose(doubtful)
    core.flush(0)
    core.tick(100)
    assert.deepEqual(link.frames().map(spanOf), [
      [2, 1],
      [2, 1],
    ])
    const [unsent] = propose(core, 'unsent') as [Caller]
    core.frame('n1', refused(2))
    assert.deepEqual([doubtful, unsent].map(codeOf), [undefined, 'NO_SPACE'])
    core.tick(120)
    assert.deepEqual(link.frames(), [], 'it is not sent again over and over')
    core.tick(150)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]])
    core.tick(1000)
    assert.equal(codeOf(doubtful), 'INDETERMINATE')
  })

  it('counts the refusals of others: a copy that no leader took is nowhere', () => {
    const { core, link } = connected()
    const [a] = propose(core, 'a') as [Caller]
    core.flush(0)
    core.frame('n1', refused(2, 'BUSY'))
    core.tick(50)
    assert.equal(link.frames().length, 2)
    core.frame('n1', refused(2))
    assert.equal(codeOf(a), 'NO_SPACE')
  })

  it('gives out no number of a session that is spent, until what is in doubt there has its outcome', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const [head] = propose(core, 'head') as [Caller]
    core.flush(0)
    core.tick(100)
    const [a] = propose(core, 'a') as [Caller]
    core.flush(100)
    const [b] = propose(core, 'b') as [Caller]
    core.flush(100)
    link.frames()
    core.frame('n1', refused(3))
    assert.deepEqual([head, a, b].map(codeOf), [undefined, 'NO_SPACE', 'NO_SPACE'])
    const [c] = propose(core, 'c') as [Caller]
    core.flush(150)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]], 'the head again, nothing behind it')
    core.frame('n1', outcome(2, 1))
    core.flush(150)
    assert.deepEqual([head.value, link.frames()[0]?.session], ['r2', 0])
    assert.equal(c.settlements, 0)
  })

  it('takes what a caller proposes while it is told', () => {
    const { core, link } = connected()
    const caller = new Caller('a')
    const next = new Caller('next')
    caller.reject = () => core.propose(next)
    core.propose(caller)
    core.flush(0)
    link.frames()
    core.frame('n1', refused(2))
    core.flush(100)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]])
    core.frame('n1', outcome(2, 1))
    assert.equal(next.value, 'r2')
  })
})
