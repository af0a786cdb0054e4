import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, connected, FakeLink, leaderless, propose, replies, throwsCode } from '../test/fake-link.ts'
import { Caller } from '../test/support.ts'
import type { ClientCore } from './client-core.ts'
import { BATCH_QUERIES } from './client-queries.ts'
import { type Consistency, ReplyKind } from './protocol.ts'

describe('queries of the client', () => {
  const ask = (core: ClientCore, query: unknown, consistency: Consistency, node?: string): Caller => {
    const caller = new Caller(query, 1000)
    core.query(consistency, node, caller, 0)
    return caller
  }
  const answers = (id: number, list: unknown[], errors: [number, string][] | null = null): Uint8Array =>
    replies([ReplyKind.answers, id, 'linearizable', list, errors])
  const asked = (link: FakeLink): unknown[] => link.queries().map(({ query }) => query)

  it('go to the leader, stale ones to the named replica or any, and take the first answer', () => {
    const { core, link } = connected()
    const other = new FakeLink()
    core.opened('n2', other)
    const one = ask(core, 'one', 'linearizable')
    ask(core, 'two', 'stale', 'n2')
    ask(core, 'three', 'stale', 'n9')
    core.flush(0)
    const [request] = link.queries()
    assert.deepEqual([request?.consistency, request?.query], ['linearizable', 'one'])
    assert.deepEqual(asked(other), ['two'])
    core.frame('n1', answers(request?.id ?? 0, ['first']))
    core.frame('n1', answers(request?.id ?? 0, ['second']))
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
    core.frame('n1', replies([ReplyKind.failed, request?.id ?? 0, 'BUSY', 'too many']))
    core.flush(10)
    assert.equal(link.sent.length, 0)
    assert.ok(core.deadlineMs > 10 && core.deadlineMs < 100)
    core.tick(core.deadlineMs)
    assert.deepEqual(asked(link), ['q'])
    core.frame('n1', answers(request?.id ?? 0, [undefined], [[0, 'no']]))
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

  it('are asked again after silence, each by itself, less and less often', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const patient = new Caller('lost')
    core.query('linearizable', undefined, patient, 0)
    core.flush(0)
    link.queries()
    const times: number[] = []
    for (let nowMs = 1; nowMs < 2500; nowMs++) {
      // Others are answered all the time.
      core.query('linearizable', undefined, new Caller('other'), nowMs)
      core.tick(nowMs)
      for (const { id, query } of link.queries()) {
        if (query === 'lost') times.push(nowMs)
        else core.frame('n1', answers(id, ['x']))
      }
    }
    assert.deepEqual(times, [100, 300, 700, 1500, 2300])
    assert.equal(core.outstandingQueries, 1)
    core.close()
    assert.equal(core.deadlineMs, Number.POSITIVE_INFINITY)
  })

  it('of a turn go in one batch, but that a full one leaves at once', () => {
    const { core, link } = connected()
    const callers = Array.from({ length: BATCH_QUERIES + 2 }, (_, at) => ask(core, at, 'linearizable'))
    assert.deepEqual(
      link.batches().map(([, , , count]) => count),
      [BATCH_QUERIES],
    )
    ask(core, 'another kind', 'lease')
    core.flush(0)
    const [rest, lease] = link.batches()
    assert.deepEqual([rest?.[3], lease?.[3]], [2, 1])
    core.frame('n1', answers(rest?.[1] ?? 0, ['first', 'second']))
    assert.deepEqual(
      callers.slice(-3).map(({ value }) => value),
      [undefined, 'first', 'second'],
    )
    assert.equal(core.outstandingQueries, BATCH_QUERIES + 1)
  })

  it('of one batch are answered together, and not by answers to another', () => {
    const { core, link } = connected()
    const [one, no, two] = ['one', 'no', 'two'].map((query) => ask(core, query, 'linearizable'))
    core.flush(0)
    const [request] = link.queries()
    core.frame('n1', answers(request?.id ?? 0, ['too', 'few']))
    assert.equal(core.outstandingQueries, 3)
    core.frame('n1', answers(request?.id ?? 0, [1, undefined, 2], [[1, 'no']]))
    assert.deepEqual([one?.value, no && codeOf(no), two?.value], [1, 'REJECTED', 2])
    assert.equal(core.outstandingQueries, 0)
  })

  it('are asked again without those that were given up meanwhile: late answers fit the rest no more', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const [one, gone, two] = ['one', 'gone', 'two'].map((query) => ask(core, query, 'linearizable'))
    core.flush(0)
    const [first] = link.queries()
    core.tick(100)
    const [again] = link.queries()
    assert.equal(again?.id, first?.id)
    core.abandon(gone as Caller, 'enough')
    core.tick(300)
    const last = link.queries()
    assert.deepEqual(
      last.map(({ query }) => query),
      ['one', 'two'],
    )
    core.frame('n1', answers(first?.id ?? 0, ['late', 'late', 'late']))
    assert.deepEqual([one?.settlements, two?.settlements], [0, 0])
    core.frame('n1', answers(last[0]?.id ?? 0, [1, 2]))
    assert.deepEqual([one?.value, two?.value], [1, 2])
    assert.equal(core.outstandingQueries, 0)
  })

  it('that all were given up leave nothing behind', () => {
    const { core } = leaderless()
    for (let turn = 0; turn < 3; turn++) {
      const caller = ask(core, 'q', 'linearizable')
      core.flush(turn)
      core.abandon(caller, 'enough')
      core.flush(turn)
    }
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    const link = new FakeLink()
    core.opened('n1', link)
    core.flush(3)
    assert.deepEqual([link.sent.length, core.outstandingQueries], [0, 0])
  })

  it('tell how they were served', () => {
    const { core, link } = connected()
    const query = ask(core, 'q', 'lease')
    core.flush(0)
    const [request] = link.queries()
    core.frame('n1', answers(request?.id ?? 0, ['a']))
    assert.deepEqual([query.value, query.served], ['a', 'linearizable'])
  })

  it('by lease go to the leader, by a follower to one that does not lead, and to the next after a failure', () => {
    const { core, link } = connected()
    const [two, three] = [new FakeLink(), new FakeLink()]
    core.opened('n2', two)
    core.opened('n3', three)
    ask(core, 'lease', 'lease')
    ask(core, 'follower', 'follower')
    ask(core, 'named', 'follower', 'n3')
    core.flush(0)
    assert.deepEqual(asked(link), ['lease'])
    const [request] = two.queries()
    assert.equal(request?.query, 'follower')
    assert.deepEqual(asked(three), ['named'])
    core.frame('n2', replies([ReplyKind.failed, request?.id ?? 0, 'NOT_LEADER', 'nobody leads']))
    assert.equal(core.leader, 'n1')
    propose(core, 'not held up by it')
    core.flush(1)
    assert.equal(link.frames().length, 1)
    core.tick(core.deadlineMs)
    assert.deepEqual(asked(three), ['follower'])
    // Late news of the first one are none.
    core.frame('n2', replies([ReplyKind.failed, request?.id ?? 0, 'NOT_LEADER', 'nobody leads']))
    core.flush(20)
    assert.deepEqual([asked(two), asked(three)], [[], []])
  })

  it('make the client look for another leader when theirs says it is none', () => {
    const { core, link } = connected()
    ask(core, 'q', 'linearizable')
    core.flush(0)
    const [request] = link.queries()
    core.frame('n1', replies([ReplyKind.failed, request?.id ?? 0, 'NOT_LEADER', 'not me']))
    assert.equal(core.leader, undefined)
    core.tick(core.deadlineMs)
    assert.equal(link.isQuestion(), true)
  })
})
