import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { durableRedisConfiguration } from './bullmq-queue.ts'
import { body, longestGap, SIZE_BYTES } from './troupe-queue.ts'

describe('the longest gap around a crash', () => {
  it('is the longest time between two deliveries of which one lies in it', () => {
    assert.equal(longestGap([0, 10, 15, 40, 41, 100], 12, 50), 59)
    assert.equal(longestGap([0, 10, 15, 40, 41, 100], 12, 30), 25)
    assert.equal(longestGap([0, 100, 105], 50, 60), 100)
  })

  it('is nothing where nothing was delivered', () => {
    assert.equal(longestGap([], 0, 10), 0)
  })
})

describe('what both contestants are given', () => {
  it('is a message of the same size', () => {
    assert.deepEqual([body(1).length, body(123_456).length], [SIZE_BYTES, SIZE_BYTES])
  })

  it('is a disk that is synced before an answer', () => {
    const lines = durableRedisConfiguration(7000, '/a b').split('\n')
    assert.ok(lines.includes('appendfsync always') && lines.includes('dir "/a b"'))
  })
})
