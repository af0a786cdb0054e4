/**
 * What an acknowledgement is worth: processes that are killed, disks that are full, and the order of system
 * calls.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { openLmdbLogStore, scanLog } from '../index.ts'
import { TRACED_CALLS, tracedCalls } from './traced-calls.ts'

const appending = fileURLToPath(new URL('../../test/appending-process.ts', import.meta.url))
const quiet = { onPersisted: () => {}, onFailed: () => {}, onSpace: () => {} }

/** Kills the process after `acks` acknowledgements; returns the last one it made before it died. */
async function killAfter(child: ChildProcess, acks: number): Promise<number> {
  assert.ok(child.stdout)
  let seen = 0
  let last = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [, index] = /^ACK (\d+)$/.exec(line) ?? []
    if (index === undefined) continue
    last = Number(index)
    seen += 1
    if (seen === acks) child.kill('SIGKILL')
  }
  return last
}

/** Looks at the log as the crash left it, opens it as a restarted node would, reads all of it, returns its last index. */
async function inspect(path: string, durability: 'flush-before-ack' | 'acked-before-flush'): Promise<number> {
  const { segments, damaged, problems } = scanLog(join(path, '0'))
  const store = await openLmdbLogStore({ path, durability, events: quiet })
  const { base, lastIndex, hardState } = store
  const entries = store.read(base.index + 1, lastIndex, Number.POSITIVE_INFINITY)
  await store.close()
  assert.deepEqual([damaged, problems, store.damaged], [[], [], []])
  assert.equal(base.index, 0)
  assert.equal(entries.length, lastIndex)
  const written = segments.at(-1)?.scanned?.hardState?.term
  assert.equal(written, lastIndex, 'entries and hard state are one step')
  assert.ok(hardState.term >= lastIndex, 'the witness may be a step ahead that nobody was told of')
  return lastIndex
}

for (const durability of ['flush-before-ack', 'acked-before-flush'] as const) {
  test(`nothing acknowledged is missing after kill -9, ${durability}`, async (t) => {
    for (let round = 0; round < 4; round++) {
      const acks = 1 + Math.floor(Math.random() * 150)
      await withTemporaryDirectory(async (path) => {
        const child = spawn(process.execPath, [appending, path, durability, '1000000', '5'])
        const exit = once(child, 'exit')
        const acknowledged = await killAfter(child, acks)
        await exit
        const found = await inspect(path, durability)
        t.diagnostic(`killed after ${acks} acknowledgements: ${acknowledged} acknowledged, ${found} found`)
        assert.ok(acknowledged >= acks)
        assert.ok(found >= acknowledged, `${acknowledged} was acknowledged, ${found} is there`)
      })
    }
  })
}

test('a commit that fails is reported once, and nothing completes afterwards', (t) =>
  withTemporaryDirectory(async (path) => {
    if (process.platform === 'win32') return t.skip('no ulimit here')
    // A file that may not grow stands for a full disk: the kernel refuses the write in both cases.
    const command = 'ulimit -f 200; exec "$0" "$@"'
    const args = [appending, path, 'flush-before-ack', '1000000', '5']
    const { stdout } = spawnSync('sh', ['-c', command, process.execPath, ...args], { encoding: 'utf8' })
    const lines = stdout.trimEnd().split('\n')
    const acks = lines.filter((line) => line.startsWith('ACK'))
    assert.match(lines.at(-2) ?? '', /^FAILED STORAGE_FAILED ./)
    assert.equal(lines.at(-1), 'CLOSED')
    assert.equal(lines.length, acks.length + 2)
    t.diagnostic(`${acks.length} acknowledgements, then ${lines.at(-2)}`)
    assert.ok((await inspect(path, 'flush-before-ack')) >= Number(acks.at(-1)?.slice(4)))
  }))

test('every acknowledgement follows a write, a sync, and the write of the meta page', (t) =>
  withTemporaryDirectory((path) => {
    if (spawnSync('strace', ['-V']).error) return t.skip('no strace on this machine')
    const output = join(path, 'trace')
    const traced = [process.execPath, appending, join(path, 'log'), 'flush-before-ack', '10', '1']
    const { status, stderr } = spawnSync('strace', ['-f', '-y', '-e', TRACED_CALLS, '-o', output, ...traced])
    if (/PTRACE|ptrace/.test(String(stderr))) return t.skip('strace may not trace here')
    assert.equal(status, 0)
    const trace = readFileSync(output, 'utf8')
    assert.match(
      trace,
      /data\.mdb", [^)]*O_DSYNC/,
      'the meta page is written through a synchronous descriptor',
    )
    const steps = tracedCalls(trace, 'data.mdb')
    t.diagnostic(`calls before each acknowledgement: ${steps.join(' ')}`)
    assert.equal(steps.length, 10)
    for (const step of steps) assert.match(step, /w+s+w$/)
    // Term and vote stand in the witness too.
    const told = tracedCalls(trace, '/witness>')
    assert.equal(told.length, 10)
    for (const step of told) assert.match(step, /ws$/)
  }))
