import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { EMPTY_CONFIGURATION, RaftError, simpleConfiguration } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { createNodeDirectory, openNodeDirectory } from '../index.ts'

const configuration = simpleConfiguration([{ id: 'a', incarnation: 17 }], [{ id: 'b', incarnation: 18 }])
const identity = { clusterId: 'c', nodeId: 'a', incarnation: 17, configuration }
const expected = { clusterId: 'c', nodeId: 'a', incarnation: 17 }

const refusal = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'INVALID_DIRECTORY') && reason.test(error.data.reason) && error.data.path !== ''

const inNodeDirectory = (run: (path: string) => Promise<void> | void) => (): Promise<void> =>
  withTemporaryDirectory((parent) => {
    const path = join(parent, 'node')
    createNodeDirectory(path, identity)
    return run(path)
  })

test(
  'a created directory opens with its identity',
  inNodeDirectory((path) => {
    const directory = openNodeDirectory(path, { ...expected, group: 0 })
    assert.equal(directory.path, path)
    assert.equal(directory.logPath, join(path, 'log'))
    assert.equal(directory.snapshotPath, join(path, 'snapshots'))
    const { created, ...rest } = directory.identity
    assert.deepEqual(rest, { ...identity, group: 0 })
    assert.equal(new Date(created).toISOString(), created)
    directory.close()
    directory.close()
    openNodeDirectory(path, { clusterId: 'c', nodeId: 'a' }).close()
  }),
)

test(
  'a directory that holds a node is not created again',
  inNodeDirectory((path) => {
    assert.throws(() => createNodeDirectory(path, identity), refusal(/already holds a node/))
  }),
)

for (const name of ['log', 'snapshots']) {
  test(`a directory with ${name} and no identity is not taken over`, () =>
    withTemporaryDirectory((path) => {
      mkdirSync(join(path, name))
      assert.throws(
        () => createNodeDirectory(path, identity),
        refusal(new RegExp(`holds a node \\(${name}\\)`)),
      )
    }))
}

test('a node that joins has a directory without a configuration', () =>
  withTemporaryDirectory((parent) => {
    const path = join(parent, 'node')
    const { configuration: _, ...joining } = identity
    assert.deepEqual(createNodeDirectory(path, joining).configuration, EMPTY_CONFIGURATION)
    const directory = openNodeDirectory(path, expected)
    assert.deepEqual(directory.identity.configuration, EMPTY_CONFIGURATION)
    directory.close()
    const file = join(path, 'identity.json')
    const { configuration: __, ...found } = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify(found))
    const again = openNodeDirectory(path, expected)
    assert.deepEqual(again.identity.configuration, EMPTY_CONFIGURATION)
    again.close()
  }))

for (const [what, other, reason] of [
  ['cluster', { clusterId: 'd' }, /belongs to cluster "c", expected "d"/],
  ['node', { nodeId: 'b' }, /belongs to node "a", expected "b"/],
  ['group', { group: 4 }, /belongs to group 0, expected 4/],
  ['incarnation', { incarnation: 18 }, /belongs to incarnation 17, expected 18/],
] as const) {
  test(
    `another ${what} is refused`,
    inNodeDirectory((path) => {
      assert.throws(() => openNodeDirectory(path, { ...expected, ...other }), refusal(reason))
      openNodeDirectory(path, expected).close()
    }),
  )
}

for (const [what, text, reason] of [
  ['unreadable JSON', '{"format": 1,', /identity.json is not readable/],
  ['JSON that is no object', '17', /identity.json is not readable/],
  ['no format', '{}', /names no format/],
  ['a newer format', '{"format": 4}', /format 4, this version reads 3: upgrade/],
  ['an older format', '{"format": 2}', /format 2, this version reads 3: it was made by an older/],
  ['a missing field', '{"format": 3, "clusterId": "c"}', /identity.json is damaged: nodeId/],
  [
    'a configuration that is none',
    JSON.stringify({ format: 3, ...identity, configuration: { voters: [null] } }),
    /identity.json is damaged: configuration/,
  ],
] as const) {
  test(
    `an identity with ${what} is refused`,
    inNodeDirectory((path) => {
      writeFileSync(join(path, 'identity.json'), text)
      assert.throws(() => openNodeDirectory(path, expected), refusal(reason))
    }),
  )
}

