/** Nodes die, one, some or all of them: nothing acknowledged is lost, nothing is applied twice, replicas end equal. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, Cluster } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  fixture,
  followerOf,
  isFull,
  Ledger,
  leaderOf,
  leavingNothing,
  patient,
  until,
} from './support.ts'

const mortal = { machine: fixture('mortal-machine.ts') }
const quick = { initialDelayMs: 1, maxDelayMs: 5 }

/** Kills a node's worker by a query that only this node sees; asked until it is dead, and then no more: it comes back. */
async function kill(cluster: Cluster, client: Client, node: string, how: 'throw' | 'exit'): Promise<void> {
  const heard = new AbortController()
  cluster.once('exit', () => heard.abort())
  const { signal } = heard
  await client.query(how, { consistency: 'stale', node, timeoutMs: 20_000, signal }).catch(() => {})
  await until(`${node} has died`, () => signal.aborted)
}

async function makeProgress(ledger: Ledger, count: number): Promise<void> {
  const goal = ledger.acknowledged + count
  await until(`${count} more writes are acknowledged`, () => ledger.acknowledged >= goal)
}

describe('under load', () => {
  it(
    'the leader crashes again and again, and comes back from its files',
    leavingNothing(async () => {
      await using cluster = await Cluster.start()
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      ledger.start(64)
      for (let crash = 0; crash < 5; crash++) {
        await makeProgress(ledger, 100)
        const leader = await leaderOf(cluster)
        const { term } = await cluster.status()
        await cluster.crash(leader)
        await makeProgress(ledger, 100)
        await until('a new leader is known', async () => (await cluster.status()).term > term)
        await cluster.restart(leader)
      }
      await ledger.stop()
      assert.equal(ledger.unknown, 0, 'with a quorum alive every command has an answer')
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }),
  )

  it(
    'a follower crashes and catches up from its files',
    leavingNothing(async () => {
      await using cluster = await Cluster.start({ raft: patient })
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      const { term } = await cluster.status()
      ledger.start(64)
      for (let crash = 0; crash < 3; crash++) {
        const follower = followerOf(cluster)
        await makeProgress(ledger, 100)
        await cluster.crash(follower)
        await makeProgress(ledger, 300)
        await cluster.restart(follower)
      }
      await makeProgress(ledger, 100)
      await ledger.stop()
      assert.equal((await cluster.status()).term, term, 'no election for a follower')
      assert.equal(ledger.unknown, 0)
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }),
  )

  it(
    'all nodes crash at once and come up again',
    leavingNothing(async () => {
      await using cluster = await Cluster.start()
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      ledger.start(64)
      for (let round = 0; round < 2; round++) {
        await makeProgress(ledger, 200)
        await Promise.all(cluster.ids.map((id) => cluster.crash(id)))
        await Promise.all(cluster.ids.map((id) => cluster.restart(id)))
        await makeProgress(ledger, 200)
      }
      await ledger.stop()
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }),
  )

  it(
    `nodes crash and restart at random for ${isFull ? 60 : 3} s`,
    leavingNothing(async () => {
      const nodes = 5
      await using cluster = await Cluster.start({ nodes })
      await using first = await cluster.client()
      await using second = await cluster.client()
      const ledgers = [new Ledger(first, 'a'), new Ledger(second, 'b')]
      for (const ledger of ledgers) ledger.start(64, 1_000)
      const endMs = performance.now() + (isFull ? 60_000 : 3_000)
      let crashes = 0
      const isOver = (): boolean => crashes > 3 && performance.now() >= endMs
      const down = new Set<string>()
      const churn = async (): Promise<void> => {
        while (!isOver()) {
          const id = cluster.ids[Math.floor(Math.random() * nodes)] as string
          // Two of these run side by side: the other one may have this node down already.
          if (down.has(id)) continue
          down.add(id)
          await cluster.crash(id)
          crashes++
          await sleep(Math.random() * 300)
          await cluster.restart(id)
          down.delete(id)
        }
      }
      await Promise.all([churn(), churn()])
      await Promise.all(ledgers.map((ledger) => makeProgress(ledger, 1)))
      await Promise.all(ledgers.map((ledger) => ledger.stop()))
      for (const ledger of ledgers) await ledger.verify()
      await assertEqualReplicas(cluster)
    }),
  )
})

