import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simpleConfiguration } from '@troupe/core'
import { describeReport } from './describe-report.ts'
import { type LogReport, NO_LISTING } from './log-report.ts'

const report: LogReport = {
  path: '/data/n1/log/0',
  identity: {
    clusterId: 'c',
    nodeId: 'n1',
    incarnation: 7,
    group: 0,
    created: '2030-01-02T03:04:05.000Z',
    format: 3,
  },
  openBy: 42,
  hardState: { term: 1234, vote: 'n2', voteIncarnation: 8 },
  hardStateIn: ['segment 2', 'witness'],
  members: simpleConfiguration([{ id: 'n1', incarnation: 7 }], [{ id: 'n2', incarnation: 8 }]),
  membersFrom: 'entry 3',
  base: { index: 1000, term: 5 },
  lastIndex: 2003,
  segments: [
    {
      sequence: 1,
      firstIndex: 1,
      lastIndex: 2000,
      entries: 2000,
      recordBytes: 2048,
      fileBytes: 8192,
      state: 'sealed',
    },
    {
      sequence: 2,
      firstIndex: 2001,
      lastIndex: 2003,
      entries: 3,
      recordBytes: 99,
      fileBytes: 8192,
      state: 'active',
    },
    {
      sequence: 3,
      firstIndex: undefined,
      lastIndex: undefined,
      entries: 0,
      recordBytes: 0,
      fileBytes: 0,
      state: 'made ahead',
    },
  ],
  witness: undefined,
  snapshots: undefined,
  isUnsynced: true,
  damaged: [{ from: 2002, to: 2002 }],
  problems: ['entry 2002 is damaged or missing'],
  entries: [
    {
      index: 2001,
      term: 5,
      kind: 'noop',
      commands: 0,
      bytes: 64,
      logTimeMs: 12.34,
      checksum: 0xabc,
      before: undefined,
    },
    {
      ...{ index: 2003, term: 5, kind: 'commands', commands: 2, bytes: 70, logTimeMs: 12.5, checksum: 0xdef },
      before: { term: 5, checksum: 0x123 },
    },
  ],
  seconds: 0.1,
}

const plain = (_: string, text: string): string => text

test('a report in lines that line up', () => {
  assert.equal(
    describeReport(report, NO_LISTING, plain),
    `n1  /data/n1/log/0
cluster     c
node        n1, incarnation 7
group       0
created     2030-01-02T03:04:05.000Z, format 3
open        by process 42: this may be a moment old
hard state  term 1,234, vote for n2, incarnation 8; in segment 2 and witness
members     voters n1, learners n2, from entry 3
base        entry 1,000, term 5
last index  2,003, 1,003 entries
witness     none
durability  acknowledged before it is flushed, and not closed since

segment  first   last  entries  records     file  state
      1      1  2,000    2,000  2.0 KiB  8.0 KiB  sealed
      2  2,001  2,003        3     99 B  8.0 KiB  active
      3      –      –        0      0 B      0 B  made ahead

problem  entry 2002 is damaged or missing
`,
  )
})

test('entries as they were asked for, damaged ones among them', () => {
  const text = describeReport(report, { from: 2002, to: 2003, entries: 100 }, plain)
  assert.deepEqual(text.split('\n').slice(-5), [
    'index  term  kind      commands  bytes  log time ms  checksum  chain',
    '2,001     5  noop             0     64         12.3  00000abc  not known',
    '2,002     –  damaged          –      –            –  –         –',
    '2,003     5  commands         2     70         12.5  00000def  behind 00000123',
    '',
  ])
})

test('colours only where somebody paints', () => {
  const painted = describeReport(report, NO_LISTING, (format, text) => `<${format}>${text}</>`)
  assert.match(painted, /^<bold>n1 {2}\/data\/n1\/log\/0<\/>\n/)
  assert.match(painted, /^<red>problem<\/> {2}entry 2002/m)
})
