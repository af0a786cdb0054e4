/** What a user does wrong at a start: one clear error that says what and where, nothing lost, nothing left over. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Cluster, type ClusterOptions } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import {
  assertNothingRuns,
  failure,
  fixture,
  leavingNothing,
  refusedOption,
  withDirectory,
} from './support.ts'

/** Starts with what no type would allow. What starts all the same is stopped after the test. */
async function start(options: unknown): Promise<Cluster> {
  const cluster = await Cluster.start(options as ClusterOptions)
  unexpected.push(cluster)
  return cluster
}

const unexpected: Cluster[] = []
afterEach(() => Promise.all(unexpected.splice(0).map((cluster) => cluster.stop())))

describe('wrong options', () => {
  const cases: [options: unknown, field: string, shown: string, expected: RegExp][] = [
    [null, 'options', 'null', /object/],
    ['kv', 'options', '"kv"', /object/],
    [{ node: 3 }, 'node', '3', /one of the options nodes, machine/],
    [{ nodes: 0 }, 'nodes', '0', /1 to 9/],
    [{ nodes: 10 }, 'nodes', '10', /1 to 9/],
    [{ nodes: -1 }, 'nodes', '-1', /1 to 9/],
    [{ nodes: 2.5 }, 'nodes', '2.5', /integer/],
    [{ nodes: Number.NaN }, 'nodes', 'NaN', /integer/],
    [{ nodes: '3' }, 'nodes', '"3"', /names, or a number/],
    [{ nodes: [] }, 'nodes', 'an array of 0', /1 to 9 names/],
    [{ nodes: ['a', 'b', 'a'] }, 'nodes[2]', '"a"', /no other node/],
    [{ nodes: ['a', '../b'] }, 'nodes[1]', '"../b"', /letters/],
    [{ nodes: ['a', ''] }, 'nodes[1]', '""', /letters/],
    [{ nodes: ['a', 7] }, 'nodes[1]', '7', /name/],
    [{ machine: 'quue' }, 'machine', '"quue"', /kv, log, queue, or the URL/],
    [{ machine: './machine.ts' }, 'machine', '"./machine.ts"', /URL/],
    [{ machine: 5 }, 'machine', '5', /URL/],
    [{ machineOptions: 5 }, 'machineOptions', '5', /object/],
    [{ machineOptions: { f: () => 1 } }, 'machineOptions.f', 'a function', /cloned/],
    [{ directory: '' }, 'directory', '""', /path/],
    [{ directory: 5 }, 'directory', '5', /path/],
    [{ durability: 'fsync' }, 'durability', '"fsync"', /flush-before-ack or .* memory/],
    [{ logger: 'console' }, 'logger', '"console"', /function/],
    [{ seed: -1 }, 'seed', '-1', /integer/],
    [{ startTimeoutMs: 0 }, 'startTimeoutMs', '0', /positive/],
    [{ startTimeoutMs: Number.NaN }, 'startTimeoutMs', 'NaN', /positive/],
    [{ raft: 5 }, 'raft', '5', /object/],
    [{ raft: null }, 'raft', 'null', /object/],
    [{ raft: { heartbeatMs: 5 } }, 'raft.heartbeatMs', '5', /heartbeatIntervalMs/],
    [
      { raft: { heartbeatIntervalMs: 300 } },
      'raft.heartbeatIntervalMs',
      '300',
      /electionTimeoutMinMs \(300\)/,
    ],
    [{ raft: { heartbeatIntervalMs: 0 } }, 'raft.heartbeatIntervalMs', '0', /positive/],
    [{ raft: { electionTimeoutMinMs: 700 } }, 'raft.electionTimeoutMaxMs', '600', /at least .*\(700\)/],
    [{ raft: { electionTimeoutMinMs: Number.NaN } }, 'raft.electionTimeoutMinMs', 'NaN', /positive/],
    [{ raft: { maxAppendBytes: -1 } }, 'raft.maxAppendBytes', '-1', /positive integer/],
    [{ raft: { maxInflightMessages: 1.5 } }, 'raft.maxInflightMessages', '1.5', /positive integer/],
    [{ batching: [] }, 'batching', 'an array of 0', /object/],
    [{ batching: { linger: 1 } }, 'batching.linger', '1', /lingerMs/],
    [{ batching: { lingerMs: -1 } }, 'batching.lingerMs', '-1', /not negative/],
    [{ batching: { maxBatchBytes: -5 } }, 'batching.maxBatchBytes', '-5', /positive integer/],
    [{ batching: { maxBatchCommands: '9' } }, 'batching.maxBatchCommands', '"9"', /positive integer/],
    [{ restart: 'never' }, 'restart', '"never"', /object/],
    [{ restart: { mode: 'always' } }, 'restart.mode', '"always"', /on-failure/],
    [{ restart: { retries: 3 } }, 'restart.retries', '3', /maxRestarts/],
    [{ restart: { maxRestarts: -1 } }, 'restart.maxRestarts', '-1', />= 0/],
  ]
  for (const [options, field, shown, expected] of cases) {
    it(
      `${field} = ${shown}`,
      leavingNothing(() => refusedOption(start(options), field, shown, expected)),
    )
  }

  it('raft.preVote = "yes"', async () => {
    await refusedOption(
      start({ nodes: 1, raft: { preVote: 'yes' } }),
      'raft.preVote',
      '"yes"',
      /true or false/,
    )
  })

  it('of the machine are refused with its own words', async () => {
    const starting = start({ nodes: 1, machine: 'log', machineOptions: { retainBytes: -1 } })
    await refusedOption(starting, 'machineOptions.retainBytes', '-1', /not negative/)
    await assertNothingRuns()
  })
})

