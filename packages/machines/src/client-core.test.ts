import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError, type RaftErrorCode, seededRandom } from '@troupe/core'
import { Caller, codec } from '../test/support.ts'
import { ClientCore, type ClientOptions, resolveClientOptions } from './client-core.ts'
import { type CommandFrame, readCommandFrames } from './command-frame.ts'
import {
  type ClientRequest,
  decodeClientFrame,
  encodeReplies,
  type NodeReply,
  ReplyKind,
} from './protocol.ts'

const GROUP = 3

/** A connection that keeps what it was given. */
class FakeLink {
  readonly sent: Uint8Array[] = []
  isFull = false

  send(frame: Uint8Array): boolean {
    if (this.isFull) return false
    this.sent.push(frame)
    return true
  }
  #take(): { requests: readonly ClientRequest[]; commands: CommandFrame[] }[] {
    return this.sent.splice(0).map((bytes) => {
      const frame = decodeClientFrame(bytes, codec)
      assert.ok(typeof frame !== 'string', String(frame))
      assert.equal(frame.group, GROUP)
      const commands = readCommandFrames(frame.commands)
      assert.ok(typeof commands !== 'string', String(commands))
      return { requests: frame.requests, commands }
    })
  }
  /** The command frames of all messages since the last call. */
  frames(): CommandFrame[] {
    return this.#take().flatMap(({ commands }) => commands)
  }
  queries(): ClientRequest[] {
    return this.#take().flatMap(({ requests }) => requests)
  }
}

const replies = (...list: readonly NodeReply[]): Uint8Array => encodeReplies(GROUP, list, codec)
const commandsOf = (frames: readonly CommandFrame[]): unknown[] =>
  frames.flatMap(({ payload }) => codec.decode(payload) as unknown[])
const spanOf = ({ first, count }: CommandFrame): [number, number] => [first, count]

/** A client that is connected to n1, which leads in term 1, and has session 7. */
function connected(options: Partial<ClientOptions> = {}): { core: ClientCore; link: FakeLink } {
  const { core, link } = leaderless(options)
  core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
  const first = new Caller('opens the session')
  core.propose(first)
  core.flush(0)
  const [opening] = link.frames()
  assert.ok(opening)
  assert.deepEqual([opening.session, opening.count], [0, 1])
  core.frame('n1', replies([ReplyKind.opened, opening.first, 7]))
  core.flush(0)
  assert.deepEqual(link.frames().map(spanOf), [[1, 1]])
  core.frame('n1', outcome(1, 1))
  assert.equal(first.settlements, 1)
  return { core, link }
}

function leaderless(options: Partial<ClientOptions> = {}): { core: ClientCore; link: FakeLink } {
  const core = new ClientCore(resolveClientOptions(GROUP, options), codec, seededRandom(1))
  const link = new FakeLink()
  core.opened('n1', link)
  return { core, link }
}

/** What became of the commands `first` to `first + count - 1` of session 7: their numbers as results. */
function outcome(first: number, count: number, errors: [number, string][] | null = null): Uint8Array {
  const results = Array.from({ length: count }, (_, offset) => `r${first + offset}`)
  return replies([ReplyKind.outcomes, 7, [[first, count, results, errors]]])
}

function propose(core: ClientCore, ...commands: unknown[]): Caller[] {
  const callers = commands.map((command) => new Caller(command))
  for (const caller of callers) core.propose(caller)
  return callers
}

const codeOf = ({ error, settlements }: Caller): RaftErrorCode | undefined => {
  assert.ok(settlements <= 1)
  return error?.code
}
const throwsCode = (code: RaftErrorCode, run: () => void): void =>
  assert.throws(run, (error) => RaftError.is(error, code))

describe('the client', () => {
  describe('sends', () => {
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
      assert.equal(link.sent.length, 0)
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
  })

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
      core.frame('n1', replies([ReplyKind.stale, 7]))
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
      core.query('q', 'linearizable', undefined, query)
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
      core.frame('n1', replies([ReplyKind.stale, 7]))
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
      core.frame('n1', replies([ReplyKind.stale, 7]))
      assert.equal(unsent.settlements, 0)
      core.frame('n1', replies([ReplyKind.outcomes, 8, [[1, 2, ['x', 'y'], null]]]))
      assert.deepEqual([unsent.value, pending.value], ['x', 'y'])
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

  describe('queries', () => {
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

  it('gives up on a node that does not understand it, without losing count', () => {
    const { core } = connected()
    const [sent] = propose(core, 'sent') as [Caller]
    const query = new Caller(undefined)
    core.query('q', 'linearizable', undefined, query)
    core.flush(0)
    core.frame('n1', replies([ReplyKind.protocol, 'what?']))
    assert.deepEqual([codeOf(sent), codeOf(query)], ['INDETERMINATE', 'PROTOCOL'])
    assert.equal(core.outstandingCommands + core.outstandingQueries, 0)
  })
})
