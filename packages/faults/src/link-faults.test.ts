import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '@troupe/core'
import fc from 'fast-check'
import { drawLatencyMs, GilbertElliottState, LossStateChain } from './chance.ts'
import { linkEffect, numbers } from './faults.fixture.ts'
import { byteFrames, flipBits, LinkFaults, type LinkRule } from './link-faults.ts'
import { DISTRIBUTIONS, type LinkEffect } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 5000 : 300
const random = () => seededRandom(7)
const frameOf = (number: number): Uint8Array => Uint8Array.of(number & 255, number >> 8, 0, 0)
const numberOf = (frame: Uint8Array): number => (frame[0] as number) + ((frame[1] as number) << 8)
const newFaults = (...effects: LinkEffect[]): LinkFaults => {
  const faults = new LinkFaults({ frames: byteFrames })
  for (const [id, effect] of effects.entries()) faults.add(id, { links: 'all', effect })
  return faults
}

const rule: fc.Arbitrary<LinkRule> = fc.record({
  links: fc.constantFrom<LinkRule['links']>('all', [{ from: 'a', to: 'b' }]),
  effect: linkEffect,
})
const rules = fc.array(rule, { maxLength: 5 })

describe('links with faults', () => {
  it('without any: each frame arrives once, at once, untouched', () => {
    const faults = newFaults()
    const frame = frameOf(1)
    assert.deepEqual(faults.plan('a', 'b', frame, 5, random()), [{ atMs: 5, frame }])
    assert.equal(faults.plan('a', 'b', frame, 5, random())[0]?.frame, frame)
    assert.deepEqual(faults.released(9), [])
  })

  it('plan the same for the same seed', () => {
    const plan = (list: readonly LinkRule[], seed: number) => {
      const faults = new LinkFaults({ frames: byteFrames, latency: { timeMs: 1, jitterMs: 1 } })
      const own = seededRandom(seed)
      const planned: unknown[] = []
      for (const [id, each] of list.entries()) faults.add(id, each)
      for (let number = 0; number < 40; number++) {
        const [from, to] = number % 3 === 0 ? ['b', 'a'] : ['a', 'b']
        planned.push(faults.plan(from as string, to as string, frameOf(number), number / 2, own))
      }
      for (const id of list.keys()) faults.remove(id)
      return [planned, faults.released(30), faults.metrics]
    }
    fc.assert(
      fc.property(rules, fc.nat(), (list, seed) => {
        assert.deepEqual(plan(list, seed), plan(list, seed))
      }),
      { numRuns },
    )
  })

  it('deliver everything in order once they are healed, after what was held', () => {
    fc.assert(
      fc.property(rules, fc.nat(), (list, seed) => {
        const faults = new LinkFaults({ frames: byteFrames })
        const own = seededRandom(seed)
        for (const [id, each] of list.entries()) faults.add(id, each)
        const before = Array.from({ length: 20 }, (_, number) =>
          faults.plan('a', 'b', frameOf(number), 0, own),
        )
        for (const id of list.keys()) faults.remove(id)
        const released = faults.released(1)
        let lastMs = Math.max(1, ...released.map(({ atMs }) => atMs))
        const isInLine = !list.some(({ effect }) => effect.kind === 'reorder')
        if (isInLine) lastMs = Math.max(lastMs, ...before.flat().map(({ atMs }) => atMs))
        for (let number = 20; number < 40; number++) {
          const [delivery, ...more] = faults.plan('a', 'b', frameOf(number), 2, own)
          assert.ok(delivery !== undefined && more.length === 0)
          assert.equal(numberOf(delivery.frame), number)
          if (isInLine) assert.ok(delivery.atMs >= lastMs)
          lastMs = Math.max(lastMs, delivery.atMs)
          assert.ok(delivery.atMs >= 2)
        }
      }),
      { numRuns },
    )
  })

  it('keep the order of a link without reordering, whatever the delays', () => {
    fc.assert(
      fc.property(rules, fc.nat(), (list, seed) => {
        const faults = newFaults()
        const own = seededRandom(seed)
        const inLine = list.filter(({ effect }) => effect.kind !== 'reorder' && effect.kind !== 'corrupt')
        for (const [id, each] of inLine.entries()) faults.add(id, each)
        let last = { atMs: 0, number: 0 }
        for (let number = 0; number < 60; number++) {
          for (const { atMs, frame } of faults.plan('a', 'b', frameOf(number), number, own)) {
            assert.ok(atMs >= last.atMs && numberOf(frame) >= last.number && atMs >= number)
            last = { atMs, number: numberOf(frame) }
          }
        }
      }),
      { numRuns },
    )
  })

  it('corrupt copies: they always differ, the frame given stays as it is', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 50 }),
        fc.integer({ min: 1, max: 16 }),
        fc.nat(),
        (frame, bits, seed) => {
          const given = Uint8Array.from(frame)
          const faults = newFaults({ kind: 'corrupt', percent: 100, bits })
          const [delivery] = faults.plan('a', 'b', frame, 0, seededRandom(seed))
          assert.ok(delivery !== undefined)
          assert.deepEqual(frame, given)
          let flipped = 0
          for (const [at, byte] of delivery.frame.entries()) {
            for (let bit = 0; bit < 8; bit++) flipped += ((byte ^ (frame[at] as number)) >> bit) & 1
          }
          assert.equal(flipped, bits)
        },
      ),
      { numRuns },
    )
    assert.deepEqual(flipBits(Uint8Array.of(0), 99, random()), Uint8Array.of(255))
    assert.deepEqual(flipBits(new Uint8Array(0), 1, random()), new Uint8Array(0))
  })

  it('cut one way only, and only where they are told to', () => {
    const faults = newFaults()
    faults.plan('a', 'b', frameOf(0), 0, random())
    faults.add(1, { links: [{ from: 'a', to: 'b' }], effect: { kind: 'link', mode: 'drop' } })
    assert.deepEqual(faults.plan('a', 'b', frameOf(1), 0, random()), [])
    assert.equal(faults.plan('b', 'a', frameOf(1), 0, random()).length, 1)
    assert.equal(faults.plan('a', 'c', frameOf(1), 0, random()).length, 1)
    assert.deepEqual([faults.isCut('a', 'b'), faults.isCut('b', 'a')], [true, false])
    faults.remove(1)
    faults.remove(1)
    assert.equal(faults.plan('a', 'b', frameOf(1), 0, random()).length, 1)
    assert.equal(faults.metrics.lost, 1)
  })

  it('hold frames on a jammed link and let them out in order; what comes before they are taken waits behind', () => {
    let calls = 0
    const faults = new LinkFaults({ frames: byteFrames, maxHeldFrames: 4, onReleasable: () => calls++ })
    faults.add(1, { links: [{ from: 'a', to: 'b' }], effect: { kind: 'link', mode: 'jam' } })
    faults.add(2, { links: 'all', effect: { kind: 'link', mode: 'jam' } })
    for (let number = 0; number < 3; number++) {
      assert.deepEqual(faults.plan('a', 'b', frameOf(number), number, random()), [])
    }
    faults.remove(2)
    assert.equal(calls, 0)
    assert.deepEqual(faults.released(4), [])
    faults.remove(1)
    assert.equal(calls, 1)
    for (let number = 3; number < 6; number++) {
      assert.deepEqual(faults.plan('a', 'b', frameOf(number), 5, random()), [])
    }
    const released = faults.released(10)
    assert.deepEqual(
      released.map(({ from, to, atMs, frame }) => [from, to, atMs, numberOf(frame)]),
      [0, 1, 2, 3].map((number) => ['a', 'b', 10, number]),
    )
    assert.equal(faults.metrics.lost, 2)
    assert.deepEqual(faults.released(11), [])
    assert.equal(faults.plan('a', 'b', frameOf(9), 10, random())[0]?.atMs, 10)
  })

  it('lose, repeat and correlate as many frames as they are told to', () => {
    const arrived = (effect: LinkEffect, count = 4000): number[] => {
      const faults = newFaults(effect)
      const own = random()
      return Array.from({ length: count }, () => faults.plan('a', 'b', frameOf(0), 0, own).length)
    }
    const lossOf = (list: number[]): number => list.filter((copies) => copies === 0).length / list.length
    const runs = (list: number[]): number => list.filter((copies, at) => copies !== list[at - 1]).length
    const [plain, bursts] = [
      arrived({ kind: 'loss', percent: 20 }),
      arrived({ kind: 'loss', percent: 20, correlation: 75 }),
    ]
    for (const list of [plain, bursts]) assert.ok(Math.abs(lossOf(list) - 0.2) < 0.05, String(lossOf(list)))
    assert.ok(runs(bursts) < runs(plain) / 2)
    const twice = arrived({ kind: 'duplicate', percent: 30 })
    assert.ok(Math.abs(twice.filter((copies) => copies === 2).length / twice.length - 0.3) < 0.05)
    assert.equal(lossOf(arrived({ kind: 'loss', percent: 100 }, 50)), 1)
    assert.equal(lossOf(arrived({ kind: 'loss', percent: 0 }, 50)), 0)
  })

  it('lose in bursts after Gilbert and Elliott', () => {
    const model = { toBad: 2, toGood: 20 }
    const state = new GilbertElliottState()
    const own = random()
    const lost = Array.from({ length: 20_000 }, () => state.next(model, own))
    // The share of the bad state is p / (p + r); a burst lasts 1 / r frames.
    const share = lost.filter(Boolean).length / lost.length
    const bursts = lost.filter((isLost, at) => isLost && !lost[at - 1]).length
    assert.ok(Math.abs(share - 2 / 22) < 0.02, String(share))
    assert.ok(Math.abs((share * lost.length) / bursts - 5) < 1)
  })

  it("lose by netem's chain of four states", () => {
    const chain = new LossStateChain()
    const own = random()
    const model = { p13: 2, p31: 20 }
    const lost = Array.from({ length: 20_000 }, () => chain.next(model, own))
    // Two of the states alone are those of Gilbert and Elliott.
    const share = lost.filter(Boolean).length / lost.length
    assert.ok(Math.abs(share - 2 / 22) < 0.02, String(share))
    const walk = new LossStateChain()
    const all = { p13: 10, p31: 10, p32: 30, p23: 40, p14: 5 }
    // A single loss and back; a burst that goes on, lets two through, goes on, and is over.
    const drawn = numbers(0.02, 0, 0.1, 0.99, 0.2, 0.5, 0.3, 0.35, 0.5)
    const seen = Array.from({ length: 9 }, () => walk.next(all, drawn))
    assert.deepEqual(seen, [true, false, true, true, false, false, true, false, false])
    const harmless = new LossStateChain()
    assert.ok(Array.from({ length: 50 }, () => harmless.next({ p13: 0 }, own)).every((isLost) => !isLost))
  })

  it('draw delays with the mean of their distribution, never below 0', () => {
    const own = random()
    for (const distribution of DISTRIBUTIONS) {
      const latency = { timeMs: 50, jitterMs: 10, distribution }
      const drawn = Array.from({ length: 20_000 }, () => drawLatencyMs(latency, own))
      const mean = drawn.reduce((sum, ms) => sum + ms) / drawn.length
      const expected = distribution === 'exponential' || distribution === 'pareto' ? 60 : 50
      assert.ok(Math.abs(mean - expected) < 1, `${distribution}: ${mean}`)
      assert.ok(drawn.every((ms) => ms >= 0 && Number.isFinite(ms)))
      assert.ok(drawLatencyMs({ timeMs: 0, jitterMs: 1000, distribution }, own) >= 0)
    }
    assert.equal(drawLatencyMs({ timeMs: 5 }, { next: () => assert.fail('drew') }), 5)
  })

  it('add their delays up, on top of the latency of the network', () => {
    const faults = new LinkFaults({ frames: byteFrames, latency: { timeMs: 1 } })
    faults.add(1, { links: 'all', effect: { kind: 'delay', timeMs: 10 } })
    faults.add(2, { links: 'all', effect: { kind: 'link', mode: 'slow', timeMs: 100 } })
    assert.equal(faults.plan('a', 'b', frameOf(0), 1000, random())[0]?.atMs, 1111)
  })

  it('let some overtake where they reorder, each so-many-th at most', () => {
    const faults = newFaults({ kind: 'delay', timeMs: 50 }, { kind: 'reorder', percent: 100, gap: 5 })
    const times = Array.from(
      { length: 10 },
      (_, number) => faults.plan('a', 'b', frameOf(number), number, random())[0]?.atMs,
    )
    assert.deepEqual(times, [50, 51, 52, 53, 4, 55, 56, 57, 58, 9])
    assert.equal(faults.metrics.reordered, 2)
  })

  it('let whole runs overtake where reordering is correlated', () => {
    const runsOf = (correlation: number): number => {
      const faults = newFaults({ kind: 'delay', timeMs: 1e6 }, { kind: 'reorder', percent: 50, correlation })
      const own = random()
      const early = Array.from({ length: 2000 }, (_, atMs) => {
        return (faults.plan('a', 'b', frameOf(0), atMs, own)[0]?.atMs ?? 0) < 1e6
      })
      assert.ok(Math.abs(early.filter(Boolean).length / early.length - 0.5) < 0.1)
      return early.filter((isEarly, at) => isEarly !== early[at - 1]).length
    }
    assert.ok(runsOf(80) < runsOf(0) / 2)
  })

  it('let frames leave by turns, so many in one', () => {
    const planned = (effect: LinkEffect, ...times: number[]): unknown[] => {
      const faults = newFaults(effect)
      return times.map((nowMs) => faults.plan('a', 'b', frameOf(0), nowMs, numbers(0.5))[0]?.atMs)
    }
    // The first waits for a turn, later ones join it; a turn that is over is followed by another.
    assert.deepEqual(planned({ kind: 'slot', timeMs: 10 }, 0, 3, 10, 11, 50), [10, 10, 10, 21, 60])
    assert.deepEqual(planned({ kind: 'slot', timeMs: 10, frames: 2 }, 0, 0, 0, 0, 0), [10, 10, 20, 20, 30])
    assert.deepEqual(planned({ kind: 'slot', timeMs: 10, bytes: 5 }, 0, 0, 0), [10, 10, 20])
    assert.deepEqual(planned({ kind: 'slot', timeMs: 10, mostMs: 20 }, 0, 1, 16), [15, 15, 31])
  })

  it('lose what is too much to be on its way at once', () => {
    const faults = newFaults({ kind: 'delay', timeMs: 10 }, { kind: 'limit', frames: 2 })
    const times = [0, 1, 2, 9, 10, 11, 12].map(
      (nowMs) => faults.plan('a', 'b', frameOf(0), nowMs, random())[0]?.atMs,
    )
    assert.deepEqual(times, [10, 11, undefined, undefined, 20, 21, undefined])
    assert.equal(faults.metrics.lost, 3)
    assert.equal(faults.plan('b', 'a', frameOf(0), 12, random()).length, 1)
  })

  it('let frames wait for each other at a rate, and lose what the queue has no room for', () => {
    const faults = newFaults({ kind: 'rate', bytesPerSecond: 1000, limitBytes: 10 })
    const times = Array.from({ length: 5 }, () => faults.plan('a', 'b', frameOf(0), 0, random())[0]?.atMs)
    assert.deepEqual(times, [4, 8, undefined, undefined, undefined])
    assert.equal(faults.plan('a', 'b', new Uint8Array(500), 8, random())[0]?.atMs, 508)
    assert.equal(faults.plan('b', 'a', frameOf(0), 8, random())[0]?.atMs, 12)
  })
})
