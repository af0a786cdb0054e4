import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FaultyHandle, type Handle, HandleFault, Op } from '@troupe/machines'
import { Settlements } from './settlements.ts'

interface Proposed {
  readonly command: readonly unknown[]
  readonly answer: (result?: unknown) => void
}

/** A client whose commands wait for their answers. */
class ManualClient {
  readonly proposed: Proposed[] = []

  propose<Result>(command: unknown): Promise<Result> {
    return new Promise<Result>((resolve) => {
      this.proposed.push({
        command: command as unknown[],
        answer: (result) => resolve(result as Result),
      })
    })
  }
}

const handle = (delivery: number): Handle => [delivery + 10, delivery + 100, delivery]
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('acks', () => {
  it('of one turn are one run; those that come meanwhile wait for its answer', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 100)
    const acks = [1, 2, 3].map((delivery) => settlements.ack(handle(delivery), undefined))
    await turn()
    assert.deepEqual(
      client.proposed.map(({ command }) => command),
      [[Op.ackRuns, 7, [11, 1, 3]]],
    )
    acks.push(settlements.ack(handle(4), undefined))
    await turn()
    acks.push(settlements.ack(handle(6), undefined))
    await turn()
    assert.equal(client.proposed.length, 1)
    client.proposed[0]?.answer()
    await turn()
    assert.deepEqual(client.proposed[1]?.command, [Op.ackRuns, 7, [14, 4, 1, 16, 6, 1]])
    client.proposed[1]?.answer()
    await Promise.all(acks)
  })

  it('are one run in whichever order handlers end, each with its own result and fault', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 1)
    const acks = [3, 1, 2].map((delivery) => settlements.ack(handle(delivery), `did ${delivery}`))
    const outcomes = Promise.allSettled(acks)
    await turn()
    assert.deepEqual(client.proposed[0]?.command, [Op.ackRuns, 7, [11, 1, 3], ['did 1', 'did 2', 'did 3']])
    client.proposed[0]?.answer([2])
    await turn()
    assert.deepEqual(client.proposed[1]?.command, [Op.ack, 7, [...handle(3)], ['did 3']])
    client.proposed[1]?.answer([[0, HandleFault.gone]])
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled'],
    )
  })

  it('with results are runs too; null of each is one null', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 1)
    const send = async (...results: readonly unknown[]): Promise<void> => {
      const acks = results.map((result, at) => settlements.ack(handle(at + 1), result))
      await turn()
      client.proposed.at(-1)?.answer()
      await Promise.all(acks)
    }
    await send(null, null)
    await send('done', undefined)
    await send(undefined, null)
    assert.deepEqual(
      client.proposed.map(({ command }) => command),
      [null, ['done', null], null].map((results) => [Op.ackRuns, 7, [11, 1, 2], results]),
    )
  })

  it('that are missed are asked about with their results', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 8)
    const acks = [1, 2, 3].map((delivery) => settlements.ack(handle(delivery), `did ${delivery}`))
    await turn()
    client.proposed[0]?.answer([1, 2])
    await turn()
    const expected = [Op.ack, 7, [...handle(2), ...handle(3)], ['did 2', 'did 3']]
    assert.deepEqual(client.proposed[1]?.command, expected)
    client.proposed[1]?.answer()
    await Promise.all(acks)
  })

  it('that make room for much wait for nothing', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 8)
    const first = settlements.ack(handle(1), undefined)
    await turn()
    const others = [2, 3].map((delivery) => settlements.ack(handle(delivery), undefined))
    await turn()
    assert.equal(client.proposed.length, 2)
    for (const { answer } of client.proposed) answer()
    await Promise.all([first, ...others])
  })

  it('of what is not held are asked about one by one', async () => {
    const client = new ManualClient()
    const settlements = new Settlements(client, 7, () => 8)
    const acks = [1, 2, 3].map((delivery) => settlements.ack(handle(delivery), undefined))
    const outcomes = Promise.allSettled(acks)
    await turn()
    client.proposed[0]?.answer([1, 2])
    await turn()
    assert.deepEqual(client.proposed[1]?.command, [Op.ack, 7, [...handle(2), ...handle(3)]])
    const faulty: FaultyHandle[] = [
      [0, HandleFault.gone],
      [1, HandleFault.notHeld],
    ]
    client.proposed[1]?.answer(faulty)
    assert.deepEqual(
      (await outcomes).map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'acked')),
      ['acked', 'ALREADY_SETTLED', 'LEASE_ENDED'],
    )
  })
})
