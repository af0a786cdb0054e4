/** Faults of real nodes on worker threads: each is felt, and over when it is healed. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Client, Cluster, type ClusterEvents, type ClusterOptions, type Fault } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  followerOf,
  leaderOf,
  patient,
  refusedOption,
  until,
  withDirectory,
} from './support.ts'

after(assertNothingRuns)

/** For what has to wait for a timeout; nothing here counts on the leader that it makes. */
const raft = { electionTimeoutMinMs: 400, electionTimeoutMaxMs: 800, heartbeatIntervalMs: 30 }

async function started(options: ClusterOptions = {}): Promise<Cluster> {
  return Cluster.start({ durability: 'memory', faults: true, raft, seed: 7, ...options })
}

const anotherLeads = (cluster: Cluster, old: string): Promise<void> =>
  until('another leads', () => cluster.leader !== undefined && cluster.leader !== old)

/** Whether a write is acknowledged, while the client waits for no longer than this. */
async function isWritable(client: Client, timeoutMs: number): Promise<boolean> {
  try {
    await client.propose(kv.set('probe', 1), { timeoutMs })
    return true
  } catch (error) {
    const expected = ['INDETERMINATE', 'TIMEOUT', 'NO_SPACE'] as const
    assert.ok(
      expected.some((code) => RaftError.is(error, code)),
      String(error),
    )
    return false
  }
}

async function metricsOf(cluster: Cluster, id: string) {
  const found = (await cluster.status()).nodes.find((node) => node.id === id)
  assert.ok(found?.running, `${id} does not run`)
  return found.metrics
}

describe('links', () => {
  it('an isolated leader is replaced, knows nothing of it, and follows when it is healed', async () => {
    await using cluster = await started()
    const old = await leaderOf(cluster)
    const fault = await cluster.inject({ kind: 'partition', split: 'primaries' })
    assert.match(fault.text, new RegExp(`^partition primaries: ${old} \\|`))
    await anotherLeads(cluster, old)
    await cluster.heal(fault.id)
    assert.deepEqual(cluster.activeFaults, [])
    await until('the old one follows', async () => {
      const { nodes, leader } = await cluster.status()
      return nodes.some((node) => node.running && node.id === old && node.leader === leader)
    })
  })

  it('one direction alone: a leader that hears nobody steps down, although all hear it', async () => {
    await using cluster = await started()
    const old = await leaderOf(cluster)
    await cluster.inject({ kind: 'partition', split: 'primaries', direction: 'inbound' })
    await anotherLeads(cluster, old)
    await cluster.heal()
  })

  it('delay: an answer takes as long as both ways together', async () => {
    await using cluster = await started({ raft: patient })
    await using client = await cluster.client()
    await client.propose(kv.set('before', 1))
    const fault = await cluster.inject({ kind: 'delay', timeMs: 60, jitterMs: 10 })
    const beganMs = performance.now()
    await client.propose(kv.set('during', 1))
    // Never earlier: both ways take 50 ms at least.
    assert.ok(performance.now() - beganMs >= 95)
    await cluster.heal(fault.id)
    await assertEqualReplicas(cluster)
  })

  it('loss and duplicates: what is written is written once', async () => {
    await using cluster = await started()
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await cluster.inject({ kind: 'loss', percent: 20 })
    await cluster.inject({ kind: 'duplicate', percent: 30 })
    assert.equal(cluster.activeFaults.length, 2)
    for (let write = 0; write < 20; write++) await client.propose(kv.set('key', write))
    await cluster.heal()
    assert.deepEqual(await client.query(kv.versions(['key'])), [20])
    await assertEqualReplicas(cluster)
  })
})

describe('threads', () => {
  it('a paused leader is replaced, answers nothing, and goes on when it is resumed', async () => {
    await using cluster = await started()
    const old = await leaderOf(cluster)
    const fault = await cluster.inject({ kind: 'pause', nodes: 'primaries' })
    assert.deepEqual(fault.nodes, [old])
    await anotherLeads(cluster, old)
    const report = (await cluster.status()).nodes.find(({ id }) => id === old)
    assert.deepEqual(report, { running: false, id: old, reason: 'it is paused' })
    await cluster.heal(fault.id)
    await assertEqualReplicas(cluster)
  })

  it('a paused node can be crashed, and a cluster of paused nodes be stopped', async () => {
    await using cluster = await started()
    const [first, second] = cluster.ids as [string, string]
    await cluster.inject({ kind: 'pause', nodes: [first, second] })
    const exit = await cluster.crash(first)
    assert.equal(exit.terminated, false, 'it ended by itself')
    await cluster.stop()
  })

  it('a stalled leader is replaced and finds out when it goes on', async () => {
    await using cluster = await started()
    const old = await leaderOf(cluster)
    let isReplaced = false
    cluster.on('leader', ({ id }) => {
      isReplaced ||= id !== old
    })
    // Not at every stall: where the others get no processor either, nobody misses the leader.
    await until('another has led', async () => {
      const fault = await cluster.inject({ kind: 'stall', nodes: [old], forMs: 1000 })
      assert.deepEqual(cluster.activeFaults, [], 'it is over by itself')
      assert.match(fault.text, /^stall of 1000 ms/)
      return isReplaced
    })
    await assertEqualReplicas(cluster)
    assert.ok((await metricsOf(cluster, old)).leaderships >= 1)
  })
})

