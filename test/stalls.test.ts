/** Disks that do not answer for a while, of real nodes: another process holds LMDB's one place for a writer. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Client, Cluster, type NodeStatus } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { kv } from '@troupe/machines'
import { scanLog } from '@troupe/store'
import {
  assertEqualReplicas,
  assertNothingRuns,
  fixture,
  Ledger,
  leaderOf,
  patient,
  until,
  withDirectory,
} from './support.ts'

after(assertNothingRuns)

/** While this is not disposed of, what the nodes write to their logs waits. */
async function stalledDisks(directory: string, nodes: readonly string[]): Promise<AsyncDisposable> {
  const logs = nodes.flatMap((node) =>
    scanLog(join(directory, node, 'log/0')).segments.map(({ path }) => path),
  )
  const child = spawn(process.execPath, [fileURLToPath(fixture('held-disks.ts')), ...logs], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exit])
  assert.equal(child.exitCode, null, 'the disks could not be held')
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await exit
    },
  }
}

async function statusOf(cluster: Cluster, id: string): Promise<NodeStatus> {
  const { nodes } = await cluster.status()
  const found = nodes.find((node) => node.id === id)
  assert.ok(found?.running)
  return found
}

const othersThan = (cluster: Cluster, id: string): string[] => cluster.ids.filter((other) => other !== id)

describe("while a leader's disk stalls", () => {
  it('it goes on: its heartbeats keep it in office, the others commit, and it does not count itself', () =>
    withDirectory(async (directory) => {
      const timeouts = { electionTimeoutMinMs: 1500, electionTimeoutMaxMs: 1800 }
      const raft = { ...timeouts, maxPersistStallMs: 120_000 }
      await using cluster = await Cluster.start({ directory, raft })
      await using client = await cluster.client()
      await client.propose(kv.set('before', 1))
      const leader = cluster.leader as string
      const before = await statusOf(cluster, leader)
      const ledger = new Ledger(client)
      {
        await using _ = await stalledDisks(directory, [leader])
        ledger.start(16)
        const since = performance.now()
        // Longer than an election timeout, and entries that it could not have written.
        await until('writes are acknowledged meanwhile', () => {
          return ledger.acknowledged >= 100 && performance.now() - since > 2500
        })
        const now = await statusOf(cluster, leader)
        assert.equal(now.role, 'leader')
        assert.equal(now.term, before.term)
        assert.ok(now.commit > now.stable + 1, 'more is committed than stands on its disk')
      }
      await ledger.stop()
      assert.equal(ledger.unknown, 0)
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }))

  it('it steps down after `maxPersistStallMs`, another leads, and it follows when its disk answers', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, raft: { maxPersistStallMs: 600 } })
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      ledger.start(16)
      await until('writes are acknowledged', () => ledger.acknowledged >= 100)
      const leader = await leaderOf(cluster)
      const { metrics } = await statusOf(cluster, leader)
      {
        await using _ = await stalledDisks(directory, [leader])
        await until('another leads', () => cluster.leader !== undefined && cluster.leader !== leader)
        const goal = ledger.acknowledged + 100
        await until('writes are acknowledged again', () => ledger.acknowledged >= goal)
        const stalled = await statusOf(cluster, leader)
        assert.notEqual(stalled.role, 'leader')
        assert.ok(stalled.metrics.persistStalls > metrics.persistStalls)
      }
      await ledger.stop()
      assert.equal(ledger.unknown, 0)
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }))
})

describe('`maxUncommittedBytes`', () => {
  const raft = { ...patient, maxUncommittedBytes: 2000, maxPersistStallMs: 120_000 }
  const large = (key: string): unknown => kv.set(key, 'x'.repeat(3000))

  it('holds proposals back while no quorum flushes: they wait at the client, and each is applied once', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, raft })
      await using client = await cluster.client({ timeoutMs: 60_000 })
      await client.propose(kv.set('before', 1))
      const leader = cluster.leader as string
      const { lastIndex } = await statusOf(cluster, leader)
      let first: Promise<unknown>
      let second: Promise<unknown>
      {
        await using _ = await stalledDisks(directory, othersThan(cluster, leader))
        first = client.propose(large('a'))
        await logReaches(cluster, leader, lastIndex + 1)
        second = client.propose(large('b'))
        await until('it is refused and sent again', () => client.metrics.commandsResent > 2)
        const full = await statusOf(cluster, leader)
        assert.equal(full.lastIndex, lastIndex + 1, 'what is beyond the bound is not in the log')
        assert.equal(client.outstandingCommands, 2)
      }
      await Promise.all([first, second])
      assert.deepEqual(await client.query(kv.versions(['a', 'b'])), [1, 1])
      await assertEqualReplicas(cluster)
    }))

  it('is counted anew by another leader', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory, raft })
      await using client = await cluster.client({ timeoutMs: 60_000 })
      await client.propose(kv.set('before', 1))
      const leader = cluster.leader as string
      const { lastIndex } = await statusOf(cluster, leader)
      const held = await stalledDisks(directory, othersThan(cluster, leader))
      try {
        const full = outcome(client, large('a'))
        await logReaches(cluster, leader, lastIndex + 1)
        await cluster.crash(leader)
        await held[Symbol.asyncDispose]()
        // From the two that are left: one leads, with nothing of the old leader's account.
        for (const key of ['b', 'c', 'd']) await client.propose(large(key))
        await full
        await cluster.restart(leader)
        await assertEqualReplicas(cluster)
      } finally {
        await held[Symbol.asyncDispose]()
      }
    }))
})

async function logReaches(cluster: Cluster, id: string, index: number): Promise<void> {
  await until(`${id} has entry ${index}`, async () => (await statusOf(cluster, id)).lastIndex >= index)
}

/** Applied, or nobody knows: the leader that had it is dead. */
async function outcome(client: Client, command: unknown): Promise<void> {
  await client.propose(command).catch((error: unknown) => {
    if (!RaftError.is(error, 'INDETERMINATE')) throw error
  })
}