describe('a data directory', () => {
  /** That a cluster of three has used; on which it must still start when all of this is over. */
  const path = mkdtempSync(join(tmpdir(), 'test-troupe-'))
  const directory = join(path, 'data')
  after(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  before(async () => {
    await using cluster = await Cluster.start({ directory })
    await using client = await cluster.client()
    await client.propose(kv.set('kept', 1))
  })

  /** Has `check` do something to that directory, see that it is refused, and bring it back as it was. */
  function onUsed(check: (elsewhere: string) => Promise<void>): () => Promise<void> {
    return async () => {
      const elsewhere = mkdtempSync(join(path, 'elsewhere-'))
      await check(elsewhere)
      rmSync(elsewhere, { recursive: true })
    }
  }

  async function refused(options: ClusterOptions, reason: RegExp): Promise<void> {
    const { message, path } = await failure('INVALID_DIRECTORY', start(options))
    assert.match(message, reason)
    assert.ok(message.includes(path), message)
    await assertNothingRuns()
  }

  it('with a file in its place, or above it', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'file')
      writeFileSync(directory, 'precious')
      await refused({ directory }, /cannot be created/)
      await refused({ directory: join(directory, 'below') }, /cannot be created/)
      assert.equal(readFileSync(directory, 'utf8'), 'precious')
      assert.deepEqual(readdirSync(path), ['file'])
    }))

  it('that is not writable', (t: TestContext) => {
    if (process.getuid?.() === 0) return t.skip('root may write everywhere')
    return withDirectory(async (path) => {
      chmodSync(path, 0o500)
      await refused({ directory: path }, /not writable/)
      await refused({ directory: join(path, 'below') }, /cannot be created/)
      chmodSync(path, 0o700)
    })
  })

  it(
    'made for other nodes, or for another machine',
    onUsed(async () => {
      const five = start({ directory, nodes: 5 })
      await refusedOption(five, 'nodes', '"n1, n2, n3, n4, n5"', /^n1, n2, n3, as in the data directory/)
      await refusedOption(start({ directory, nodes: 1 }), 'nodes', '"n1"', /n1, n2, n3/)
      const renamed = start({ directory, nodes: ['n1', 'n2', 'x'] })
      await refusedOption(renamed, 'nodes', '"n1, n2, x"', /n1, n2, n3/)
      await refusedOption(
        start({ directory, machine: 'log' }),
        'machine',
        '"log"',
        /^kv, as in the data directory/,
      )
    }),
  )

  it(
    'in which two nodes have changed places, or one has the identity of another',
    onUsed(async (elsewhere) => {
      const swap = (left: string, right: string): void => {
        renameSync(join(directory, left), join(elsewhere, 'aside'))
        renameSync(join(directory, right), join(directory, left))
        renameSync(join(elsewhere, 'aside'), join(directory, right))
      }
      for (const [left, right] of [
        ['n1', 'n2'],
        ['n2/identity.json', 'n3/identity.json'],
      ] as const) {
        swap(left, right)
        await refused({ directory }, /belongs to node "n\d", expected "n\d"/)
        swap(left, right)
      }
    }),
  )

  it(
    "with a node of another cluster, or another cluster's manifest",
    onUsed(async (elsewhere) => {
      const other = join(elsewhere, 'other')
      await (await Cluster.start({ directory: other })).stop()
      for (const name of ['n2', 'cluster.json']) {
        renameSync(join(directory, name), join(elsewhere, 'aside'))
        cpSync(join(other, name), join(directory, name), { recursive: true })
        await refused({ directory }, /belongs to cluster "[\w-]+", expected "[\w-]+"/)
        rmSync(join(directory, name), { recursive: true })
        renameSync(join(elsewhere, 'aside'), join(directory, name))
      }
    }),
  )

  it(
    'that has lost a node, or the log of one',
    onUsed(async (elsewhere) => {
      for (const [name, reason] of [
        ['n2', /directory of node n2 is gone/],
        ['n2/log', /its log is gone/],
        ['n2/identity.json', /has no identity/],
      ] as const) {
        renameSync(join(directory, name), join(elsewhere, 'aside'))
        await refused({ directory }, reason)
        rmSync(join(directory, name), { recursive: true, force: true })
        renameSync(join(elsewhere, 'aside'), join(directory, name))
      }
    }),
  )

  it(
    'whose files are of a newer format, or not readable',
    onUsed(async () => {
      for (const [name, text, reason] of [
        ['cluster.json', '{"format": 99, "members": {}}', /format 99, this version reads \d+: upgrade/],
        ['cluster.json', '{"format": 1,', /cluster.json is not readable/],
        ['cluster.json', '', /cluster.json is not readable/],
        ['cluster.json', '[]', /does not describe a cluster/],
        ['cluster.json', '{"format": 1, "clusterId": "c", "members": [null]}', /does not describe a cluster/],
        ['n3/identity.json', '{"format": 99}', /format 99, this version reads \d+: upgrade/],
        ['n3/identity.json', 'x', /identity.json is not readable/],
      ] as const) {
        const file = join(directory, name)
        const before = readFileSync(file)
        writeFileSync(file, text)
        await refused({ directory }, reason)
        writeFileSync(file, before)
      }
    }),
  )

  it(
    'whose node has lost its term and its vote: it could promise something else than before',
    onUsed(async (elsewhere) => {
      const log = join(directory, 'n1/log/0')
      cpSync(log, join(elsewhere, 'kept'), { recursive: true })
      for (const name of readdirSync(log)) {
        const file = name === 'witness' ? join(log, name) : join(log, name, 'data.mdb')
        writeFileSync(file, Buffer.alloc(20_000, 7))
      }
      const { path, message } = await failure('STORAGE_DAMAGED', start({ directory }))
      assert.ok(message.includes(path) && path.includes('n1') && message.includes('term and vote'), message)
      await assertNothingRuns()
      rmSync(log, { recursive: true })
      cpSync(join(elsewhere, 'kept'), log, { recursive: true })
    }),
  )

  it('starts as before when everything is in its place again, and nothing is lost', async () => {
    await using cluster = await Cluster.start({ directory })
    await using client = await cluster.client()
    assert.deepEqual(await client.query(kv.get('kept')), { key: 'kept', value: 1, version: 1 })
  })

  it('in use by another cluster of this process, which goes on undisturbed', () =>
    withDirectory(async (directory) => {
      await using cluster = await Cluster.start({ directory })
      await using client = await cluster.client()
      for (let attempt = 0; attempt < 2; attempt++) {
        const { message } = await failure('INVALID_DIRECTORY', start({ directory }))
        assert.match(message, new RegExp(`in use by another node in this process \\(pid ${process.pid}\\)`))
        await client.propose(kv.set('a', attempt))
      }
    }))

  it('in use by another process', () =>
    withDirectory(async (directory) => {
      const holder = fileURLToPath(fixture('holding-process.ts'))
      const stdio = ['pipe', 'pipe', 'inherit'] as const
      const child = spawn(process.execPath, [holder, directory], { stdio: [...stdio] })
      const exit = once(child, 'exit')
      try {
        await once(child.stdout, 'data')
        const { message } = await failure('INVALID_DIRECTORY', start({ directory }))
        assert.match(message, new RegExp(`in use by process ${child.pid}`))
      } finally {
        child.stdin.end()
      }
      assert.deepEqual(await exit, [0, null])
      await (await Cluster.start({ directory })).stop()
    }))

  it('of which a first start was cut off is taken up again', () =>
    withDirectory(async (directory) => {
      await (await Cluster.start({ directory })).stop()
      const manifest = JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as object
      writeFileSync(join(directory, 'cluster.json'), JSON.stringify({ ...manifest, complete: false }))
      rmSync(join(directory, 'n3'), { recursive: true })
      mkdirSync(join(directory, 'n3'))
      await (await Cluster.start({ directory })).stop()
    }))
})

