import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { History } from './history.ts'
import { HistoryProblem, HistoryReader, type RecordedHistory } from './history-reader.ts'
import type { KvInput, KvOutput } from './kv-model.ts'
import { findModel } from './named-models.ts'
import type { CheckOptions, CheckReport } from './report.ts'

function read(model: string, ...lines: string[]): RecordedHistory {
  const found = findModel(model)
  assert.ok(found)
  const reader = new HistoryReader(found)
  for (const line of lines) reader.line(line)
  return reader.end()
}

/** Checks lines; `LINE ` in front of each word of a log is added where it is short. */
function check(model: string, lines: readonly string[], options?: CheckOptions): CheckReport {
  return findModel(model)?.check(read(model, ...lines).operations, options) as CheckReport
}

const jepsen = (...events: string[]): string[] =>
  events.map((event, index) => `INFO  jepsen.util - ${index % 2 ? event.replaceAll(' ', '\t') : event}`)

describe('log lines of Jepsen', () => {
  it('are read with tabs or spaces, and may time out', () => {
    const lines = jepsen(
      '0 :invoke :read nil',
      '0 :ok :read nil',
      '1 :invoke :write 1',
      '1 :ok :write 1',
      '2 :invoke :cas [1 2]',
      '3 :invoke :cas [1 3]',
      '2 :info :cas :timed-out',
      '3 :fail :cas [1 3]',
      '0 :invoke :read nil',
      '0 :ok :read 2',
    )
    assert.equal(check('cas-register', lines).verdict, 'pass')
    const { operations } = read('cas-register', ...lines)
    assert.deepEqual(
      operations.map(({ outcome, callLine, returnLine }) => [outcome, callLine, returnLine]),
      [
        ['ok', 1, 2],
        ['ok', 3, 4],
        ['open', 5, 7],
        ['ok', 9, 10],
      ],
    )
  })

  it('tell the operation that fails by its line', () => {
    const lines = jepsen('0 :invoke :write 1', '0 :ok :write 1', '1 :invoke :read nil', '1 :ok :read 2')
    const { verdict, failure } = check('cas-register', ['something else', ...lines])
    assert.equal(verdict, 'fail')
    assert.equal(failure?.reason, 'no order explains: read → 2')
    assert.equal(failure?.operations.find(({ role }) => role === 'blocked')?.line, 4)
  })

  it('have keys in pairs where the first invocation has', () => {
    const lines = jepsen(
      '0 :invoke :write [7 1]',
      '0 :ok :write [7 1]',
      '0 :invoke :read [8 nil]',
      '0 :ok :read [8 nil]',
      '0 :invoke :cas [7 [1 2]]',
      '0 :ok :cas [7 [1 2]]',
      '0 :invoke :read [7 nil]',
      '0 :ok :read [7 2]',
    )
    const report = check('cas-register', lines)
    assert.deepEqual([report.verdict, report.partitionCount], ['pass', 2])
    assert.equal(check('kv', lines.slice(0, 4)).verdict, 'pass')
  })

  it('may be newer ones, and maps of a history with times', () => {
    const newer = [
      '2024-01-01 12:00:00,000{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:invoke\t:write\t1',
      '2024-01-01 12:00:00,010{GMT}\tINFO\t[jepsen worker 0] jepsen.util: 0\t:ok\t:write\t1',
    ]
    assert.equal(check('register', newer).verdict, 'pass')
    const maps = [
      '{:type :invoke, :f :add, :value 1, :process 0, :time 1000000, :index 0}',
      '{:type :ok, :f :add, :value 1, :process 0, :time 3000000, :index 1}',
      '{:type :invoke, :f :read, :value nil, :process 1, :time 5000000, :index 2}',
      '{:type :ok, :f :read, :value #{1}, :process 1, :time 6000000, :index 3}',
    ]
    const { operations } = read('set-full', ...maps)
    assert.deepEqual(
      operations.map(({ callMs, returnMs }) => [callMs, returnMs]),
      [
        [1, 3],
        [5, 6],
      ],
    )
    assert.equal(check('set-full', maps).verdict, 'pass')
  })

  it('tell of faults', () => {
    const { faults } = read(
      'register',
      ...jepsen(
        ':nemesis :info :start-partition :majority',
        ':nemesis :info :start-partition [:isolated {"n1" #{"n2"}}]',
        '0 :invoke :write 1',
        ':nemesis :info :stop-partition nil',
        ':nemesis :info :kill ["n1"]',
        '0 :ok :write 1',
        ':nemesis :info :start nil',
      ),
    )
    assert.deepEqual(
      faults.map(({ text, fromAt, toAt }) => [text, fromAt, toAt]),
      [
        ['partition :majority', 0, 3],
        ['kill ["n1"]', 4, 6],
      ],
    )
  })
})

