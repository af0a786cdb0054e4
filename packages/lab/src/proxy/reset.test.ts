import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { reset } from './reset.ts'

for (const isEnded of [false, true]) {
  test(`a connection closes when it is reset${isEnded ? ', its end on the way' : ''}`, async () => {
    await using server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    const [other] = await accepted
    other.on('error', () => {})
    socket.on('error', () => {})
    if (isEnded) socket.end()
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(30_000) })
    reset(socket)
    await closed
    other.destroy()
    assert.ok(socket.destroyed)
  })
}
