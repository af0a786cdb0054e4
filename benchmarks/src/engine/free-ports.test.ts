import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { freePorts, LOOPBACK } from './free-ports.ts'

test('ports are different, and can be listened on', async (t) => {
  const ports = await freePorts(20)
  assert.equal(new Set(ports).size, 20)
  for (const port of ports) {
    const server = createServer().listen(port, LOOPBACK)
    t.after(() => server.close())
    await once(server, 'listening')
  }
})
