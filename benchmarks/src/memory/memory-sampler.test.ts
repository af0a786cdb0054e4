import assert from 'node:assert/strict'
import { test } from 'node:test'
import { privateBytes, summarizeMemory } from './memory-sampler.ts'

test('growth is from the middle to the end, by medians', () => {
  const samples = Array.from({ length: 60 }, (_, index) => ({
    atSeconds: index + 1,
    // A spike at 29 s must not count as the level of the middle.
    privateBytes: index === 28 ? 9000 : 1000 + Math.min(index, 45) * 10,
  }))
  assert.deepEqual(summarizeMemory(samples), {
    maxBytes: 9000,
    middleBytes: 1300,
    endBytes: 1450,
    growthBytes: 150,
  })
})

test('one sample says nothing about growth', () => {
  assert.equal(summarizeMemory([{ atSeconds: 1, privateBytes: 5 }]), undefined)
})

test('this process has private memory', () => {
  const bytes = privateBytes()
  assert.ok(bytes > 1 << 20 && bytes < 2 ** 36)
})
