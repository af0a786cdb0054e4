import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  commandsOf,
  connected,
  FakeLink,
  leaderless,
  outcome,
  propose,
  replies,
  spanOf,
} from '../test/fake-link.ts'
import { Caller } from '../test/support.ts'
import { ReplyKind } from './protocol.ts'

describe('the client sends', () => {
  it('nothing before it knows a leader that it has a connection to', () => {
    const { core, link } = leaderless()
    propose(core, 'a')
    core.flush(0)
    core.frame('n1', replies([ReplyKind.leader, 1, 'n2']))
    core.flush(0)
    assert.equal(link.sent.length, 0)
    const other = new FakeLink()
    core.opened('n2', other)
    core.flush(0)
    assert.equal(other.frames().length, 1)
    assert.equal(core.leader, 'n2')
  })

  it('dense sequence numbers, all commands of a turn in one frame', () => {
    const { core, link } = connected()
    propose(core, 'a', 'b', 'c')
    core.flush(0)
    core.propose(Caller.many(['d', 'e']))
    propose(core, 'f')
    core.flush(0)
    core.flush(0)
    const frames = link.frames()
    assert.deepEqual(frames.map(spanOf), [
      [2, 3],
      [5, 2],
      [7, 1],
    ])
    assert.deepEqual(commandsOf(frames), ['a', 'b', 'c', 'd', 'e', 'f'])
    assert.equal(core.outstandingCommands, 6)
    for (const { session, confirmed } of frames) assert.deepEqual([session, confirmed], [7, 1])
  })

  it('what it confirms, with the next frame', () => {
    const { core, link } = connected()
    propose(core, 'a', 'b')
    core.flush(0)
    core.frame('n1', outcome(2, 2))
    propose(core, 'c')
    core.flush(0)
    assert.equal(link.frames().at(-1)?.confirmed, 3)
  })

  it('everything unanswered again to the next leader, as it was, and nothing that is answered', () => {
    const { core, link } = connected()
    const [a] = propose(core, 'a')
    core.flush(0)
    const [b] = propose(core, 'b')
    core.flush(0)
    core.frame('n1', outcome(2, 1))
    link.frames()
    const next = new FakeLink()
    core.opened('n2', next)
    core.frame('n2', replies([ReplyKind.leader, 2, 'n2']))
    const [c] = propose(core, 'c')
    core.flush(0)
    const frames = next.frames()
    assert.deepEqual(frames.map(spanOf), [
      [3, 1],
      [4, 1],
    ])
    assert.deepEqual(commandsOf(frames), ['b', 'c'])
    assert.equal(link.sent.length, 0)
    core.frame('n2', outcome(3, 2))
    assert.deepEqual([a?.value, b?.value, c?.value], ['r2', 'r3', 'r4'])
  })

  it('again when the leader comes back under the same name and term', () => {
    const { core, link } = connected()
    propose(core, 'a')
    core.flush(0)
    link.frames()
    core.closed('n1')
    core.flush(0)
    const again = new FakeLink()
    core.opened('n1', again)
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    core.flush(0)
    assert.deepEqual(again.frames().map(spanOf), [[2, 1]])
  })

  it('nothing to an older leader than it knows', () => {
    const { core, link } = connected()
    const next = new FakeLink()
    core.opened('n2', next)
    core.frame('n2', replies([ReplyKind.leader, 5, 'n2']))
    core.frame('n1', replies([ReplyKind.leader, 4, 'n1']))
    propose(core, 'a')
    core.flush(0)
    assert.equal(core.leader, 'n2')
    assert.equal(link.sent.length, 0)
    assert.equal(next.frames().length, 1)
  })

  it('again when the link has room again, each frame once', () => {
    const { core, link } = connected()
    link.isFull = true
    propose(core, 'a')
    core.flush(0)
    propose(core, 'b')
    core.flush(0)
    link.isFull = false
    core.flush(0)
    core.flush(0)
    assert.deepEqual(link.frames().map(spanOf), [
      [2, 1],
      [3, 1],
    ])
    assert.equal(core.metrics.commandsResent, 0)
  })

  it('again after a refusal, once the pause is over, and asks to be woken for it', () => {
    const { core, link } = connected()
    propose(core, 'a')
    core.flush(10)
    link.frames()
    core.frame('n1', replies([ReplyKind.refused, 7, 2, 'BUSY', 5]))
    core.flush(11)
    assert.equal(link.sent.length, 0)
    assert.equal(core.deadlineMs, 15)
    core.tick(15)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]])
  })

  it('the request for a session again when that was refused, and asks to be woken for it', () => {
    const { core, link } = leaderless()
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    propose(core, 'a')
    core.flush(10)
    const [opening] = link.frames()
    core.frame('n1', replies([ReplyKind.refused, 0, opening?.first ?? 0, 'BUSY', 5]))
    core.flush(10)
    assert.equal(core.deadlineMs, 15)
    core.tick(15)
    assert.deepEqual(link.frames().map(spanOf), [[opening?.first, 1]])
  })

  it('nothing to a node that says it does not lead, until somebody says who does', () => {
    const { core, link } = connected()
    propose(core, 'a')
    core.flush(0)
    link.frames()
    core.frame('n1', replies([ReplyKind.refused, 7, 2, 'NOT_LEADER', 5]))
    core.tick(5000)
    assert.equal(core.leader, undefined)
    assert.deepEqual(link.frames(), [])
    core.frame('n1', replies([ReplyKind.leader, 2, 'n1']))
    core.flush(5000)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]])
  })

  it('everything again after a gap, once for many complaints of one cause', () => {
    const { core, link } = connected()
    propose(core, 'a')
    core.flush(10)
    propose(core, 'b')
    core.flush(10)
    link.frames()
    for (let times = 0; times < 3; times++) core.frame('n1', replies([ReplyKind.gap, 7, 2]))
    core.tick(20)
    core.tick(21)
    assert.deepEqual(link.frames().map(spanOf), [
      [2, 1],
      [3, 1],
    ])
  })

  it('everything again after a gap only where more is applied or answered than at the last one, or nobody answers', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const complain = (nowMs: number, ...expected: number[]): [number, number][] => {
      core.frame('n1', replies(...expected.map((one) => [ReplyKind.gap, 7, one] as const)))
      core.tick(nowMs)
      core.tick(nowMs + 5)
      return link.frames().map(spanOf)
    }
    const spans = (first: number): [number, number][] => [2, 3, 4].slice(first - 2).map((at) => [at, 1])
    core.tick(0)
    for (const command of ['a', 'b', 'c']) {
      propose(core, command)
      core.flush(0)
    }
    link.frames()
    assert.deepEqual(complain(10, 2), spans(2))
    // Of copies that were sent before.
    for (let nowMs = 20; nowMs < 90; nowMs += 10) assert.deepEqual(complain(nowMs, 2, 2), [])
    // Applied, but the answer was lost.
    assert.deepEqual(complain(100, 3), spans(2))
    assert.deepEqual(complain(110, 2, 3), [])
    core.frame('n1', outcome(2, 1))
    assert.deepEqual(complain(120, 3), spans(3))
    assert.deepEqual(complain(130, 2, 3), [])
    core.tick(219)
    assert.deepEqual(link.frames(), [])
    core.tick(220)
    assert.deepEqual(link.frames().map(spanOf), spans(3))
    assert.deepEqual(complain(230, 3), spans(3))
  })

  it('again what met with silence, less and less often', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    propose(core, 'a')
    core.flush(0)
    link.frames()
    const times: number[] = []
    for (let nowMs = 1; nowMs <= 3500; nowMs++) {
      core.tick(nowMs)
      if (link.frames().length > 0) times.push(nowMs)
    }
    assert.deepEqual(times, [100, 300, 700, 1500, 2300, 3100])
    core.frame('n1', outcome(2, 1))
    propose(core, 'b')
    core.flush(4000)
    link.frames()
    core.tick(4099)
    assert.equal(link.frames().length, 0)
    core.tick(4100)
    assert.equal(link.frames().length, 1)
  })

  it('again as soon as at first where it goes to a new leader, over a new connection or in a new session', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    let nowMs = 0
    const pauseMs = (): number => {
      link.frames()
      const fromMs = nowMs
      do core.tick(++nowMs)
      while (link.frames().length === 0)
      return nowMs - fromMs
    }
    const news: [string, () => void][] = [
      ['leader', () => void core.frame('n1', replies([ReplyKind.leader, 2, 'n1']))],
      ['connection', () => core.opened('n1', link)],
      [
        'session',
        () => {
          core.frame('n1', replies([ReplyKind.stale, 7, 0]))
          propose(core, 'b')
          core.flush(nowMs)
          const [opening] = link.frames()
          core.frame('n1', replies([ReplyKind.opened, opening?.first ?? 0, 8]))
        },
      ],
    ]
    propose(core, 'a')
    core.tick(0)
    for (const [what, happens] of news) {
      pauseMs()
      assert.ok(pauseMs() > 100, `before ${what}`)
      happens()
      core.flush(nowMs)
      assert.equal(pauseMs(), 100, what)
    }
  })

  it('the request for a session again, with the same nonce, when it met with silence', () => {
    const { core, link } = leaderless({ retransmitMs: 100 })
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    propose(core, 'a')
    core.flush(0)
    const [opening] = link.frames()
    core.tick(core.deadlineMs)
    assert.deepEqual(link.frames(), [opening])
  })

  it('a frame that was answered in part so that a node can read it', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const many = Caller.many(['a', 'b', 'c'])
    core.propose(many)
    core.flush(0)
    link.frames()
    core.frame('n1', outcome(2, 2))
    assert.equal(many.settlements, 0)
    core.tick(100)
    const [frame] = link.frames()
    assert.ok(frame && frame.confirmed < frame.first)
    core.frame('n1', outcome(2, 3))
    assert.deepEqual(many.value, ['r2', 'r3', 'r4'])
  })

  describe('through the node that the options name', () => {
    it('commands, to be forwarded, but not queries', () => {
      const { core, link } = leaderless({ via: 'n2' })
      core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
      propose(core, 'a')
      core.query('linearizable', undefined, new Caller('q'), 0)
      core.flush(0)
      assert.deepEqual(link.queries().length, 1)
      const via = new FakeLink()
      core.opened('n2', via)
      core.flush(0)
      const [opening] = via.frames()
      core.frame('n2', replies([ReplyKind.opened, opening?.first ?? 0, 7]))
      core.flush(0)
      assert.deepEqual(commandsOf(via.frames()), ['a'])
      assert.deepEqual(link.frames(), [])
    })

    it('again when it comes back, when the leader changes, and after its refusals', () => {
      const { core } = leaderless({ via: 'n2' })
      let via = new FakeLink()
      core.opened('n2', via)
      core.frame('n2', replies([ReplyKind.leader, 1, 'n1']))
      propose(core, 'a')
      core.flush(0)
      const [opening] = via.frames()
      core.frame('n2', replies([ReplyKind.opened, opening?.first ?? 0, 7]))
      core.flush(0)
      assert.deepEqual(via.frames().map(spanOf), [[1, 1]])
      core.frame('n2', replies([ReplyKind.refused, 7, 1, 'NOT_LEADER', 5]))
      assert.equal(core.leader, 'n1')
      core.flush(1)
      assert.deepEqual(via.frames(), [])
      core.tick(core.deadlineMs)
      assert.deepEqual(via.frames().map(spanOf), [[1, 1]])
      core.frame('n2', replies([ReplyKind.leader, 2, 'n3']))
      core.flush(6)
      assert.deepEqual(via.frames().map(spanOf), [[1, 1]])
      core.closed('n2')
      core.flush(7)
      via = new FakeLink()
      core.opened('n2', via)
      core.flush(8)
      assert.deepEqual(via.frames().map(spanOf), [[1, 1]])
    })
  })

  it('on, whatever a former leader refuses', () => {
    const { core, link } = connected()
    propose(core, 'a')
    core.flush(0)
    link.frames()
    const next = new FakeLink()
    core.opened('n2', next)
    core.frame('n2', replies([ReplyKind.leader, 2, 'n2']))
    core.flush(0)
    assert.deepEqual(next.frames().map(spanOf), [[2, 1]])
    core.frame('n1', replies([ReplyKind.refused, 7, 2, 'NOT_LEADER', 5]))
    propose(core, 'b')
    core.flush(0)
    assert.equal(core.leader, 'n2')
    assert.deepEqual(next.frames().map(spanOf), [[3, 1]])
  })

  it('the question who leads, while it does not know and something waits', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    core.frame('n1', replies([ReplyKind.refused, 7, 2, 'NOT_LEADER', 5]))
    core.tick(0)
    assert.equal(link.isQuestion(), false, 'nothing waits')
    propose(core, 'a')
    core.flush(0)
    const asked: number[] = []
    while (core.deadlineMs <= 300) {
      const nowMs = core.deadlineMs
      core.tick(nowMs)
      if (link.isQuestion()) asked.push(nowMs)
    }
    assert.deepEqual(asked, [5, 105, 205])
    // The same leader as before: it has not stepped down after all.
    core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
    core.flush(300)
    assert.deepEqual(link.frames().map(spanOf), [[2, 1]])
  })

  it('the question who leads to all nodes, when its leader is silent', () => {
    const { core, link } = connected({ retransmitMs: 100 })
    const other = new FakeLink()
    core.opened('n2', other)
    propose(core, 'a')
    core.flush(0)
    assert.equal(other.isQuestion(), false)
    core.tick(100)
    assert.equal(other.isQuestion(), true)
    link.frames()
    core.frame('n2', replies([ReplyKind.leader, 2, 'n2']))
    core.flush(101)
    assert.deepEqual(other.frames().map(spanOf), [[2, 1]])
  })
})
