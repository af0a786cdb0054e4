/** A run on threads, recorded, and played again in the simulator: every turn of every node does what it did. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { type Client, Cluster, type ClusterOptions } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { kv, type QueueStats, queueCommands, queueQueries } from '@troupe/machines'
import { streamFrameOf } from '@troupe/wire'
import { runCli } from '../run-cli.ts'

/** A busy machine does not reach them: leaders change only where this file wants it. */
const patient = { electionTimeoutMinMs: 6000, electionTimeoutMaxMs: 9000, maxPersistStallMs: 60_000 }

const folder = mkdtempSync(join(tmpdir(), 'test-replay-'))
const recorded = join(folder, 'recorded')
after(() => rmSync(folder, { recursive: true, force: true }))

interface Played {
  readonly node: string
  readonly start: number
  readonly path: string
  readonly turns: number
  readonly isCutOff: boolean
  readonly difference?: { readonly turn: number; readonly recorded: string; readonly replayed: string }
  readonly damage?: { readonly turn: number; readonly offset: number }
}

async function troupe(...args: readonly string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const stream = new Writable({
    write(chunk, _, done) {
      text += String(chunk)
      done()
    },
  })
  const { signal } = new AbortController()
  const code = await runCli(args, { stdout: stream, stderr: stream, env: {}, signal })
  return { code, text }
}

/** Plays; what `--json` says of each recording. */
async function replay(
  path: string,
  ...more: string[]
): Promise<{ code: number; text: string; all: Played[] }> {
  const json = join(folder, 'replay.json')
  const { code, text } = await troupe('replay', path, ...more, '--json', json)
  return { code, text, all: JSON.parse(readFileSync(json, 'utf8')).recordings }
}

/** Writes, crashes the leader, takes snapshots, adds a member, starts the dead one again. */
async function eventfulRun(): Promise<void> {
  const raft = { ...patient, snapshotChunkBytes: 512, keepEntries: 2 }
  const cluster = await Cluster.start({ record: recorded, raft })
  try {
    const client = await cluster.client()
    const write = async (from: number): Promise<void> => {
      const keys = Array.from({ length: 40 }, (_, at) => `key ${from + at}`)
      await Promise.all(keys.map((key) => client.propose(kv.set(key, `the value of ${key}`))))
    }
    await write(0)
    const leader = cluster.leader as string
    await cluster.crash(leader)
    await write(100)
    assert.equal(await client.query(kv.count()), 80)
    for (const { id, running } of (await cluster.status()).nodes) if (running) await cluster.takeSnapshot(id)
    await write(200)
    await cluster.members.add('n4')
    await cluster.restart(leader)
    await write(300)
    await cluster.converged()
    await client.close()
  } finally {
    await cluster.stop()
  }
}

