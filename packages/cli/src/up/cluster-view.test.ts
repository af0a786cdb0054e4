import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommandContext } from '@troupe/benchmarks'
import type { ClusterStatus } from '@troupe/cluster'
import { rowsOf, tableOf, viewFor } from './cluster-view.ts'
import type { LocalNode } from './local-cluster.ts'

const node = (id: string, more: Partial<LocalNode> = {}): LocalNode => ({
  id,
  state: 'running',
  pid: 7,
  address: `127.0.0.1:740${id.at(-1)}`,
  restarts: 0,
  ...more,
})

const status = {
  leader: 'n1',
  term: 4,
  nodes: [
    {
      running: true,
      id: 'n1',
      role: 'leader',
      leader: 'n1',
      term: 4,
      commit: 1234,
      applied: 1234,
      isDiskFull: false,
      damaged: [],
    },
    { running: false, id: 'n2', reason: 'no answer' },
  ],
} as unknown as ClusterStatus

const rows = rowsOf([node('n1'), node('n2'), node('n3', { state: 'waiting', restarts: 2 })], status)

/** A view that writes into `written`. */
function viewOf(isJson: boolean, isTTY: boolean) {
  const written: string[] = []
  const stdout = { write: (text: string) => written.push(text), isTTY, columns: 80 }
  const context: CommandContext = {
    stdout,
    stderr: stdout,
    env: { NO_COLOR: '1' },
    signal: new AbortController().signal,
  }
  return { view: viewFor(isJson, context), written }
}

describe('the status of a local cluster', () => {
  it('is a table with what is not known left open', () => {
    assert.deepEqual(tableOf(rows).split('\n'), [
      'node  role    term  commit  applied  address         restarts  state',
      'n1    leader     4   1,234    1,234  127.0.0.1:7401         0  running',
      'n2    -          -       -        -  127.0.0.1:7402         0  silent',
      'n3    -          -       -        -  127.0.0.1:7403         2  waiting',
      '',
    ])
  })

  it('is drawn over itself on a terminal, below what happens, and only where it changes', () => {
    const { view, written } = viewOf(false, true)
    view.status(rows)
    view.status(rows)
    assert.equal(written.length, 1)
    view.event({ event: 'leads', node: 'n2', term: 5 })
    assert.equal(written[1], `\u001b[5A\u001b[0Jn2 leads in term 5\n${written[0]}`)
    view.end()
    view.event({ event: 'started', node: 'n3', pid: 9 })
    assert.equal(written[2], 'n3 runs\n')
  })

  it('is not shown by lines, which tell what happens', () => {
    const { view, written } = viewOf(false, false)
    view.status(rows)
    view.event({ event: 'ended', node: 'n2', reason: 'SIGKILL' })
    view.event({ event: 'restarting', node: 'n2', delayMs: 150 })
    assert.deepEqual(written, ['n2 has ended: SIGKILL\n', 'n2 is started again in 150 ms\n'])
  })

  it('is a line of JSON where it has changed', () => {
    const { view, written } = viewOf(true, true)
    view.status(rows)
    view.status(rows)
    view.event({ event: 'leads', node: 'n1', term: 4 })
    assert.equal(written.length, 2)
    const [first, second] = written.map((text) => JSON.parse(text) as Record<string, unknown>)
    assert.deepEqual(first, { event: 'status', nodes: rows })
    assert.deepEqual(second, { event: 'leads', node: 'n1', term: 4 })
  })
})