describe('crashes', () => {
  it('silent: the followers wait for their timeouts', async () => {
    const raft = { electionTimeoutMinMs: 2000, electionTimeoutMaxMs: 2200, heartbeatIntervalMs: 50 }
    await using cluster = await started({ raft })
    const old = await leaderOf(cluster)
    const asked: ClusterEvents['role'][0][] = []
    cluster.on('role', (event) => {
      if (event.role === 'preCandidate') asked.push(event)
    })
    const { atMs } = await cluster.inject({ kind: 'crash', nodes: [old], silent: true })
    await anotherLeads(cluster, old)
    const first = asked.find((event) => event.atMs >= atMs) ?? assert.fail('nobody asked for pre-votes')
    // A heartbeat may have come a whole interval before the death, and on a busy machine some more.
    assert.ok(first.atMs - atMs >= 500, `asked ${first.atMs - atMs} ms after the death`)
  })

  it('otherwise closed connections tell of it: no timeout has to pass', async () => {
    const raft = { electionTimeoutMinMs: 8000, electionTimeoutMaxMs: 12_000 }
    await using cluster = await started({ raft })
    const old = await leaderOf(cluster)
    const asking: string[] = []
    cluster.on('role', ({ id, role }) => {
      if (id !== old && role === 'preCandidate') asking.push(id)
    })
    await cluster.inject({ kind: 'crash', nodes: [old] })
    // Whether it wins is another matter: two that ask at the same time may split the votes.
    await until('somebody asks for pre-votes', () => asking.length > 0, 7500)
  })

  it('a crashed node comes back when it is healed, with what was on then', () =>
    withDirectory(async (directory) => {
      await using cluster = await started({ durability: 'flush-before-ack', directory })
      await using client = await cluster.client({ timeoutMs: 60_000 })
      const follower = followerOf(cluster)
      const crash = await cluster.inject({ kind: 'crash', nodes: [follower] })
      const cut = await cluster.inject({ kind: 'partition', groups: [[follower]] })
      await cluster.heal(crash.id)
      await client.propose(kv.set('key', 1))
      const status = async () => (await cluster.status()).nodes.find(({ id }) => id === follower)
      const before = await status()
      assert.ok(before?.running && before.leader === undefined, 'it is born isolated')
      await cluster.heal(cut.id)
      await assertEqualReplicas(cluster)
    }))
})

describe('stores', () => {
  it('of a majority that stalls: nothing is acknowledged until it is healed', async () => {
    await using cluster = await started({ raft: patient })
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('before', 1))
    const others = cluster.ids.filter((id) => id !== cluster.leader)
    const fault = await cluster.inject({ kind: 'storage', mode: 'stall', nodes: others })
    assert.equal(await isWritable(client, 200), false)
    await cluster.heal(fault.id)
    assert.equal(await isWritable(client, 20_000), true)
  })

  it('that is slow: a flush takes as long as it is told to', async () => {
    await using cluster = await started({ raft: patient })
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('before', 1))
    await cluster.inject({ kind: 'storage', mode: 'slow', timeMs: 40, nodes: 'all' })
    const beganMs = performance.now()
    await client.propose(kv.set('during', 1))
    assert.ok(performance.now() - beganMs >= 38)
  })

  it('that is full: commands are refused; that fails: the node dies', async () => {
    await using cluster = await started()
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('before', 1))
    const full = await cluster.inject({ kind: 'storage', mode: 'full', nodes: 'primaries' })
    await until('the leader refuses', async () => {
      await client.propose(kv.set('more', 1), { timeoutMs: 50 }).catch(() => {})
      return (await cluster.status()).nodes.some((node) => node.running && node.isDiskFull)
    })
    await cluster.heal(full.id)
    await until('it takes writes again', () => isWritable(client, 1000))

    const old = await leaderOf(cluster)
    await cluster.inject({ kind: 'storage', mode: 'fail', nodes: [old] })
    await isWritable(client, 20_000)
    await until('it is gone', async () => {
      return (await cluster.status()).nodes.some(({ id, running }) => id === old && !running)
    })
    await anotherLeads(cluster, old)
  })
})

describe('inside', () => {
  it('flipped bits are repaired from the peers; at a failpoint a node dies, and comes back when it is healed', async () => {
    const printed: unknown[] = []
    await using cluster = await started({
      durability: 'flush-before-ack',
      raft: patient,
      restart: { initialDelayMs: 10 },
      logger: (_level, event, detail) => event === 'failpoint' && printed.push(detail['value']),
    })
    await using client = await cluster.client({ timeoutMs: 60_000 })
    for (let count = 0; count < 10; count++) await client.propose(kv.set(`key${count}`, 'x'.repeat(100)))
    const follower = followerOf(cluster)
    await cluster.inject({ kind: 'storage', mode: 'bit-flip', count: 2, nodes: [follower] })
    await until('it is repaired', async () => (await metricsOf(cluster, follower)).entriesRepaired >= 2)

    let died: string | undefined
    cluster.once('exit', ({ id }) => {
      died = id
    })
    const term = '1*print("here")->1*panic'
    const fault = await cluster.inject({ kind: 'failpoint', name: 'after-apply', term, nodes: [follower] })
    // What is applied together is one visit of the place.
    await until('it dies', async () => {
      await client.propose(kv.set('after', 1))
      return died !== undefined
    })
    assert.equal(died, follower)
    await cluster.heal(fault.id)
    await until('it runs again', async () => (await cluster.status()).nodes.every(({ running }) => running))
    await assertEqualReplicas(cluster)
    assert.deepEqual(printed.slice(0, 2), ['here', 'panic'])
  })
})

