import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import {
  codeOf,
  commandsOf,
  connected,
  GROUP,
  leaderless,
  outcome,
  propose,
  replies,
  spanOf,
  throwsCode,
} from '../test/fake-link.ts'
import { Caller, codec } from '../test/support.ts'
import { resolveClientOptions } from './client-options.ts'
import { encodeReplies, ReplyKind } from './protocol.ts'

describe('the client', () => {
  it('never wants to be woken for what is past and cannot be done', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    propose(core, 'a')
    core.flush(0)
    core.closed('n1')
    for (let round = 0, nowMs = 0; round < 20; round++) {
      core.tick(nowMs)
      if (core.deadlineMs === Number.POSITIVE_INFINITY) return
      assert.ok(core.deadlineMs > nowMs, `deadline ${core.deadlineMs} at ${nowMs}`)
      nowMs = core.deadlineMs
    }
    assert.equal(link.sent.length, 1)
  })

  describe('settles', () => {
    it('by results and refusals, each its own', () => {
      const { core } = connected()
      const [a, b, c] = propose(core, 'a', 'b', 'c')
      core.flush(0)
      core.frame('n1', outcome(2, 3, [[1, 'not b']]))
      assert.deepEqual([a?.value, b?.value, c?.value], ['r2', undefined, 'r4'])
      assert.ok(RaftError.is(b?.error, 'REJECTED') && b.error.data.reason === 'not b')
      assert.equal(core.outstandingCommands, 0)
    })

    it('many commands at once, with errors in their places', () => {
      const { core } = connected()
      const many = Caller.many(['a', 'b', 'c'])
      core.propose(many)
      core.flush(0)
      core.frame('n1', outcome(2, 3, [[0, 'not a']]))
      const values = many.value as unknown[]
      assert.ok(RaftError.is(values[0], 'REJECTED'))
      assert.deepEqual(values.slice(1), ['r3', 'r4'])
    })

    it('no call twice, whatever is repeated', () => {
      const { core } = connected()
      const callers = propose(core, 'a', 'b')
      core.flush(0)
      for (let times = 0; times < 3; times++) core.frame('n1', outcome(2, 2))
      core.frame('n1', outcome(2, 1))
      core.frame('n1', replies([ReplyKind.stale, 7, 0]))
      core.close()
      for (const caller of callers) assert.equal(caller.settlements, 1)
      assert.deepEqual(callers[1]?.value, 'r3')
    })

    it('strictly in order: what comes too early is not taken', () => {
      const { core } = connected()
      const [a] = propose(core, 'a')
      core.flush(0)
      const [b] = propose(core, 'b')
      core.flush(0)
      core.frame('n1', outcome(3, 1))
      assert.equal(b?.settlements, 0)
      core.frame('n1', outcome(2, 2))
      assert.deepEqual([a?.value, b?.value], ['r2', 'r3'])
    })

    it('nothing by the outcomes of another session, another group, or of what was never sent', () => {
      const { core } = connected()
      const [a] = propose(core, 'a')
      core.flush(0)
      core.frame('n1', replies([ReplyKind.outcomes, 8, [[2, 1, ['x'], null]]]))
      core.frame('n1', encodeReplies(GROUP + 1, [[ReplyKind.outcomes, 7, [[2, 1, ['x'], null]]]], codec))
      assert.equal(a?.settlements, 0)
      core.frame('n1', outcome(2, 50))
      assert.equal(a?.value, 'r2')
      const [b] = propose(core, 'b')
      core.flush(0)
      core.frame('n1', outcome(3, 1))
      assert.equal(b?.value, 'r3')
    })

    it('with TIMEOUT what was not sent at its deadline, and never sends it', () => {
      const { core, link } = leaderless()
      const late = new Caller('late', 50)
      const patient = new Caller('patient', 500)
      core.propose(late)
      core.propose(patient)
      core.flush(0)
      assert.equal(core.deadlineMs, 50)
      core.tick(49)
      assert.equal(late.settlements, 0)
      core.tick(50)
      assert.equal(codeOf(late), 'TIMEOUT')
      assert.equal(core.outstandingCommands, 1)
      assert.equal(core.deadlineMs, 500)
      core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
      core.flush(60)
      const [opening] = link.frames()
      core.frame('n1', replies([ReplyKind.opened, opening?.first ?? 0, 7]))
      core.flush(60)
      assert.deepEqual(commandsOf(link.frames()), ['patient'])
    })

    it('with INDETERMINATE what was sent, and keeps the number of it', () => {
      const { core, link } = connected()
      const late = new Caller('late', 50)
      core.propose(late)
      core.flush(0)
      core.tick(50)
      assert.equal(codeOf(late), 'INDETERMINATE')
      const [next] = propose(core, 'next')
      core.flush(51)
      assert.deepEqual(link.frames().map(spanOf), [
        [2, 1],
        [3, 1],
      ])
      core.frame('n1', outcome(2, 2))
      assert.equal(late.settlements, 1)
      assert.equal(next?.value, 'r3')
      assert.equal(core.outstandingCommands, 0)
    })

    it('a call that is given up: ABORTED before it was sent, INDETERMINATE after', () => {
      const { core, link } = connected()
      const [early, kept] = propose(core, 'early', 'kept') as [Caller, Caller]
      core.abandon(early, 'enough')
      core.flush(0)
      assert.deepEqual(commandsOf(link.frames()), ['kept'])
      core.abandon(kept, 'enough')
      assert.deepEqual([codeOf(early), codeOf(kept)], ['ABORTED', 'INDETERMINATE'])
      core.abandon(kept, 'again')
      core.frame('n1', outcome(2, 1))
      assert.equal(kept.settlements, 1)
      assert.equal(core.outstandingCommands, 0)
    })

    it('all that is outstanding when it closes', () => {
      const { core } = connected()
      const [sent] = propose(core, 'sent') as [Caller]
      core.flush(0)
      const [pending] = propose(core, 'pending') as [Caller]
      const query = new Caller(undefined)
      core.query('linearizable', undefined, query, 0)
      core.close()
      assert.deepEqual([sent, pending, query].map(codeOf), [
        'INDETERMINATE',
        'SHUTTING_DOWN',
        'SHUTTING_DOWN',
      ])
      assert.equal(core.outstandingCommands + core.outstandingQueries, 0)
      core.frame('n1', outcome(2, 2))
      core.tick(99_999)
    })

    it('a call whose caller proposes again at once', () => {
      const { core } = leaderless()
      const second = new Caller('second', 70)
      const first = new Caller('first', 50)
      first.reject = () => core.propose(second)
      core.propose(first)
      core.tick(50)
      assert.equal(core.outstandingCommands, 1)
      core.tick(70)
      assert.equal(codeOf(second), 'TIMEOUT')
    })
  })

  describe('when its session is gone', () => {
    it('calls what was sent INDETERMINATE, and sends the rest in a new session', () => {
      const { core, link } = connected()
      const [sent] = propose(core, 'sent') as [Caller]
      core.flush(0)
      link.isFull = true
      const [unsent] = propose(core, 'unsent') as [Caller]
      core.flush(0)
      const [pending] = propose(core, 'pending') as [Caller]
      link.isFull = false
      link.frames()
      core.frame('n1', replies([ReplyKind.stale, 7, 0]))
      assert.equal(codeOf(sent), 'INDETERMINATE')
      core.flush(1)
      const [opening] = link.frames()
      assert.equal(opening?.session, 0)
      core.frame('n1', replies([ReplyKind.opened, opening.first, 8]))
      core.flush(1)
      const frames = link.frames()
      assert.deepEqual(frames.map(spanOf), [
        [1, 1],
        [2, 1],
      ])
      assert.deepEqual(commandsOf(frames), ['unsent', 'pending'])
      core.frame('n1', outcome(1, 2)) // Of the session that is gone.
      core.frame('n1', replies([ReplyKind.stale, 7, 0]))
      assert.equal(unsent.settlements, 0)
      core.frame('n1', replies([ReplyKind.outcomes, 8, [[1, 2, ['x', 'y'], null]]]))
      assert.deepEqual([unsent.value, pending.value], ['x', 'y'])
    })

    /** A stale answer that names command `first`, after `sent` was sent `times` times, and `behind` once. */
    const afterStale = (times: number, first: number): { sent: Caller; behind: Caller; again: unknown[] } => {
      const { core, link } = connected({ retransmitMs: 100 })
      const [sent] = propose(core, 'sent') as [Caller]
      for (let nowMs = 0; nowMs < times * 1000; nowMs += 1000) core.tick(nowMs)
      link.frames()
      const [behind] = propose(core, 'behind') as [Caller]
      core.flush(times * 1000)
      link.frames()
      core.frame('n1', replies([ReplyKind.stale, 7, first], [ReplyKind.stale, 7, first + 1]))
      core.flush(9000)
      const [opening] = link.frames()
      if (opening !== undefined) core.frame('n1', replies([ReplyKind.opened, opening.first, 8]))
      core.flush(9000)
      const frames = link.frames()
      if (frames.length > 0) assert.deepEqual([frames[0]?.session, frames[0]?.first], [8, 1])
      return { sent, behind, again: commandsOf(frames) }
    }

    it('sends again, in order, what was sent once: it was not applied', () => {
      const { sent, behind, again } = afterStale(1, 2)
      assert.deepEqual(again, ['sent', 'behind'])
      assert.deepEqual([sent.settlements, behind.settlements], [0, 0])
    })

    it('does not count what a node has refused', () => {
      const { core, link } = connected()
      const [sent] = propose(core, 'sent') as [Caller]
      core.flush(0)
      core.frame('n1', replies([ReplyKind.refused, 7, 2, 'BUSY', 5]))
      core.tick(5)
      assert.equal(core.metrics.commandsResent, 1)
      core.frame('n1', replies([ReplyKind.stale, 7, 2]))
      link.frames()
      core.flush(6)
      const [opening] = link.frames()
      core.frame('n1', replies([ReplyKind.opened, opening?.first ?? 0, 8]))
      core.flush(6)
      assert.deepEqual(commandsOf(link.frames()), ['sent'])
      assert.equal(sent.settlements, 0)
    })

    it('knows nothing of what was sent twice, nor of what stands behind it', () => {
      const { sent, behind, again } = afterStale(2, 2)
      assert.deepEqual(again, [])
      assert.deepEqual([sent, behind].map(codeOf), ['INDETERMINATE', 'INDETERMINATE'])
    })

    it('knows nothing of what stands before the command that was refused', () => {
      const { sent, behind, again } = afterStale(1, 3)
      assert.deepEqual(again, ['behind'])
      assert.deepEqual([codeOf(sent), behind.settlements], ['INDETERMINATE', 0])
    })

    it('knows nothing where replies were lost', () => {
      const { sent, behind, again } = afterStale(1, 0)
      assert.deepEqual(again, [])
      assert.deepEqual([sent, behind].map(codeOf), ['INDETERMINATE', 'INDETERMINATE'])
    })

    it('does not send again what nobody waits for any more', () => {
      const { core, link } = connected()
      const [given] = propose(core, 'given up') as [Caller]
      core.flush(0)
      core.abandon(given, 'enough')
      core.frame('n1', replies([ReplyKind.stale, 7, 2]))
      assert.equal(core.outstandingCommands, 0)
      assert.equal(core.metrics.sessionsLost, 1)
      link.frames()
      core.flush(1)
      assert.deepEqual(link.frames(), [])
    })

    it('takes no session that it did not ask for, and one of two', () => {
      const { core, link } = leaderless()
      core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
      propose(core, 'a')
      core.flush(0)
      const [opening] = link.frames()
      assert.ok(opening)
      core.frame('n1', replies([ReplyKind.opened, opening.first + 1, 5]))
      core.flush(0)
      assert.equal(link.frames().length, 0)
      core.frame('n1', replies([ReplyKind.opened, opening.first, 6], [ReplyKind.opened, opening.first, 7]))
      core.flush(0)
      assert.equal(link.frames()[0]?.session, 6)
    })
  })

  it('is not led astray by a node without a leader in whatever term: one that was removed goes on alone', () => {
    const { core, link } = leaderless()
    core.frame('n9', replies([ReplyKind.leader, 50, null]))
    core.frame('n1', replies([ReplyKind.leader, 3, 'n1']))
    assert.equal(core.leader, 'n1')
    core.frame('n9', replies([ReplyKind.leader, 51, null]))
    assert.equal(core.leader, 'n1')
    core.frame('n1', replies([ReplyKind.leader, 4, null]))
    assert.equal(core.leader, undefined)
    core.frame('n1', replies([ReplyKind.leader, 5, 'n1']))
    propose(core, 'a')
    core.flush(0)
    assert.equal(link.frames().length, 1)
  })

  describe('refuses', () => {
    it('more than maxOutstandingCommands with BUSY, until answers come', () => {
      const { core } = connected({ maxOutstandingCommands: 3, maxBatchCommands: 3 })
      propose(core, 'a', 'b')
      core.flush(0)
      throwsCode('BUSY', () => core.propose(Caller.many(['c', 'd'])))
      propose(core, 'c')
      throwsCode('BUSY', () => propose(core, 'd'))
      core.frame('n1', outcome(2, 1))
      core.frame('n1', outcome(2, 2))
      propose(core, 'd', 'e')
      assert.equal(core.outstandingCommands, 3)
    })

    it('no commands, or more than maxBatchCommands at once', () => {
      const { core } = connected({ maxBatchCommands: 3 })
      throwsCode('INVALID_COMMAND', () => core.propose(Caller.many([])))
      throwsCode('INVALID_COMMAND', () => core.propose(Caller.many([1, 2, 3, 4])))
      core.propose(Caller.many([1, 2, 3]))
    })

    it('many commands that are too large together, whatever each is', () => {
      const { core, link } = connected()
      const caller = Caller.many(Array.from({ length: 40 }, () => new Uint8Array(900_000)))
      core.propose(caller)
      core.flush(0)
      assert.equal(codeOf(caller), 'INVALID_COMMAND')
      assert.equal(core.outstandingCommands, 0)
      assert.deepEqual(link.frames(), [])
    })

    it('commands that are too large or cannot be encoded, and sends those among them that are sound', () => {
      const { core, link } = connected({ maxCommandBytes: 1000 })
      const huge = 'x'.repeat(1000)
      const callers = propose(core, 'a', huge, 'b', 2n ** 70n, 'x'.repeat(990), 'y'.repeat(990)) as Caller[]
      const badMany = Caller.many(['c', huge])
      const goodMany = Caller.many(['d', 'x'.repeat(800), 'y'.repeat(800)])
      core.propose(badMany)
      core.propose(goodMany)
      core.flush(0)
      const codes = ['INVALID_COMMAND', 'INVALID_COMMAND', 'INVALID_COMMAND']
      assert.deepEqual(
        [callers[1], callers[3], badMany].map((each) => each && codeOf(each)),
        codes,
      )
      const frames = link.frames()
      const texts = commandsOf(frames).map((text) => String(text)[0])
      assert.deepEqual(texts, ['a', 'b', 'x', 'y', 'd', 'x', 'y'])
      assert.equal(core.outstandingCommands, 7)
      assert.equal(frames.at(-1)?.first, 6)
      core.frame('n1', outcome(2, 7))
      assert.deepEqual(
        [callers[0], callers[2], callers[4], callers[5]].map((each) => each?.value),
        ['r2', 'r3', 'r4', 'r5'],
      )
      assert.deepEqual(goodMany.value, ['r6', 'r7', 'r8'])
      assert.equal(core.outstandingCommands, 0)
    })

    it('wrong options by their names', () => {
      for (const wrong of [{ retransmitMs: 0 }, { maxCommandBytes: 1.5 }, { nonsense: 1 }, { toString: 1 }]) {
        assert.throws(
          () => resolveClientOptions(GROUP, wrong as object),
          (error) =>
            RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === `client.${Object.keys(wrong)[0]}`,
        )
      }
    })
  })

  it('gives up on a node that does not understand it, without losing count', () => {
    const { core } = connected()
    const [sent] = propose(core, 'sent') as [Caller]
    const query = new Caller(undefined)
    core.query('linearizable', undefined, query, 0)
    core.flush(0)
    core.frame('n1', replies([ReplyKind.protocol, 'what?']))
    assert.deepEqual([codeOf(sent), codeOf(query)], ['INDETERMINATE', 'PROTOCOL'])
    assert.equal(core.outstandingCommands + core.outstandingQueries, 0)
  })

  it('says what is wrong with a frame of a node, and is none the worse for it', () => {
    const { core } = connected()
    const [sent] = propose(core, 'sent') as [Caller]
    core.flush(0)
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0xc1), codec.encode([GROUP, [[99]]])])
      assert.equal(typeof core.frame('n1', bytes), 'string')
    assert.equal(core.frame('n1', outcome(2, 1)), undefined)
    assert.equal(sent.value, 'r2')
  })

  it('takes the name of a node to send through, and nothing else', () => {
    assert.equal(resolveClientOptions(GROUP, { via: 'n1' }).via, 'n1')
    for (const via of ['', 7]) {
      assert.throws(
        () => resolveClientOptions(GROUP, { via: via as string }),
        (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'client.via',
      )
    }
  })
})
