/** `troupe log` as a user runs it: on real directories that a cluster has made, sound ones and broken ones. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { describeFileSystem } from '@troupe/store'
import { isFull } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
const directory = join(command.scratch, 'cluster')
const NEEDLE = 'a needle in a haystack'
/** Of n1 while the cluster ran, by another process. */
let running: { readonly code: number | null; readonly stdout: string }

const run = (...args: readonly string[]) => command.runHere('log', ...args)
const runAsChild = (...args: readonly string[]) => command.run('log', ...args)

before(async () => {
  const cluster = await Cluster.start({ nodes: 3, machine: 'kv', directory, log: { segmentEntries: 10 } })
  const client = await cluster.client()
  for (let i = 0; i < 30; i++) await client.propose(kv.set(`k${i}`, i === 25 ? NEEDLE : i))
  await cluster.members.add('n4')
  await cluster.converged({ timeoutMs: 20_000 })
  running = await runAsChild('inspect', join(directory, 'n1'), '--entries', '3')
  await client.close()
  await cluster.stop()
})

after(() => command.remove())

describe('troupe log inspect', () => {
  test('a running node: who has it open, and what was there a moment ago', () => {
    const { code, stdout } = running
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^open +by process ${process.pid}: this may be a moment old$`, 'm'))
    assert.match(stdout, /^members +voters n1 n2 n3 n4, from entry \d+$/m)
    assert.match(stdout, /^ +\d+ +\d+ +commands +1 +\d+ +[\d,.]+ +[\da-f]{8} +(ok|behind)/m)
  })

  test('all nodes of a cluster, with a heading each', async () => {
    const { code, stdout, stderr } = await run('inspect', directory)
    assert.deepEqual([code, stderr], [0, ''])
    for (const id of ['n1', 'n2', 'n3', 'n4']) {
      assert.match(
        stdout,
        new RegExp(`^${id} {2}.*/${id}/log/0\\ncluster +\\S+\\nnode +${id}, incarnation \\d+$`, 'm'),
      )
    }
    assert.equal(stdout.match(/^open +no$/gm)?.length, 4)
    assert.match(stdout, /^hard state +term \d+, .* in segment \d+/m)
    assert.match(stdout, /^ +\d+ +\d+ +\d+ +\d+ +[\d.]+ KiB +[\d.]+ KiB {2}sealed$/m)
    assert.match(stdout, /^ +\d+ +\d+ +\d+ +\d+ +[\d.]+ \w+ +[\d.]+ KiB {2}active$/m)
    assert.doesNotMatch(stdout, /problem/)
  })

  test('a group of its log alone, and a range of entries, as JSON', async () => {
    const log = join(directory, 'n2', 'log', '0')
    const { code, stdout } = await run('inspect', log, '--from', '5', '--to', '12', '--json', '-')
    assert.equal(code, 0)
    const { logs } = JSON.parse(stdout)
    assert.equal(logs.length, 1)
    assert.equal(logs[0].identity.nodeId, 'n2')
    const { entries } = logs[0] as {
      entries: { index: number; checksum: number; before: { checksum: number } }[]
    }
    assert.deepEqual(
      entries.map(({ index }) => index),
      [5, 6, 7, 8, 9, 10, 11, 12],
    )
    for (const [at, entry] of entries.slice(1).entries()) {
      assert.equal(entry.before.checksum, entries[at]?.checksum)
    }
  })
})

const segmentsOf = (log: string): string[] =>
  readdirSync(log)
    .filter((name) => /^\d{12}$/.test(name))
    .sort()

/** Does `damage` to each page's bytes where the needle stands, stale pages included. */
function atNeedles(log: string, damage: (bytes: Buffer, at: number) => void): void {
  for (const segment of segmentsOf(log)) {
    const file = join(log, segment, 'data.mdb')
    const bytes = readFileSync(file)
    for (let at = bytes.indexOf(NEEDLE); at !== -1; at = bytes.indexOf(NEEDLE, at + 1)) damage(bytes, at)
    writeFileSync(file, bytes)
  }
}

const without = (path: string): void => rmSync(path, { recursive: true })

/** What can happen to a node's directory, and what must be said of it. */
const damages: Readonly<
  Record<string, readonly [(log: string, node: string) => void, ...(readonly RegExp[])]>
> = {
  'a bit has flipped in an entry': [
    (log) => atNeedles(log, (bytes, at) => bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)),
    /^segment \d+: entry \d+ does not fit its checksum$/,
    /^entry \d+ is damaged or missing$/,
  ],
  'a page is zeros': [
    (log) => atNeedles(log, (bytes, at) => bytes.fill(0, at - (at % 4096), at - (at % 4096) + 4096)),
    /^segment \d+: page \d+: /,
    /^entries \d+ to \d+ are damaged or missing$/,
  ],
  'its first segment is gone': [
    (log) => without(join(log, segmentsOf(log)[0] ?? '')),
    /^segment 1: it is missing$/,
    /^entries 1 to \d+ are damaged or missing$/,
  ],
  'its newest segments are gone': [
    (log) => {
      for (const name of segmentsOf(log).slice(-2)) without(join(log, name))
    },
    /^segment \d+: it is missing$/,
    /^entries \d+ to [\d,]+ are damaged or missing$/,
  ],
  'its witness is gone': [
    (log) => without(join(log, 'witness')),
    /^its witness is missing, or cannot be read$/,
  ],
  'its log is gone': [(_, node) => without(join(node, 'log')), /^its log is gone$/],
  'its identity is cut off': [
    (_, node) => writeFileSync(join(node, 'identity.json'), '{'),
    /identity\.json is not readable/,
  ],
  'its log is of another node': [
    (log) => {
      without(log)
      cpSync(join(directory, 'n2', 'log', '0'), log, { recursive: true })
    },
    /^it is the log of nodeId n2, not n1$/,
  ],
}

describe('troupe log verify', () => {
  test('a sound cluster', async () => {
    const path = join(command.scratch, 'verified.json')
    const { code, stdout, left } = await runAsChild('verify', directory, '--json', path)
    assert.equal(code, 0, stdout)
    assert.deepEqual(left, [])
    assert.match(stdout, /^n1 {2}.*: \d+ entries, [\d.]+ KiB in \d+ segments, [\d.]+ MB\/s/m)
    assert.match(stdout, /\nsound: 4 logs, \d+ entries, [\d.]+ KiB\n$/)
    const { verdict, logs } = JSON.parse(readFileSync(path, 'utf8'))
    assert.equal(verdict, 'sound')
    assert.equal(logs.length, 4)
  })

  test('copies of a node that something has happened to', async (t) => {
    const broken = join(command.scratch, 'broken')
    for (const [name, [damage]] of Object.entries(damages)) {
      const node = join(broken, name)
      cpSync(join(directory, 'n1'), node, { recursive: true })
      damage(join(node, 'log', '0'), node)
    }
    const { code, stdout } = await run('verify', broken, '--json', '-')
    assert.equal(code, 1)
    const { verdict, logs } = JSON.parse(stdout) as {
      verdict: string
      logs: { path: string; problems: string[] }[]
    }
    assert.equal(verdict, 'damaged')
    for (const [name, [, ...expected]] of Object.entries(damages)) {
      await t.test(name, () => {
        const { problems } = logs.find(({ path }) => path.includes(`/${name}/`)) ?? { problems: [] }
        for (const line of expected)
          assert.ok(
            problems.some((problem) => line.test(problem)),
            problems.join('\n'),
          )
      })
    }
  })

  test('says so in lines, the verdict last', async () => {
    const { code, stdout } = await run(
      'verify',
      join(command.scratch, 'broken', 'a bit has flipped in an entry'),
    )
    assert.equal(code, 1)
    const problems =
      /^ {2}problem {2}segment \d+: entry (\d+) does .*\n {2}problem {2}entry \1 is damaged or missing$/m
    assert.match(stdout, problems)
    assert.match(stdout, /\ndamaged: 2 problems in 1 of 1 log\n$/)
  })

  test('a directory that is no log', async () => {
    const { code, stdout, stderr } = await run('verify', command.scratch)
    assert.deepEqual([code, stdout], [64, ''])
    assert.match(
      stderr,
      /^troupe: DIR is ".*"; expected a node's directory \(with identity\.json or log\/\), .*\n$/,
    )
  })
})

describe('snapshots beside a log', () => {
  const compacted = join(command.scratch, 'compacted')
  before(async () => {
    const raft = { snapshotEntries: 10, keepEntries: 2 }
    const cluster = await Cluster.start({ nodes: 1, machine: 'kv', directory: compacted, raft })
    const client = await cluster.client()
    for (let i = 0; i < 30; i++) await client.propose(kv.set(`k${i}`, NEEDLE))
    await client.close()
    await cluster.stop()
  })

  test('are listed, and tell the members', async () => {
    const { code, stdout } = await run('inspect', compacted)
    assert.equal(code, 0)
    assert.match(stdout, /^members +voters n1, from the snapshot at entry \d+$/m)
    assert.match(stdout, /^base +entry \d+, term 1$/m)
    assert.match(stdout, /^ +\d+ +1 +[\d.]+ \w+ +[\d.]+ \w+ {2}complete$/m)
  })

  test('are read to their end', async () => {
    const sound = await run('verify', compacted)
    assert.equal(sound.code, 0, sound.stdout)
    assert.match(sound.stdout, /; [12] snapshots?$/m)
    const damaged = join(command.scratch, 'damaged-snapshot')
    cpSync(compacted, damaged, { recursive: true })
    const group = join(damaged, 'n1', 'snapshots', '0')
    const name =
      readdirSync(group)
        .filter((each) => each.endsWith('.snapshot'))
        .sort()
        .at(-1) ?? ''
    const bytes = readFileSync(join(group, name))
    const at = bytes.indexOf(NEEDLE)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(join(group, name), bytes)
    const { code, stdout } = await run('verify', damaged)
    assert.equal(code, 1)
    assert.ok(stdout.includes(`problem  snapshot ${name}: the chunk at byte 0`), stdout)
    rmSync(group, { recursive: true })
    const without = await run('verify', damaged)
    assert.equal(without.code, 1)
    assert.match(
      without.stdout,
      /problem {2}the log begins behind entry \d+, and no snapshot reaches that far$/m,
    )
  })
})

describe('troupe log prove', () => {
  const kills = isFull ? 200 : 6

  for (const durability of isFull ? ['flush-before-ack', 'acked-before-flush'] : ['flush-before-ack']) {
    test(`${kills} kills, ${durability}`, async (t) => {
      const path = join(command.scratch, `${durability}.json`)
      const args = ['--kills', String(kills), '--durability', durability, '--json', path]
      const { code, stdout, stderr, left } = await runAsChild('prove', ...args)
      const { type, durable } = describeFileSystem(command.scratch)
      assert.equal(code, durable ? 0 : 2, stdout + stderr)
      assert.deepEqual(left, [])
      const { verdict, counts, order } = JSON.parse(readFileSync(path, 'utf8'))
      t.diagnostic(stdout.trimEnd().split('\n').at(-1) ?? '')
      if (!durable) return
      assert.equal(verdict, 'pass')
      assert.equal(counts.kills, kills)
      assert.ok(counts.acknowledged > 0 && counts.entries > 0)
      assert.match(order.text, /^traced: write, |was not traced: /)
      const sum = `${kills} kills, [\\d,]+ acknowledged, 0 missing, 0 half-written`
      assert.match(stdout, new RegExp(`\\ndurable: ${sum}, ${durability} on ${type}\\n$`))
    })
  }

  test('proves nothing where a flush means nothing', async (t) => {
    if (!existsSync('/dev/shm') || describeFileSystem('/dev/shm').durable) return t.skip('no tmpfs here')
    const { code, stdout } = await run('prove', '--kills', '1', '--dir', '/dev/shm')
    assert.equal(code, 2, stdout)
    assert.match(stdout, /\nunknown: on tmpfs a flush means nothing; 1 kills, /)
  })

  test('Ctrl-C ends it: the writer is killed, and nothing is left', async () => {
    const { code, left } = await command.interrupt(/traced/, 'log', 'prove', '--kills', '100000')
    assert.equal(code, 130)
    assert.deepEqual(left, [])
  })
})
