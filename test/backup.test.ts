/** Backups, restored clusters and the worst day, on real directories. */
import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  backupCluster,
  type Client,
  Cluster,
  type ClusterOptions,
  planRecovery,
  recoverCluster,
  restoreCluster,
} from '@troupe/cluster'
import { type KvEntry, kv, log } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  Ledger,
  leaderOf,
  until,
  withDirectory,
} from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

after(assertNothingRuns)

const KEYS = Array.from({ length: 40 }, (_, index) => `k${index}`)

async function write(client: Client, value: string): Promise<void> {
  await Promise.all(KEYS.map((key) => client.propose(kv.set(key, value))))
}

/** All that is in the table. */
async function contentOf(cluster: Cluster): Promise<readonly unknown[]> {
  const client = await cluster.client()
  try {
    return await Promise.all(KEYS.map((key) => client.query<KvEntry | undefined>(kv.get(key))))
  } finally {
    await client.close()
  }
}

async function withCluster<T>(
  options: ClusterOptions,
  use: (cluster: Cluster, client: Client) => Promise<T>,
): Promise<T> {
  await using cluster = await Cluster.start(options)
  const client = await cluster.client()
  try {
    return await use(cluster, client)
  } finally {
    await client.close()
  }
}

/** A cluster that has a snapshot, and entries behind it; stopped. Made once and copied. */
const template = mkdtempSync(join(tmpdir(), 'test-troupe-'))
after(() => rmSync(template, { recursive: true, force: true, maxRetries: 3 }))
let templateContent: Promise<readonly unknown[]> | undefined

/** A copy of it. Returns what it holds. */
async function copiedCluster(directory: string): Promise<readonly unknown[]> {
  templateContent ??= stoppedCluster(template)
  const content = await templateContent
  cpSync(template, directory, { recursive: true })
  return content
}

/** Makes a cluster that has a snapshot, and entries behind it; stopped. Returns what it holds. */
function stoppedCluster(directory: string, options: ClusterOptions = {}): Promise<readonly unknown[]> {
  return withCluster({ ...options, directory }, async (cluster, client) => {
    await write(client, 'before')
    for (const id of cluster.ids) await cluster.takeSnapshot(id)
    await write(client, 'behind')
    await cluster.converged()
    return contentOf(cluster)
  })
}

/** Every file below a directory, with what is in it. */
function filesIn(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = names.map((entry) => join(entry.parentPath, entry.name)).sort()
  return new Map(files.map((file) => [file, readFileSync(file, 'base64')]))
}

const command = new TroupeCommand()
after(() => command.remove())
const troupe = (...args: readonly string[]) => command.runHere(...args)

