import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMember, NodeNews } from '@troupe/cluster'
import { statusText } from './status-text.ts'

const news: NodeNews = {
  role: 'follower',
  term: 12,
  leader: 'n1',
  commit: 1200,
  applied: 1190,
  lastIndex: 1200,
  disk: 'ok',
  mailboxDepth: 3,
}

const member = (id: string, change: Partial<ClusterMember> = {}): ClusterMember => ({
  id,
  standing: 'voter',
  ageMs: 0,
  suspicion: null,
  news,
  suspectedBy: [],
  ...change,
})

test('a line for each member: its latest word, its age, who suspects it and why, and what else there is to say', () => {
  const text = statusText({
    leader: undefined,
    term: 12,
    nodes: [
      { running: false, id: 'n2', reason: 'node n2: it is not reached' },
      { running: false, id: 'n9', reason: 'node n9: it is not reached' },
    ],
    view: [
      member('n1', { news: { ...news, role: 'candidate', commit: 1210, applied: 1210 } }),
      member('n2', { ageMs: 3400, suspicion: 'link closed', suspectedBy: ['n1', 'n3'] }),
      member('n3', { ageMs: 31.4, standing: 'learner', news: { ...news, disk: 'full' } }),
      member('n4', {
        ageMs: null,
        news: null,
        suspicion: 'never heard of',
        suspectedBy: ['n1'],
        standing: 'guest',
      }),
    ],
  })
  const cells = text.split('\n').map((line) => line.split(/ {2,}/))
  assert.deepEqual(cells, [
    ['nobody leads'],
    [''],
    ['node', 'role', 'term', 'commit', 'applied', 'lag', 'disk', 'mailbox', 'age', 'suspected', 'remarks'],
    ['n1', 'candidate', '12', '1,210', '1,210', '0', 'ok', '3', '0 ms', '-'],
    [
      'n2',
      'follower',
      '12',
      '1,200',
      '1,190',
      '20',
      'ok',
      '3',
      '3.4 s',
      'by n1, n3: link closed',
      'node n2: it is not reached',
    ],
    ['n3', 'follower', '12', '1,200', '1,190', '20', 'full', '3', '31 ms', '-', 'learner'],
    ['n4', '-', '-', '-', '-', '-', '-', '-', '-', 'by n1: never heard of', 'no member'],
    ['n9', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'node n9: it is not reached'],
    [''],
  ])
})