describe('without a quorum', () => {
  it(
    'commands end by their deadline, and the client lives on',
    leavingNothing(async () => {
      await using cluster = await Cluster.start()
      await using client = await cluster.client()
      const ledger = new Ledger(client, 'k', 5)
      await ledger.write()
      const down = cluster.ids.filter((id) => id !== cluster.leader)
      await Promise.all(down.map((id) => cluster.crash(id)))
      const startedMs = performance.now()
      await Promise.all(Array.from({ length: 20 }, () => ledger.write(300)))
      const tookMs = performance.now() - startedMs
      assert.ok(tookMs >= 299 && tookMs < 9_000, `the deadline was 300 ms, it took ${tookMs} ms`)
      assert.equal(ledger.acknowledged, 1)
      // A leader without a quorum steps down in the end; then a command is not even sent.
      await until('nobody leads', () => client.leader === undefined)
      await failure('TIMEOUT', client.query(kv.count(), { timeoutMs: 100 }))
      await Promise.all(down.map((id) => cluster.restart(id)))
      await ledger.write()
      assert.equal(ledger.acknowledged, 2)
      await ledger.verify()
      assert.equal(client.outstandingCommands, 0)
      await assertEqualReplicas(cluster)
    }),
  )

  it('because all are gone, a new client and an old one wait and then go on', async () => {
    await using cluster = await Cluster.start({ nodes: 1, ...mortal })
    await using early = await cluster.client()
    assert.equal(await early.propose('x'), 1)
    await cluster.crash('n1')
    await using late = await cluster.client()
    await until('the old client has noticed', () => early.leader === undefined)
    await failure('TIMEOUT', late.propose('x', { timeoutMs: 50 }))
    const waiting = [early.propose('x'), late.propose('x')]
    await cluster.restart('n1')
    assert.deepEqual((await Promise.all(waiting)).sort(), [2, 3])
  })
})

describe('a start', () => {
  it('that crashes is refused to its caller, and the next one succeeds', async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8))
    await using cluster = await Cluster.start({ ...mortal, machineOptions: { shared } })
    await using client = await cluster.client()
    const node = followerOf(cluster)
    await cluster.crash(node)
    shared[0] = 1
    const starting = cluster.restart(node)
    starting.catch(() => {})
    await failure('INVALID_OPTIONS', cluster.restart(node))
    const crashing = cluster.crash(node)
    shared[0] = 0
    Atomics.notify(shared, 0)
    assert.equal((await crashing).expected, true)
    // It may have been ready in the very moment.
    await starting.catch((error: unknown) =>
      assert.ok(RaftError.is(error, 'NODE_UNAVAILABLE'), String(error)),
    )
    assert.equal(await client.propose('x'), 1)
    await cluster.restart(node)
    await assertEqualReplicas(cluster)
  })

  it(
    'of LMDB nodes is crashed at any moment, and the files stay usable',
    leavingNothing(async () => {
      await using cluster = await Cluster.start()
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      ledger.start(16)
      const node = followerOf(cluster)
      for (let delayMs = 0; delayMs < 400; delayMs += 50) {
        await cluster.crash(node).catch(() => {})
        const starting = cluster.restart(node).catch((error: unknown) => {
          assert.ok(RaftError.is(error, 'NODE_UNAVAILABLE'), String(error))
        })
        await sleep(delayMs)
        await cluster.crash(node)
        await starting
      }
      await cluster.restart(node)
      await ledger.stop()
      await ledger.verify()
      await assertEqualReplicas(cluster)
    }),
  )

  it('that waits for the end of the old worker is not made after a stop', async () => {
    const cluster = await Cluster.start({ ...mortal })
    const crash = cluster.crash('n2')
    const restart = cluster.restart('n2')
    restart.catch(() => {})
    const stop = cluster.stop()
    await failure('SHUTTING_DOWN', restart)
    await Promise.all([crash, stop])
    await assertNothingRuns()
  })
})