describe('a recorded run on threads', () => {
  before(eventfulRun)

  it('is reproduced, turn by turn', async () => {
    const { code, text, all } = await replay(recorded)
    assert.equal(code, 0, text)
    const starts = all.map(({ node, start }) => `${node}.${start}`)
    assert.equal(starts.length, 5, `three nodes, a restart and a new one: ${starts}`)
    for (const { turns } of all) assert.ok(turns > 10, text)
    assert.match(text, /turns reproduced of 5 recordings\n$/)
    assert.match(text, /then the recording ends: the node was killed, or runs/)
  })

  it('shows what happened, all nodes in one order, and where a node stood', async () => {
    const { code, text } = await troupe('replay', recorded, '--timeline')
    assert.equal(code, 0)
    const times = [...text.matchAll(/^ *(\d+\.\d{3}) n\d #/gm)].map(([, ms]) => Number(ms))
    assert.ok(times.length > 100)
    assert.deepEqual(
      times,
      times.toSorted((left, right) => left - right),
    )
    assert.match(text, /control takeSnapshot/)
    assert.match(text, /install snapshot/)
    assert.match(text, /control changeMembers/)
    const part = await troupe('replay', recorded, '--node', 'n2', '--to-turn', '10')
    assert.match(part.text, /^n2, start 1: 10 turns reproduced, [\d,]+ turns\/s, [\d.]+ .?i?B\n/)
    assert.match(part.text, /stands: voters n1 n2 n3; learners none/)
  })

  it('differs where the code breaks a rule that it depended on, and says at which turn', async () => {
    const { code, text, all } = await replay(recorded, '--mutant', 'ack-before-flush')
    assert.equal(code, 1, text)
    const broken = all.find(({ difference }) => difference !== undefined)
    assert.ok(broken?.difference !== undefined && broken.difference.turn > 0)
    assert.notEqual(broken.difference.recorded, broken.difference.replayed)
    assert.match(text, /differs at turn \d+\n +events +\S.*\n +recorded .*\n +replayed /)
  })
})

describe('a recording', () => {
  let path: string
  let whole: Buffer
  before(() => {
    path = join(recorded, 'n2.1.turns')
    whole = readFileSync(path)
  })

  const altered = (bytes: Uint8Array): string => {
    const place = mkdtempSync(join(folder, 'altered-'))
    writeFileSync(join(place, 'n2.1.turns'), bytes)
    return place
  }

  it('that is cut off is played up to its end', async () => {
    const frames = framesOf(whole)
    const [, , third] = frames
    const end = (third as Frame).at + (third as Frame).bytes.byteLength
    const { code, text, all } = await replay(altered(whole.subarray(0, end + 20)))
    assert.equal(code, 0, text)
    assert.deepEqual([all[0]?.turns, all[0]?.isCutOff], [2, true])
    assert.match(text, /2 turns reproduced.*; then the recording ends, within a turn: the node was killed/)
    const empty = await replay(altered(new Uint8Array(0)))
    assert.deepEqual([empty.code, empty.all[0]?.turns], [0, 0])
  })

  it('with a changed bit is told where', async () => {
    const [, , third] = framesOf(whole)
    const { at, bytes } = third as Frame
    const changed = Buffer.from(whole)
    const place = at + bytes.byteLength - 3
    changed[place] = (changed[place] as number) ^ 4
    const { code, text, all } = await replay(altered(changed))
    assert.equal(code, 1)
    assert.deepEqual([all[0]?.turns, all[0]?.damage?.turn, all[0]?.damage?.offset], [1, 2, at])
    assert.match(text, /damaged at turn 2, byte/)
  })

  it('that somebody has changed, checksums and all, differs there', async () => {
    const frames = framesOf(whole)
    const written = frames.findIndex(({ bytes }) => bytes.includes('the value of key 7'))
    assert.ok(written > 0)
    const { at, bytes } = frames[written] as Frame
    const payload = Buffer.from(bytes.subarray(HEADER_BYTES))
    // One of an entry's bytes: its record is no longer what its checksum says.
    const place = payload.indexOf('the value of key 7')
    payload.write('THE', place)
    const behind = whole.subarray(at + bytes.byteLength)
    const changed = Buffer.concat([whole.subarray(0, at), streamFrameOf(payload), behind])
    const { code, text, all } = await replay(altered(changed))
    assert.equal(code, 1, text)
    assert.equal(all[0]?.difference?.turn ?? all[0]?.damage?.turn, written)
  })

  it('without one of its turns, whichever, differs behind it', async () => {
    const frames = framesOf(whole)
    // Among the first are those in which clients come, whom later ones speak of.
    for (let missing = 1; missing <= 12; missing++) {
      const { at, bytes } = frames[missing] as Frame
      const behind = whole.subarray(at + bytes.byteLength)
      const { code, text, all } = await replay(altered(Buffer.concat([whole.subarray(0, at), behind])))
      assert.equal(code, 1, text)
      // A record may name what later ones refer to: without it they cannot even be read.
      assert.equal(all[0]?.difference?.turn ?? all[0]?.damage?.turn, missing, text)
    }
  })

  it('has a bound, and the node goes on behind it', async () => {
    const directory = join(folder, 'bounded')
    const logged: string[] = []
    const cluster = await Cluster.start({
      nodes: 1,
      durability: 'memory',
      record: { directory, maxBytes: 64 << 10 },
      logger: (_, event, detail) => void logged.push(`${event} ${detail['reason']}`),
    })
    try {
      const client = await cluster.client()
      const value = 'v'.repeat(1000)
      const keys = Array.from({ length: 100 }, (_, at) => `key ${at}`)
      await Promise.all(keys.map((key) => client.propose(kv.set(key, value))))
      assert.equal(await client.query(kv.count()), 100)
      await client.close()
    } finally {
      await cluster.stop()
    }
    assert.ok(logged.includes('recording ended it has reached 65536 bytes'))
    assert.ok(readFileSync(join(directory, 'n1.1.turns')).byteLength <= 64 << 10)
    const { code, text } = await replay(directory)
    assert.equal(code, 0)
    assert.match(text, /recorded no further: it has reached 65536 bytes/)
  })
})

describe('a machine', () => {
  /** Runs a node of its own, twice over the same directory, and plays both. */
  const playsAgain = async (
    name: string,
    options: ClusterOptions,
    act: (client: Client) => Promise<unknown>,
  ): Promise<void> => {
    const record = join(folder, name)
    const cluster = await Cluster.start({ ...options, nodes: 1, record })
    try {
      const client = await cluster.client()
      await act(client)
      await cluster.crash('n1')
      await cluster.restart('n1')
      await act(client)
      await client.close()
    } finally {
      await cluster.stop()
    }
    const { code, text, all } = await replay(record)
    assert.equal(code, 0, text)
    assert.equal(all.length, 2)
  }

  it('that keeps its state on the disk is played from what was there', async () => {
    await playsAgain('disk', { machineOptions: { storage: 'disk' } }, (client) =>
      Promise.all(Array.from({ length: 20 }, (_, at) => client.propose(kv.set(`key ${at}`, at)))),
    )
  })

  it('that has messages in segments and does things by itself is played without any', async () => {
    await playsAgain('queue', { machine: 'queue' }, async (client) => {
      await client.propose(queueCommands.create('jobs'))
      const messages = Array.from({ length: 20 }, (_, at) =>
        queueCommands.message(`job ${at}`, { delayMs: at }),
      )
      await client.propose(queueCommands.send('jobs', messages))
      const group = ((await client.query(queueQueries.stats('jobs'))) as QueueStats).groups[0]
        ?.group as string
      await client.propose(queueCommands.subscribe('jobs', group, 4, 50))
    })
  })
})

describe('what cannot be played', () => {
  it('is refused before anything is', async () => {
    const nothing = join(folder, 'nothing')
    mkdirSync(nothing)
    for (const [args, line] of [
      [[], /DIR has no value/],
      [[join(folder, 'no-such')], /DIR is ".*no-such"; expected a directory that can be read \(ENOENT\)/],
      [[nothing], /expected a directory with recordings/],
      [[recorded, '--node', 'n9'], /--node is "n9"; expected n1 or n2 or n3 or n4/],
      [[recorded, '--to-turn', '0'], /--to-turn is 0; expected an integer of at least 1/],
      [[recorded, '--mutant', 'no-such'], /--mutant is "no-such"; expected one of/],
    ] as const) {
      const { code, text } = await troupe('replay', ...args)
      assert.equal(code, 64, text)
      assert.match(text, line)
    }
    for (const record of ['', { directory: folder, maxBytes: 1 }])
      await assert.rejects(Cluster.start({ record }), (error) => RaftError.is(error, 'INVALID_OPTIONS'))
  })
})

const HEADER_BYTES = 12

interface Frame {
  readonly at: number
  readonly bytes: Buffer
}

/** A recording cut into its records. */
function framesOf(whole: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < whole.byteLength; ) {
    const end = at + HEADER_BYTES + whole.readUInt32LE(at)
    frames.push({ at, bytes: whole.subarray(at, end) })
    at = end
  }
  return frames
}
