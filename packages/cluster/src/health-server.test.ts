import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { formatAddress } from '@troupe/transport'
import { HealthServer } from './health-server.ts'

const unasked = (): never => assert.fail('nobody asks')

test('so many that say nothing find room, and no more; who comes after them is answered', {
  timeout: 60_000,
}, async () => {
  const node = { status: unasked, metrics: async () => 'figures\n', isStopping: false }
  const server = await HealthServer.open({ host: '127.0.0.1', port: 0 }, node)
  try {
    const { host, port } = server.address
    const sockets = Array.from({ length: 70 }, () => connect({ host, port }).on('error', () => {}))
    let closed = 0
    for (const socket of sockets) socket.once('close', () => closed++)
    while (closed < 6) await new Promise(setImmediate)
    assert.equal(closed, 6)
    const open = sockets.filter((socket) => !socket.destroyed)
    const gone = open.map((socket) => once(socket, 'close'))
    for (const socket of open) socket.destroy()
    await Promise.all(gone)
    const ask = (): Promise<string | undefined> =>
      fetch(`http://${formatAddress(server.address)}/metrics`, { headers: { connection: 'close' } }).then(
        (response) => response.text(),
        () => undefined,
      )
    let text: string | undefined
    while (text === undefined) text = await ask()
    assert.equal(text, 'figures\n')
  } finally {
    await server.close()
  }
})

const still = { status: unasked, metrics: unasked, isStopping: true }

test('beyond the loopback only where that is asked for', async () => {
  const everywhere = { host: '0.0.0.0', port: 0 }
  await assert.rejects(HealthServer.open(everywhere, still), {
    code: 'INVALID_OPTIONS',
    message: /health is "0.0.0.0:0"; expected a loopback address, or insecure: true/,
  })
  const server = await HealthServer.open(everywhere, still, true)
  await server.close()
})

test('a node that stops is not ready any more, and lives', async () => {
  const server = await HealthServer.open({ host: '127.0.0.1', port: 0 }, still)
  try {
    const at = `http://${formatAddress(server.address)}`
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`${at}${path}`, { headers: { connection: 'close' } })
      return [response.status, await response.text()]
    }
    assert.deepEqual(await get('/readyz'), [503, 'it is stopping\n'])
    assert.deepEqual(await get('/livez'), [200, 'ok\n'])
  } finally {
    await server.close()
  }
})