describe('an unexpected death', () => {
  for (const how of ['throw', 'exit'] as const) {
    it(`by ${how} is told, and the node is started again`, async () => {
      await using cluster = await Cluster.start({ ...mortal, restart: quick })
      await using client = await cluster.client()
      assert.equal(await client.propose('x'), 1)
      const node = followerOf(cluster)
      const events = Promise.all([once(cluster, 'exit'), once(cluster, 'restarting')])
      await kill(cluster, client, node, how)
      const [[exit], [restarting]] = await events
      assert.deepEqual([exit.id, exit.expected, exit.code], [node, false, how === 'throw' ? 1 : 7])
      if (how === 'throw') assert.match(exit.error.message, /as asked/)
      assert.deepEqual([restarting.id, restarting.attempt], [node, 1])
      const isBack = async (): Promise<boolean> =>
        (await cluster.status()).nodes.every((report) => report.running)
      await until('it runs again', isBack)
      assert.equal(await client.propose('x'), 2)
      await assertEqualReplicas(cluster)
    })
  }

  it('too often puts a node in quarantine, until it is started by hand', async () => {
    await using cluster = await Cluster.start({ ...mortal, restart: { ...quick, maxRestarts: 2 } })
    await using client = await cluster.client()
    const node = followerOf(cluster)
    const quarantined = once(cluster, 'quarantined')
    for (let death = 1; death <= 3; death++) await kill(cluster, client, node, 'exit')
    const [{ id, failures }] = await quarantined
    assert.deepEqual([id, failures], [node, 3])
    await failure('NODE_UNAVAILABLE', cluster.crash(node))
    assert.equal(await client.propose('x'), 1)
    await cluster.restart(node)
    await assertEqualReplicas(cluster)
  })

  it("with mode 'never' is left to the owner", async () => {
    await using cluster = await Cluster.start({ ...mortal, restart: { mode: 'never' } })
    await using client = await cluster.client()
    const node = await leaderOf(cluster)
    await kill(cluster, client, node, 'throw')
    assert.equal(await client.propose('x'), 1)
    assert.equal((await cluster.status()).nodes.filter((report) => !report.running).length, 1)
    await cluster.restart(node)
    await assertEqualReplicas(cluster)
  })
})

describe('a node that lost its memory', () => {
  it('does not come back as who it was', async () => {
    await using cluster = await Cluster.start({ durability: 'memory' })
    await using client = await cluster.client()
    await client.propose(kv.set('a', 1))
    const node = followerOf(cluster)
    await cluster.crash(node)
    await assert.rejects(cluster.restart(node), { code: 'INVALID_OPTIONS', message: /nothing is left/ })
    await client.propose(kv.set('a', 2))
  })
})

describe('a stale query', () => {
  it('for any node survives the death of the one that was asked', async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8))
    await using cluster = await Cluster.start({ ...mortal, machineOptions: { shared } })
    await using client = await cluster.client()
    await client.propose('x')
    // Whichever answers in the end has applied it.
    await cluster.converged()
    // The client asks the one that it has been connected to for longest: let that be a follower.
    const oldest = [...cluster.ids]
    while (oldest[0] === cluster.leader) {
      const node = oldest.shift() as string
      await cluster.crash(node)
      await cluster.restart(node)
      oldest.push(node)
      await client.propose('x')
      await cluster.converged()
    }
    assert.ok((await client.query<number>('one', { consistency: 'stale', timeoutMs: 20_000 })) > 0)
  })
})
