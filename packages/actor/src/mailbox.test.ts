import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Mailbox, type MailboxBatch } from './mailbox.ts'

interface Lanes {
  control: string
  urgent: string
  clients: string
}

/** A mailbox whose turns are run by hand, and a copy of what each turn got. */
function mailboxByHand(onTurn: (mailbox: Mailbox<Lanes>) => void = () => {}) {
  const scheduled: (() => void)[] = []
  const turns: string[][] = []
  const mailbox: Mailbox<Lanes> = new Mailbox<Lanes>({
    lanes: ['control', 'urgent', 'clients'],
    schedule: (turn) => scheduled.push(turn),
    onTurn: (batch) => {
      turns.push(inOrder(batch))
      onTurn(mailbox)
    },
  })
  const runTurn = () => scheduled.shift()?.()
  return { mailbox, scheduled, turns, runTurn }
}

function inOrder(batch: MailboxBatch<Lanes>): string[] {
  return Object.values<readonly string[]>(batch).flat()
}

describe('Mailbox', () => {
  it('hands over all lanes in lane order, each in the order of its pushes', () => {
    const { mailbox, turns, runTurn } = mailboxByHand()
    mailbox.push('clients', 'c1')
    mailbox.push('urgent', 'u1')
    mailbox.push('clients', 'c2')
    mailbox.push('control', 'x1')
    mailbox.push('urgent', 'u2')
    runTurn()
    assert.deepEqual(turns, [['x1', 'u1', 'u2', 'c1', 'c2']])
  })

  it('schedules one turn for any number of pushes', () => {
    const { mailbox, scheduled, turns, runTurn } = mailboxByHand()
    for (let i = 0; i < 100; i++) mailbox.push('clients', String(i))
    mailbox.wake()
    assert.equal(scheduled.length, 1)
    runTurn()
    assert.equal(scheduled.length, 0)
    assert.equal(turns[0]?.length, 100)
  })

  it('leaves what a turn pushes to the next turn', () => {
    let pushed = 0
    const { turns, scheduled, runTurn, mailbox } = mailboxByHand((self) => {
      if (pushed++ === 0) self.push('control', 'from the turn')
    })
    mailbox.push('clients', 'first')
    runTurn()
    assert.deepEqual(turns, [['first']])
    assert.equal(scheduled.length, 1)
    runTurn()
    assert.deepEqual(turns, [['first'], ['from the turn']])
    assert.equal(scheduled.length, 0)
  })

  it('gives a turn to who asks for one, from within a turn too', () => {
    let asked = 0
    const { turns, runTurn, scheduled, mailbox } = mailboxByHand((self) => {
      if (asked++ < 2) self.wake()
    })
    mailbox.wake()
    while (scheduled.length > 0) runTurn()
    assert.deepEqual(turns, [[], [], []])
  })

  it('drains by hand and does not hand over an item twice', () => {
    const { mailbox } = mailboxByHand()
    mailbox.push('urgent', 'a')
    assert.deepEqual(inOrder(mailbox.drain()), ['a'])
    mailbox.push('urgent', 'b')
    assert.deepEqual(inOrder(mailbox.drain()), ['b'])
    assert.deepEqual(inOrder(mailbox.drain()), [])
  })

  it('counts turns, items and depth', () => {
    const { mailbox, runTurn } = mailboxByHand()
    mailbox.push('clients', 'a')
    mailbox.push('clients', 'b')
    assert.deepEqual(mailbox.metrics(), { turns: 0, items: 0, depth: 2, greatestDepth: 2 })
    runTurn()
    mailbox.push('clients', 'c')
    assert.deepEqual(mailbox.metrics(), { turns: 1, items: 2, depth: 1, greatestDepth: 2 })
  })

  it('takes nothing and runs no turn once closed', () => {
    const { mailbox, turns, runTurn } = mailboxByHand()
    mailbox.push('clients', 'a')
    mailbox.close()
    mailbox.push('clients', 'b')
    runTurn()
    assert.deepEqual(turns, [])
    assert.equal(mailbox.metrics().depth, 0)
  })

  it('runs its turn by setImmediate, after the code that pushed', async () => {
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const mailbox = new Mailbox<Lanes>({
      lanes: ['control', 'urgent', 'clients'],
      onTurn: (batch) => resolve(inOrder(batch)),
    })
    mailbox.push('clients', 'a')
    await Promise.resolve()
    mailbox.push('control', 'b')
    assert.deepEqual(await promise, ['b', 'a'])
  })
})
