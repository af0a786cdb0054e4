import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FaultSequence, faultKinds } from './fault-sequence.ts'

const pauses = { minMs: 100, maxMs: 900 }

test('every round has each kind once, in different orders', () => {
  const sequence = new FaultSequence(5, pauses)
  const rounds = Array.from({ length: 30 }, () => faultKinds.map(() => sequence.next().kind))
  for (const round of rounds) assert.deepEqual([...round].sort(), [...faultKinds].sort())
  assert.ok(new Set(rounds.map(String)).size > 3)
})

test('pauses keep their bounds, and the same seed gives the same sequence', () => {
  const draw = (seed: number) => {
    const sequence = new FaultSequence(seed, pauses)
    return Array.from({ length: 50 }, () => sequence.next())
  }
  for (const { afterMs, downMs, pick } of draw(1)) {
    assert.ok(afterMs >= 100 && afterMs < 900 && downMs >= 50 && downMs < 450 && pick >= 0 && pick < 1)
  }
  assert.deepEqual(draw(7), draw(7))
  assert.notDeepEqual(draw(7), draw(8))
})
