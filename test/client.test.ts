/** The client: deadlines, signals, bounds, what is wrong with a call, and its end. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { Client, Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { assertEqualReplicas, failure, patient, refusedOption, until } from './support.ts'

describe('a client', () => {
  let cluster: Cluster
  let client: Client
  before(async () => {
    cluster = await Cluster.start({ raft: patient })
    client = await cluster.client({ timeoutMs: 60_000 })
  })
  after(async () => {
    await client.close()
    await assertEqualReplicas(cluster)
    await cluster.stop()
  })

  for (const [field, shown, call] of [
    ['timeoutMs', '-1', () => client.propose(kv.set('a', 1), { timeoutMs: -1 })],
    ['timeoutMs', '0', () => client.proposeMany([kv.set('a', 1)], { timeoutMs: 0 })],
    ['timeoutMs', 'NaN', () => client.query(kv.get('a'), { timeoutMs: Number.NaN })],
    ['timeoutMs', '"1"', () => client.propose(kv.set('a', 1), { timeoutMs: '1' as never })],
    ['signal', 'an object', () => client.propose(kv.set('a', 1), { signal: {} as never })],
    ['consistency', '"eventual"', () => client.query(kv.get('a'), { consistency: 'eventual' as never })],
    ['node', '"n9"', () => client.query(kv.get('a'), { consistency: 'stale', node: 'n9' })],
    ['id', '"n9"', () => cluster.crash('n9')],
    ['id', '"n9"', () => cluster.restart('n9')],
    ['id', '"n1"', () => cluster.restart('n1')],
    ['client.maxCommandBytes', '-1', () => cluster.client({ maxCommandBytes: -1 })],
    ['client.window', '5', () => cluster.client({ window: 5 } as never)],
    ['timeoutMs', '-5', () => cluster.client({ timeoutMs: -5 })],
    ['settings', 'null', () => cluster.client(null as never)],
    ['port', 'undefined', () => Client.connect(undefined as never)],
    ['port', 'an object', () => Client.connect(new MessageChannel().port1)],
  ] as const) {
    it(`is told that ${field} = ${shown} is wrong`, async () => {
      await refusedOption(call(), field, shown, /./)
      assert.equal(client.outstandingCommands, 0)
    })
  }

  it('takes a deadline of any length', async () => {
    const warnings: string[] = []
    const listen = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', listen)
    await client.propose(kv.set('a', 1), { timeoutMs: Number.MAX_SAFE_INTEGER })
    await client.query(kv.get('a'), { timeoutMs: 2 ** 31 })
    await new Promise(setImmediate)
    process.off('warning', listen)
    assert.deepEqual(warnings, [])
  })

  it('has a fresh deadline for a call after long silence', async () => {
    await using brief = await cluster.client({ timeoutMs: 1500 })
    await brief.propose(kv.set('a', 1), { timeoutMs: 20_000 })
    const silentMs = performance.now()
    // An answer to a query starts the turn in which the next command is proposed.
    while (performance.now() - silentMs < 1600) await brief.query(kv.get('a'), { timeoutMs: 20_000 })
    await brief.propose(kv.set('a', 2))
  })

  it('refuses a command that cannot be sent, and those around it go their way', async () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    const around: Promise<unknown>[] = []
    const good = (): number => around.push(client.propose(kv.set('around', around.length)))
    for (const [wrong, value, expected] of [
      [kv.set('big', 'x'.repeat(2 << 20)), /^20\d{5} bytes$/, /maxCommandBytes \(1048576\)/],
      [Symbol('x'), /symbol/, /msgpack/],
      [cycle, /call stack/, /msgpack/],
      [kv.set('big', (2n ** 70n) as never), /too large/, /msgpack/],
    ] as const) {
      good()
      const data = failure('INVALID_COMMAND', client.propose(wrong))
      const many = failure('INVALID_COMMAND', client.proposeMany([kv.set('a', 1), wrong]))
      good()
      assert.match(String((await data).value), value)
      assert.match((await data).expected, expected)
      assert.match((await data).message, /^command is .*; expected /s)
      await many
    }
    assert.ok((await Promise.all(around)).every((result) => result === undefined))
    const { version } = await client.query<{ version: number }>(kv.get('around'))
    assert.equal(version, around.length)
    assert.equal(await client.query(kv.get('big')), undefined)
    const tooLong = failure('INVALID_COMMAND', client.query(kv.get('x'.repeat(2 << 20))))
    assert.match((await tooLong).message, /maxCommandBytes/)
  })

  it('takes for many commands only an array, neither empty nor too long', async () => {
    for (const wrong of ['abc', undefined, { length: 2 }, new Set([1])]) {
      const { field } = await failure('INVALID_COMMAND', client.proposeMany(wrong as never))
      assert.equal(field, 'commands')
    }
    for (const count of [0, 8193]) {
      const many = Array.from({ length: count }, () => kv.set('a', 1))
      const { message, value } = await failure('INVALID_COMMAND', client.proposeMany(many))
      assert.match(message, new RegExp(`commands.length is ${count}; expected 1 to .*8192`))
      assert.equal(value, count)
    }
  })

  it('does not care what becomes of the array of many commands', async () => {
    const batch = [kv.set('x', 1), kv.set('y', 1)]
    const emptied = client.proposeMany(batch)
    batch.length = 0
    const other = [kv.set('x', 2)]
    const filled = client.proposeMany(other)
    other.push(kv.set('y', 2))
    assert.deepEqual(await Promise.all([emptied, filled]), [[undefined, undefined], [undefined]])
    assert.deepEqual(await client.query(kv.versions(['x', 'y'])), [2, 1])
  })

  it('gets for each of many queries of one turn the answer to it, however they are asked', async () => {
    const count = 700
    const keys = Array.from({ length: count }, (_, at) => `many ${at}`)
    await client.proposeMany(keys.map((key, at) => kv.set(key, at % 3 === 0 ? Uint8Array.of(at % 256) : at)))
    const asked = keys.flatMap((key, at) => {
      const consistency = (['linearizable', 'lease', 'follower', 'stale'] as const)[at % 4] as 'lease'
      return [
        { expected: at, answer: client.query(kv.get(key), { consistency: 'linearizable' }) },
        { expected: at, answer: client.query(kv.get(key), { consistency }) },
      ]
    })
    const others = keys.map((_, at) =>
      at % 2 === 0 ? client.query(kv.versions([`many ${at}`, 'none'])) : client.query(kv.get(`none ${at}`)),
    )
    const refused = failure('REJECTED', client.query(['put', 'k']))
    for (const [at, { expected, answer }] of asked.entries()) {
      const entry = (await answer) as { key: string; value: unknown; version: number } | undefined
      // A replica that is behind may not have it yet.
      if (entry === undefined && Math.floor(at / 2) % 4 === 3) continue
      const value = expected % 3 === 0 ? Uint8Array.of(expected % 256) : expected
      assert.deepEqual(entry, { key: `many ${expected}`, value, version: 1 })
    }
    for (const [at, answer] of (await Promise.all(others)).entries()) {
      assert.deepEqual(answer, at % 2 === 0 ? [1, 0] : undefined)
    }
    await refused
  })

  it('gives up at once what is aborted before', async () => {
    const signal = AbortSignal.abort(new Error('changed my mind'))
    for (const call of [
      client.propose(kv.set('never', 1), { signal }),
      client.proposeMany([kv.set('never', 1)], { signal }),
      client.query(kv.get('a'), { signal }),
    ]) {
      assert.match((await failure('ABORTED', call)).reason, /changed my mind/)
    }
    assert.equal(await client.query(kv.get('never')), undefined)
  })

  it('gives up what is aborted in the turn it was called, and sends nothing', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const calls = [
      failure('ABORTED', client.propose(kv.set('never', 1), { signal })),
      failure('ABORTED', client.proposeMany([kv.set('never', 1), kv.set('never', 2)], { signal })),
      failure('ABORTED', client.query(kv.get('a'), { signal })),
    ]
    const other = client.propose(kv.set('other', 1))
    controller.abort()
    await Promise.all([...calls, other])
    assert.equal(client.outstandingCommands, 0)
    assert.equal(await client.query(kv.get('never')), undefined)
  })

  it('leaves open what is aborted after it was sent', async () => {
    const controller = new AbortController()
    const call = client.propose(kv.set('perhaps', 1), { signal: controller.signal })
    const rejected = failure('INDETERMINATE', call)
    // It leaves at the end of this turn; its answer takes a flush.
    await new Promise(setImmediate)
    controller.abort()
    await rejected
    await client.propose(kv.set('after', 1))
    assert.deepEqual(await client.query(kv.versions(['perhaps', 'after'])), [1, 1])
  })

  it('says BUSY above maxOutstandingCommands, and goes on below', async () => {
    await using small = await cluster.client({ maxOutstandingCommands: 10, maxOutstandingQueries: 2 })
    const ten = [
      small.proposeMany(Array.from({ length: 6 }, (_, index) => kv.set(`busy${index}`, 1))),
      ...Array.from({ length: 4 }, (_, index) => small.propose(kv.set(`busy${6 + index}`, 1))),
    ]
    const { limit, retryAfterMs } = await failure('BUSY', small.propose(kv.set('busy', 1)))
    assert.equal(limit, 'maxOutstandingCommands')
    assert.ok(retryAfterMs > 0)
    const two = [small.query(kv.count()), small.query(kv.count())]
    assert.equal((await failure('BUSY', small.query(kv.count()))).limit, 'maxOutstandingQueries')
    await Promise.all([...ten, ...two])
    assert.equal(small.outstandingCommands, 0)
    await small.propose(kv.set('busy', 1))
  })

  it('carries large commands', async () => {
    const large = (fill: number): Uint8Array => new Uint8Array(900_000).fill(fill)
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => client.propose(kv.set(`large${index}`, large(index)))),
    )
    const found = await client.query<{ value: Uint8Array }>(kv.get('large39'))
    assert.deepEqual(new Uint8Array(found.value), large(39))
    await using roomy = await cluster.client({ maxCommandBytes: 16 << 20 })
    await roomy.propose(kv.set('huge', 'x'.repeat(9 << 20)))
    for (let index = 0; index < 40; index++) await client.propose(kv.delete(`large${index}`))
  })

  it('is one of fifty', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => cluster.client()))
    const work = clients.map(async (each, index) => {
      for (let round = 0; round < 20; round++) await each.propose(kv.set(`shared${round}`, index))
    })
    await Promise.all(work)
    const keys = Array.from({ length: 20 }, (_, round) => `shared${round}`)
    assert.deepEqual(await client.query(kv.versions(keys)), new Array(20).fill(50))
    await Promise.all(clients.map((each) => each.close()))
    const connections = async (): Promise<number[]> =>
      (await cluster.status()).nodes.map((node) => (node.running ? node.metrics.clients : -1))
    await until('the nodes have forgotten them', async () =>
      (await connections()).every((count) => count === 1),
    )
  })

  it('rejects what is outstanding when it is closed, and everything after', async () => {
    const closing = await cluster.client()
    await closing.propose(kv.set('closing', 1))
    const sent = failure('INDETERMINATE', closing.propose(kv.set('closing', 2)))
    await new Promise(setImmediate)
    const unsent = failure('SHUTTING_DOWN', closing.propose(kv.set('closing', 3)))
    const query = failure('SHUTTING_DOWN', closing.query(kv.get('closing')))
    await Promise.all([closing.close(), closing.close()])
    await Promise.all([sent, unsent, query])
    await failure('SHUTTING_DOWN', closing.propose(kv.set('closing', 4)))
    await failure('SHUTTING_DOWN', closing.proposeMany([kv.set('closing', 4)]))
    await failure('SHUTTING_DOWN', closing.query(kv.get('closing')))
    const { version } = await client.query<{ version: number }>(kv.get('closing'))
    assert.ok(version === 1 || version === 2)
  })
})

describe('sessions', () => {
  it('that were idle for longer than their time expire, and their client does not notice', async () => {
    await using cluster = await Cluster.start({ durability: 'memory', sessions: { sessionTtlMs: 300 } })
    await using idle = await cluster.client()
    await using busy = await cluster.client()
    await idle.propose(kv.set('a', 1))
    const { sessionsLost } = idle.metrics
    const sessions = async (): Promise<number> => {
      const { nodes } = await cluster.status()
      return Math.max(...nodes.map((node) => (node.running ? node.metrics.sessions : 0)))
    }
    // Log time advances with entries only.
    await until('the idle session has expired', async () => {
      await busy.propose(kv.set('b', 1))
      return (await sessions()) === 1
    })
    await idle.propose(kv.set('a', 2))
    assert.equal((await idle.query<{ version: number }>(kv.get('a'))).version, 2)
    // On a busy machine a session may expire before its first command.
    assert.ok(idle.metrics.sessionsLost > sessionsLost)
    await assertEqualReplicas(cluster)
  })

  it('are bounded in number: the least recently used one goes', async () => {
    await using cluster = await Cluster.start({ durability: 'memory', sessions: { maxSessions: 2 } })
    const clients = await Promise.all(Array.from({ length: 4 }, () => cluster.client()))
    for (const [index, client] of clients.entries()) await client.propose(kv.set(`k${index}`, index))
    for (const client of clients) await client.propose(kv.set('shared', 1))
    const { nodes } = await cluster.status()
    for (const node of nodes) assert.ok(node.running && node.metrics.sessions <= 2)
    await Promise.all(clients.map((client) => client.close()))
    await assertEqualReplicas(cluster)
  })
})

describe('when the cluster stops', () => {
  it('every outstanding call ends, and the client with it', async () => {
    const cluster = await Cluster.start({ nodes: 1 })
    const client = await cluster.client()
    await client.propose(kv.set('a', 0))
    const calls = Array.from({ length: 100 }, (_, index) => client.propose(kv.set('a', index)))
    calls.push(client.query(kv.get('a')))
    const settled = Promise.allSettled(calls)
    await cluster.stop()
    for (const outcome of await settled) {
      if (outcome.status === 'fulfilled') continue
      assert.match(outcome.reason.code, /^(INDETERMINATE|SHUTTING_DOWN)$/)
    }
    await failure('SHUTTING_DOWN', client.propose(kv.set('a', 1)))
  })
})
