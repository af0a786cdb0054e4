/** Damaged disks of a real cluster: it starts, and the damaged node gets from its peers what it has lost. */
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
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Cluster, type ClusterOptions, type NodeStatus } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { readLmdbFile, scanLog } from '@troupe/store'
import { assertEqualReplicas, assertNothingRuns, leaderOf, patient, until, withDirectory } from './support.ts'

after(assertNothingRuns)

const PAGE_BYTES = 4096
const options: ClusterOptions = {
  log: { segmentEntries: 30 },
  raft: { snapshotEntries: 0 },
}
const nodeLog = (directory: string, id: string): string => join(directory, id, 'log/0')

/** Writes `count` values, each an entry of its own, and stops in order. */
async function write(directory: string, count: number, from = 0): Promise<void> {
  await using cluster = await Cluster.start({ directory, ...options })
  await using client = await cluster.client()
  for (let index = from; index < from + count; index++) {
    await client.propose(kv.set(`k${index}`, `${index}`.padEnd(index % 7 === 0 ? 9000 : 60, '.')))
  }
  await cluster.converged()
}

/** A stopped cluster with 100 values, made once and copied. */
const template = mkdtempSync(join(tmpdir(), 'test-troupe-'))
after(() => rmSync(template, { recursive: true }))

async function filled(directory: string): Promise<void> {
  if (readdirSync(template).length === 0) await write(template, 100)
  cpSync(template, directory, { recursive: true })
}

async function statusOf(cluster: Cluster, id: string): Promise<NodeStatus | undefined> {
  const { nodes } = await cluster.status()
  const status = nodes.find((node) => node.id === id)
  return status?.running ? status : undefined
}

/** Starts what is damaged, waits until it is whole, and checks that nothing is missing and that it is of use again. */
async function heals(directory: string, count: number, damaged = 'n2'): Promise<NodeStatus> {
  let repaired: NodeStatus | undefined
  {
    await using cluster = await Cluster.start({ directory, ...options })
    await until(`${damaged} is whole`, async () => {
      repaired = await statusOf(cluster, damaged)
      return repaired?.damaged.length === 0 && repaired.applied >= count
    })
    await using client = await cluster.client()
    await client.propose(kv.set('after', 'damage'))
    assert.equal(await client.query(kv.count()), count + 1)
    await assertEqualReplicas(cluster)
    // It counts again: without it there is no quorum now.
    const other = cluster.ids.find((id) => id !== damaged && id !== cluster.leader)
    if (other !== undefined && cluster.leader !== damaged) await cluster.crash(other)
    await client.propose(kv.set('again', 'fine'))
  }
  const { damaged: left, problems } = scanLog(nodeLog(directory, damaged))
  assert.deepEqual([left, problems], [[], []], 'on the disk, too')
  return repaired as NodeStatus
}

const segmentsOf = (log: string): string[] => scanLog(log).segments.map(({ path }) => join(path, 'data.mdb'))

function edit(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file)
  change(bytes)
  writeFileSync(file, bytes)
}

/** Flips a bit in the last byte of every copy of the values that the segment holds. */
function flipValues(file: string): void {
  const values: Buffer[] = []
  readLmdbFile(file, (key, value) => {
    if (key[0] === 0x20 && values.length < 3) values.push(Buffer.from(value))
  })
  edit(file, (bytes) => {
    for (const value of values) {
      for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) {
        const last = at + value.byteLength - 1
        bytes[last] = (bytes[last] as number) ^ 1
      }
    }
  })
}

/** The last page of a tree or of a value that is in use, and all behind the first three pages. */
const zeroPages = (file: string): void =>
  edit(file, (bytes) => bytes.fill(0, 3 * PAGE_BYTES, bytes.byteLength - PAGE_BYTES))

const damages: Readonly<Record<string, (file: string, other: string) => void>> = {
  'bits flipped in values': flipValues,
  'pages of zeros': zeroPages,
  'half of the file': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'no file': (file) => rmSync(file),
  "another node's file": (file, other) => cpSync(other, file),
}

