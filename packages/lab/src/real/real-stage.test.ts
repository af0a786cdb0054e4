import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FileDamage, NodeStatus } from '@troupe/cluster'
import { type Configuration, RaftError } from '@troupe/core'
import type { Fault } from '@troupe/faults'
import type { LabDeed } from '../directing/directed-world.ts'
import type { ClientLinkFaults, RealCluster } from './real-cluster.ts'
import { RealStage } from './real-stage.ts'
import { Refusal } from './refusal.ts'

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
    lives: () => true,
    leads: () => false,
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
  /** By node: who waits for its next death. */
  const deaths = new Map<string, () => void>()
  const cluster = {
    ids: ['n1', 'n2'],
    isUp: (id: string) => up.has(id),
    inject: async (fault: Fault) => asked.push(fault),
    heal: async (id?: number) => void asked.push(id === undefined ? 'heal all' : `heal ${id}`),
    crash: async (id: string, isSilent: boolean) => {
      up.delete(id)
      asked.push(`crash ${id}${isSilent ? ' silently' : ''}`)
    },
    die: async (id: string) => {
      up.delete(id)
      asked.push(`${id} dies`)
      deaths.get(id)?.()
    },
    keepDown: (id: string, isSo: boolean) => void asked.push(`${id} ${isSo ? 'stays' : 'comes'}`),
    damage: async (id: string, damage: FileDamage) => asked.push(damage) > 0 && id !== 'n2',
    transfer: async () => {
      throw new RaftError('REFUSED_CHANGE', 'n2 is behind', { reason: 'NOT_CAUGHT_UP', detail: '' })
    },
    elect: async () => {
      throw new RaftError('TIMEOUT', 'late', { timeoutMs: 5000 })
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
    lives: (id) => up.has(id),
    leads: (id) => id === 'n1',
    disk: () => {},
    forgot: () => {},
    faulted: (id, { do: what }, edge) => void told.push(`${id} ${what} ${edge}`),
  })
  const act = (deed: LabDeed) => stage.do(deed as Parameters<RealStage['do']>[0])
  const nextDeath = (id: string) => new Promise<void>((resolve) => deaths.set(id, resolve))
  return { asked, told, up, nextDeath, stage, act }
}

/** Bounded by what it takes, not by a time. */
async function eventually(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    assert.ok(turns < 1_000_000, 'it never comes to that')
    await new Promise((resume) => setImmediate(resume))
  }
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
    await eventually(() => asked.includes('heal 1'))
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

  test('fills the heap of a node until it dies of that, and has it stay down for its time', async () => {
    const { asked, told, up, stage, act } = onPaper()
    const dead = act({ do: 'outOfMemory', node: 'n1', forMs: 1 })
    await eventually(() => asked.length === 2)
    assert.deepEqual(asked, ['n1 stays', { kind: 'heap', nodes: ['n1'], percent: 100 }])
    assert.deepEqual(told, [], 'it is not dead yet')
    up.delete('n1')
    assert.equal(await dead, true)
    await eventually(() => up.has('n1'))
    assert.deepEqual(asked.slice(2), ['heal 2', 'n1 comes', 'start n1'])
    await stage.close()
  })

  test('has a node die after each start, by whomever, until that is over or it is given up', async () => {
    const { asked, up, nextDeath, stage, act } = onPaper()
    const loop = { do: 'crashLoop', node: 'n1', afterMs: 1, forMs: 60_000 } as const
    assert.equal(await act(loop), true)
    assert.equal(await act(loop), false, 'one is enough')
    for (let time = 0; time < 2; time++) {
      const died = nextDeath('n1')
      up.add('n1')
      await died
    }
    await stage.recover()
    assert.deepEqual(asked, ['n1 dies', 'n1 dies', 'n1 dies', 'heal all', 'start n1'])
    await act(loop)
    stage.givenUp('n1')
    assert.equal(await act({ do: 'start', node: 'n1' }), true)
    await stage.heal()
    assert.deepEqual(asked.slice(5), ['n1 dies', 'start n1', 'heal all'])
  })

  test('writes a term into the directory of a node that is dead, and starts it over that', async () => {
    const { asked, up, stage, act } = onPaper()
    assert.equal(await act({ do: 'setTerm', node: 'n1', term: 1000, forMs: 1 }), true)
    await eventually(() => up.has('n1'))
    assert.deepEqual(asked, ['crash n1', { kind: 'set-term', term: 1000 }, 'start n1'])
    await stage.close()
  })

  test('hands leadership over to nobody who has it', async () => {
    const { told, stage } = onPaper()
    const refusals: string[] = []
    const transfer = (to: string) => stage.do({ do: 'transfer', to }, (why) => refusals.push(why))
    assert.equal(await transfer('n1'), false)
    assert.equal(await transfer('n2'), true)
    await stage.close()
    assert.deepEqual(refusals, ['n2 is behind'])
    assert.deepEqual(told, ['1 transfer once'])
  })

  test('tells what is refused: at once, later of what was only begun, and nothing of what may still be done', async () => {
    const { up, stage } = onPaper()
    const refusals: string[] = []
    const act = (deed: LabDeed) =>
      stage.do(deed as Parameters<RealStage['do']>[0], (why) => refusals.push(why))
    await assert.rejects(act({ do: 'rollBack', node: 'n2', entries: 1, forMs: 1 }), Refusal)
    await eventually(() => up.has('n2'))
    assert.equal(await act({ do: 'flipEntry', node: 'n2', back: 0 }), true)
    assert.equal(await act({ do: 'transfer' }), true)
    assert.equal(await act({ do: 'campaign', node: 'n1' }), true)
    await eventually(() => refusals.length === 1)
    await act({ do: 'crash', node: 'n2', forMs: 60_000 })
    await stage.close()
    assert.deepEqual(refusals, ['n2 is behind', 'n2 has nothing to do it to'])
  })
})
