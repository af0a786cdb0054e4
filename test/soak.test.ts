/** `troupe soak` as a user runs it, for some seconds: too short to tell of growth, long enough for everything else. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
const { scratch } = command
after(() => command.remove())

/** Compactions many times a second's worth of load, and little to do for a slow disk. */
const small = ['--keys', '200', '--rate', '400', '--segment-mb', '0.0625', '--seed', '3']

interface NamedCheck {
  readonly name: string
  readonly verdict: string
  readonly text: string
}

describe('soak', () => {
  test('crashes, compacts and restarts a cluster, and tells what it takes', async () => {
    const path = join(scratch, 'soak.json')
    const { code, stdout, stderr, left } = await command.run(
      'soak',
      '--minutes',
      '0.2',
      ...small,
      '--json',
      path,
    )
    assert.equal(code, 2, stdout + stderr)
    assert.deepEqual(left, [])
    assert.match(stdout, /minute +op\/s +p99 ms +crashes +private MiB/)
    assert.match(stdout, /unknown +private memory .*too short to tell/)

    const { benchmark, verdict, checks, rests, faults, samples, runs } = JSON.parse(
      readFileSync(path, 'utf8'),
    )
    assert.deepEqual([benchmark, verdict], ['soak', 'unknown'])
    const decided = (checks as NamedCheck[]).filter(({ name }) => ['run', 'data', 'output'].includes(name))
    for (const check of decided) assert.equal(check.verdict, 'pass', check.text)
    // Three orderly restarts, the last of them for a look at what is on the disk.
    assert.equal(rests.length, 4)
    assert.equal(runs.length, 4)
    assert.ok(runs[3].acknowledged > 0)
    assert.equal(runs[3].acknowledged, runs[2].acknowledged)
    assert.ok(faults.length > 0, 'nobody crashed')
    const last = samples.at(-1)
    assert.ok(last.privateBytes > 1 << 20 && last.acknowledged === runs[3].acknowledged)
    assert.ok(samples.some(({ nodes }: { nodes: { base: number }[] }) => nodes.some(({ base }) => base > 0)))
  })

  test('a line that anybody writes fails it, and is shown', async () => {
    // Only the process with the cluster has a parent to talk to.
    const hook = "data:text/javascript,process.send&&console.error('overlapping%20duplicate%20entry')"
    const before = process.env.NODE_OPTIONS
    process.env.NODE_OPTIONS = `${before ?? ''} --import=${hook}`
    try {
      const { code, stdout } = await command.run('soak', '--minutes', '0.1', ...small)
      assert.equal(code, 1, stdout)
      assert.match(stdout, /fail +output +1 lines that nobody expects/)
      assert.match(stdout, / {2}\| overlapping duplicate entry/)
    } finally {
      if (before === undefined) delete process.env.NODE_OPTIONS
      else process.env.NODE_OPTIONS = before
    }
  })

  test('Ctrl-C ends it cleanly', async () => {
    const { code, stdout, left } = await command.interrupt(/./, 'soak', '--minutes', '5', ...small)
    assert.equal(code, 130)
    assert.match(stdout, /interrupted: this is what there was/)
    assert.deepEqual(left, [])
  })
})
