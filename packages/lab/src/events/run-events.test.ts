import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { loadFiles } from '../load-files.ts'
import { RunMeter } from '../measure/run-meter.ts'
import { runScenarioSeed } from '../sim/sim-worker.ts'
import { EventLog, parseEventLog, readEventLog } from './event-log.ts'
import type { RunEvent, RunEventKind } from './run-event.ts'
import { clockedEvents, shivizOf } from './shiviz.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-events-'))
after(() => rmSync(folder, { recursive: true }))

const text = `
name: isolated leader
workload: { clients: 2 }
phases:
  - serial:
      - select: { old: leader }
      - partition: { groups: [old], for: 600ms }
  - wait: 300ms
  - kill: { target: leader, downFor: 200ms }
  - wait: 600ms
`

/** One run of it, with its events. */
async function recorded(seed: number) {
  const file = join(folder, 'case.yaml')
  writeFileSync(file, text)
  const [loaded] = await loadFiles([file])
  assert.ok(loaded)
  const events: RunEvent[] = []
  const identity = {
    ...{ case: 'isolated leader', file, engine: 'sim', seed },
    nodes: ['n1', 'n2', 'n3'],
    clients: ['c1', 'c2'],
  }
  const { scenario } = loaded.item
  const run = runScenarioSeed(scenario, seed, 0, { tell: (event) => void events.push(event), identity })
  return { run, events, scenario }
}

const { run, events, scenario } = await recorded(3)

const of = <Kind extends RunEventKind>(kind: Kind) =>
  events.filter((event): event is Extract<RunEvent, { kind: Kind }> => event.kind === kind)

describe('the events of a run', () => {
  test('change nothing in it', () => {
    assert.equal(run.verdict, 'pass', run.failure?.message ?? run.reason ?? '')
    assert.equal(runScenarioSeed(scenario, 3).traceHash, run.traceHash)
  })

  test('begin with what it is, end with its verdict, and stand in the order of time', () => {
    assert.equal(events[0]?.kind, 'run')
    assert.deepEqual(events.at(-1), { atMs: events.at(-1)?.atMs, kind: 'end', verdict: 'pass' })
    for (const [at, event] of events.entries()) assert.ok(event.atMs >= (events[at - 1]?.atMs ?? 0))
    assert.deepEqual(
      of('phase').map(({ phase }) => phase),
      ['before', 'during', 'after'],
    )
  })

  test('tell of faults with both of their ends, of lives, elections and what clients asked', () => {
    const [begin, end] = of('fault').filter(({ what }) => what.startsWith('cut'))
    assert.deepEqual([begin?.edge, end?.edge], ['begin', 'end'])
    assert.equal(begin?.id, end?.id)
    assert.ok(Math.abs((end?.atMs ?? 0) - (begin?.atMs ?? 0) - 600) < 1)
    assert.equal(of('stopped').length, 1)
    assert.equal(of('started').length, 4)
    const leaders = new Set(of('role').flatMap(({ role, term }) => (role === 'leader' ? [term] : [])))
    assert.ok(leaders.size >= 2)
    const writes = of('operation').filter(({ what, outcome }) => what === 'write' && outcome === 'ok')
    const { writesBefore, writesDuring, writesAfter } = run.figures
    const counted = [writesBefore, writesDuring, writesAfter].reduce((sum, one) => sum + (one?.[0] ?? 0), 0)
    assert.equal(writes.length, counted)
  })

  test('give the same figures to whoever measures by them', () => {
    const meter = new RunMeter()
    for (const event of events) meter.feed(event)
    const measured = meter.finish(events.at(-1)?.atMs ?? 0)
    for (const name of [
      'electionsDuring',
      'writesDuring',
      'failureRateDuring',
      'termGrowthDuring',
      'splitVotes',
    ] as const) {
      assert.deepEqual(measured[name], run.figures[name], name)
    }
    for (const name of ['timeToLeaderMsDuring', 'recoverySecondsDuring', 'overwrittenEntries'] as const) {
      assert.equal(measured[name]?.length, run.figures[name]?.length, name)
    }
  })

  test('are the same when they are read from their file, which is refused where a line is none', () => {
    const log = new EventLog(join(folder, 'events.ndjson'))
    for (const event of events) log.write(event)
    log.close()
    const read = readEventLog(log.file)
    assert.equal(read.length, events.length)
    assert.deepEqual(read[0], events[0])
    assert.throws(() => parseEventLog('{"atMs":1,"kind":"note"}\n{"atMs"', 'x'), /x:2 is no event/)
    assert.throws(() => parseEventLog('[]', 'x'), /x:1 is no event/)
  })
})

describe('for ShiViz', () => {
  const clocked = clockedEvents(events)
  const isBefore = (left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>) =>
    Object.entries(left).every(([host, count]) => count <= (right[host] ?? 0))

  test('every event of a host is one further than its last, and knows all that one knew', () => {
    const last = new Map<string, Readonly<Record<string, number>>>()
    for (const { host, clock } of clocked) {
      const before = last.get(host) ?? {}
      assert.equal(clock[host], (before[host] ?? 0) + 1)
      assert.ok(isBefore(before, clock))
      last.set(host, clock)
    }
  })

  test('every receipt is of a message that was sent before, and knows what its sender knew', () => {
    const sent = new Map(of('sent').map((event) => [event.message, event]))
    assert.equal(sent.size, of('sent').length, 'ids are unique')
    assert.ok(of('received').length > 100)
    for (const event of of('received')) {
      const origin = sent.get(event.message)
      assert.ok(origin, `${event.name} from ${event.from} was sent`)
      const { node, to, name, term } = origin
      assert.deepEqual([node, to, name, term], [event.from, event.node, event.name, event.term])
      assert.ok(origin.atMs < event.atMs)
    }
    // An answer comes behind its question.
    const receipts = clocked.filter(({ text }) => text.includes(' gets '))
    assert.equal(receipts.length, of('received').length)
    for (const { host, clock } of receipts)
      assert.ok(Object.keys(clock).length > 1, `${host} heard of somebody`)
  })

  test('without the sending there is no receipt', () => {
    const lone = {
      atMs: 1,
      kind: 'received',
      node: 'n1',
      from: 'n2',
      message: '7',
      name: 'heartbeat',
      term: 1,
    }
    assert.deepEqual(clockedEvents([lone as RunEvent]), [])
  })

  test('the file has two lines for each event, behind the expression that reads them', () => {
    const lines = shivizOf(events).trimEnd().split('\n')
    assert.equal(lines.length, 2 + 2 * clocked.length)
    assert.match(lines[3] as string, /^[nc]\d \{"[nc]\d":1\}$/)
  })
})