describe('a backup', () => {
  it('of a running cluster holds all that was acknowledged, and comes back as a cluster that works', () =>
    withDirectory(async (path) => {
      const [directory, file, restored] = ['from', 'file', 'to'].map((name) => join(path, name)) as [
        string,
        string,
        string,
      ]
      const content = await withCluster({ directory }, async (cluster, client) => {
        await write(client, 'kept')
        const before = await contentOf(cluster)
        const report = await backupCluster(cluster, file)
        assert.equal(report.index + report.entriesBehind, report.lastIndex)
        assert.equal(report.machine, 'kv')
        await write(client, 'too late')
        return before
      })
      const report = await restoreCluster(file, restored)
      assert.deepEqual(report.members, ['n1', 'n2', 'n3'])
      assert.notEqual(report.clusterId, report.backup.clusterId)
      assert.deepEqual(readdirSync(path).sort(), ['file', 'from', 'to'])

      const changed = await withCluster({ directory: restored }, async (cluster, client) => {
        assert.deepEqual(await contentOf(cluster), content)
        const [node] = (await cluster.status()).nodes
        assert.ok(node?.running && node.metrics.sessions > 0, 'the sessions are part of the state')
        await client.propose(kv.set('k0', 'new'))
        await cluster.members.add('n4')
        const leader = await leaderOf(cluster)
        await cluster.crash(leader)
        await client.propose(kv.set('k1', 'newer'))
        await cluster.restart(leader)
        await assertEqualReplicas(cluster)
        return contentOf(cluster)
      })
      await withCluster({ directory: restored }, async (cluster) => {
        assert.equal(cluster.ids.length, 4)
        assert.deepEqual(await contentOf(cluster), changed)
        await assertEqualReplicas(cluster)
      })
    }))

  it('can be made beside running nodes that write, snapshot and compact', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'from')
      const raft = { snapshotEntries: 20, keepEntries: 5 }
      await withCluster({ directory, raft }, async (cluster, client) => {
        const ledger = new Ledger(client)
        ledger.start(16)
        await until('something is applied', () => ledger.acknowledged > 0)
        await cluster.takeSnapshot(await leaderOf(cluster))
        let index = 0
        for (let round = 0; round < 5; round++) {
          const report = await backupCluster(directory, join(path, 'file'), { force: true })
          assert.ok(report.index >= index)
          index = report.index
        }
        await ledger.stop()
        await ledger.verify()
      })
      await restoreCluster(join(path, 'file'), join(path, 'to'), { nodes: 1 })
      await withCluster({ directory: join(path, 'to') }, async (_, client) => {
        await client.propose(kv.set('k0', 'it works'))
      })
    }))

  it('of a stopped cluster says how far the snapshot is behind, and holds no more', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'from')
      const file = join(path, 'file')
      const records = (client: Client) => client.query(log.read(0, 100))
      const before = await withCluster({ directory, machine: 'log', nodes: 1 }, async (cluster, client) => {
        for (let number = 0; number < 10; number++) await client.propose(log.append({ number }))
        const found = await records(client)
        await cluster.takeSnapshot('n1')
        for (let number = 10; number < 13; number++) await client.propose(log.append({ number }))
        return found
      })
      const made = await command.run('backup', directory, file)
      assert.equal(made.code, 0, made.stderr)
      assert.match(made.stdout, /behind {3}3 entries: it stands at \d+ of \d+ /)
      assert.match(made.stderr, /NOT in the backup: entries \d+ to \d+/)
      const again = await troupe('backup', '--force', join(directory, 'n1'), file)
      assert.equal(again.code, 0, again.stderr)
      const restored = await troupe('restore', file, join(path, 'to'), '--nodes', '2')
      assert.equal(restored.code, 0, restored.stderr)
      await withCluster({ directory: join(path, 'to'), machine: 'log' }, async (cluster, client) => {
        assert.deepEqual(cluster.ids, ['n1', 'n2'])
        assert.deepEqual(await records(client), before)
      })
    }))

  it('passes over a damaged snapshot, and refuses to replace a file', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'from')
      await copiedCluster(directory)
      const snapshotsOf = (id: string): string[] => {
        const folder = join(directory, id, 'snapshots', '0')
        return readdirSync(folder).map((name) => join(folder, name))
      }
      const { node: first } = await backupCluster(directory, join(path, 'first'))
      const [latest] = snapshotsOf(first).sort().reverse() as [string]
      flip(latest, statSync(latest).size >> 1)
      const { skipped, node } = await backupCluster(directory, join(path, 'second'))
      assert.deepEqual(
        skipped.map((found) => found.path),
        [latest],
      )
      assert.notEqual(node, first)
      const { message } = await failure('INVALID_OPTIONS', backupCluster(directory, join(path, 'second')))
      assert.match(message, /file is ".*"; expected a file that does not exist yet/)
      for (const file of ['n1', 'n2', 'n3'].flatMap(snapshotsOf)) if (file !== latest) flip(file, 100)
      await failure('STORAGE_DAMAGED', backupCluster(directory, join(path, 'third')))
      assert.deepEqual(readdirSync(path).sort(), ['first', 'from', 'second'])
    }))

  it('needs a snapshot, and a cluster', () =>
    withDirectory(async (path) => {
      await withCluster({ directory: join(path, 'from') }, async () => {})
      const none = await failure('INVALID_DIRECTORY', backupCluster(join(path, 'from'), join(path, 'file')))
      assert.match(none.reason, /no node has a complete snapshot yet/)
      const nothing = await failure('INVALID_DIRECTORY', backupCluster(path, join(path, 'file')))
      assert.match(nothing.reason, /neither a cluster \(cluster.json\) nor a node/)
      await withCluster({ durability: 'memory' }, async (cluster) => {
        await failure('INVALID_OPTIONS', backupCluster(cluster, join(path, 'file')))
      })
    }))
})

