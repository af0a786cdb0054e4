import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { GroupStats, QueueStats } from '@troupe/machines'
import { QueueBooks, type SentMessage } from './queue-books.ts'

function statsOf(sent: number, acked: number, dead = 0): QueueStats {
  const none = { delayed: 0, lined: 0, active: 0, consumers: 0, delivered: 0, failed: 0, lost: 0, died: 0 }
  const group: GroupStats = {
    ...{ group: '', ready: 0, oldestMs: undefined, expired: 0, removed: 0, redelivered: 0, ...none },
    acked,
    dead,
  }
  return { isPaused: false, nowMs: 0, messages: dead, bytes: 0, sent, duplicates: 0, groups: [group] }
}

/** Sent and acknowledged, each under the next position. */
function sent(books: QueueBooks, ...values: readonly string[]): SentMessage[] {
  return values.map((value, at) => {
    const message = books.sending(0, value, 'k', true, false)
    assert.equal(books.acknowledged(message, at + 1, false), undefined)
    return message
  })
}

function taken(books: QueueBooks, value: string, position: number): string | undefined {
  const pending = books.history.invoke(1, { op: 'dequeue' })
  const complaint = books.delivered(value, position)
  pending.ok([value])
  return complaint
}

function acked(books: QueueBooks, value: string): string | undefined {
  books.settling([value])
  const pending = books.history.invoke(1, { op: 'ack', value })
  const complaint = books.acked(value)
  pending.ok(undefined)
  return complaint
}

describe('the books of a queue', () => {
  test('have nothing to say of what is taken in order, and acked once', () => {
    const books = new QueueBooks()
    sent(books, 'a', 'b')
    for (const [at, value] of ['a', 'b'].entries()) {
      assert.equal(taken(books, value, at + 1), undefined)
      assert.equal(acked(books, value), undefined)
    }
    books.drained(statsOf(2, 2))
    assert.equal(books.complaint(), undefined)
  })

  test('say nothing of what is lost before it is drained, and all of it then', () => {
    const books = new QueueBooks()
    sent(books, 'a')
    assert.equal(books.complaint(), undefined)
    assert.equal(books.isDrained, false)
    books.drained(statsOf(1, 1))
    assert.match(books.complaint() ?? '', /lost a/)
  })

  test('do not take a send for lost of which nobody knows', () => {
    const books = new QueueBooks()
    books.refused(books.sending(0, 'a', '', false, false), 'open')
    books.drained(statsOf(0, 0))
    assert.equal(books.complaint(), undefined)
  })

  test('find what was refused and comes all the same', () => {
    const books = new QueueBooks()
    books.refused(books.sending(0, 'a', '', false, false), 'fail')
    taken(books, 'a', 1)
    books.drained(statsOf(1, 1))
    assert.match(books.complaint() ?? '', /unexpected a/)
  })

  test('find what nobody sent, and what is there twice', () => {
    const books = new QueueBooks()
    const [message] = sent(books, 'a')
    assert.match(books.delivered('x', 1) ?? '', /never sent/)
    assert.match(taken(books, 'a', 7) ?? '', /enqueued twice: at 1 and at 7/)
    const repeated = message as SentMessage
    repeated.isRepeated = true
    assert.match(books.acknowledged(repeated, 9, false) ?? '', /its id was known/)
  })

  test('find a second ack that is accepted, and a delivery that was asked for after an ack', () => {
    const books = new QueueBooks()
    sent(books, 'a')
    taken(books, 'a', 1)
    acked(books, 'a')
    taken(books, 'a', 1)
    assert.match(books.complaint() ?? '', /delivered after an ack a/)
    assert.match(acked(books, 'a') ?? '', /a second ack is accepted/)
  })

  test('find one that overtakes another of its key', () => {
    const books = new QueueBooks()
    sent(books, 'a', 'b')
    taken(books, 'b', 2)
    acked(books, 'b')
    taken(books, 'a', 1)
    acked(books, 'a')
    books.drained(statsOf(2, 2))
    assert.match(books.complaint() ?? '', /b of key k is delivered before anybody is done with a/)
  })

  test('find sums of the machine that are not theirs', () => {
    const books = new QueueBooks()
    sent(books, 'a')
    taken(books, 'a', 1)
    acked(books, 'a')
    books.drained(statsOf(2, 2))
    assert.match(books.complaint() ?? '', /took 2 messages, clients know of 1 to 1/)
  })
})
