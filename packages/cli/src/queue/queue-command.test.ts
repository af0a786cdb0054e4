/** `troupe queue` in this process: on a node that is there, and on the directory of an embedded queue. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { NodeProcess } from '@troupe/cluster'
import { Queue } from '@troupe/queue'
import { troupe } from '../in-process.fixture.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-queue-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const run = (...args: readonly string[]) => troupe('queue', ...args)

/** The document that a command gives. */
async function told(place: readonly string[], word: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await run(word, 'jobs', ...args, ...place, '--json', '-')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<number>()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resolve(port))
  })
  return promise
}

const HOUR = '3600000'

describe('troupe queue on a node', { timeout: 300_000 }, () => {
  let node: NodeProcess
  let place: readonly string[]
  before(async () => {
    const address = `127.0.0.1:${await freePort()}`
    const own = { id: 'n1', cluster: 'test', directory: join(scratch, 'node'), peers: { n1: address } }
    node = await NodeProcess.start({ ...own, listen: address, machine: 'queue' })
    place = ['--connect', address]
  })
  after(() => node.stop())

  it('makes groups, each with dead letters that are listed, redriven and purged', async () => {
    await told(place, 'create', '--groups', ',audit', '--attempts', '1', '--backoff', 'fixed,0')
    await told(place, 'send', '--data', '1', '--priority', '9', '--key', 'k')
    await told(place, 'send', '--data', '2', '--priority', '0', '--header', 'a=1', '--header', 'b=x=y')
    await told(place, 'send', '--data', '3', '--delay', HOUR, '--ttl', HOUR, '--attempts', '7')
    await told(place, 'send', '--data', '4', '--at', '2100-01-01T00:00:00Z', '--backoff', 'exponential,5,50')
    const [, address = ''] = place
    {
      await using queue = await Queue.connect<number>([address], 'jobs', { create: false })
      const consuming = queue.consume({ group: 'audit' })
      for (const data of [2, 1]) {
        const { value } = await consuming.next()
        assert.equal(value?.data, data, 'the urgent one first')
        await value?.nack({ reason: `no ${data}` })
      }
    }
    const list = async (name: string, ...of: readonly string[]) =>
      (await told(place, 'peek', '--list', name, ...of)).map((each: { data: number }) => each.data)
    assert.deepEqual([await list('ready'), await list('dead')], [[2, 1], []])
    assert.deepEqual([(await list('delayed')).sort(), await list('ready', '--group', 'audit')], [[3, 4], []])
    const dead = await told(place, 'peek', '--list', 'dead', '--group', 'audit')
    assert.deepEqual(
      dead.map(({ data, reason, headers }: Record<string, unknown>) => [data, reason, headers]),
      [
        [2, 'no 2', { a: '1', b: 'x=y' }],
        [1, 'no 1', undefined],
      ],
    )
    assert.equal((await told(place, 'redrive')).redriven, 0, 'the other group has none')
    assert.equal((await told(place, 'redrive', '--group', 'audit')).redriven, 2)
    const { consumed } = await told(place, 'consume', '--group', 'audit', '--count', '1', '--lease', '5000')
    assert.deepEqual([consumed[0].data, consumed[0].headers], [2, { a: '1', b: 'x=y' }])
    for (const [group, counts] of [
      ['audit', { ready: 1, delayed: 2, dead: 0 }],
      ['', { ready: 2, delayed: 2, dead: 0 }],
    ] as const)
      for (const [name, count] of Object.entries(counts)) {
        const of = group === '' ? [] : ['--group', group]
        assert.equal(
          (await told(place, 'purge', '--list', name, ...of)).removed,
          count,
          `${name} of '${group}'`,
        )
      }
    assert.equal((await told(place, 'stats')).messages, 0)
  })

  it('refuses or waits where there is no room', async () => {
    await told(place, 'create', '--max-messages', '2')
    await told(place, 'send', '--data', '1')
    const refused = await run('send', 'jobs', '--data', '2', ...place)
    assert.equal(refused.code, 2)
    assert.match(
      refused.stderr,
      /^troupe: jobs has 2 messages of at most 2: consume, purge, raise its bounds/,
    )
    const waiting = told(place, 'send', '--data', '2', '--when-full', 'wait')
    for (const group of [[], ['--group', 'audit']]) await told(place, 'consume', ...group)
    assert.equal((await waiting).sent, 1)
  })

  it('says what is wrong with its options, and does nothing', async () => {
    for (const [args, says] of [
      [['--header', '=x'], /--header is "=x"; expected a name and its value, as K=V/],
      [['--at', 'noon'], /--at is "noon"; expected a time as 2030/],
      [['--at', '0', '--delay', '1'], /--at is "0"; expected nothing with --delay/],
      [['--backoff', 'slow,1'], /--backoff is "slow,1"; expected fixed,MS or exponential,MS,MS/],
      [['--when-full', 'drop'], /--when-full is "drop"; expected refuse or wait/],
      [['--priority', '10'], /--priority is 10; expected an integer from 0 to 9/],
    ] as const) {
      const { code, stderr } = await run('send', 'jobs', '--data', '1', ...args, ...place)
      assert.equal(code, 64, stderr)
      assert.match(stderr, says)
    }
    for (const word of ['peek', 'redrive', 'purge', 'consume']) {
      const { code, stderr } = await run(word, 'jobs', '--group', 'none', ...place)
      assert.equal(code, 64, stderr)
      assert.match(stderr, /^troupe: --group is "none"; expected one of none at all, audit$/m, word)
    }
  })
})

describe('troupe queue on a directory', { timeout: 300_000 }, () => {
  it('pauses, resumes, redrives and purges what no process has open', async () => {
    const directory = join(scratch, 'data')
    const place = ['--directory', directory]
    {
      await using queue = await Queue.open<number>('jobs', { directory, clusterOptions: { nodes: 1 } })
      await queue.sendMany([{ data: 1 }, { data: 2 }])
      const { value } = await queue.consume({ prefetch: 1 }).next()
      await value?.term('by hand')
      const busy = await run('stats', 'jobs', ...place)
      assert.deepEqual([busy.code, /is in use by/.test(busy.stderr)], [64, true], busy.stderr)
    }
    await told(place, 'pause')
    assert.equal((await told(place, 'stats')).isPaused, true)
    await told(place, 'resume')
    assert.equal((await told(place, 'redrive')).redriven, 1)
    assert.equal((await told(place, 'purge')).removed, 2)
  })
})