function flip(file: string, position: number): void {
  const bytes = readFileSync(file)
  bytes[position] = (bytes[position] as number) ^ 1
  writeFileSync(file, bytes)
}

describe('a restore', () => {
  it('leaves nothing where the backup is damaged, or the place is taken', () =>
    withDirectory(async (path) => {
      const [directory, file, to] = ['from', 'file', 'to'].map((name) => join(path, name)) as [
        string,
        string,
        string,
      ]
      await copiedCluster(directory)
      await backupCluster(directory, file)
      const { size } = statSync(file)
      for (const position of [0, 9, 20, 100, size >> 1, size - 1]) {
        flip(file, position)
        await failure('STORAGE_DAMAGED', restoreCluster(file, to))
        flip(file, position)
      }
      cpSync(file, `${file}.cut`)
      writeFileSync(`${file}.cut`, readFileSync(file).subarray(0, size - 10))
      const { code, stderr } = await troupe('restore', `${file}.cut`, to)
      assert.equal(code, 1)
      assert.match(stderr, /^troupe: the store at .* is damaged: it ends at byte \d+\n$/)
      assert.ok(!existsSync(to))

      const before = filesIn(directory)
      const { reason } = await failure('INVALID_DIRECTORY', restoreCluster(file, directory))
      assert.match(reason, /it is not empty/)
      assert.deepEqual(filesIn(directory), before)
      await failure('INVALID_DIRECTORY', restoreCluster(file, file))
      assert.deepEqual(readdirSync(path).sort(), ['file', 'file.cut', 'from'])
    }))
})

describe('a cluster whose state is on the disk', () => {
  const onDisk = { machine: 'kv', machineOptions: { storage: 'disk' } } as const

  it('comes back from its backup', () =>
    withDirectory(async (path) => {
      const [directory, file, to] = ['from', 'file', 'to'].map((name) => join(path, name)) as [
        string,
        string,
        string,
      ]
      await stoppedCluster(directory, onDisk)
      // Its snapshots alone are in the backup: what was written behind the last one is not.
      const { entriesBehind } = await backupCluster(directory, file)
      assert.ok(entriesBehind > 0)
      await restoreCluster(file, to)
      await withCluster({ ...onDisk, directory: to }, async (cluster, client) => {
        const [{ value }] = (await contentOf(cluster)) as [KvEntry]
        assert.equal(value, 'before')
        await write(client, 'after')
        await assertEqualReplicas(cluster)
      })
    }))

  it('goes on after the loss of a quorum with all that its survivor has', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'cluster')
      const content = await stoppedCluster(directory, onDisk)
      for (const id of ['n2', 'n3']) rmSync(join(directory, id), { recursive: true })
      await recoverCluster(directory, { survivors: ['n1'] })
      await withCluster({ ...onDisk, directory }, async (cluster, client) => {
        assert.deepEqual(await contentOf(cluster), content)
        await cluster.members.add('n2')
        await write(client, 'after')
        await assertEqualReplicas(cluster)
      })
    }))
})

