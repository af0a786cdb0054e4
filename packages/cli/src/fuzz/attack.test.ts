import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { attack } from './attack.ts'
import type { FuzzStream } from './streams.ts'

const stream: FuzzStream = {
  ...{ kind: 'silent', door: 'node', parts: [new Uint8Array([1])], pauseMs: 0, end: 'fin' },
  ...{ companion: undefined, isPast: false },
}

/** Takes connections, and closes none. */
async function withDeafPort(
  run: (port: number, connected: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}).resume()
    sockets.push(socket)
  }).listen({ host: '127.0.0.1', port: 0 })
  try {
    const connected = once(server, 'connection')
    await once(server, 'listening')
    await run((server.address() as AddressInfo).port, connected)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

test('a stream that is broken off ends at once, and counts for nothing against the node', () =>
  withDeafPort(async (port, connected) => {
    const over = new AbortController()
    const attacked = attack(stream, port, over.signal)
    await connected
    over.abort()
    const { isHung, welcomed, refused } = await attacked
    assert.deepEqual([isHung, welcomed, refused], [false, 0, 0])
  }))

test('one that begins afterwards does too', () =>
  withDeafPort(async (port) => {
    const { isHung, unopened } = await attack(stream, port, AbortSignal.abort())
    assert.deepEqual([isHung, unopened], [false, 1])
  }))