describe('lines of JSON', () => {
  const line = (process: number | string, type: string, f: string, more: object = {}): string =>
    JSON.stringify({ process, type, f, ...more })

  it('are read with keys, versions and times', () => {
    const lines = [
      line(0, 'invoke', 'set', { key: 'a', value: 1, time: 0 }),
      line('nemesis', 'start', 'pause', { value: 'n2', time: 1 }),
      line(0, 'ok', 'set', { key: 'a', time: 2.5 }),
      line(1, 'invoke', 'get', { key: 'a', time: 3 }),
      line('nemesis', 'stop', 'pause', { value: 'n2', time: 3 }),
      line(1, 'ok', 'get', { key: 'a', value: 1, version: 1, time: 4 }),
      line(1, 'invoke', 'cas', { key: 'b', value: [null, 2], time: 4 }),
      line(1, 'ok', 'cas', { key: 'b', time: 4 }),
      line(1, 'invoke', 'cas', { key: 'b', value: [1, 2], time: 4 }),
      line(1, 'ok', 'cas', { key: 'b', result: false, time: 4 }),
      '',
    ]
    assert.equal(check('kv', lines).verdict, 'pass')
    const { faults, lineCount } = read('kv', ...lines)
    assert.deepEqual(faults, [{ text: 'pause n2', fromAt: 1, toAt: 4, fromMs: 1, toMs: 3 }])
    assert.equal(lineCount, 11)
    assert.equal(
      check('kv', lines.with(9, line(1, 'ok', 'cas', { key: 'b', result: true, time: 4 }))).verdict,
      'fail',
    )
  })

  it('of counters, locks and queues', () => {
    const ok = (process: number, f: string, asked?: unknown, value?: unknown): string[] => [
      line(process, 'invoke', f, { value: asked }),
      line(process, 'ok', f, { value }),
    ]
    const counter = [...ok(0, 'increment'), ...ok(0, 'add', 5, 5), ...ok(0, 'decrement', 2)]
    assert.equal(check('counter', [...counter, ...ok(0, 'read', null, 4)]).verdict, 'pass')
    assert.match(
      check('counter', [...counter, ...ok(0, 'read', null, 5)]).failure?.reason ?? '',
      /^a read of 5, where the counter was from 4 to 4$/,
    )
    const lock = [...ok(0, 'acquire', null, 3), ...ok(0, 'release', 3)]
    assert.equal(check('lock', [...lock, ...ok(1, 'acquire', null, 4)]).verdict, 'pass')
    assert.equal(check('lock', [...lock, ...ok(1, 'acquire', null, 3)]).verdict, 'fail')
    assert.equal(check('lock', [...ok(0, 'acquire', null, 3), ...ok(1, 'acquire', null, 4)]).verdict, 'fail')
    const queue = [...ok(0, 'enqueue', 'a'), ...ok(0, 'enqueue', 'b'), ...ok(1, 'dequeue', null, 'b')]
    const { verdict, failure } = check('fifo-queue', queue)
    assert.equal(verdict, 'fail')
    assert.equal(failure?.reason, '"a" is enqueued before "b", but "b" is dequeued before "a"')
    assert.equal(check('fifo-queue', [...queue.slice(0, 4), ...ok(1, 'dequeue', null, 'a')]).verdict, 'pass')
  })

  it('may begin with another value', () => {
    const lines = [line(0, 'invoke', 'read'), line(0, 'ok', 'read', { value: 7 })]
    assert.equal(check('register', lines).verdict, 'fail')
    assert.equal(check('register', lines, { initial: 7 }).verdict, 'pass')
  })

  const problems: readonly (readonly [name: string, model: string, lines: string[], message: RegExp])[] = [
    ['nothing', 'register', ['', ''], /^the history is "2 lines without an operation"; expected lines of/],
    [
      'a response alone',
      'register',
      [line(3, 'ok', 'read')],
      /^line 1: type is "ok"; expected an invocation of process 3/,
    ],
    [
      'two at once',
      'register',
      [line(0, 'invoke', 'read'), line(0, 'invoke', 'read')],
      /^line 2: process is 0; expected a response to the read of line 1 first/,
    ],
    [
      'an unknown operation',
      'register',
      [line(0, 'invoke', 'cas')],
      /^line 1: f is "cas"; expected read or write$/,
    ],
    [
      'another operation than was asked',
      'register',
      [line(0, 'invoke', 'read'), line(0, 'ok', 'write')],
      /^line 2: f is "write"; expected read, as invoked on line 1$/,
    ],
    [
      'a wrong value',
      'counter',
      [line(0, 'invoke', 'add', { value: 'x' })],
      /^line 1: value is "x"; expected an integer$/,
    ],
    [
      'a value too few',
      'cas-register',
      [line(0, 'invoke', 'cas', { value: [1] })],
      /^line 1: value is \[1\]; expected the pair/,
    ],
    [
      'a write that answers another value',
      'register',
      [line(0, 'invoke', 'write', { value: 1 }), line(0, 'ok', 'write', { value: 2 })],
      /^line 2: value is 2; expected the value of the invocation, or none$/,
    ],
    ['no key', 'kv', [line(0, 'invoke', 'get')], /^line 1: key is missing; expected a key$/],
    [
      'an unknown field',
      'kv',
      [line(0, 'invoke', 'get', { keey: 1 })],
      /^line 1: keey is 1; expected one of the fields/,
    ],
    [
      'an unknown type',
      'register',
      [line(0, 'done', 'read')],
      /^line 1: type is "done"; expected invoke or ok or fail or info$/,
    ],
    ['no process', 'register', ['{"type":"ok"}'], /^line 1: process is missing; expected an integer from 0/],
    [
      'half a line',
      'register',
      ['{"process":0,'],
      /^line 1: the line is "{\\"process\\":0,"; expected one object of JSON$/,
    ],
    [
      'times that go back',
      'register',
      [line(0, 'invoke', 'read', { time: 5 }), line(0, 'ok', 'read', { time: 4 })],
      /^line 2: time is 4; expected at least 5, as on line 1$/,
    ],
    [
      'a log line that is cut',
      'register',
      ['INFO  jepsen.util - 0 :invoke'],
      /^line 1: the line is .*; expected `PROCESS :TYPE :F VALUE`/,
    ],
    [
      'a key that is missing once',
      'register',
      jepsen('0 :invoke :write [1 2]', '1 :invoke :write 3'),
      /^line 2: value is 3; expected the pair \[key value\], as on line 1$/,
    ],
  ]
  for (const [name, model, lines, message] of problems) {
    it(`are refused with their place: ${name}`, () => {
      assert.throws(
        () => read(model, ...lines),
        (error) => error instanceof HistoryProblem && message.test(error.message),
      )
    })
  }
})

