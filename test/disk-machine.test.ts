/** State machines that keep their state on the disk, on real files: restarts, deaths, snapshots, what is lost. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type Client, Cluster, type ClusterOptions, type NodeStatus } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  followerOf,
  Ledger,
  leaderOf,
  leavingNothing,
  refusedOption,
  until,
  withDirectory,
} from './support.ts'

after(assertNothingRuns)

const onDisk = { machine: 'kv', machineOptions: { storage: 'disk' } } as const
const small = { snapshotEntries: 50, keepEntries: 10 } as const
const never = { snapshotEntries: 0, snapshotBytes: 0 } as const

async function statusOf(cluster: Cluster, id: string): Promise<NodeStatus> {
  const { nodes } = await cluster.status()
  const status = nodes.find((node) => node.id === id)
  assert.ok(status?.running, `${id} does not run`)
  return status
}

async function write(client: Client, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index++) {
    await client.propose(kv.set(`k${index % 20}`, `${index}`.repeat(20)))
  }
}

/** The same in few entries: where nothing counts those it is the shorter way to as many commands. */
async function writeAtOnce(client: Client, count: number, from = 0): Promise<void> {
  const writes = Array.from({ length: count }, (_, index) => write(client, 1, from + index))
  await Promise.all(writes)
}

/** Where a node keeps the state of its machine. */
const stateOf = (directory: string, id: string): string => join(directory, id, 'machine', '0')

