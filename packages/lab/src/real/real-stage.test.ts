import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeStatus } from '@troupe/cluster'
import { type Configuration, RaftError } from '@troupe/core'
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
