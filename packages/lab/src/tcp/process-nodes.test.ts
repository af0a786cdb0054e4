import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@troupe/cluster'
import { seededRandom } from '@troupe/core'
import { kv } from '@troupe/machines'
import { FaultProxy } from '../proxy/fault-proxy.ts'
import { ProcessNodes } from './process-nodes.ts'

const three = ['n1', 'n2', 'n3']
const raft = { electionTimeoutMinMs: 300, electionTimeoutMaxMs: 600, heartbeatIntervalMs: 50 }
const BOUND_MS = 60_000

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + BOUND_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) assert.fail(`not within ${BOUND_MS} ms: ${what}`)
    await sleep(5)
  }
}

async function leaderOf(nodes: ProcessNodes, among: readonly string[]): Promise<string> {
  let found: string | undefined
  await until('somebody leads', async () => {
    for (const id of among) {
      const status = await nodes
        .child(id)
        .call('status', undefined)
        .catch(() => undefined)
      if (status?.role === 'leader') found = id
    }
    return found !== undefined
  })
  return found as string
}

/** The whole-system test (test/lab-tcp.test.ts) has most of it, every time. */
const skip = process.env['TROUPE_FULL'] === '1' ? false : 'with --full'

describe('nodes as processes behind the proxy', { skip }, () => {
  test('are cut off, stopped and killed; a client sees what its own ways let through; none is left', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
    const proxy = new FaultProxy({ random: seededRandom(1) })
    let nodes: ProcessNodes | undefined
    try {
      nodes = await ProcessNodes.start({
        ...{ directory, founders: three, others: [], clients: ['c1'], proxy },
        common: { machine: 'kv', raft },
        onNews: () => {},
        onEnd: () => {},
      })
      const running = nodes
      const first = await leaderOf(nodes, three)
      const rest = three.filter((id) => id !== first)
      const client = await Client.connect(nodes.seedsOf('c1'), { discovers: false, timeoutMs: BOUND_MS })
      try {
        await client.propose(kv.set('a', '1'))

        const cuts = rest.flatMap((id) => [
          { from: first, to: id },
          { from: id, to: first },
        ])
        const partition = proxy.apply(cuts, 'cut')
        const second = await leaderOf(nodes, rest)
        assert.notEqual(second, first)
        await client.propose(kv.set('b', '2'))
        proxy.remove(partition)
        await until('the one that was cut off follows', async () => {
          const status = await running.child(first).call('status', undefined)
          return status.leader === second
        })

        assert.equal(nodes.pause(second), true)
        await leaderOf(
          nodes,
          three.filter((id) => id !== second),
        )
        await client.propose(kv.set('c', '3'))
        nodes.resume(second)
        await nodes.kill(second)
        assert.equal(nodes.isUp(second), false)
        await client.propose(kv.set('d', '4'))
        await nodes.start(second)
        await client.propose(kv.set('e', '5'))

        proxy.apply(
          three.map((id) => ({ from: 'c1', to: id })),
          'cut',
        )
        await assert.rejects(client.propose(kv.set('f', '6'), { timeoutMs: 200 }), { code: 'INDETERMINATE' })
      } finally {
        await client.close()
      }
    } finally {
      await nodes?.close()
      await proxy.close()
      rmSync(directory, { recursive: true })
    }
    for (const id of three) assert.equal(nodes?.isUp(id), false)
  })
})