describe('a state machine module', () => {
  const sources: [what: string, text: string | undefined, reason: RegExp][] = [
    ['does not exist', undefined, /does not load: Cannot find module/],
    ['has a syntax error', 'export const machine = {', /does not load/],
    ['throws while it loads', "throw new Error('no licence')", /does not load: no licence/],
    ['imports what is not there', "import 'nowhere-to-be-found'", /does not load: Cannot find package/],
    ['exports nothing', 'const machine = 1', /no export named `machine`/],
    ['exports something else', 'export const machine = () => {}', /no export named `machine`/],
    ['has no name', 'export const machine = { create() {} }', /`machine.name` must be/],
    ['has no create', "export const machine = { name: 'x' }", /`machine.create` must be/],
    ['creates nothing', "export const machine = { name: 'x', create() {} }", /must return an object/],
    [
      'creates a machine without methods',
      "export const machine = { name: 'x', create: () => ({ apply() {} }) }",
      /no method query\(\)/,
    ],
    [
      'throws in create',
      "export const machine = { name: 'x', create() { throw new Error('no memory') } }",
      /create\(\) threw no memory/,
    ],
  ]
  for (const [what, text, reason] of sources) {
    it(
      `that ${what}`,
      leavingNothing(() =>
        withDirectory(async (path) => {
          const file = join(path, 'machine.mjs')
          if (text !== undefined) writeFileSync(file, text)
          const data = await failure('INVALID_MACHINE', start({ machine: file, nodes: 2 }))
          assert.match(data.message, reason)
          assert.match(data.reason, reason)
          await assertNothingRuns()
        }),
      ),
    )
  }

  it('that did not load does not bind the directory to its URL', () =>
    withDirectory(async (directory) => {
      const machine = join(directory, 'with-a-slip.ts')
      await failure('INVALID_MACHINE', start({ machine, directory }))
      const cluster = await Cluster.start({ directory })
      await cluster.stop()
      await refusedOption(start({ directory, machine: 'log' }), 'machine', '"log"', /kv/)
    }))

  it(
    'that never finishes loading is given up after startTimeoutMs',
    leavingNothing(() =>
      withDirectory(async (path) => {
        const machine = join(path, 'machine.mjs')
        writeFileSync(machine, 'await new Promise(() => setInterval(() => {}, 1000))')
        const { message } = await failure(
          'NODE_UNAVAILABLE',
          start({ machine, nodes: 1, startTimeoutMs: 1000 }),
        )
        assert.match(message, /did not start within 1000 ms/)
        await assertNothingRuns()
      }),
    ),
  )
})

