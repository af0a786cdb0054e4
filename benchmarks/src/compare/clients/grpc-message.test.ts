import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCall } from './grpc-message.ts'

test('a put is two fields behind the length of both', () => {
  const message = Buffer.from([0x0a, 1, 0x6b, 0x12, 2, 0x76, 0x77])
  assert.deepEqual(encodeCall('k', 'vw'), Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), message]))
})

test('a long text has a length of several bytes, seven bits in each', () => {
  const encoded = encodeCall('x'.repeat(300))
  assert.deepEqual([...encoded.subarray(5, 8)], [0x0a, 0xac, 0x02])
  assert.equal(encoded.length, 5 + 3 + 300)
  assert.equal(encoded.readUInt32BE(1), 303)
})