describe('a kv on the disk', () => {
  it(
    'answers as one in memory does, and leaves nothing behind',
    leavingNothing(async () => {
      await using cluster = await Cluster.start({ nodes: 3, ...onDisk })
      await using client = await cluster.client()
      assert.equal(await client.propose(kv.set('a', 1)), undefined)
      assert.equal(await client.propose(kv.compareAndSet('a', 1, 'two')), true)
      assert.equal(await client.propose(kv.compareAndSet('a', 1, 3)), false)
      assert.equal(await client.propose(kv.delete('b')), false)
      assert.deepEqual(await client.query(kv.get('a')), { key: 'a', value: 'two', version: 2 })
      assert.equal(await client.query(kv.count()), 1)
      const { reason } = await failure('REJECTED', client.propose(kv.set('k'.repeat(1025), 1)))
      assert.match(reason, /at most 1024 bytes/)
      await assertEqualReplicas(cluster)
    }),
  )

  it('goes on after a restart from what it has applied: nothing is applied again', () =>
    withDirectory(async (directory) => {
      const options: ClusterOptions = { directory, ...onDisk, raft: never }
      const first = await Cluster.start(options)
      const writer = await first.client()
      await writeAtOnce(writer, 200)
      await first.converged()
      const before = await first.digests()
      await writer.close()
      await first.stop()
      for (const id of first.ids)
        assert.deepEqual(readdirSync(stateOf(directory, id)).sort(), ['1', 'current'])

      await using again = await Cluster.start(options)
      await again.converged()
      for (const id of again.ids) {
        const { applied, metrics } = await statusOf(again, id)
        assert.ok(applied >= (before.get(id)?.applied as number))
        assert.equal(metrics.commandsApplied, 0, `${id} has applied commands again`)
      }
      await using reader = await again.client()
      assert.deepEqual(await reader.query(kv.versions(['k0', 'k19', 'none'])), [10, 10, 0])
      await assertEqualReplicas(again)
    }))

  it('loses nothing and applies nothing twice while nodes die under load', async () => {
    await using cluster = await Cluster.start({ ...onDisk, raft: { ...small, forwardProposals: true } })
    await using client = await cluster.client({ retransmitMs: 50 })
    const ledger = new Ledger(client)
    ledger.start(16)
    for (let round = 0; round < 4; round++) {
      const id = round % 2 === 0 ? await leaderOf(cluster) : followerOf(cluster)
      const goal = ledger.acknowledged + 200
      await until('more is acknowledged', () => ledger.acknowledged > goal)
      await cluster.crash(id)
      await cluster.restart(id)
    }
    await ledger.stop()
    await ledger.verify()
    await assertEqualReplicas(cluster)
  })

  it('a node that died goes on from its state, not from a snapshot', async () => {
    await using cluster = await Cluster.start({ ...onDisk, raft: never })
    await using client = await cluster.client()
    await writeAtOnce(client, 100)
    const id = followerOf(cluster)
    await until(
      'it has applied all',
      async () => (await statusOf(cluster, id)).metrics.commandsApplied === 100,
    )
    await cluster.crash(id)
    await writeAtOnce(client, 20, 100)
    await cluster.restart(id)
    await cluster.converged()
    assert.equal((await statusOf(cluster, id)).metrics.commandsApplied, 20)
    await assertEqualReplicas(cluster)
  })

  it('a follower that was away too long loads a snapshot beside its state, which then takes its place', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, ...onDisk, raft: small })
      await using client = await cluster.client()
      await write(client, 20)
      const away = followerOf(cluster)
      await cluster.crash(away)
      // Twice what makes a snapshot: what it misses is gone from the logs.
      await write(client, 100, 20)
      const ledger = new Ledger(client, 'during')
      ledger.start(8)
      await cluster.restart(away)
      await until('it has installed a snapshot', async () => {
        const { metrics } = await statusOf(cluster, away)
        return metrics.snapshotsInstalled > 0
      })
      await ledger.stop()
      await ledger.verify()
      await assertEqualReplicas(cluster)
      const current = readFileSync(join(stateOf(directory, away), 'current'), 'utf8')
      assert.ok(Number(current) > 1)
      await until('the state before is removed', () => !existsSync(join(stateOf(directory, away), '1')))
    }))

  for (const raft of [small, never]) {
    const from = raft === small ? 'its snapshot' : 'the beginning'
    it(`whose state is gone builds it again from ${from} and the log`, () =>
      withDirectory(async (directory) => {
        await using cluster = await Cluster.start({ directory, ...onDisk, raft })
        await using client = await cluster.client()
        await (raft === never ? writeAtOnce : write)(client, 80)
        await cluster.converged()
        const id = followerOf(cluster)
        await cluster.crash(id)
        rmSync(stateOf(directory, id), { recursive: true })
        await cluster.restart(id)
        await assertEqualReplicas(cluster)
        const { metrics } = await statusOf(cluster, id)
        assert.ok(metrics.commandsApplied > 0)
        if (raft === never) assert.equal(metrics.commandsApplied, 80)
        else assert.ok(metrics.commandsApplied < 80)
      }))
  }

  it('does not trust a state that was not flushed before the computer was restarted', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, ...onDisk, raft: small })
      await using client = await cluster.client()
      await write(client, 80)
      await cluster.converged()
      const id = followerOf(cluster)
      await cluster.crash(id)
      const state = stateOf(directory, id)
      writeFileSync(join(state, 'unsynced-0'), 'the boot before\n')
      // What a power loss may have left: must not even be looked at.
      writeFileSync(join(state, readFileSync(join(state, 'current'), 'utf8'), 'data.mdb'), 'torn')
      await cluster.restart(id)
      await assertEqualReplicas(cluster)
      assert.notEqual(readFileSync(join(state, 'unsynced-0'), 'utf8'), 'the boot before\n')
    }))

  it('does not take the state of somebody else, nor what is none', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, ...onDisk, raft: never })
      await using client = await cluster.client()
      await writeAtOnce(client, 50)
      await cluster.converged()
      const id = followerOf(cluster)
      for (const spoil of [
        (state: string) =>
          writeFileSync(
            join(state, readFileSync(join(state, 'current'), 'utf8'), 'data.mdb'),
            'x'.repeat(9000),
          ),
        (state: string) => writeFileSync(join(state, 'current'), '77'),
        (state: string) => writeFileSync(join(state, 'current'), 'none'),
      ]) {
        await cluster.crash(id)
        spoil(stateOf(directory, id))
        await cluster.restart(id)
        await assertEqualReplicas(cluster)
        assert.equal((await statusOf(cluster, id)).metrics.commandsApplied, 50)
      }
    }))

  it('needs a directory, and a place that there is', async () => {
    await refusedOption(
      Cluster.start({ nodes: 1, ...onDisk, durability: 'memory' }),
      'durability',
      '"memory"',
      /on the disk/,
    )
    await refusedOption(
      Cluster.start({ nodes: 1, machineOptions: { storage: 'tape' } }),
      'machineOptions.storage',
      '"tape"',
      /'memory' or 'disk'/,
    )
  })
})