describe('a machine that breaks its contract', () => {
  for (const how of ['command', 'query'] as const) {
    for (const what of ['symbol', 'cycle']) {
      it(`by a ${what} as the result of a ${how} spoils that one only`, async () => {
        const restart = { initialDelayMs: 1, maxDelayMs: 10, maxRestarts: 2 }
        const machine = fixture('odd-results-machine.ts')
        await using cluster = await Cluster.start({ nodes: 1, machine, restart })
        await using client = await cluster.client({ timeoutMs: 60_000 })
        await failure('REJECTED', how === 'command' ? client.propose(what) : client.query(what))
        await client.propose('fine')
      })
    }
  }

  it('by throwing spoils that command or query only', async () => {
    await using cluster = await Cluster.start({ machine: fixture('odd-results-machine.ts') })
    await using client = await cluster.client()
    const refused = failure('REJECTED', client.propose('throw'))
    const fine = client.propose('fine')
    // The words of an engine's error differ from one version of Node to the next: only its name is told.
    assert.equal((await refused).reason, 'the machine threw TypeError')
    assert.equal(await fine, 2)
    await failure('REJECTED', client.query('throw'))
    assert.equal(await client.query('count'), 2)
  })
})

describe('an old Node', () => {
  it('is told in one line what is needed', (t: TestContext) => {
    const candidates = ['/usr/bin/node', '/usr/local/bin/node', '/bin/node']
    const old = candidates.find((path) => {
      const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
      return /^v(?:1\d|20|21)\./.test(stdout ?? '')
    })
    if (old === undefined) return t.skip('there is no Node older than 22 here')
    const bin = fileURLToPath(new URL('../packages/cli/bin/troupe.js', import.meta.url))
    const env = { ...process.env, NODE_OPTIONS: '' }
    const args = [bin, 'bench', 'throughput']
    const { status, stdout, stderr } = spawnSync(old, args, { encoding: 'utf8', env, timeout: 60_000 })
    assert.equal(status, 64)
    assert.equal(stdout, '')
    assert.match(stderr, /^troupe needs Node\.js 22\.\d+ or newer; this is v\d+\.\d+\.\d+ \(.*\)\n$/)
  })
})