describe('a log with', () => {
  for (const [what, damage] of Object.entries(damages)) {
    for (const [which, at] of [
      ['a sealed', 1],
      ['the active', -1],
    ] as const) {
      it(`${what} in ${which} segment is repaired from the peers`, () =>
        withDirectory(async (directory) => {
          await filled(directory)
          const [file, other] = ['n2', 'n3'].map((id) => segmentsOf(nodeLog(directory, id)).at(at))
          damage(file as string, other as string)
          const { metrics } = await heals(directory, 100)
          assert.ok(metrics.entriesRepaired > 0)
        }))
    }
  }

  it('a segment swapped with another is repaired from the peers', () =>
    withDirectory(async (directory) => {
      await filled(directory)
      const [first, second] = segmentsOf(nodeLog(directory, 'n2')) as [string, string]
      renameSync(first, `${first}.kept`)
      renameSync(second, first)
      renameSync(`${first}.kept`, second)
      const { metrics } = await heals(directory, 100)
      assert.ok(metrics.entriesRepaired >= 30)
    }))

  it('damage on two nodes of three, at different places, is repaired by each from who has it', () =>
    withDirectory(async (directory) => {
      await filled(directory)
      const [second] = segmentsOf(nodeLog(directory, 'n2'))
      const third = segmentsOf(nodeLog(directory, 'n3')).at(1)
      flipValues(second as string)
      zeroPages(third as string)
      await heals(directory, 100, 'n2')
      assert.deepEqual(scanLog(nodeLog(directory, 'n3')).damaged, [])
    }))
})

describe('an older copy', () => {
  it('of one file is found by the others beside it', () =>
    withDirectory(async (directory) => {
      await filled(directory)
      const log = nodeLog(directory, 'n2')
      const active = segmentsOf(log).at(-1) as string
      const earlier = readFileSync(active)
      await write(directory, 10, 100)
      assert.equal(segmentsOf(log).includes(active), true)
      writeFileSync(active, earlier)
      const { metrics } = await heals(directory, 110)
      assert.ok(metrics.entriesRepaired > 0)
    }))

  it('of the whole directory is found by the leader, who knows what was acknowledged', () =>
    withDirectory(async (directory) => {
      await filled(directory)
      const log = nodeLog(directory, 'n2')
      const earlier = join(directory, 'earlier')
      cpSync(log, earlier, { recursive: true })
      // Another leader would not know what n2 has acknowledged: none takes over because the machine is busy.
      const raft = { ...options.raft, ...patient }
      await using cluster = await Cluster.start({
        directory,
        ...options,
        raft,
        restart: { initialDelayMs: 10 },
      })
      await using client = await cluster.client()
      // Before anything is written: another leader would not have heard n2 acknowledge it either.
      if (cluster.leader === 'n2') await cluster.transferLeadership()
      await until('another leads', () => cluster.leader !== 'n2')
      for (let index = 100; index < 120; index++) await client.propose(kv.set(`k${index}`, 'x'))
      await until('the leader has heard n2 acknowledge all', async () => {
        const led = await statusOf(cluster, await leaderOf(cluster))
        return led?.match?.['n2'] === led?.lastIndex
      })
      await cluster.crash('n2')
      rmSync(log, { recursive: true })
      cpSync(earlier, log, { recursive: true })
      await cluster.restart('n2')
      await until('n2 has what it had lost', async () => {
        const status = await statusOf(cluster, 'n2')
        return status !== undefined && status.applied >= 120 && status.metrics.entriesRepaired > 0
      })
      await assertEqualReplicas(cluster)
    }))
})

it('what was damaged is kept beside what took its place', () =>
  withDirectory(async (directory) => {
    await filled(directory)
    const log = nodeLog(directory, 'n2')
    zeroPages(segmentsOf(log)[0] as string)
    await heals(directory, 100)
    const kept = readdirSync(log).find((name) => name.endsWith('-damaged-1'))
    assert.ok(kept !== undefined && existsSync(join(log, kept, 'data.mdb')))
  }))
