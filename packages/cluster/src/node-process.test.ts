import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatAddress } from '@troupe/transport'
import { NodeProcess } from './node-process.ts'

test('a node alone tells over HTTP that it lives, that it is ready, and its figures', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-node-'))
  const options = { id: 'n1', cluster: 'alone', directory: join(directory, 'n1'), health: '127.0.0.1:0' }
  const node = await NodeProcess.start(options)
  try {
    const at = `http://${formatAddress(node.healthAddress as never)}`
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`${at}${path}`, { headers: { connection: 'close' } })
      return [response.status, await response.text()]
    }
    assert.deepEqual(await get('/livez'), [200, 'ok\n'])
    assert.equal((await get('/else'))[0], 404)
    for (let tries = 0; (await get('/readyz'))[0] !== 200; tries++) assert.ok(tries < 10_000)
    const [, text] = await get('/metrics')
    assert.match(text, /^troupe_server_has_leader 1$/m)
    assert.match(text, /^troupe_server_leader_changes_seen_total 1$/m)
    assert.match(text, /^troupe_network_refused_connections_total\{reason="token"\} 0$/m)
  } finally {
    await node.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})
