import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Message, seededRandom } from '@troupe/core'
import fc from 'fast-check'
import { HandTime, linkEffect } from './faults.fixture.ts'
import { FaultyTransport, messageFrames } from './faulty-transport.ts'
import type { LinkEffect } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 3000 : 200

const heartbeat = (to: string, round: number): Message => ({
  kind: 'heartbeat',
  from: 'a',
  fromIncarnation: 1,
  fromBoot: 1,
  to,
  toIncarnation: 1,
  toBoot: 0,
  term: 1,
  commit: 0,
  round,
})

/** A transport with the calls that reach the one inside, as `to:round to:round`. */
function faulty(seed = 1) {
  const time = new HandTime()
  const calls: string[] = []
  const text = (message: Message) => `${message.to}:${message.kind === 'heartbeat' && message.round}`
  const inner = { send: (messages: readonly Message[]) => void calls.push(messages.map(text).join(' ')) }
  const options = { clock: time, scheduler: time, random: seededRandom(seed) }
  return { time, calls, transport: new FaultyTransport(inner, options) }
}

const everywhere = (effect: LinkEffect) => ({ links: 'all' as const, effect })

describe('a transport with faults', () => {
  it('without any hands every call through as one', () => {
    const { calls, transport } = faulty()
    transport.send([heartbeat('b', 1), heartbeat('c', 2), heartbeat('b', 3)])
    transport.send([])
    assert.deepEqual(calls, ['b:1 b:3 c:2'])
  })

  it('does to what is no message what the link does to messages; what a jammed one would hold is lost', () => {
    const { time, calls, transport } = faulty()
    transport.add(1, { links: [{ from: 'a', to: 'b' }], effect: { kind: 'delay', timeMs: 10 } })
    transport.add(2, { links: [{ from: 'a', to: 'c' }], effect: { kind: 'link', mode: 'drop' } })
    transport.add(3, { links: [{ from: 'a', to: 'd' }], effect: { kind: 'link', mode: 'jam' } })
    for (const to of ['b', 'c', 'd', 'e']) transport.aside('a', to, () => calls.push(`news for ${to}`))
    assert.deepEqual(calls, ['news for e'])
    time.advanceTo(10)
    assert.deepEqual(calls, ['news for e', 'news for b'])
    transport.remove(3)
    time.advanceTo(20)
    assert.deepEqual(
      calls.filter((call) => call !== ''),
      ['news for e', 'news for b'],
    )
    transport.close()
    transport.aside('a', 'e', () => calls.push('late'))
    assert.ok(!calls.includes('late'))
  })

  it('delays, loses and repeats what goes to one peer in one call as a whole', () => {
    const { time, calls, transport } = faulty()
    transport.add(1, { links: [{ from: 'a', to: 'b' }], effect: { kind: 'delay', timeMs: 10 } })
    transport.add(2, { links: [{ from: 'a', to: 'c' }], effect: { kind: 'duplicate', percent: 100 } })
    transport.add(3, { links: [{ from: 'a', to: 'd' }], effect: { kind: 'corrupt', percent: 100 } })
    transport.send([heartbeat('b', 1), heartbeat('b', 2), heartbeat('c', 3), heartbeat('d', 4)])
    assert.deepEqual(calls, ['c:3 c:3'])
    time.advanceTo(9)
    transport.remove(1)
    transport.send([heartbeat('b', 5)])
    assert.equal(calls.length, 1)
    time.advanceTo(10)
    assert.deepEqual(calls.slice(1), ['b:1 b:2', 'b:5'])
    transport.send([heartbeat('b', 6)])
    assert.equal(calls.at(-1), 'b:6')
    assert.deepEqual([transport.metrics.lost, transport.metrics.duplicated], [1, 1])
  })

  it('lets nothing pass what is due at the same time but not sent yet', () => {
    const { time, calls, transport } = faulty()
    transport.add(1, everywhere({ kind: 'delay', timeMs: 5 }))
    // At 5, before what is under way.
    time.schedule(5, () => transport.send([heartbeat('b', 2)]))
    transport.send([heartbeat('b', 1)])
    transport.remove(1)
    time.advanceTo(5)
    assert.deepEqual(calls, ['b:1', 'b:2'])
  })

  it('sends what a jam has held when that is over, in order', () => {
    const { time, calls, transport } = faulty()
    transport.add(1, everywhere({ kind: 'link', mode: 'jam' }))
    for (let round = 1; round <= 3; round++) transport.send([heartbeat('b', round)])
    time.advanceTo(50)
    assert.deepEqual(calls, [])
    transport.remove(1)
    transport.send([heartbeat('b', 4)])
    assert.deepEqual(calls, [])
    time.advanceTo(50)
    assert.deepEqual(calls, ['b:1', 'b:2', 'b:3', 'b:4'])
  })

  it('sends nothing once it is closed, not even what is under way', () => {
    const { time, calls, transport } = faulty()
    transport.add(1, everywhere({ kind: 'delay', timeMs: 5 }))
    transport.send([heartbeat('b', 1)])
    transport.close()
    transport.remove(1)
    transport.send([heartbeat('b', 2)])
    time.advanceTo(100)
    assert.deepEqual(calls, [])
  })

  it('does the same for the same seed, and is whole once it is healed', () => {
    const effects = fc.array(linkEffect, { maxLength: 4 })
    const play = (list: readonly LinkEffect[], seed: number): string[] => {
      const { time, calls, transport } = faulty(seed)
      for (const [id, effect] of list.entries()) transport.add(id, everywhere(effect))
      for (let round = 1; round <= 20; round++) {
        time.advanceTo(round)
        transport.send([heartbeat('b', round), heartbeat('c', round)])
      }
      for (const id of list.keys()) transport.remove(id)
      time.advanceTo(1e12)
      const before = calls.length
      for (let round = 21; round <= 40; round++) transport.send([heartbeat('b', round)])
      time.advanceTo(1e13)
      const expected = Array.from({ length: 20 }, (_, place) => `b:${place + 21}`)
      assert.deepEqual(calls.slice(before), expected)
      return calls
    }
    fc.assert(
      fc.property(effects, fc.nat(), (list, seed) => {
        assert.deepEqual(play(list, seed), play(list, seed))
      }),
      { numRuns },
    )
  })

  it('knows about how large its frames are', () => {
    const proposal = {
      ...heartbeat('b', 1),
      kind: 'proposal',
      id: 1,
      commandCount: 1,
      payload: new Uint8Array(900),
    }
    const small = messageFrames.bytesOf([heartbeat('b', 1)])
    assert.equal(messageFrames.bytesOf([heartbeat('b', 1), proposal as Message]), 2 * small + 900)
  })
})