test('what is no node directory is refused', () =>
  withTemporaryDirectory((path) => {
    writeFileSync(join(path, 'file'), '')
    assert.throws(() => openNodeDirectory(join(path, 'none'), expected), refusal(/does not exist/))
    assert.throws(() => openNodeDirectory(join(path, 'file'), expected), refusal(/not a directory/))
    assert.throws(() => openNodeDirectory(path, expected), refusal(/has no identity.json/))
    assert.throws(() => createNodeDirectory(join(path, 'file', 'x'), identity), refusal(/cannot be created/))
  }))

test('a directory that cannot be written is refused', (t) => {
  if (process.getuid?.() === 0) return t.skip('root may write everywhere')
  return inNodeDirectory((path) => {
    chmodSync(path, 0o500)
    assert.throws(() => openNodeDirectory(path, expected), refusal(/not writable/))
    chmodSync(path, 0o700)
  })()
})

test(
  'a directory whose log was made once and is gone is refused',
  inNodeDirectory((path) => {
    const directory = openNodeDirectory(path, expected)
    mkdirSync(join(directory.logPath, '0'), { recursive: true })
    directory.logMade()
    directory.close()
    openNodeDirectory(path, expected).close()
    rmSync(directory.logPath, { recursive: true })
    assert.throws(() => openNodeDirectory(path, expected), refusal(/its log is gone/))
    mkdirSync(join(directory.logPath, '0'), { recursive: true })
    openNodeDirectory(path, expected).close()
  }),
)

test('an identity that makes no sense is not written', () =>
  withTemporaryDirectory((path) => {
    const half = { voters: configuration.voters } as typeof configuration
    const wrongs = [
      { clusterId: '' },
      { nodeId: '' },
      { incarnation: -1 },
      { group: 0.5 },
      { configuration: half },
    ]
    for (const wrong of wrongs) {
      assert.throws(
        () => createNodeDirectory(path, { ...identity, ...wrong }),
        (error) => RaftError.is(error, 'INVALID_OPTIONS'),
      )
    }
  }))

test(
  'a second opener in the same thread is refused',
  inNodeDirectory((path) => {
    const directory = openNodeDirectory(path, expected)
    const reason = new RegExp(`in use by another node in this process \\(pid ${process.pid}\\)`)
    assert.throws(() => openNodeDirectory(path, expected), refusal(reason))
    directory.close()
    openNodeDirectory(path, expected).close()
  }),
)

const holder = new URL('../../test/lock-holder.ts', import.meta.url)

for (const how of ['exit', 'throw', 'close', 'terminate']) {
  test(
    `a worker thread holds the lock until its exit by ${how}`,
    inNodeDirectory(async (path) => {
      const worker = new Worker(holder, { workerData: path })
      worker.on('error', () => {})
      assert.deepEqual(await once(worker, 'message'), ['open'])
      assert.throws(
        () => openNodeDirectory(path, expected),
        refusal(/in use by another node in this process/),
      )
      const exit = new Promise((resolve) => worker.once('exit', resolve))
      if (how === 'terminate') await worker.terminate()
      else worker.postMessage(how)
      await exit
      openNodeDirectory(path, expected).close()
    }),
  )
}

test(
  'another process holds the lock until it is killed',
  inNodeDirectory(async (path) => {
    const child = spawn(process.execPath, [fileURLToPath(holder), path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    try {
      const [text] = await once(child.stdout, 'data')
      assert.equal(String(text), 'open\n')
      assert.throws(
        () => openNodeDirectory(path, expected),
        refusal(new RegExp(`in use by process ${child.pid}$`)),
      )
    } finally {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    }
    openNodeDirectory(path, expected).close()
    assert.equal(readFileSync(join(path, 'lock.pid'), 'utf8'), `${process.pid}\n`)
  }),
)