describe('a history that was recorded with inputs of the model', () => {
  const recorded = (answer: number): string[] => {
    const history = new History<KvInput, KvOutput>()
    history.invoke(0, { op: 'set', key: 'a', value: 1 }).ok(undefined)
    history.invoke(1, { op: 'set', key: 'a', value: new Uint8Array([7]) }).open()
    history.invoke(2, { op: 'get', key: 'a' }).ok({ value: answer, version: 1 })
    return history.stringify().split('\n')
  }

  it('is read as it was written', () => {
    assert.equal(check('kv', recorded(1)).verdict, 'pass')
    assert.equal(check('kv', recorded(2)).failure?.reason, 'no order explains: get a → 2 (version 1)')
  })

  it('is refused where it is of another model, or not whole', () => {
    assert.throws(
      () => read('lock', ...recorded(1)),
      /^HistoryProblem: line 1: input\.op is "set"; expected acquire or/,
    )
    assert.throws(
      () => read('kv', recorded(1)[1] ?? ''),
      /line 1: the line is .*; expected an event of a history/,
    )
  })
})

describe('total-queue', () => {
  const ops = (...lines: string[]): string[] =>
    lines.flatMap((event, process) => {
      const [f = '', value = 'nil', type = 'ok'] = event.split(' ')
      const asked = f === 'enqueue' ? value : 'nil'
      return jepsen(`${process} :invoke :${f} ${asked}`, `${process} :${type} :${f} ${value}`)
    })

  it('finds what is lost, unexpected, twice there, and recovered', () => {
    const report = check(
      'total-queue',
      ops(
        'enqueue 1',
        'enqueue 2',
        'enqueue 3 info',
        'enqueue 4',
        'dequeue 2',
        'dequeue 2',
        'dequeue 9',
        'drain [3]',
      ),
    )
    assert.equal(report.verdict, 'fail')
    assert.equal(report.failure?.reason, 'lost: 1, 4; unexpected: 9')
    const { figures } = report
    assert.deepEqual(
      [figures['lost'], figures['unexpected'], figures['duplicated'], figures['recovered']],
      [[1, 4], [9], [2], [3]],
    )
    assert.deepEqual(
      [figures['attemptCount'], figures['acknowledgedCount'], figures['okCount'], figures['lostCount']],
      [4, 3, 2, 2],
    )
  })

  it('is undecided while something may still be in the queue, unless that counts as lost', () => {
    const lines = ops('enqueue 1', 'dequeue nil')
    assert.equal(check('total-queue', lines).verdict, 'unknown')
    assert.equal(check('total-queue', lines, { isDrained: true }).verdict, 'fail')
    assert.equal(check('total-queue', ops('enqueue 1', 'dequeue 1')).verdict, 'pass')
    assert.equal(check('total-queue', ops('dequeue nil')).verdict, 'unknown')
  })
})

