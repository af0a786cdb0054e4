import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { kv } from '@troupe/machines'
import { ProcessCluster } from './process-cluster.ts'

/** Far more than a killed process needs to be gone. */
const DYING_MS = 200

async function withCluster(
  run: (cluster: ProcessCluster) => Promise<void>,
  { tls = false, faults = false } = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-processes-'))
  const options = { nodes: 3, machine: 'kv', durability: 'acked-before-flush', seed: 5 } as const
  try {
    const cluster = await ProcessCluster.start({ directory, options: { ...options, faults }, tls })
    try {
      await run(cluster)
    } finally {
      await cluster.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('processes have the options that were given, and are crashed, stopped and brought back', () =>
  withCluster(async (cluster) => {
    const { leader, nodes } = await cluster.status()
    assert.deepEqual(
      nodes.map((node) => node.running && node.durability),
      Array(3).fill('acked-before-flush'),
    )
    const died: string[] = []
    cluster.on('exit', ({ id, expected }) => died.push(`${id} ${expected}`))
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('a', 1))

    const [victim] = cluster.ids.filter((id) => id !== leader) as [string]
    const dying = cluster.crash(victim)
    // It is dead by now, and nobody has told this thread: asking it is no error.
    const untilMs = performance.now() + DYING_MS
    while (performance.now() < untilMs);
    await cluster.status()
    await dying
    assert.deepEqual(died, [`${victim} true`])
    assert.deepEqual(
      (await cluster.status()).nodes.map(({ running }) => running),
      cluster.ids.map((id) => id !== victim),
    )
    await assert.rejects(cluster.crash(victim), (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    await cluster.restart(victim)
    await assert.rejects(cluster.restart(victim), (error) => RaftError.is(error, 'INVALID_OPTIONS'))

    const elected = new Promise((resolve) => cluster.once('leader', resolve))
    const { text } = await cluster.inject({ kind: 'pause', nodes: 'primaries' })
    assert.equal(text, `SIGSTOP of ${leader}`)
    await elected
    assert.notEqual(cluster.leader, leader)
    assert.equal(cluster.activeFaults.length, 1)
    await cluster.heal()
    assert.deepEqual(cluster.activeFaults, [])
    await client.propose(kv.set('a', 2))
    await cluster.converged({ timeoutMs: 60_000 })
    assert.equal(new Set(Array.from((await cluster.digests()).values(), ({ sha256 }) => sha256)).size, 1)
  }))

test('with TLS the key of each is its own, and read by nobody else; nodes that may have faults have them', () =>
  withCluster(
    async (cluster) => {
      const { tls } = cluster.dialing
      assert.ok(tls !== undefined && 'key' in tls)
      assert.match(readFileSync(tls.key, 'utf8'), /PRIVATE KEY/)
      assert.equal(statSync(tls.key).mode & 0o077, 0)
      await using client = await cluster.client({ timeoutMs: 60_000 })
      await client.propose(kv.set('a', 1))
      // Its key is an operator's too: what the nodes do to themselves is asked for with it.
      const { leader } = cluster
      assert.ok(leader !== undefined)
      const elected = new Promise((resolve) => cluster.once('leader', resolve))
      const { id } = await cluster.inject({ kind: 'partition', groups: [[leader]] })
      await cluster.inject({ kind: 'storage', mode: 'slow', timeMs: 1, nodes: 'all' })
      await elected
      assert.notEqual(cluster.leader, leader)
      assert.equal(cluster.activeFaults.length, 2)
      await cluster.heal(id)
      await cluster.heal()
      assert.deepEqual(cluster.activeFaults, [])
      await cluster.converged({ timeoutMs: 60_000 })
      await assert.rejects(cluster.inject({ kind: 'transfer' }), (error) =>
        RaftError.is(error, 'INVALID_OPTIONS'),
      )
    },
    { tls: true, faults: true },
  ))

test('what cannot be done to processes is refused, and a start that fails leaves none', async () => {
  await withCluster(async (cluster) => {
    await assert.rejects(
      cluster.inject({ kind: 'loss', percent: 1 }),
      (error) => RaftError.is(error, 'INVALID_OPTIONS') && /crash or pause/.test(error.message),
    )
  })
  const directory = mkdtempSync(join(tmpdir(), 'troupe-processes-'))
  const options = { nodes: 3, machine: 'no-such-machine' }
  try {
    await assert.rejects(
      ProcessCluster.start({ directory, options, tls: false }),
      (error) => RaftError.is(error, 'NODE_UNAVAILABLE') && /no-such-machine/.test(error.message),
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