describe('the loss of a quorum', () => {
  it('leaves what one node has: a new cluster goes on with it, and the lost ones stay outside', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'cluster')
      const content = await copiedCluster(directory)
      const lost = ['n2', 'n3']
      for (const id of lost) renameSync(join(directory, id), join(path, id))
      const old = JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8'))
      await failure('INVALID_DIRECTORY', Cluster.start({ directory }))

      const before = filesIn(directory)
      const asked = await troupe('force-recover', directory, '--survivors', 'n1')
      assert.equal(asked.code, 64)
      assert.match(asked.stdout, /lost voters: n2, n3/)
      assert.match(
        asked.stdout,
        /n1 {2}up to entry \d+ of term \d+, a snapshot at \d+, the most up-to-date: CHOSEN/,
      )
      assert.match(asked.stderr, /nothing was changed; --yes-i-may-lose-data does it/)
      assert.equal((await troupe('force-recover', directory, '--survivors', 'n1', '--dry-run')).code, 0)
      assert.deepEqual(filesIn(directory), before, 'a look changes nothing')

      const done = await command.run('force-recover', directory, '--survivors', 'n1', '--yes-i-may-lose-data')
      assert.equal(done.code, 0, done.stderr)
      assert.deepEqual(readdirSync(directory).sort(), [
        'cluster.json',
        'cluster.json.old-1',
        'n1',
        'n1.old-1',
      ])
      await withCluster({ directory }, async (cluster, client) => {
        assert.deepEqual(cluster.ids, ['n1'])
        assert.deepEqual(await contentOf(cluster), content)
        await client.propose(kv.set('k0', 'after'))
        for (const id of lost) await cluster.members.add(id)
        await assertEqualReplicas(cluster)
      })

      renameSync(join(directory, 'n3'), join(directory, 'n3.new'))
      renameSync(join(path, 'n3'), join(directory, 'n3'))
      const { reason } = await failure('INVALID_DIRECTORY', Cluster.start({ directory }))
      assert.match(reason, new RegExp(`it belongs to cluster "${old.clusterId}"`))
      rmSync(join(directory, 'n3'), { recursive: true })
      renameSync(join(directory, 'n3.new'), join(directory, 'n3'))
      await withCluster({ directory }, async (cluster, client) => {
        assert.equal(cluster.ids.length, 3)
        assert.equal((await client.query<KvEntry>(kv.get('k0'))).value, 'after')
        await assertEqualReplicas(cluster)
      })
    }))

  it('with several survivors goes on from the most up-to-date, on all members that are asked for', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'cluster')
      // The log itself says who the members are: more of them than are left.
      const content = await withCluster({ directory }, async (cluster, client) => {
        await write(client, 'before')
        for (const id of ['n4', 'n5']) await cluster.members.add(id)
        await cluster.converged()
        await cluster.crash('n2')
        await write(client, 'without n2')
        await cluster.converged()
        return contentOf(cluster)
      })
      for (const id of ['n3', 'n4', 'n5']) rmSync(join(directory, id), { recursive: true })
      const options = { survivors: ['n2', 'n1'], nodes: ['n1', 'n2', 'n3'] }
      const plan = await planRecovery(directory, options)
      assert.equal(plan.chosen, 'n1')
      assert.equal(plan.isQuorum, false)
      assert.deepEqual([...plan.lost].sort(), ['n3', 'n4', 'n5'])
      assert.deepEqual(
        plan.survivors.map(({ snapshotIndex }) => snapshotIndex),
        [0, 0],
      )
      await recoverCluster(directory, options)
      await withCluster({ directory, nodes: 3 }, async (cluster) => {
        assert.deepEqual(await contentOf(cluster), content)
        await assertEqualReplicas(cluster)
      })
      assert.ok(existsSync(join(directory, 'n2.old-1', 'identity.json')))
    }))

  it('is for stopped nodes, which are whole, of that cluster', () =>
    withDirectory(async (path) => {
      const directory = join(path, 'cluster')
      await withCluster({ directory }, async (_, client) => {
        await write(client, 'here')
        const before = readdirSync(directory)
        for (const what of [planRecovery, recoverCluster]) {
          const { reason } = await failure('INVALID_DIRECTORY', what(directory, { survivors: ['n1'] }))
          assert.match(reason, /it is in use/)
        }
        assert.deepEqual(readdirSync(directory), before)
      })
      assert.equal((await planRecovery(directory, { survivors: ['n1', 'n2'] })).isQuorum, true)
      await failure('INVALID_DIRECTORY', recoverCluster(directory, { survivors: ['n9'] }))
      await failure('INVALID_OPTIONS', recoverCluster(directory, { survivors: [] }))
      await failure('INVALID_OPTIONS', recoverCluster(directory, { survivors: ['n1'], damaged: ['n2'] }))
    }))
})
