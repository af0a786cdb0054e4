import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { dial, type FramedSocket, formatAddress } from '@troupe/transport'
import { streamFrameOf } from '@troupe/wire'
import { parseExposition } from './metrics/exposition.fixture.ts'
import { NodeProcess } from './node-process.ts'

test('a node alone tells over HTTP that it lives, that it is ready, and its figures', {
  timeout: 60_000,
}, async () => {
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
    while ((await node.status()).applied === 0) await new Promise(setImmediate)
    const [code, text] = await get('/metrics')
    assert.equal(code, 200)
    const families = parseExposition(text)
    const figure = (name: string, labels: Record<string, string> = {}): number | undefined =>
      families.get(`troupe_${name}`)?.samples.find((sample) => isDeepStrictEqual(sample.labels, labels))
        ?.value
    assert.ok([0, 1].includes(figure('server_has_leader') ?? -1))
    // On a slow disk it may have led more than once.
    const [won = 0, changes] = [
      figure('server_elections_won_total'),
      figure('server_leader_changes_seen_total'),
    ]
    assert.ok(won >= 1)
    assert.ok((changes ?? 0) >= 1)
    assert.ok((figure('server_elections_started_total') ?? 0) >= won)
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

test('an operator whose words make no sense is cut off, and counted', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-node-'))
  const node = await NodeProcess.start({ id: 'n1', cluster: 'alone', directory: join(directory, 'n1') })
  try {
    const counted = async (reason: string): Promise<number | undefined> => {
      const families = parseExposition(await node.metrics())
      const refused = families.get('troupe_network_refused_connections_total')?.samples
      return refused?.find(({ labels }) => labels['reason'] === reason)?.value
    }
    const common = {
      groups: [],
      incarnation: 0,
      boot: 0,
      channel: 'all',
      link: 0,
      token: '',
      to: '',
    } as const
    const hello = { role: 'control', clusterId: '', from: 'somebody', ...common } as const
    const say = (words: Uint8Array): Promise<void> =>
      new Promise((closed, failed) => {
        const opened = (framed: FramedSocket): void => {
          framed.handlers = { frame: () => {}, broken: () => {}, closed }
          framed.send([words])
        }
        dial({ address: node.address, hello }, { opened, failed: ({ reason }) => failed(new Error(reason)) })
      })
    await say(streamFrameOf(Buffer.from('tell me all')))
    assert.equal(await counted('protocol'), 1)
    await say(Buffer.from('twelve bytes of noise'))
    assert.equal(await counted('damaged'), 1)
  } finally {
    await node.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})