describe('set-full', () => {
  const at = (time: number, process: number, type: string, f: string, value?: unknown): string =>
    JSON.stringify({ process, type, f, value, time })

  it('tells stable, stale, lost and never read apart, with latencies', () => {
    const lines = [
      at(0, 0, 'invoke', 'add', 'stays'),
      at(1, 0, 'ok', 'add', 'stays'),
      at(1, 0, 'invoke', 'add', 'late'),
      at(2, 0, 'ok', 'add', 'late'),
      at(2, 0, 'invoke', 'add', 'lost'),
      at(3, 0, 'ok', 'add', 'lost'),
      at(5, 1, 'invoke', 'read'),
      at(6, 1, 'ok', 'read', ['stays', 'lost']),
      at(12, 1, 'invoke', 'read'),
      at(13, 1, 'ok', 'read', ['stays', 'late']),
      at(14, 0, 'invoke', 'add', 'new'),
      at(15, 0, 'ok', 'add', 'new'),
    ]
    const { verdict, failure, figures } = check('set-full', lines)
    assert.equal(verdict, 'fail')
    assert.equal(failure?.reason, 'lost: "lost"')
    assert.deepEqual(
      [figures['lost'], figures['neverRead'], figures['stale'], figures['stableCount']],
      [['lost'], ['new'], ['late'], 2],
    )
    assert.deepEqual(figures['worstStale'], [{ element: 'late', stableLatencyMs: 3 }])
    assert.deepEqual(figures['lostLatenciesMs'], { 0: 2, 0.5: 2, 0.95: 2, 0.99: 2, 1: 2 })
  })

  it('refuses duplicates and what nobody added; stale elements only if asked to', () => {
    const added = [at(0, 0, 'invoke', 'add', 1), at(1, 0, 'ok', 'add', 1)]
    const readOf = (time: number, ...values: number[]): string[] => [
      at(time, 1, 'invoke', 'read'),
      at(time, 1, 'ok', 'read', values),
    ]
    assert.equal(check('set-full', [...added, ...readOf(2, 1, 1)]).failure?.reason, 'duplicated: 1')
    assert.equal(check('set-full', [...added, ...readOf(2, 1, 7)]).failure?.reason, 'unexpected: 7')
    const stale = [...added, ...readOf(2), ...readOf(3, 1)]
    assert.equal(check('set-full', stale).verdict, 'pass')
    assert.equal(check('set-full', stale, { isLinearizable: true }).failure?.reason, 'stale: 1')
    assert.equal(check('set-full', added).verdict, 'unknown')
  })
})

describe('replicas', () => {
  const digest = (process: number, applied: number, letter: string): string[] => [
    JSON.stringify({ process, type: 'invoke', f: 'digest' }),
    JSON.stringify({ process, type: 'ok', f: 'digest', value: { applied, sha256: letter.repeat(64) } }),
  ]

  it('are compared where they have applied the same', () => {
    const same = [...digest(0, 5, 'a'), ...digest(1, 5, 'A'), ...digest(2, 5, 'a')]
    assert.equal(check('replicas', same).verdict, 'pass')
    const { verdict, reason } = check('replicas', [...same, ...digest(0, 6, 'b')])
    assert.deepEqual([verdict, reason], ['unknown', 'not at the highest index: 1, 2'])
    const { failure } = check('replicas', [...same, ...digest(2, 5, 'c')])
    assert.equal(failure?.reason, 'replicas differ after entry 5: 2')
    assert.throws(() => check('replicas', digest(0, 5, 'x')), /line 2: value is .*; expected \{ "applied"/)
  })
})
