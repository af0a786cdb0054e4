/** What is wrong with a command line of `troupe log` is one line, and 64. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { troupe } from './in-process.fixture.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-log-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const run = (...args: readonly string[]) => troupe('log', ...args)

describe('wrong usage of troupe log', () => {
  const empty = join(scratch, 'empty')
  const older = join(scratch, 'older')
  before(() => {
    mkdirSync(empty)
    mkdirSync(older)
    writeFileSync(join(older, 'identity.json'), JSON.stringify({ format: 2, clusterId: 'c', nodeId: 'a' }))
  })

  for (const [args, line] of [
    [['inspect'], /^troupe: DIR is undefined; expected a directory, as in `troupe log inspect DIR`\n$/],
    [
      ['verify', empty],
      /^troupe: DIR is ".*empty"; expected a node's directory \(with identity\.json or log\/\)/,
    ],
    [['verify', join(empty, 'no-such')], /^troupe: DIR is ".*no-such"; expected a node's directory/],
    [['verify', older], /^troupe: data directory .*: it has format 2, this version reads 3/],
    [['inspect', empty, '--from', '0'], /^troupe: --from is 0; expected an integer of at least 1\n$/],
    [
      ['inspect', empty, '--from', '5', '--to', '4'],
      /^troupe: --to is 4; expected an integer of at least 5\n$/,
    ],
    [['prove', '--kills', '0'], /^troupe: --kills is 0; expected an integer of at least 1\n$/],
    [
      ['prove', '--dir', join(empty, 'no-such')],
      /^troupe: --dir is ".*"; expected a directory .*\(ENOENT\)\n$/,
    ],
    [['no-such'], /^troupe: unknown command "no-such"; see troupe log --help\n$/],
  ] as const) {
    test(args.map((arg) => arg.replace(scratch, '')).join(' '), async () => {
      const { code, stdout, stderr } = await run(...args)
      assert.equal(code, 64, stderr)
      assert.match(stderr, line)
      assert.equal(stdout, '')
    })
  }
})

test('troupe log --help lists its commands, without one it goes to stderr with 64', async () => {
  const asked = await run('--help')
  assert.deepEqual([asked.code, asked.stderr], [0, ''])
  for (const name of ['inspect DIR', 'verify DIR', 'prove'])
    assert.ok(asked.stdout.includes(`\n  ${name} `), name)
  const bare = await run()
  assert.deepEqual([bare.code, bare.stdout, bare.stderr], [64, '', asked.stdout])
})
