import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeStatus } from '@troupe/cluster'
import { type Configuration, RaftError } from '@troupe/core'
import type { Fault } from '@troupe/faults'
import type { LabDeed } from '../directing/directed-world.ts'
import type { ClientLinkFaults, RealCluster } from './real-cluster.ts'
import { RealStage } from './real-stage.ts'

const member = (id: string) => ({ id, incarnation: 1 })
const joint: Configuration = {
  voters: ['n1', 'n2', 'n3', 'n4'].map(member),
  outgoing: ['n1', 'n2', 'n3'].map(member),
  ...{ learners: [], learnersNext: [], autoLeave: false },
}

/** A cluster whose leader entered a joint configuration and lost its office: another one leads in it. */
function inJoint(answers: readonly (Error | undefined)[]) {
  const left = Promise.withResolvers<void>()
  const remaining = [...answers]
  let configuration = joint
  const cluster: Partial<RealCluster> = {
    ids: ['n1', 'n2', 'n3', 'n4'],
    isUp: () => true,
    heal: async () => {},
    changeMembers: async () => {
      throw new RaftError('INDETERMINATE', 'leadership was lost', { reason: 'leadership was lost' })
    },
    status: async () => [{ id: 'n2', role: 'leader', term: 2, configuration } as NodeStatus],
    leaveJoint: async () => {
      const refusal = remaining.shift()
      if (refusal !== undefined) throw refusal
      configuration = { ...joint, outgoing: [] }
      left.resolve()
    },
  }
  const lines: string[] = []
  const stage = new RealStage({
    cluster: cluster as RealCluster,
    clients: {} as ClientLinkFaults,
    line: (text) => lines.push(text),
    disk: () => {},
    forgot: () => {},
    faulted: () => {},
  })
  return { stage, lines, left: left.promise }
}

describe('a change of the members whose leader lost its office', () => {
  const change = {
    do: 'changeMembers',
    changes: [{ kind: 'promote', id: 'n4' }],
    leave: 'explicit',
  } as const

  test('leaves no joint configuration behind: somebody leaves it under whoever leads then, and asks again', {
    timeout: 30_000,
  }, async () => {
    const refused = new RaftError('REFUSED_CHANGE', 'not ready', { reason: 'NOT_READY', detail: '' })
    const { stage, lines, left } = inJoint([refused, undefined])
    await stage.do(change)
    await left
    assert.ok(lines.includes('leaveJoint: not ready'), lines.join('\n'))
    await stage.close()
  })

  test('ends with the stage', async () => {
    const { stage } = inJoint([])
    await stage.do(change)
    await stage.close()
    assert.equal(await stage.do(change), false)
  })
})

/** A stage over a cluster that only writes down what it is asked for. */
function onPaper() {
  const asked: unknown[] = []
  const told: unknown[] = []
  const up = new Set(['n1', 'n2'])
  const cluster = {
    ids: ['n1', 'n2'],
    isUp: (id: string) => up.has(id),
    inject: async (fault: Fault) => asked.push(fault),
    heal: async (id?: number) => void asked.push(id === undefined ? 'heal all' : `heal ${id}`),
    crash: async (id: string, isSilent: boolean) => {
      up.delete(id)
      asked.push(`crash ${id}${isSilent ? ' silently' : ''}`)
    },
    start: async (id: string) => {
      up.add(id)
      asked.push(`start ${id}`)
    },
  } as unknown as RealCluster
  const stage = new RealStage({
    cluster,
    clients: { add: () => {}, remove: () => {}, hangUp: () => false },
    line: () => {},
    disk: () => {},
    forgot: () => {},
    faulted: (id, { do: what }, edge) => void told.push(`${id} ${what} ${edge}`),
  })
  const act = (deed: LabDeed) => stage.do(deed as Parameters<RealStage['do']>[0])
  return { asked, told, stage, act }
}

describe('the stage of real nodes', () => {
  test('injects failpoints and heaps into the nodes themselves, and heals them when all is', async () => {
    const { asked, told, stage, act } = onPaper()
    const point = { name: 'before-change', term: '1*panic' } as const
    assert.ok(await act({ do: 'failpoint', node: 'n1', ...point, forMs: 60_000 }))
    assert.ok(await act({ do: 'fillHeap', node: 'n2', percent: 90, forMs: 60_000 }))
    assert.deepEqual(asked, [
      { kind: 'failpoint', nodes: ['n1'], ...point },
      { kind: 'heap', nodes: ['n2'], percent: 90 },
    ])
    assert.deepEqual(told, ['1 failpoint begin', '2 fillHeap begin'])
    await stage.heal()
    assert.deepEqual(asked.slice(2).sort(), ['heal 1', 'heal 2', 'heal all'])
  })

  test('ends a failpoint at its time, and has none for a node that is down', async () => {
    const { asked, stage, act } = onPaper()
    const point = { name: 'start', term: 'panic' } as const
    await act({ do: 'failpoint', node: 'n1', ...point, forMs: 1 })
    for (let turns = 0; !asked.includes('heal 1'); turns++) {
      assert.ok(turns < 1_000_000, 'it is never ended')
      await new Promise((resume) => setImmediate(resume))
    }
    await act({ do: 'crash', node: 'n1', forMs: 60_000 })
    assert.equal(await act({ do: 'failpoint', node: 'n1', ...point, forMs: 1 }), false)
    await stage.close()
  })

  test('has a node die silently where that is asked for', async () => {
    const { asked, stage, act } = onPaper()
    await act({ do: 'crash', node: 'n1', forMs: 60_000, isSilent: true })
    await act({ do: 'crash', node: 'n2', forMs: 60_000 })
    assert.deepEqual(asked, ['crash n1 silently', 'crash n2'])
    await stage.close()
  })
})
