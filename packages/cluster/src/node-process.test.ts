import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from '@troupe/transport'
import { parseExposition } from './metrics/exposition.fixture.ts'
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
    await node.command({ kind: 'takeSnapshot' }, 60_000)
    const [code, text] = await get('/metrics')
    assert.equal(code, 200)
    const families = parseExposition(text)
    const figure = (name: string, labels: Record<string, string> = {}): number | undefined =>
      families.get(`troupe_${name}`)?.samples.find((sample) => isDeepStrictEqual(sample.labels, labels))
        ?.value
    assert.equal(figure('server_has_leader'), 1)
    assert.equal(figure('server_leader_changes_seen_total'), 1)
    assert.equal(figure('server_elections_won_total'), 1)
    assert.equal(figure('server_elections_split_total'), 0)
    assert.ok((figure('server_term_changes_total') ?? 0) >= 1)
    assert.equal(figure('network_refused_connections_total', { reason: 'token' }), 0)
    const flushes = families.get('troupe_disk_backend_commit_duration_seconds')?.samples ?? []
    const count = flushes.find(({ name }) => name.endsWith('_count'))?.value
    assert.equal(count, figure('disk_flushes_total'))
    assert.ok((count ?? 0) > 0)
  } finally {
    await node.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})