describe('clocks', () => {
  it('a follower whose clock runs fast asks for votes, and is refused by those who hear the leader', async () => {
    await using cluster = await started({ raft: patient })
    const old = await leaderOf(cluster)
    const follower = followerOf(cluster)
    let asked = false
    cluster.on('role', ({ id, role }) => {
      asked ||= id === follower && role === 'preCandidate'
    })
    // Between two heartbeats its clock goes on by far more than a timeout.
    const fault = await cluster.inject({ kind: 'clock', mode: 'rate', rate: 1000, nodes: [follower] })
    await until('it asks for votes', () => asked)
    await cluster.heal(fault.id)
    assert.equal(cluster.leader, old)
  })

  it('a jump over the timeout does the same at once', async () => {
    await using cluster = await started({ raft: patient })
    const follower = followerOf(cluster)
    let asked = false
    cluster.on('role', ({ id, role }) => {
      asked ||= id === follower && role === 'preCandidate'
    })
    // Not at every jump: where a heartbeat waits in the mailbox, it is heard first, at the new time.
    await until('it asks for votes', async () => {
      await cluster.inject({ kind: 'clock', mode: 'bump', byMs: 60_000, nodes: [follower] })
      return asked
    })
  })
})

describe('operations', () => {
  it('elect, transfer, snapshot', async () => {
    await using cluster = await started({ raft: patient })
    await using client = await cluster.client()
    await client.propose(kv.set('key', 1))
    const follower = followerOf(cluster)
    await cluster.inject({ kind: 'transfer', nodes: [follower] })
    await until('it leads', () => cluster.leader === follower)
    await cluster.inject({ kind: 'snapshot', nodes: [follower] })
    const found = (await cluster.status()).nodes.find(({ id }) => id === follower)
    assert.ok(found?.running && found.snapshot > 0)
    const other = followerOf(cluster)
    const { preElections } = await metricsOf(cluster, other)
    await cluster.inject({ kind: 'elect', nodes: [other] })
    await until(
      'it asked for votes',
      async () => (await metricsOf(cluster, other)).preElections > preElections,
    )
  })
})

describe('what cannot be', () => {
  it('is refused before anything happens', async () => {
    await using cluster = await started({ raft: patient })
    const leader = await leaderOf(cluster)
    const refused: [fault: Fault, field: string, shown: string, expected: RegExp][] = [
      [{ kind: 'wipe', nodes: [leader] }, 'fault.kind', '"wipe"', /replace/],
      [{ kind: 'restart', nodes: [leader] }, 'fault.kind', '"restart"', /directory/],
      [{ kind: 'storage', mode: 'bit-flip', nodes: 'all' }, 'fault.mode', '"bit-flip"', /directory/],
      [
        { kind: 'storage', mode: 'lose-unflushed', nodes: 'all' },
        'fault.mode',
        '"lose-unflushed"',
        /slow, stall/,
      ],
      [{ kind: 'crash', nodes: ['n9'] }, 'fault.nodes', '"n9"', /n1, n2, n3/],
      [{ kind: 'partition', groups: [['n9']] }, 'fault.groups', '"n9"', /n1, n2, n3/],
      [{ kind: 'loss', percent: 1, links: { from: ['c1'], to: 'all' } }, 'fault.links.from', '"c1"', /n1/],
      [{ kind: 'melt' } as unknown as Fault, 'fault.kind', '"melt"', /crash/],
    ]
    for (const [fault, field, shown, expected] of refused) {
      await refusedOption(cluster.inject(fault), field, shown, expected)
    }
    assert.deepEqual(cluster.activeFaults, [])
    const follower = followerOf(cluster)
    await cluster.crash(follower)
    await refusedOption(
      cluster.inject({ kind: 'pause', nodes: [leader, follower] }),
      'fault.nodes',
      `"${follower}"`,
      /run/,
    )
    assert.equal((await metricsOf(cluster, leader)).clients, 0, 'the leader was not paused')
  })

  it('without the option nothing can be injected, and the nodes have no decorators', async () => {
    await using cluster = await started({ faults: false })
    await refusedOption(cluster.inject({ kind: 'loss', percent: 1 }), 'faults', 'false', /Cluster.start/)
    await refusedOption(cluster.heal(), 'faults', 'false', /Cluster.start/)
    await refusedOption(Cluster.start({ faults: 1 as never }), 'faults', '1', /true or false/)
  })
})
