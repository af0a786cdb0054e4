import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, connected, FakeLink, replies, throwsCode } from '../test/fake-link.ts'
import { Caller } from '../test/support.ts'
import type { ClientCore } from './client-core.ts'
import { ReplyKind } from './protocol.ts'

describe('queries of the client', () => {
  const ask = (
    core: ClientCore,
    query: unknown,
    consistency: 'linearizable' | 'stale',
    node?: string,
  ): Caller => {
    const caller = new Caller(undefined, 1000)
    core.query(query, consistency, node, caller)
    return caller
  }
  const asked = (link: FakeLink): unknown[] => link.queries().map(([, , , query]) => query)

  it('go to the leader, stale ones to the named replica or any, and take the first answer', () => {
    const { core, link } = connected()
    const other = new FakeLink()
    core.opened('n2', other)
    const one = ask(core, 'one', 'linearizable')
    ask(core, 'two', 'stale', 'n2')
    ask(core, 'three', 'stale', 'n9')
    core.flush(0)
    const [request] = link.queries()
    assert.deepEqual(request?.slice(2), ['linearizable', 'one'])
    assert.deepEqual(asked(other), ['two'])
    core.frame('n1', replies([ReplyKind.answer, request?.[1] ?? 0, 'first']))
    core.frame('n1', replies([ReplyKind.answer, request?.[1] ?? 0, 'second']))
    assert.deepEqual([one.value, one.settlements], ['first', 1])
    assert.equal(core.outstandingQueries, 2)
  })

  it('are asked again of the next leader, and of another replica when theirs goes', () => {
    const { core, link } = connected()
    ask(core, 'linear', 'linearizable')
    ask(core, 'stale', 'stale')
    core.flush(0)
    assert.equal(asked(link).length, 2)
    core.closed('n1')
    const other = new FakeLink()
    core.opened('n2', other)
    core.flush(1)
    assert.deepEqual(asked(other), ['stale'])
    core.frame('n2', replies([ReplyKind.leader, 2, 'n2']))
    core.flush(1)
    assert.ok(asked(other).includes('linear'))
  })

  it('that a node did not take are asked again after a pause, not at once', () => {
    const { core, link } = connected()
    const query = ask(core, 'q', 'linearizable')
    core.flush(10)
    const [request] = link.queries()
    core.frame('n1', replies([ReplyKind.failed, request?.[1] ?? 0, 'BUSY', 'too many']))
    core.flush(10)
    assert.equal(link.sent.length, 0)
    assert.ok(core.deadlineMs > 10 && core.deadlineMs < 100)
    core.tick(core.deadlineMs)
    assert.deepEqual(asked(link), ['q'])
    core.frame('n1', replies([ReplyKind.failed, request?.[1] ?? 0, 'REJECTED', 'no']))
    assert.equal(codeOf(query), 'REJECTED')
  })

  it('time out, are given up, or refused when there are too many or one is too large', () => {
    const { core, link } = connected({ maxOutstandingQueries: 3, maxCommandBytes: 1000 })
    const [late, gone, huge] = ['late', 'gone', 'x'.repeat(2000)].map((query) =>
      ask(core, query, 'linearizable'),
    )
    throwsCode('BUSY', () => ask(core, 'more', 'stale'))
    core.abandon(gone as Caller, 'enough')
    core.flush(0)
    assert.deepEqual(asked(link), ['late'])
    core.tick(1000)
    const codes = [late, gone, huge].map((caller) => caller && codeOf(caller))
    assert.deepEqual(codes, ['TIMEOUT', 'ABORTED', 'INVALID_COMMAND'])
    assert.equal(core.outstandingQueries, 0)
  })
})
