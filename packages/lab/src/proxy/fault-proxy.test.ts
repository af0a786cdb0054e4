import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { seededRandom } from '@troupe/core'
import { FaultProxy } from './fault-proxy.ts'
import { dialled, type SocketEnd, TestedServer, until } from './proxy.fixture.ts'

const there = [{ from: 'n1', to: 'n2' }]
const back = [{ from: 'n2', to: 'n1' }]

interface Opened {
  readonly proxy: FaultProxy
  readonly server: TestedServer
  dial(): Promise<SocketEnd>
}

/** n1 reaches the server, n2, through a proxy. */
async function opened(run: (opened: Opened) => Promise<void>): Promise<void> {
  const server = await TestedServer.open()
  const proxy = new FaultProxy({ random: seededRandom(1) })
  const ends: SocketEnd[] = []
  try {
    const address = await proxy.route('n1', 'n2', () => server.endpoint)
    const dial = async (): Promise<SocketEnd> => {
      const end = await dialled(address)
      ends.push(end)
      return end
    }
    await run({ proxy, server, dial })
  } finally {
    for (const { socket } of ends) socket.destroy()
    await proxy.close()
    await server.close()
  }
}

describe('the fault proxy', () => {
  test('brings both directions through, and the end of each', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      near.socket.write('ping')
      const far = await server.end()
      await until('it arrives', () => far.text === 'ping')
      near.socket.end()
      await until('the end arrives', () => far.hasEnded)
      far.socket.end('pong')
      await until('the answer arrives behind it', () => near.text === 'pong' && near.hasEnded)
      await until('nothing is left of it', () => proxy.metrics.open === 0)
      assert.equal(proxy.metrics.bytes, 8)
    }))

  test('changes no byte, whatever the pieces, the pauses and the load', () =>
    opened(async ({ server, dial, proxy }) => {
      proxy.apply(there, { toxic: { type: 'slicer', averageBytes: 5000, variationBytes: 4000, delayMs: 0 } })
      proxy.apply(back, { toxic: { type: 'latency', timeMs: 1, jitterMs: 1 } })
      const sent = randomBytes(3 << 20).toString('latin1')
      const near = await dial()
      near.socket.end(sent, 'latin1')
      const far = await server.end()
      await until('all has arrived', () => far.hasEnded)
      far.socket.end(far.text, 'latin1')
      await until('all has come back', () => near.hasEnded)
      const hash = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex')
      assert.equal(hash(near.text), hash(sent))
    }))

  test('a cut has a direction: the other one goes on, and new connections hang', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      near.socket.write('a')
      const far = await server.end()
      await until('it arrives', () => far.text === 'a')
      const cut = proxy.apply(there, 'cut')
      near.socket.write('b')
      far.socket.write('c')
      await until('the other way goes on', () => near.text === 'c')
      const hanging = await dial()
      hanging.socket.write('hello')
      const givenUp = await dial()
      givenUp.socket.destroy()
      await until('who gave up is gone', () => proxy.connections('n1', 'n2').all === 2)
      assert.deepEqual(proxy.connections('n1', 'n2'), { all: 2, through: 1 })
      proxy.remove(cut)
      await until('what has lost something is reset, at both ends', () => near.isClosed && far.isClosed)
      assert.deepEqual([near.error, far.error, far.text], ['ECONNRESET', 'ECONNRESET', 'a'])
      await until('who waited gets through', () => server.ends[1]?.text === 'hello')
      assert.equal(server.ends.length, 2, 'nobody hears of who gave up')
      assert.equal(hanging.isClosed, false)
    }))

  test('the death of a party behind a cut is not heard before it heals', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      const far = await server.end()
      const cut = proxy.apply([...there, ...back], 'cut')
      near.socket.resetAndDestroy()
      await until('the proxy has seen it', () => near.isClosed)
      far.socket.write('x')
      await until('what is written to the dead is held', () => far.socket.writableLength === 0)
      assert.deepEqual([far.hasEnded, far.isClosed], [false, false])
      proxy.remove(cut)
      await until('then it is', () => far.isClosed)
    }))

  test('a jam holds a long stream up to its source, and releases all of it', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      const far = await server.end()
      const jam = proxy.apply(there, 'jam')
      const bytes = 16 << 20
      near.socket.end(Buffer.alloc(bytes, 'x'))
      await until('its source waits', () => near.socket.writableLength > 0)
      far.socket.write('y')
      await until('the other way goes on', () => near.text === 'y')
      assert.equal(far.text, '')
      proxy.remove(jam)
      await until('all of it arrives', () => far.hasEnded)
      assert.equal(far.text.length, bytes)
    }))

  test('reset_peer, timeout and limit_data end connections that stand', () =>
    opened(async ({ server, dial, proxy }) => {
      const first = await dial()
      await server.end()
      proxy.remove(proxy.apply(there, { toxic: { type: 'reset_peer', timeoutMs: 60_000 } }))
      const reset = proxy.apply(there, { toxic: { type: 'reset_peer', timeoutMs: 0 } })
      await until('it is reset', () => first.isClosed)
      assert.equal(first.error, 'ECONNRESET')
      proxy.remove(reset)
      const timeout = proxy.apply(there, { toxic: { type: 'timeout', timeoutMs: 1 } })
      const second = await dial()
      second.socket.write('lost')
      await until('it is closed', () => second.hasEnded)
      assert.equal(server.ends[1]?.text, '')
      proxy.remove(timeout)
      proxy.apply(back, { toxic: { type: 'limit_data', bytes: 3 } })
      const third = await dial()
      await until('it has come', () => server.ends.length === 3)
      server.ends[2]?.socket.write('abcdef')
      await until('the rest is missing', () => third.hasEnded)
      assert.equal(third.text, 'abc')
    }))

  test('who is not there refuses, and hangUp resets what stands', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      await server.end()
      assert.equal(proxy.hangUp('n2', 'n1'), 1)
      await until('it is reset', () => near.error === 'ECONNRESET')
      await server.close()
      const refused = await dial()
      await until('nobody answers', () => refused.error === 'ECONNRESET')
    }))

  test('close ends everything, also what hangs and what is jammed', () =>
    opened(async ({ server, dial, proxy }) => {
      const near = await dial()
      await server.end()
      proxy.apply(there, 'jam')
      near.socket.write('a')
      const hanging = await dial()
      await until('it hangs', () => proxy.connections('n1', 'n2').all === 2)
      await proxy.close()
      await until('both hear of it', () => near.hasEnded && hanging.hasEnded)
      assert.equal(proxy.metrics.open, 0)
    }))
})
