import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Client } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { type QueueStats, queueCommands, queueQueries } from '@troupe/machines'
import { diceOf, noCoverage, plainPlan } from '@troupe/sim'
import { RealQueue } from './real-queue.ts'

/** What stands in for nodes: what they answer to a command, and of how much there is. They deliver nothing. */
interface Answers {
  readonly propose: () => unknown
  readonly stats: () => unknown
}

const opOf = (request: unknown): unknown => (request as readonly unknown[])[0]
const signOfLife = queueCommands.extend(1, [], 1)

function queueOver({ propose, stats }: Answers) {
  const complaints: string[] = []
  const client = {
    // A sign of life has no result.
    propose: async (command: unknown) => (opOf(command) === opOf(signOfLife) ? undefined : propose()),
    query: async (query: unknown) => (opOf(query) === opOf(queueQueries.stats('')) ? stats() : undefined),
  } as unknown as Client
  const queue = new RealQueue({
    plan: { ...plainPlan, queue: { ...plainPlan.queue, isOn: true, leaseMs: 1 } },
    clients: new Map([['c1', client]]),
    dice: diceOf(1, 1),
    coverage: noCoverage(),
    nodeIds: () => ['n1'],
    answered: () => {},
    complain: (message) => complaints.push(message),
  })
  return { queue, complaints }
}

const never = new AbortController().signal
const send = { do: 'send', client: 'c1', key: '', named: false, count: 1, delayMs: 0, withinMs: 100 } as const

const nobodyLeads = (): never => {
  throw new RaftError('TIMEOUT', 'nobody leads', { timeoutMs: 1 })
}

const empty: QueueStats = {
  ...({ messages: 0, bytes: 0, sent: 0 } as QueueStats),
  groups: [{ acked: 0, dead: 0 } as QueueStats['groups'][number]],
}

describe('a queue of real nodes', () => {
  test('that answers nobody is not drained, and shows nothing', async () => {
    const { queue } = queueOver({ propose: nobodyLeads, stats: nobodyLeads })
    assert.equal(queue.perform(send), true)
    assert.match((await queue.drain(30, never)) ?? '', /^not in \d+ ms: 1 clients have not sent$/)
    await queue.rest()
    queue.close()
    assert.equal(queue.decide().verdict, 'unknown')
  })

  test('that says it is empty, and never delivered what it took, has lost it', async () => {
    let last = 0
    const { queue } = queueOver({ propose: () => ++last, stats: () => empty })
    queue.perform(send)
    await queue.rest()
    assert.equal(await queue.drain(5000, never), undefined)
    queue.close()
    const { verdict, message } = queue.decide()
    assert.equal(verdict, 'fail')
    assert.match(message, /^total-queue: lost c1\.1,c1\.2; unexpected ;/)
  })

  test('that takes a message twice is complained of at once', async () => {
    let last = 0
    const { queue, complaints } = queueOver({ propose: () => ++last, stats: () => empty })
    queue.perform({ ...send, named: true })
    await queue.rest()
    assert.equal(queue.perform({ do: 'sendAgain', client: 'c1', withinMs: 100 }), true)
    await queue.rest()
    assert.match(complaints.join(), /c1\.1 is enqueued twice: its id was known/)
    queue.close()
  })

  test('has nothing to do for a consumer that is none, and nobody else', () => {
    const { queue } = queueOver({ propose: () => 1, stats: () => empty })
    assert.equal(queue.perform({ do: 'leave', client: 'c1', silently: true, withinMs: 100 }), false)
    assert.equal(queue.perform({ ...send, client: 'c9' }), false)
    queue.close()
  })
})
